"""JSON as models write it: repairs are reported, missing parts are not guessed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.example_counts import scale_examples
from victor_fp.core.text_tools import BrokenJson, RepairedJson, repair_json
from victor_fp.core.text_tools.parameters import read_parameter


@pytest.mark.parametrize(
    ("text", "value", "repairs"),
    [
        ('{"a": 1}', {"a": 1}, ()),
        ('{"a": 1,}', {"a": 1}, ("trailing_comma",)),
        ("[1, 2, ]", [1, 2], ("trailing_comma",)),
        ("{'a': 'it\\'s'}", {"a": "it's"}, ("single_quotes",)),
        ('{"a": "one\ntwo\t"}', {"a": "one\ntwo\t"}, ("control_character",)),
        ('{"a": True, "b": None, "c": False}', {"a": True, "b": None, "c": False}, ("python_literal",)),
        ("{a: 1, b-c: 2}", {"a": 1, "b-c": 2}, ("unquoted_key",)),
        ('{"a": "C:\\Users \\d"}', {"a": "C:\\Users \\d"}, ("invalid_escape",)),
        ("{'a': [1,],}", {"a": [1]}, ("single_quotes", "trailing_comma")),
        ('{"a": "\\u00e9\\ud83d\\ude00", \'b\': 1.5e3}', {"a": "é😀", "b": 1500.0}, ("single_quotes",)),
    ],
)
def test_common_errors_of_models_are_repaired_and_reported(text: str, value: Any, repairs: tuple[str, ...]) -> None:
    assert repair_json(text) == RepairedJson(value, repairs)  # type: ignore[arg-type]  # plain texts in the table


@pytest.mark.parametrize("text", ['{"a": "b', '{"a": ', '{"a', "{", "[1, ", '{"a": 1', "{'a': tru", '{"a": "\\'])
def test_truncated_json_is_flagged_and_not_completed(text: str) -> None:
    read = repair_json(text)
    assert isinstance(read, BrokenJson)
    assert read.truncated


@pytest.mark.parametrize(
    "text",
    [
        '{"a" 1}',
        '{"a": 1 "b": 2}',
        "[1 2]",
        "{1: 2}",
        '{"a": 1} and more',
        "{,}",
        "[,]",
        '{"a": nothing}',
        '{"a": 1e999,}',
        "[" * 80 + "]" * 80 + ",",
        "[" + "9" * 5000 + ",]",
        "no json",
        "[1,,2]",
    ],
)
def test_ambiguous_json_is_not_repaired(text: str) -> None:
    read = repair_json(text)
    assert isinstance(read, BrokenJson)
    assert not read.truncated


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(st.characters(codec="utf-8"), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab_", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=scale_examples(80), deadline=None)
@given(VALUES)
def test_valid_json_is_never_repaired(value: Any) -> None:
    assert repair_json(json.dumps(value)) == RepairedJson(value)


@settings(max_examples=scale_examples(80), deadline=None)
@given(st.dictionaries(st.text("ab", min_size=1, max_size=3), VALUES, min_size=1, max_size=3))
def test_python_literals_are_accepted(value: dict[str, Any]) -> None:
    if '"' not in repr(value) or "'" not in repr(value):  # with both, repr mixes the quotes
        read = repair_json(repr(value))
        assert isinstance(read, RepairedJson)
        assert json.dumps(read.value) == json.dumps(value)


@settings(max_examples=scale_examples(80), deadline=None)
@given(st.dictionaries(st.text("ab", min_size=1, max_size=3), VALUES, min_size=1, max_size=3), st.data())
def test_no_prefix_of_an_object_is_an_object(value: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(value)
    assert isinstance(repair_json(text[: data.draw(st.integers(1, len(text) - 1))]), BrokenJson)


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("3", {"type": "integer"}, 3),
        ("3.0", {"type": "integer"}, 3.0),
        ("3.5", {"type": "integer"}, "3.5"),
        ("3", {"type": "string"}, "3"),
        ("3", None, "3"),
        ("3", {"type": ["string", "integer"]}, "3"),
        ("null", {"type": ["integer", "null"]}, None),
        ("true", {"type": "boolean"}, True),
        ("True", {"type": "boolean"}, True),
        ("[1, 2,]", {"type": "array"}, [1, 2]),
        ('{"a": 1}', {"anyOf": [{"type": "object"}, {"type": "null"}]}, {"a": 1}),
        ("2", {"enum": [1, 2]}, 2),
        ("two", {"type": "integer"}, "two"),
    ],
)
def test_a_bare_value_is_what_the_schema_wants_or_stays_text(text: str, schema: Any, value: Any) -> None:
    assert read_parameter(text, schema)[0] == value
