"""The caller's own fields over a typed body: RFC 7396, and a report of what they override."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor_fp.core.requests import merge_extra_body, merge_patch


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """A body with every kind of field."""

    model: str = "m"
    reasoning: dict[str, object] = {}
    tools: list[dict[str, object]] = []
    temperature: float | msgspec.UnsetType = msgspec.UNSET


def merge_extra(body: Body, extra: dict[str, Any], **keywords: Any) -> tuple[Any, dict[str, str]]:
    data, adjustments = merge_extra_body(body, extra, **keywords)
    assert all(adjustment.action == "changed" for adjustment in adjustments)
    return json.loads(data), {adjustment.parameter: adjustment.reason for adjustment in adjustments}


# RFC 7396, appendix A, as far as the target is an object.
RFC = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "patch", "result"), RFC)
def test_the_examples_of_rfc_7396(target: dict[str, Any], patch: dict[str, Any], result: dict[str, Any]) -> None:
    before = json.dumps([target, patch])
    assert merge_patch(target, patch) == result
    assert json.dumps([target, patch]) == before


def test_a_body_without_extra_fields_is_encoded_as_it_is() -> None:
    assert merge_extra_body(Body(), {}) == (b'{"model":"m","reasoning":{},"tools":[]}', ())


def test_a_nested_field_joins_those_that_options_set() -> None:
    sent, adjusted = merge_extra(Body(reasoning={"effort": "low"}), {"reasoning": {"exclude": True}})
    assert sent["reasoning"] == {"effort": "low", "exclude": True}
    assert adjusted == {}


def test_what_is_replaced_or_removed_is_reported_by_its_path() -> None:
    body = Body(reasoning={"effort": "low", "max_tokens": 5}, temperature=0.5)
    sent, adjusted = merge_extra(body, {"temperature": None, "reasoning": {"effort": "high", "max_tokens": 5}})
    assert sent == {"model": "m", "reasoning": {"effort": "high", "max_tokens": 5}, "tools": []}
    assert adjusted == {"temperature": "removed by extra_body", "reasoning.effort": "replaced by extra_body"}


def test_unknown_options_come_before_extra_body() -> None:
    sent, adjusted = merge_extra(Body(), {"n": 3}, unknown={"n": 2, "model": "other"})
    assert (sent["n"], sent["model"]) == (3, "other")
    assert adjusted == {"model": "replaced by an option of that name", "n": "replaced by extra_body"}


def test_arrays_are_replaced_unless_they_are_named_as_extended() -> None:
    body = Body(tools=[{"name": "own"}])
    assert merge_extra(body, {"tools": [{"name": "new"}]}) == (
        {"model": "m", "reasoning": {}, "tools": [{"name": "new"}]},
        {"tools": "replaced by extra_body"},
    )
    longer = {"tools": [{"name": "own"}, {"name": "new"}]}
    assert merge_extra(body, longer) == ({"model": "m", "reasoning": {}, **longer}, {"tools": "replaced by extra_body"})
    for added in (longer, {"tools": [{"name": "new"}]}):
        sent, adjusted = merge_extra(body, added, appended=frozenset({"tools"}))
        assert sent["tools"] == longer["tools"]
        assert adjusted == {}


def test_an_extended_array_that_is_removed_or_no_array_is_reported() -> None:
    body, appended = Body(tools=[{"name": "own"}]), frozenset({"tools"})
    assert merge_extra(body, {"tools": None}, appended=appended)[1] == {"tools": "removed by extra_body"}
    assert merge_extra(body, {"tools": {"name": "new"}}, appended=appended)[1] == {"tools": "replaced by extra_body"}


SCALARS = st.none() | st.integers(-2, 2) | st.sampled_from(["x", "y"])
KEYS = st.sampled_from("abc")
VALUES = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(KEYS, SCALARS, max_size=2)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=3)


@given(OBJECTS, OBJECTS)
def test_merging_twice_changes_nothing_more(target: dict[str, Any], patch: dict[str, Any]) -> None:
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once


@given(OBJECTS, OBJECTS)
def test_every_field_of_the_body_that_changed_is_reported(target: dict[str, Any], patch: dict[str, Any]) -> None:
    sent, adjusted = merge_extra(Body(reasoning=target), {"reasoning": patch})
    result = sent["reasoning"]
    scalars = {name: value for name, value in target.items() if not isinstance(value, dict | list)}
    changed = {f"reasoning.{name}" for name, value in scalars.items() if name not in result or result[name] != value}
    nulls = {f"reasoning.{name}" for name, value in patch.items() if value is None and name in scalars}
    assert {path for path in adjusted if path.removeprefix("reasoning.") in scalars} == changed | nulls
