"""Every compiled operation and every body that one names is used by the protocols; what is not used is removed."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
import victor_fp_wire

import victor_fp.core.protocols as protocols
from tests.syntax_trees import parse_file

DOCUMENTS = [package.name for package in pkgutil.iter_modules(victor_fp_wire.__path__)]
ROLES = ("REQUEST", "RESPONSE", "EVENT", "ERROR")
DECODED_BY_FIELD = {("bedrock_converse", "ConverseStreamOutput")}
"""Unions of the vendor's whose fields are decoded one by one, since each frame's header names its field."""


def list_operations(document: str) -> dict[str, type[Any]]:
    module = importlib.import_module(f"victor_fp_wire.{document}.operations")
    return {
        name: item
        for name, item in inspect.getmembers(module, inspect.isclass)
        if issubclass(item, msgspec.Struct) and hasattr(item, "PARAMETERS")
    }


@cache
def collect_imports() -> frozenset[tuple[str, str]]:
    """(module, name) for everything the protocols import from the wire, and (module.operation, role) for what they read."""
    found: set[tuple[str, str]] = set()
    for path in Path(protocols.__file__).parent.rglob("*.py"):
        tree = parse_file(path)
        aliases = dict(list_wire_imports(tree))
        for node in ast.walk(tree):
            match node:
                case ast.Name(id=name) if name in aliases:
                    found.add(aliases[name])
                case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in aliases:
                    module, inner = aliases[name]
                    found.add((f"{module}.{inner}", attribute))
                case _:
                    pass
    return frozenset(found)


def list_wire_imports(tree: ast.Module) -> Iterator[tuple[str, tuple[str, str]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("victor_fp_wire"):
            for alias in node.names:
                yield alias.asname or alias.name, (node.module or "", alias.name)


def is_used(document: str, role: str, name: str) -> bool:
    side = "request" if role == "REQUEST" else "response"
    direct = {(f"victor_fp_wire.{document}.{side}", name), (f"victor_fp_wire.{document}.{side}.{name}", name)}
    if direct & collect_imports():
        return True
    readers = {
        operation
        for operation, item in list_operations(document).items()
        if name_of(getattr(item, role), document) == name
    }
    return any(
        (f"victor_fp_wire.{document}.operations.{operation}", role) in collect_imports() for operation in readers
    )


def name_of(body: victor_fp_wire.Body[object] | None, document: str) -> str | None:
    """The name of the body's type in its module: a struct's own, an alias's by identity."""
    if body is None:
        return None
    if isinstance(body.wire_type, type):
        return body.wire_type.__name__
    module = importlib.import_module(f"victor_fp_wire.{document}.response")
    return next(name for name, item in vars(module).items() if item is body.wire_type)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_operation_is_used(document: str) -> None:
    module = f"victor_fp_wire.{document}.operations"
    unused = [name for name in list_operations(document) if (module, name) not in collect_imports()]
    assert unused == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_body_of_an_operation_is_used(document: str) -> None:
    bodies = {
        (role, name)
        for item in list_operations(document).values()
        for role in ROLES
        if (name := name_of(getattr(item, role), document)) is not None
    }
    assert bodies
    unused = {
        f"{role} {name}"
        for role, name in bodies
        if (document, name) not in DECODED_BY_FIELD and not is_used(document, role, name)
    }
    assert unused == set()


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("side", ["request", "response"])
def test_every_model_is_part_of_a_body_that_is_used(document: str, side: str) -> None:
    """Models of vendors, and of parts of multipart bodies, are in no body of an operation: they are imported."""
    module = f"victor_fp_wire.{document}.{side}"
    path = Path(importlib.import_module(module).__file__ or "")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    defined = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    inside = {
        name.id
        for statement in tree.body
        for name in ast.walk(statement)
        if isinstance(name, ast.Name) and name.id != getattr(statement, "name", None)
    }
    bodies = {
        name_of(body, document)
        for item in list_operations(document).values()
        for role in ROLES
        if (body := getattr(item, role))
    }
    imported = {name for owner, name in collect_imports() if owner.startswith(f"victor_fp_wire.{document}")}
    assert defined.keys() - inside - bodies - imported == set()


def test_the_exceptions_are_still_needed() -> None:
    for document, name in DECODED_BY_FIELD:
        fields = msgspec.structs.fields(getattr(importlib.import_module(f"victor_fp_wire.{document}.response"), name))
        assert any(str(field.type.__args__[0].__name__) in str(collect_imports()) for field in fields)
        assert not is_used(document, "EVENT", name)
