"""Rows from plain data: what is accepted, what is rejected and how it says so, and the digest."""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from pydantic import BaseModel

from victor_fp.core.faults import InvalidRequest
from victor_fp.core.jobs.rows import (
    CheckedRow,
    RejectedRow,
    Row,
    RowInput,
    TextRow,
    TextRowInput,
    check_row,
    check_text_row,
    encode_keywords,
    fill_template,
    parse_row,
)
from victor_fp.core.types import ImagePart, Message, TextPart, ToolDefinition


def check(given: RowInput, **changes: Any) -> CheckedRow | RejectedRow:
    settings: dict[str, Any] = {"provider": "p", "model": "m", "options": {}}
    return check_row(given, 3, **{**settings, **changes})


def digest(given: RowInput, **changes: Any) -> bytes:
    checked = check(given, **changes)
    assert isinstance(checked, CheckedRow)
    return checked.digest


def test_a_text_becomes_a_user_message() -> None:
    checked = check(Row("k", "Hi"))
    assert isinstance(checked, CheckedRow)
    assert checked.messages == (Message(role="user", content="Hi"),)
    assert (checked.key, checked.model, checked.position) == ("k", "m", 3)


def test_row_settings_override_those_of_the_job() -> None:
    tool = ToolDefinition(name="t", parameters={"type": "object"})
    given = {"key": "k", "prompt": "x", "model": "own", "options": {"seed": 1}, "tools": [tool.model_dump()]}
    checked = check(given, options={"seed": 2, "stop": ["a"]})
    assert isinstance(checked, CheckedRow)
    assert (checked.model, checked.options, checked.tools) == ("own", {"seed": 1, "stop": ["a"]}, (tool,))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"key": "k"}, "neither messages nor prompt"),
        ({"key": "k", "messages": []}, "at least one"),
        ({"key": "k", "messages": 7}, "messages: expected messages"),
        ({"key": "k", "messages": [{"role": "nobody", "content": "x"}]}, "role"),
        ({"key": "k", "prompt": "x", "options": 3}, "options must be an object"),
        ({"key": "k", "prompt": "x", "model": 3}, "model must be a string"),
        ({"key": "k", "prompt": "x", "tools": "t"}, "tools must be a list"),
        ({"key": "", "prompt": "x"}, "key must be valid Unicode of 1 to 512"),
        ({"key": "k" * 513, "prompt": "x"}, "key must be valid Unicode of 1 to 512"),
        ({"key": "\ud800", "prompt": "x"}, "key must be valid Unicode of 1 to 512"),
        ({"key": "k", "prompt": "x", "options": {"a": object()}}, "a value cannot be stored"),
    ],
)
def test_invalid_row_has_a_message(given: dict[str, Any], said: str) -> None:
    checked = check(given)
    assert isinstance(checked, RejectedRow)
    assert said in checked.fault.message
    assert checked.position == 3
    checked.key.encode()


def test_a_row_without_a_model_anywhere_is_rejected() -> None:
    checked = check(Row("k", "x"), model=None)
    assert isinstance(checked, RejectedRow)
    assert "no model" in checked.fault.message


@pytest.mark.parametrize("key", [{}, {"key": None}, {"id": math.nan}, {"key": math.nan, "custom_id": None}])
def test_a_row_without_a_key_is_numbered(key: dict[str, Any]) -> None:
    checked = check({"prompt": "x", **key})
    assert checked.key == "3"


