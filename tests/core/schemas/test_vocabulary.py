"""Schemas are changed keyword by keyword, in dicts that hold unknown keywords as well: a misspelt keyword is none of the vocabulary."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import victor_fp.core.schemas as schemas
from victor_fp.core.dialects import schemas as rules
from victor_fp.core.dialects.schemas import SchemaSupport
from victor_fp.core.schemas import vocabulary

KEYWORDS = (
    vocabulary.SCHEMA_MAPS
    | vocabulary.SCHEMA_LISTS
    | vocabulary.SINGLE_SCHEMAS
    | vocabulary.SILENT
    | vocabulary.INFORMATIVE
    | vocabulary.RESTRICTIONS
    | {"description", "nullable", "additionalItems"}
)
"""Those of the vocabulary, and of OpenAPI 3.0 and older drafts."""
MODULES = ("conversion", "merging", "normalise", "references", "unions")


def list_keys(tree: ast.Module) -> Iterator[ast.expr | None]:
    """Keys of dicts that are displayed, read, assigned or matched."""
    for node in ast.walk(tree):
        match node:
            case ast.Dict(keys=keys) | ast.MatchMapping(keys=keys):
                yield from keys
            case ast.Subscript(slice=key):
                yield key
            case ast.Call(func=ast.Attribute(attr="get" | "pop" | "setdefault"), args=[key, *_]):
                yield key
            case _:
                pass


@pytest.mark.parametrize("name", MODULES)
def test_every_constant_key_is_a_keyword(name: str) -> None:
    source = (Path(schemas.__file__).parent / f"{name}.py").read_text(encoding="utf-8")
    named = [key.value for key in list_keys(ast.parse(source)) if isinstance(key, ast.Constant)]
    assert {key for key in named if isinstance(key, str)} - KEYWORDS - set(vocabulary.OF_TYPE) - {"bool"} == set()


def test_every_keyword_of_the_vendors_rules_is_a_keyword() -> None:
    supports = [value for value in vars(rules).values() if isinstance(value, SchemaSupport)]
    given = [one for support in supports for one in (support.tools, support.strict_tools, support.answers) if one]
    assert given
    named = frozenset().union(*((one.keywords or frozenset()) | one.refused | one.values.keys() for one in given))
    assert named - KEYWORDS == set()
