"""Text that is not valid Unicode in responses: joined or replaced, never lost, never raised."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from returns.result import Success

from victor_fp import replay
from victor_fp.core.deltas import (
    Delta,
    MetadataReported,
    ReasoningDelta,
    StreamEnded,
    TextDelta,
    ToolCallArguments,
    ToolCallStarted,
)
from victor_fp.core.result import outcome
from victor_fp.core.streaming.unicode_repair import UnicodeRepair
from victor_fp.core.types import CompletionResponse, StreamChunk

HIGH, LOW, SMILE = "\ud83d", "\ude00", "\U0001f600"


def repair(*deltas: Delta) -> list[Delta]:
    state, out = UnicodeRepair().feed(deltas)
    return [*out, *state.finish()]


def test_halves_in_two_pieces_join() -> None:
    assert repair(TextDelta("a" + HIGH), TextDelta(LOW + "b")) == [TextDelta("a"), TextDelta(SMILE + "b")]


def test_metadata_between_the_halves_does_not_separate_them() -> None:
    fact = MetadataReported(metadata={"logprobs": {"content": [1]}})
    assert repair(TextDelta(HIGH), fact, TextDelta(LOW)) == [fact, TextDelta(SMILE)]


def test_a_half_alone_is_replaced_and_counted() -> None:
    note = MetadataReported(metadata={"replaced_characters": 1})
    assert repair(TextDelta(HIGH), StreamEnded()) == [TextDelta("\ufffd"), note, StreamEnded()]
    assert repair(TextDelta(LOW + "x")) == [TextDelta("\ufffdx"), note]
    assert repair(TextDelta(HIGH)) == [TextDelta("\ufffd"), note]


def test_texts_of_two_kinds_do_not_join() -> None:
    assert [type(delta) for delta in repair(ReasoningDelta(HIGH), TextDelta(LOW))] == [
        ReasoningDelta,
        MetadataReported,
        TextDelta,
        MetadataReported,
    ]


def test_arguments_of_a_call_join() -> None:
    pieces = (ToolCallArguments(index=0, text='{"a":"' + HIGH), ToolCallArguments(index=0, text=LOW + '"}'))
    assert repair(*pieces) == [
        ToolCallArguments(index=0, text='{"a":"'),
        ToolCallArguments(index=0, text=SMILE + '"}'),
    ]


def test_objects_are_cleaned() -> None:
    started = ToolCallStarted(index=0, id="a" + LOW, name="f", arguments={"x": [HIGH], "y": SMILE})
    assert repair(started) == [
        MetadataReported(metadata={"replaced_characters": 1}),
        ToolCallStarted(index=0, id="a\ufffd", name="f", arguments={"x": ["\ufffd"], "y": SMILE}),
    ]


@given(st.text(st.sampled_from([HIGH, LOW, "a", SMILE, "\ufffd"]), max_size=12), st.data())
def test_chunk_boundaries_do_not_change_the_text(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
    edges = [0, *cuts, len(text)]
    pieces = [TextDelta(text[a:b]) for a, b in zip(edges, edges[1:], strict=False)]

    def join_text(deltas: list[Delta]) -> str:
        return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))

    assert join_text(repair(*pieces)) == join_text(repair(TextDelta(text)))
    join_text(repair(*pieces)).encode()


def _chat_body(content: bytes) -> bytes:
    return b'{"id":"1","choices":[{"message":{"content":"' + content + b'"},"finish_reason":"stop"}]}'


def _read_response(body: bytes) -> CompletionResponse:
    match outcome(replay.response("openai", 200, {}, body)):
        case Success(response):
            return response
        case other:
            raise AssertionError(other)


@pytest.mark.parametrize(
    ("content", "expected"), [(b"caf\\udce9!", "caf\ufffd!"), (b"a\xff", "a\ufffd"), (b"\\ud83d\\ude00", SMILE)]
)
def test_a_body_with_damaged_text_is_an_answer(content: bytes, expected: str) -> None:
    response = _read_response(_chat_body(content))
    assert response.content == expected
    assert (response.metadata or {}).get("replaced_characters") == (1 if "\ufffd" in expected else None)
    response.model_dump_json().encode()


def _read_chunks(*contents: bytes) -> list[StreamChunk]:
    frames = [b'data: {"id":"1","choices":[{"delta":{"content":"' + content + b'"}}]}\n\n' for content in contents]
    end = b'data: {"id":"1","choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    return [result.unwrap() for result in replay.stream("openai", 200, {}, [*frames, end])]


def test_a_stream_that_cuts_a_pair_gives_the_character() -> None:
    chunks = _read_chunks(b"a\\ud83d", b"\\ude00b")
    assert "".join(chunk.content for chunk in chunks) == f"a{SMILE}b"
    assert chunks[-1].metadata == {"id": "1", "stop_reason_raw": "stop"}


def test_a_stream_with_half_a_pair_is_an_answer() -> None:
    chunks = _read_chunks(b"a\\ud83d", b"b")
    assert "".join(chunk.content for chunk in chunks) == "a\ufffdb"
    assert chunks[-1].response is not None
    assert (chunks[-1].metadata or {})["replaced_characters"] == 1


def test_arguments_with_half_a_pair_are_an_object() -> None:
    arguments = json.dumps('{"a": "\\ud83d"}')
    body = (
        '{"id":"1","choices":[{"message":{"tool_calls":[{"id":"c","function":{"name":"f","arguments":'
        + arguments
        + '}}]},"finish_reason":"tool_calls"}]}'
    )
    assert (_read_response(body.encode()).tool_calls or [])[0]["arguments"] == {"a": "\ufffd"}