@pytest.mark.parametrize("given", [None, 3, "text", [1], {}, {"key": {"a": 1}, "messages": {"a": 1}}])
def test_anything_is_a_checked_or_a_rejected_row(given: Any) -> None:
    assert isinstance(check(given), RejectedRow)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Row(7, "x"), "the key must be valid Unicode of 1 to 512 characters, not 7"),  # type: ignore[arg-type]
        (Row(b"k", "x"), "characters, not b'k'"),  # type: ignore[arg-type]
        (Row("k", "x", model=5), "row 'k': model must be a string"),  # type: ignore[arg-type]
        (Row("k", "x", [1]), "row 'k': options must be an object"),  # type: ignore[arg-type]
        (Row("k", "x", {5: 1}), "row 'k': options must be an object"),  # type: ignore[dict-item]
        (Row("k", "x", {"model": "n"}), "row 'k': 'model' cannot be one of its options"),
        (Row("k", "x", {"messages": "y"}), "row 'k': 'messages' cannot be one of its options"),
        ({"key": "k", "prompt": "x", "options": {"tools": []}}, "row 'k': 'tools' cannot be one of its options"),
        ({"key": "k", "prompt": "x", "options": {"self": 1}}, "row 'k': 'self' cannot be one of its options"),
    ],
)
def test_a_row_that_the_call_would_not_accept_is_rejected(given: RowInput, said: str) -> None:
    checked = check(given)
    assert isinstance(checked, RejectedRow)
    assert said in checked.fault.message


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (TextRow(7, "x"), "the key must be valid Unicode of 1 to 512 characters, not 7"),  # type: ignore[arg-type]
        (TextRow("k", None), "row 'k': expected one or several texts"),  # type: ignore[arg-type]
        (TextRow("k", {"a": 1}), "row 'k': expected one or several texts"),  # type: ignore[arg-type]
        (TextRow("k", {"a"}), "row 'k': expected one or several texts"),  # type: ignore[arg-type]
        (TextRow("k", "x", {5: 1}), "row 'k': options must be an object"),  # type: ignore[dict-item]
        (TextRow("k", "x", {"texts": "y"}), "row 'k': 'texts' cannot be one of its options"),
        (TextRow("k", "x", {"model": "n"}), "row 'k': 'model' cannot be one of its options"),
        (TextRow("k", "x", model=5), "row 'k': model must be a string"),  # type: ignore[arg-type]
    ],
)
def test_a_row_of_texts_that_the_call_would_not_accept_is_rejected(given: TextRowInput, said: str) -> None:
    checked = check_text_row(given, 3, provider="p", model="m", options={})
    assert isinstance(checked, RejectedRow)
    assert said in checked.fault.message


@pytest.mark.parametrize(
    "given",
    [
        None,
        Row("", "x"),
        Row("k" * 600, "x"),
        Row("\ud800", "x"),
        TextRow(7, "x"),  # type: ignore[arg-type]
        {"key": "\ud800"},
        RejectedRow("", InvalidRequest()),
    ],
)
def test_the_name_of_a_row_without_a_valid_key_is_not_the_key_of_another_row(given: Any) -> None:
    assert check(given).key == "(row 3)"


class Form(BaseModel):
    n: int


def test_digest_depends_on_the_request_only() -> None:
    plain = Row("k", "x")
    same = [
        digest(plain),
        digest(Row("other", "x")),
        digest({"key": "k", "messages": [{"role": "user", "content": "x"}]}),
        digest({"key": "k", "prompt": "x", "anything": "else"}),
    ]
    assert len(set(same)) == 1
    tool = ToolDefinition(name="t", parameters={"type": "object"})
    different = [
        digest(plain),
        digest(Row("k", "y")),
        digest(Row("k", "x", {"seed": 1})),
        digest(Row("k", "x", {"seed": 2})),
        digest(Row("k", "x", {"response_format": Form})),
        digest(Row("k", "x", model="n")),
        digest(Row("k", "x", tools=[tool])),
        digest(plain, provider="q"),
        digest(Row("k", [Message(role="user", content=[TextPart(text="x")])])),
        digest(Row("k", [Message(role="user", content=[ImagePart(url="https://e.x/i.png")])])),
        digest(Row("k", [Message(role="system", content="s"), Message(role="user", content="x")])),
    ]
    assert len(set(different)) == len(different)


def test_options_in_another_order_are_the_same_row() -> None:
    one = digest(Row("k", "x", {"a": 1, "b": {"c": 1, "d": 2}}))
    assert digest(Row("k", "x", {"b": {"d": 2, "c": 1}, "a": 1})) == one


