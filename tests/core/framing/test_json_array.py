"""Elements of a streamed JSON array."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor_fp.core.framing import Frame, Garbled, Overflow
from victor_fp.core.framing.json_array import build_json_array_framer

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
)


@given(st.lists(VALUES, max_size=5), st.sampled_from([None, 2]))
def test_every_element_becomes_one_frame(values: list[object], indent: int | None) -> None:
    _, frames, error = build_json_array_framer().feed(json.dumps(values, indent=indent).encode())
    assert error is None
    assert [json.loads(frame.data) for frame in frames] == values


def test_an_element_is_given_as_soon_as_it_closes() -> None:
    framer, frames, _ = build_json_array_framer().feed(b'[{"a": "}"')
    assert frames == []
    framer, frames, _ = framer.feed(b"}")
    assert frames == [Frame(b'{"a": "}"}')]
    assert framer.feed(b'\r\n,\r\n{"b": [1, "\\"]"]}\n]')[1] == [Frame(b'{"b": [1, "\\"]"]}')]


@pytest.mark.parametrize("stream", [b'[{"a": 1}, {"b"', b'[{"a": 1}', b'[{"a": 1}, "tex', b'[{"a": 1}, 12'])
def test_an_element_without_its_end_is_left_out(stream: bytes) -> None:
    framer, frames, error = build_json_array_framer().feed(stream)
    assert (frames, error, framer.finish()) == ([Frame(b'{"a": 1}')], None, ([], None))


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (b' {"error": 1}', "not a JSON array"),
        (b"<html>", "not a JSON array"),
        (b"[] x", "text outside of the array"),
        (b"[][]", "text outside of the array"),
        (b"[1 {}]", "two elements without a comma between them"),
    ],
)
def test_data_that_is_not_an_array_is_malformed(stream: bytes, reason: str) -> None:
    assert build_json_array_framer().feed(stream)[2] == Garbled(reason)


def test_the_frames_before_an_overflow_are_given_with_it() -> None:
    _, frames, error = build_json_array_framer(4).feed(b"[ [1],   [22] , [3]]")
    assert (frames, error) == ([Frame(b"[1]"), Frame(b"[22]"), Frame(b"[3]")], None)
    _, frames, error = build_json_array_framer(4).feed(b"[ [1],   [222], [3]]")
    assert (frames, error) == ([Frame(b"[1]")], Overflow(4))
