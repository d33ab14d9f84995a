"""Rules that the core keeps, read off its syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

import victor_fp.core as core
from tests.syntax_trees import parse_file

pytestmark = pytest.mark.lint

ROOT = Path(core.__file__).parent
VALUES = {"operations.py", "function_tags.py"}
"""Where a tuple is one of the caller's values, or one of several things that were read."""


Trees: TypeAlias = list[tuple[str, ast.Module]]


@pytest.fixture(scope="module")
def trees() -> Trees:
    return [(path.relative_to(ROOT).as_posix(), parse_file(path)) for path in sorted(ROOT.rglob("*.py"))]


LOOSE = frozenset(
    [
        "conversation",
        "deltas",
        "faults",
        "metadata",
        "model_names",
        "options",
        "requests",
        "result",
        "transcript",
        "types",
    ]
)
"""What all packages of the core share; each other module is in the package of its stage."""


def test_modules_are_in_the_package_of_their_stage() -> None:
    assert {path.stem for path in ROOT.glob("*.py")} - {"__init__"} == LOOSE


def is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def test_errors_are_not_distinguished_from_results_by_tuple_checks(trees: Trees) -> None:
    found = {
        name.rpartition("/")[2]
        for name, tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and is_name(node.func, "isinstance")
        and len(node.args) == 2
        and is_name(node.args[1], "tuple")
    }
    assert found <= VALUES


def test_no_module_has_a_variable_that_its_functions_set(trees: Trees) -> None:
    found = {f"{name}:{node.lineno}" for name, tree in trees for node in ast.walk(tree) if isinstance(node, ast.Global)}
    assert found == set()


def test_no_module_level_mapping_or_list_is_changed_by_a_function(trees: Trees) -> None:
    changing = {"append", "add", "update", "setdefault", "pop", "clear", "extend", "remove", "discard", "insert"}
    found = set()
    for name, tree in trees:
        held = {
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign | ast.AnnAssign)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]:
            own = {
                node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            }
            own |= {argument.arg for argument in ast.walk(function) if isinstance(argument, ast.arg)}
            for node in ast.walk(function):
                match node:
                    case ast.Call(func=ast.Attribute(value=ast.Name(id=variable), attr=method)) if method in changing:
                        pass
                    case ast.Subscript(value=ast.Name(id=variable), ctx=ast.Store() | ast.Del()):
                        pass
                    case _:
                        continue
                if variable in held - own:
                    found.add(f"{name}: {variable}")
    assert found == set()


CHANGING = frozenset(
    {"append", "appendleft", "extend", "add", "update", "insert", "setdefault", "pop", "popleft", "popitem", "remove"}
    | {"clear", "discard", "sort", "reverse"}
    | {"difference_update", "intersection_update", "symmetric_difference_update", "move_to_end"}
)
"""Methods that change a list, a mapping or a set."""
Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def list_parameters(function: Function) -> set[str]:
    """The names of the parameters, without the first of a method: an object may change itself."""
    given = function.args
    named = [*given.posonlyargs, *given.args]
    others = [*given.kwonlyargs, *filter(None, [given.vararg, given.kwarg])]
    return {argument.arg for argument in [*named, *others]} - {"self"}


def walk_own(function: Function) -> Iterator[ast.AST]:
    """The nodes of a function, without those of the functions and classes inside it."""
    pending: list[ast.AST] = list(function.body) if isinstance(function.body, list) else [function.body]
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, Function | ast.ClassDef):
            pending.extend(ast.iter_child_nodes(node))


def find_owner(node: ast.expr) -> str | None:
    """The variable that `a.b[0].c` is a part of."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def find_changed(node: ast.AST) -> str | None:
    """The variable whose value a node changes, or a part of it."""
    match node:
        case ast.Call(func=ast.Attribute(value=held, attr=method)) if method in CHANGING:
            return find_owner(held)
        case ast.Call(func=ast.Name(id="setattr" | "delattr"), args=[held, *_]):
            return find_owner(held)
        case ast.Call(func=ast.Attribute(attr="heappush" | "heappop" | "heapify" | "heapreplace"), args=[held, *_]):
            return find_owner(held)
        case ast.Subscript(value=held) | ast.Attribute(value=held) if isinstance(node.ctx, ast.Store | ast.Del):
            return find_owner(held)
        case _:
            return None


def find_changed_parameters(tree: ast.Module) -> list[str]:
    """Where a function changes the value of one of its parameters, unless it gave the name another value."""
    found = []
    for function in [node for node in ast.walk(tree) if isinstance(node, Function)]:
        nodes = list(walk_own(function))
        given_anew = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        parameters = list_parameters(function)
        found += [
            f"{node.lineno}: {changed}"
            for node in nodes
            if (changed := find_changed(node)) in parameters - given_anew and isinstance(node, ast.expr)
        ]
    return sorted(found)


@pytest.mark.parametrize(
    "body",
    [
        "a.append(1)",
        "a[0] = 1",
        "del a[0]",
        "a.x = 1",
        "a.x.add(1)",
        "a[-1][1].extend(b)",
        "a[0] += 1",
        "setattr(a, 'x', 1)",
        "heapq.heappush(a, 1)",
        "b = lambda: [a for a in b]; a.pop()",
    ],
)
def test_the_rule_about_parameters_finds_changes(body: str) -> None:
    assert find_changed_parameters(ast.parse(f"def f(a, b): {body}")) == ["1: a"]


@pytest.mark.parametrize(
    "program",
    [
        "def f(a):\n    a = dict(a)\n    a['x'] = 1",
        "def f(a):\n    b = [*a]\n    b.append(1)\n    return b",
        "def f(a):\n    b = []\n    def g(c):\n        b.append(c)\n    return g",
        "class A:\n    def f(self):\n        self.x = 1",
    ],
)
def test_the_rule_about_parameters_lets_local_values_change(program: str) -> None:
    assert find_changed_parameters(ast.parse(program)) == []


def test_functions_do_not_change_what_they_are_given(trees: Trees) -> None:
    assert {name: changed for name, tree in trees if (changed := find_changed_parameters(tree))} == {}
