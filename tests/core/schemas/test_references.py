"""Resolution of references, and detection of circular ones."""

from __future__ import annotations

from typing import Any

import pytest

from victor_fp.core.schemas.references import are_disjoint, find_circular, find_target


def test_circular_references_are_those_that_lead_back() -> None:
    schema: Any = {
        "$ref": "#/$defs/Lead",
        "$defs": {
            "Lead": {"properties": {"a": {"$ref": "#/$defs/A"}}},
            "A": {"items": {"$ref": "#/$defs/B"}},
            "B": {"anyOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/End"}]},
            "End": {"type": "null"},
        },
    }
    assert find_circular(schema) == {"#/$defs/A", "#/$defs/B"}


def test_a_reference_to_the_root_is_circular() -> None:
    assert find_circular({"properties": {"child": {"$ref": "#"}}}) == {"#"}


def test_a_property_named_ref_is_not_a_reference() -> None:
    assert find_circular({"properties": {"$ref": {"type": "string"}}}) == frozenset()


@pytest.mark.parametrize(
    ("reference", "wanted"),
    [
        ("#/$defs/a~1b", {"type": "null"}),
        ("#/anyOf/1", {"type": "string"}),
        ("#/anyOf/9", None),
        ("#/anyOf/1/type", None),
        ("#/" + "anyOf/" * 10_000, None),
        ("other.json", None),
    ],
)
def test_pointers_are_followed_inside_of_the_schema(reference: str, wanted: Any) -> None:
    schema: dict[str, Any] = {"anyOf": [{}, {"type": "string"}], "$defs": {"a/b": {"type": "null"}}}
    assert find_target(schema, reference) == wanted


@pytest.mark.parametrize(
    ("branches", "wanted"),
    [
        ([{"type": "string"}, {"type": "null"}], True),
        ([{"type": "integer"}, {"type": "number"}], False),
        ([{"type": "string"}, {}], False),
        ([{"$ref": "#/$defs/A"}, {"type": "string"}], True),
        ([], False),
    ],
)
def test_branches_are_disjoint_by_type_or_by_a_constant(branches: list[Any], wanted: bool) -> None:
    assert are_disjoint(branches, {"$defs": {"A": {"type": "null"}}}) is wanted
