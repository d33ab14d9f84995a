"""Rules that the core keeps, read off its syntax trees."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TypeAlias

import pytest

import victor_fp.core as core

ROOT = Path(core.__file__).parent
VALUES = {"operations.py", "function_tags.py"}
"""Where a tuple is one of the caller's values, or one of several things that were read."""


Trees: TypeAlias = list[tuple[str, ast.Module]]


@pytest.fixture(scope="module")
def trees() -> Trees:
    return [
        (path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8")))
        for path in sorted(ROOT.rglob("*.py"))
    ]


LOOSE = {"deltas", "faults", "metadata", "options", "requests", "result", "transcript", "types"}
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
