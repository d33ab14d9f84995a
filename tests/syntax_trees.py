"""Syntax trees for the tests that read source files; each file is parsed once in a process."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


class Definition(NamedTuple):
    """A function or a class, and whether a function holds it."""

    node: Function | ast.ClassDef
    is_local: bool


@cache
def parse_file(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def list_definitions(tree: ast.Module) -> list[Definition]:
    """All functions and classes of a module. Only statements are visited, as no expression holds a definition."""
    found: list[Definition] = []
    pending: list[tuple[ast.AST, bool]] = [(tree, False)]
    while pending:
        node, is_local = pending.pop()
        if isinstance(node, Function | ast.ClassDef):
            found.append(Definition(node, is_local))
        is_local = is_local or isinstance(node, Function)
        blocks = (getattr(node, name, ()) for name in ("body", "orelse", "finalbody", "handlers", "cases"))
        pending += [(child, is_local) for block in blocks for child in block]
    return sorted(found, key=lambda one: one.node.lineno)
