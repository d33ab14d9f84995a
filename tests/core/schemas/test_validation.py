"""JSON Schema validation: draft 2020-12 is enforced, and no schema or value makes it open a file, hang or raise."""

from __future__ import annotations

import sys
from copy import deepcopy
from typing import Any

import pytest
from returns.result import Failure, Success

from victor_fp.core.faults import InvalidRequest, InvalidResponse
from victor_fp.core.json import MAX_DEPTH, Json, encode_json, measure_depth
from victor_fp.core.schemas.structured import repair_messages, structured
from victor_fp.core.schemas.validation import compile_schema
from victor_fp.core.types import CompletionResponse, Message


def list_errors(value: Json, schema: dict[str, Any]) -> list[str]:
    return [str(error) for error in compile_schema(schema).unwrap().find_errors(value)]


@pytest.mark.parametrize(
    ("schema", "good", "bad", "reason"),
    [
        ({"type": "integer"}, 1, "x", "$: expected integer, got string"),
        ({"type": ["null", "string"]}, None, 1, "$: expected null or string, got integer"),
        ({"not": {"type": "string"}}, 1, "x", '$: {"type":"string"} is not allowed for value'),
        ({"uniqueItems": True}, [1, 2], [1, 1], "$: has non-unique elements"),
        ({"multipleOf": 5}, 10, 7, "$: is not a multiple of 5"),
        ({"minProperties": 1}, {"a": 1}, {}, "$: has less than 1 property"),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1, "b": 2}, {"a": 1}, "$: missing property 'b'"),
        (
            {"oneOf": [{"type": "integer"}, {"minimum": 1}]},
            0,
            2,
            "$: matches more than one of the alternatives of 'oneOf'",
        ),
        (
            {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]}},
            {"c": 1},
            {"a": 1},
            "$: missing property 'b'",
        ),
        ({"properties": {"a b": {"const": 1}}}, {"a b": 1}, {"a b": 2}, "$['a b']: expected 1, got 2"),
        ({"items": {"enum": ["x", "y"]}}, ["x"], ["z"], '$[0]: expected one of "x", "y", got "z"'),
        ({"additionalProperties": False, "properties": {"a": True}}, {"a": 1}, {"b": 1}, "$: unknown property 'b'"),
        ({"pattern": "^a+$"}, "aa", "b", '$: does not match "^a+$"'),
        ({"pattern": "^(?!b)"}, "aa", "b", '$: does not match "^(?!b)"'),
        ({"contains": {"type": "string"}}, ["x"], [1], "$: None of value are valid under the given schema"),
        ({"maxItems": 1}, [], [1, 2], "$: has more than 1 item"),
        ({"propertyNames": {"maxLength": 1}}, {"a": 1}, {"abc": 1}, '$: "abc" is longer than 1 character'),
        ({"prefixItems": [{"type": "integer"}]}, [1, "x"], ["x"], "$[0]: expected integer, got string"),
        ({"$defs": {"n": {"minimum": 3}}, "$ref": "#/$defs/n"}, 3, 2, "$: is less than the minimum of 3"),
        ({"properties": {"a": False}}, {}, {"a": 1}, "$.a: not allowed"),
    ],
)
def test_each_keyword_is_enforced(schema: dict[str, Any], good: Json, bad: Json, reason: str) -> None:
    assert list_errors(good, schema) == []
    assert reason in list_errors(bad, schema)


def test_closest_alternative_is_reported() -> None:
    card = {"properties": {"type": {"const": "card"}, "number": {"type": "string"}}}
    cash = {"properties": {"type": {"const": "cash"}, "amount": {"type": "number"}}}
    assert list_errors({"type": "cash", "amount": "9"}, {"anyOf": [card, cash]}) == [
        "$.amount: expected number, got string"
    ]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": 5},
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "file:///etc/hostname"},
        {"$ref": "#/nowhere"},
        {"pattern": "("},
        {"const": b"bytes"},
        {1: 2},
    ],
)
def test_an_invalid_schema_is_an_invalid_request(schema: dict[str, Any]) -> None:
    fault = structured(CompletionResponse(content="1"), schema).failure()
    assert isinstance(fault, InvalidRequest)
    assert "not a valid JSON Schema" in fault.message


def test_a_schema_nested_without_bound_is_an_invalid_request() -> None:
    schema: dict[str, Any] = {}
    for _ in range(5000):
        schema = {"items": schema}
    assert isinstance(structured(CompletionResponse(content="1"), schema).failure(), InvalidRequest)


NODE = {
    "$defs": {"N": {"properties": {"next": {"$ref": "#/$defs/N"}, "role": {"enum": ["user"]}}, "additionalProperties": False}},
    "$ref": "#/$defs/N",
}  # fmt: skip


