"""No circle of imports: what a module needs, when it is imported or when its functions run, never needs that module."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import victor_fp
from tests.syntax_trees import parse_file

pytestmark = pytest.mark.lint

ROOT = Path(victor_fp.__file__).parent


def read_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def walk_imports(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """All imports of a module, those of its functions included; none for type checkers."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif is_for_types(child):
            for other in child.orelse:  # type: ignore[attr-defined]  # an `if`
                yield from walk_imports(other)
        elif not isinstance(child, ast.expr):
            yield from walk_imports(child)


def find_imported(trees: Mapping[str, ast.Module]) -> dict[str, set[str]]:
    """The modules among `trees` that each of them imports."""
    found: dict[str, set[str]] = {}
    for name, tree in trees.items():
        given: set[str] = set()
        for node in walk_imports(tree):
            if isinstance(node, ast.Import):
                given |= {alias.name for alias in node.names}
            elif node.module is not None:
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                modules = inner & trees.keys()
                given |= modules if len(modules) == len(inner) else modules | {node.module}
        found[name] = given & trees.keys()
    return found


@pytest.mark.parametrize(
    ("first", "is_circle"),
    [
        ("from a.y import Y", True),
        ("import a.y", True),
        ("from a import y", True),
        ("try:\n    import a.y\nexcept ImportError:\n    pass", True),
        ("def f():\n    import a.y", True),
        ("if TYPE_CHECKING:\n    import a.y", False),
    ],
)
def test_circles_are_found(first: str, *, is_circle: bool) -> None:
    graph = find_imported(
        {name: ast.parse(text) for name, text in {"a": "", "a.x": first, "a.y": "from a.x import X"}.items()}
    )
    if is_circle:
        with pytest.raises(CycleError):
            TopologicalSorter(graph).prepare()
    else:
        TopologicalSorter(graph).prepare()


def test_modules_import_each_other_in_no_circle() -> None:
    trees = {read_name(path): parse_file(path) for path in sorted(ROOT.rglob("*.py"))}
    assert len(trees) > 500
    TopologicalSorter(find_imported(trees)).prepare()