def test_templates_name_missing_columns_and_keep_braces() -> None:
    assert fill_template("{{{a}}} {b}", {"a": "x", "b": [1, None]}).unwrap() == "{x} [1,null]"
    missing = fill_template("{a} {c}", {"a": 1, "b": 2}).failure()
    assert missing.message == "the template requires column 'c'; the row has: a, b"


@pytest.mark.parametrize("column", ["my text", "größe", "名前", "Text (EN)", "2024", "a/b"])
def test_templates_have_columns_of_any_name(column: str) -> None:
    assert fill_template(f"Read {{{column}}}, {{1}}", {column: "it"}).unwrap() == "Read it, {1}"


@pytest.mark.parametrize("column", ["my txt", "größe", "名前"])
def test_a_missing_column_with_words_as_its_name_is_not_sent_as_text(column: str) -> None:
    assert f"requires column {column!r}" in fill_template(f"Read {{{column}}}", {"my text": "it"}).failure().message


def test_json_in_a_template_is_text() -> None:
    template = 'Answer like {"a": 1} or {} about {a}'
    assert fill_template(template, {"a": "x"}).unwrap() == 'Answer like {"a": 1} or {} about x'


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_templates_refuse_a_column_without_a_value(value: float | None) -> None:
    fault = fill_template("{a} {b}", {"a": "null", "b": value}).failure()
    assert fault.message == "the template requires column 'b'; the row has no value in it"


@pytest.mark.parametrize(
    "line", [b'{"prompt": "caf\xe9"}', b'{"caf\xe9": 1}', b'{"options": {"user": "\\ud83d"}}', '{"key": "\ud83d"}']
)
def test_a_line_that_is_not_unicode_is_rejected(line: str | bytes) -> None:
    parsed = parse_row(line, 4)
    assert isinstance(parsed, RejectedRow)
    assert parsed.fault.message == "line 5 is not a JSON object: a text is not valid Unicode"


def test_a_line_with_other_flaws_is_read() -> None:
    assert parse_row(b'{"prompt": "a\tb \\ud83d\\ude00", "n": NaN}', 0) == {"prompt": "a\tb \U0001f600", "n": None}


@given(st.binary(max_size=200))
def test_any_line_is_a_row_or_rejected(line: bytes) -> None:
    parsed = parse_row(line, 4)
    assert isinstance(parsed, dict) or (isinstance(parsed, RejectedRow) and "line 5" in parsed.fault.message)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (date(2025, 1, 31), "2025-01-31"),
        (Decimal("1.50"), "1.50"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (True, "true"),
        (1.5, "1.5"),
        ([date(2025, 1, 31)], '["2025-01-31"]'),
    ],
)
def test_a_template_shows_values_as_text(value: object, text: str) -> None:
    assert fill_template("{a}", {"a": value}).unwrap() == text


class Person(BaseModel):
    name: str


class Point(Struct):
    x: int


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0.0, "stop": ["a"], "seed": 1},
        {"response_format": Person},
        {"response_format": Point},
        {"response_format": {"type": "object", "properties": {"b": {}, "a": {}}}},
        {"extra_body": {"b": 1, "a": {"d": None, "c": 2.0}}},
    ],
)
@pytest.mark.parametrize("tools", [(), (ToolDefinition(name="t", parameters={"type": "object"}, strict=True),)])
@pytest.mark.parametrize("own", [{}, {"options": {"seed": 7}}, {"tools": [{"name": "u", "parameters": {}}]}])
def test_encoded_keywords_do_not_change_the_digest(options: Any, tools: Any, own: Any) -> None:
    row = {"key": "k", "prompt": "x", **own}
    encoded = encode_keywords(tools, options)
    assert encoded is not None
    assert digest(row, options=options, tools=tools, encoded=encoded) == digest(row, options=options, tools=tools)


def test_keywords_that_cannot_be_encoded_are_a_fault_of_each_row() -> None:
    options = {"x": object()}
    encoded = encode_keywords((), options)
    assert encoded is None
    checked = check(Row("k", "x"), options=options, encoded=encoded)
    assert isinstance(checked, RejectedRow)
    assert "a value cannot be stored" in checked.fault.message