@pytest.mark.parametrize("depth", [1, 50, MAX_DEPTH - 2, MAX_DEPTH + 1, 900])
def test_a_wrong_value_is_found_at_any_depth(depth: int) -> None:
    value: Json = {"role": "admin"}
    for _ in range(depth):
        value = {"next": value}
    assert list_errors(value, NODE)
    assert isinstance(structured(CompletionResponse(content=encode_json(value).decode()), NODE), Failure)


def build_branches(keyword: str) -> dict[str, Any]:
    each = {"$ref": "#/$defs/E"}
    options = [{"properties": {"l": each, "op": {"const": word}}, "required": ["op"]} for word in ("add", "mul", "div")]
    return {"$defs": {"E": {keyword: [*options, {"properties": {"n": {"type": "number"}}, "required": ["n"]}]}}, **each}


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf", "allOf"])
@pytest.mark.parametrize("leaf", [1, "x"])
def test_recursive_alternatives_take_no_time_that_doubles_with_each_level(keyword: str, leaf: Json) -> None:
    """Evaluated branch by branch, 3 ** 150 steps."""
    value: Json = {"n": leaf}
    for _ in range(150):
        value = {"op": "div", "l": value}
    assert bool(list_errors(value, build_branches(keyword))) is (keyword == "allOf" or leaf == "x")


def test_shallow_values_of_recursive_schemas_have_detailed_errors() -> None:
    value: Json = {"op": "div", "l": {"n": "x"}}
    assert list_errors(value, build_branches("anyOf")) == ["$.l.n: expected number, got string"]


def test_patterns_that_backtrack_are_bounded() -> None:
    assert list_errors("a" * 5000 + "!", {"pattern": "^(a+)+$"}) == ['$: does not match "^(a+)+$"']
    assert list_errors("a" * 5000 + "!", {"pattern": "^(?=a)(a+)+$"})


@pytest.mark.parametrize("value", [10**30, -(10**4000), 1e308, "\ud800", ["\udfff"], {"\ud800": 1}])
def test_no_value_raises(value: Json) -> None:
    list_errors(value, {"type": "boolean"})
    list_errors(value, {"enum": [1]})


def test_depth_is_measured_without_recursion() -> None:
    values: list[Json] = [1, [], [1], {"a": [{}]}, {"a": 1, "b": [[1]]}]
    assert [measure_depth(value) for value in values] == [0, 1, 1, 3, 3]


def test_an_error_names_the_schema_and_the_path() -> None:
    city = {"title": "City", "properties": {"n": {"type": "string"}}}
    fault = structured(CompletionResponse(content='{"n": 1}'), city).failure()
    assert isinstance(fault, InvalidResponse)
    assert fault.message == "JSON does not match schema City: $.n: expected string, got integer"


def test_repair_messages_show_the_answer_what_was_wrong_and_the_schema() -> None:
    city = {"title": "City", "properties": {"n": {"type": "string"}}}
    asked = [Message(role="user", content="A city.")]
    answer = CompletionResponse(content='{"n": 1}')
    fault = structured(answer, city).failure()
    assert isinstance(fault, InvalidResponse)
    first, turn, correction = repair_messages(asked, answer, fault, city)
    assert (first, turn) == (asked[0], Message(role="assistant", content='{"n": 1}'))
    assert correction.role == "user"
    assert "$.n: expected string, got integer" in correction.text
    assert encode_json(city).decode() in correction.text


def test_repair_messages_leave_out_an_empty_answer() -> None:
    answer = CompletionResponse(content=" ")
    fault = structured(answer, {"type": "integer"}).failure()
    assert isinstance(fault, InvalidResponse)
    assert [message.role for message in repair_messages([], answer, fault, {"type": "integer"})] == ["user"]


def test_many_fences_are_all_tried() -> None:
    text = "```\nnot JSON\n```\n" * 50 + "```json\n3\n```"
    assert structured(CompletionResponse(content=text), {"type": "integer"}) == Success(3)


def test_missing_library_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
    fault = structured(CompletionResponse(content="1"), {"title": "N", "type": "integer"}).failure()
    assert isinstance(fault, InvalidRequest)
    assert "pip install 'victor-fp[schema]'" in fault.message


def test_an_equal_schema_is_compiled_once() -> None:
    schema = {"type": "object", "properties": {"a": {"const": 1}}}
    first = compile_schema(schema).unwrap()
    assert compile_schema(deepcopy(schema)).unwrap() is first
    schema["properties"] = {"a": {"const": True}}
    assert list_errors({"a": True}, schema) == []
    assert list_errors({"a": 1}, schema) != []
