"""Decoding keeps unknown values, drops invalid fields, and never raises."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.example_counts import scale_examples
from victor_fp.core.json import Undecodable, WireDecoder


class Text(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="text"):
    text: str | None = None
    level: Literal["low", "high"] | None = None


class Call(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="call"):
    id: str


class UnknownType(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="__unknown__"):
    raw: dict[str, Any]


Block: TypeAlias = Text | Call | UnknownType


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    tokens: int | None = None
    seconds: float | None = msgspec.field(name="sec", default=None)


class Untagged(msgspec.Struct, frozen=True, kw_only=True):
    text: str | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    id: str | None = None
    done: bool | None = None
    blocks: list[Block] | None = None
    usage: Usage | None = None
    labels: dict[str, str] | None = None
    content: str | list[Block] | None = None
    pinned: Text | None = None
    extra: Any = None
    counts: list[int] | None = None
    calls: list[Call] | None = None
    texts: list[Untagged] | None = None


ANSWERS: WireDecoder[Answer] = WireDecoder(Answer)
BLOCKS: WireDecoder[Block] = WireDecoder(Block)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"id": "a", "surprise": 1}', Answer(id="a")),
        (b'{"id": 7, "": 1}', Answer(id="7")),
        (b'{"id": ["a"], "done": "yes"}', Answer()),
        (b'{"usage": {"tokens": 3.0, "sec": 1}}', Answer(usage=Usage(tokens=3, seconds=1.0))),
        (b'{"usage": {"tokens": "12", "sec": "0.5"}}', Answer(usage=Usage(tokens=12, seconds=0.5))),
        (b'{"usage": {"tokens": 3.5, "sec": 2}}', Answer(usage=Usage(seconds=2.0))),
        (b'{"usage": "none"}', Answer()),
        (b'{"labels": {"a": "b", "c": null, "d": 4}}', Answer(labels={"a": "b", "d": "4"})),
        (b'{"blocks": [{"type": "text", "text": "hi"}, null, 3]}', Answer(blocks=[Text(text="hi")])),
        (b'{"content": "hi", "done": 1}', Answer(content="hi")),
        (b'{"content": [{"type": "new"}]}', Answer(content=[UnknownType(raw={"type": "new"})])),
        (b'{"content": {"type": "text"}}', Answer(content=[Text()])),
        (b'{"content": 5, "blocks": 5}', Answer(content="5")),
        (b'{"blocks": "hi"}', Answer(blocks=[Text(text="hi")])),
        (b'{"blocks": ["hi", {"type": "call", "id": "c"}]}', Answer(blocks=[Text(text="hi"), Call(id="c")])),
        (b'{"blocks": {"type": "call", "id": "c"}}', Answer(blocks=[Call(id="c")])),
        (b'{"blocks": {"type": "new"}}', Answer(blocks=[UnknownType(raw={"type": "new"})])),
        (b'{"counts": {}, "calls": "text", "texts": {}}', Answer()),
        (b'{"calls": {"id": "c"}, "texts": "hi"}', Answer(calls=[Call(id="c")], texts=[Untagged(text="hi")])),
        (b'{"pinned": {"type": "other", "text": "hi"}}', Answer()),
        (b'{"pinned": {"text": 4}}', Answer(pinned=Text(text="4"))),
        (b'{"extra": {"deep": [1]}, "id": false}', Answer(extra={"deep": [1]})),
    ],
)
def test_an_invalid_field_is_dropped_and_the_others_are_kept(body: bytes, expected: Answer) -> None:
    assert ANSWERS.decode(body) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"type": "text", "text": "hi"}', Text(text="hi")),
        (b'{"type": "text", "level": "medium"}', Text()),
        (b'{"type": "video", "url": "x"}', UnknownType(raw={"type": "video", "url": "x"})),
        (b'{"type": 5}', UnknownType(raw={"type": 5})),
        (b'{"type": null}', UnknownType(raw={"type": None})),
        (b'{"type": ["text"]}', UnknownType(raw={"type": ["text"]})),
        (b'{"text": "no tag"}', UnknownType(raw={"text": "no tag"})),
        (b'{"type": "call"}', UnknownType(raw={"type": "call"})),
        (b'{"type": "__unknown__"}', UnknownType(raw={"type": "__unknown__"})),
    ],
)
def test_unknown_variant_keeps_the_object(body: bytes, expected: Block) -> None:
    assert BLOCKS.decode(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b"<html>",
        b"\xff\xfe",
        b'{"id": 1}{"id": 2}',
        b"{'id': 1}",
    ],
)
def test_undecodable_data_has_a_reason(body: bytes) -> None:
    found = ANSWERS.decode(body)
    assert isinstance(found, Undecodable)
    assert found.reason


@pytest.mark.parametrize("body", [b'{"extra":' + b"[" * 200_000, b'{"extra":' + b'{"a":' * 200_000])
def test_deep_nesting_is_undecodable(body: bytes) -> None:
    assert isinstance(ANSWERS.decode(body), Undecodable)


@pytest.mark.parametrize("number", [b"9" * 9_000, b"1e999", b"NaN", b"-Infinity"])
def test_a_number_that_is_not_finite_or_has_thousands_of_digits_is_absent(number: bytes) -> None:
    body = b'{"id":' + number + b',"usage":{"tokens":' + number + b'},"content":[]}'
    assert ANSWERS.decode(body) == Answer(usage=Usage(), content=[])


def test_text_that_is_not_unicode_is_replaced() -> None:
    assert ANSWERS.decode(b'{"id": "a\xff"}') == Answer(id="a\ufffd")
    assert ANSWERS.decode(b'{"id": "a\\ud83d\\n"}') == Answer(id="a\ufffd\n")
    assert ANSWERS.decode(b'{"id": "\\\\ud83d\n"}') == Answer(id="\\ud83d\n")


def test_halves_of_surrogate_pairs_are_kept_where_a_repair_follows() -> None:
    decoder = WireDecoder(Answer, keep_surrogates=True)
    assert decoder.decode(b'{"id": "a\\ud83d"}') == Answer(id="a\ud83d")


def test_union_without_an_unknown_variant_drops_unknown_objects() -> None:
    class Holder(msgspec.Struct, frozen=True, kw_only=True):
        part: Text | Call | None = None

    assert WireDecoder(Holder).decode(b'{"part": {"type": "new"}}') == Holder()


def test_missing_required_field_is_undecodable() -> None:
    assert WireDecoder(Call).decode(b'{"type": "call"}') == Undecodable("Object missing required field `id`")


def test_object_with_another_tag_is_rejected() -> None:
    assert isinstance(WireDecoder(Text).decode(b'{"type": "call", "id": "x"}'), Undecodable)


def test_memory_views_decode_like_bytes() -> None:
    assert ANSWERS.decode(memoryview(b'xx{"id": 4}')[2:]) == Answer(id="4")


def test_nothing_is_built_before_the_first_use() -> None:
    class NoWireType:
        """msgspec would refuse to build a decoder for a union of two such classes."""

    decoder: WireDecoder[object] = WireDecoder(list[NoWireType] | set[NoWireType])
    with pytest.raises(TypeError):
        decoder.decode(b"{}")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["type", "id", "text", "blocks", "usage", "tokens", "content", "pinned", "raw", "labels"]),
            inner | st.sampled_from(["text", "call", "__unknown__"]),
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(st.dictionaries(st.sampled_from(["id", "blocks", "usage", "content", "pinned", "labels", "extra"]), json_values))
@settings(max_examples=scale_examples(100), deadline=None)
def test_any_json_object_decodes_to_an_answer(document: dict[str, object]) -> None:
    assert isinstance(ANSWERS.decode(msgspec.json.encode(document)), Answer)


@given(st.dictionaries(st.sampled_from(["type", "text", "id", "raw"]), json_values))
@settings(max_examples=scale_examples(100), deadline=None)
def test_any_json_object_decodes_to_a_block(document: dict[str, object]) -> None:
    assert isinstance(BLOCKS.decode(msgspec.json.encode(document)), Text | Call | UnknownType)


@given(
    st.binary(max_size=40)
    | st.builds(lambda text, cut: text[:cut], st.just(b'{"id": "a", "usage": {"sec": 1}}'), st.integers(0, 30))
)
@settings(max_examples=scale_examples(100), deadline=None)
def test_no_bytes_raise(body: bytes) -> None:
    assert isinstance(ANSWERS.decode(body), Answer | Undecodable)


answers = st.builds(
    Answer,
    id=st.none() | st.text(max_size=5),
    done=st.none() | st.booleans(),
    blocks=st.none()
    | st.lists(st.builds(Text, text=st.text(max_size=5)) | st.builds(Call, id=st.text(max_size=5)), max_size=3),
    usage=st.none() | st.builds(Usage, tokens=st.integers(0, 9), seconds=st.floats(0, 9)),
)


@given(answers)
@settings(max_examples=scale_examples(50), deadline=None)
def test_repair_changes_nothing_that_already_fits(answer: Answer) -> None:
    document = msgspec.json.decode(msgspec.json.encode(answer))
    spoilt = {**document, "labels": 1}
    assert ANSWERS.decode(msgspec.json.encode(spoilt)) == answer


class Numbers(msgspec.Struct, frozen=True, kw_only=True):
    data: bytes | list[float] | None = None
    places: list[int] | None = None
    names: list[str] | None = None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"data": "AAEC"}', Numbers(data=b"\x00\x01\x02")),
        ('{"data": "_-8"}', Numbers(data=b"\xff\xef")),
        ('{"data": "A"}', Numbers()),
        ('{"data": "AA EC"}', Numbers()),
        ('{"data": [1, "2.5"]}', Numbers(data=[1.0, 2.5])),
        ('{"data": [1, null, 3]}', Numbers()),
        ('{"places": [1, "x"], "names": ["a", {}]}', Numbers(names=["a"])),
    ],
)
def test_any_base64_is_decoded_and_number_lists_are_never_shortened(text: str, value: Numbers) -> None:
    assert WireDecoder[Numbers](Numbers).decode(text.encode()) == value
