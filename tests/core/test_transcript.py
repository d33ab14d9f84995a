"""The fold: values in, values out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from returns.result import Failure, Success

from tests.core.strategies import generate_answer_deltas
from victor_fp import replay
from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.deltas import (
    BlockEnded,
    Delta,
    ErrorReported,
    MetadataReported,
    ReasoningDelta,
    RefusalDelta,
    StateReported,
    Stopped,
    StreamEnded,
    TextDelta,
    ToolCallArguments,
    ToolCallArgumentSet,
    ToolCallStarted,
    UsageReported,
)
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.faults import Overloaded, ServerFailed, StreamTruncated
from victor_fp.core.requests import Endpoint
from victor_fp.core.responses.completions import ResponseContext, build_completion, build_final_chunk
from victor_fp.core.result import outcome
from victor_fp.core.transcript import EMPTY, advance
from victor_fp.core.types import CompletionResponse, StreamChunk, Usage

SPEC = ProviderSpec(name="acme", title="Acme", dialect=ChatDialect(), base_url="http://acme.test/v1")
ASKED = ResponseContext(endpoint=Endpoint(spec=SPEC, base_url=SPEC.base_url), model="m-1")


def complete_deltas(deltas: list[Delta]) -> CompletionResponse:
    match outcome(build_completion(ASKED, advance(EMPTY, deltas)[0], b"{}")):
        case Success(response):
            return response
        case Failure(fault):
            raise AssertionError(fault)


def stream_batches(batches: list[list[Delta]]) -> tuple[list[StreamChunk], object]:
    transcript, chunks = EMPTY, list[StreamChunk]()
    for batch in batches:
        transcript, more = advance(transcript, batch)
        chunks += more
    match outcome(build_final_chunk(ASKED, transcript)):
        case Success(chunk):
            return [*chunks, chunk], None
        case Failure(fault):
            return chunks, fault


def test_text_pieces_become_one_text() -> None:
    response = complete_deltas([TextDelta("Hel"), TextDelta(""), TextDelta("lo"), Stopped("stop", "end_turn")])
    assert (response.content, response.stop_reason, response.metadata) == (
        "Hello",
        "stop",
        {"stop_reason_raw": "end_turn"},
    )


def test_parallel_calls_with_the_same_index_stay_apart() -> None:
    response = complete_deltas(
        [
            ToolCallStarted(index=0, id="a", name="f"),
            ToolCallArguments(index=0, text='{"x":'),
            ToolCallArguments(index=0, text="1}"),
            ToolCallStarted(index=0, id="b", name="g"),
            ToolCallArguments(index=0, text='{"y":2}'),
            Stopped("stop"),
        ]
    )
    assert response.tool_calls == [
        {"id": "a", "name": "f", "arguments": {"x": 1}},
        {"id": "b", "name": "g", "arguments": {"y": 2}},
    ]
    assert response.stop_reason == "tool_use"


def test_failure_is_the_stop_reason_despite_calls() -> None:
    called: list[Delta] = [ToolCallStarted(index=0, id="a", name="f"), ToolCallArguments(index=0, text="{}")]
    response = complete_deltas([*called, Stopped("UNEXPECTED_TOOL_CALL", "UNEXPECTED_TOOL_CALL", is_failure=True)])
    assert response.stop_reason == "UNEXPECTED_TOOL_CALL"
    assert [call["name"] for call in response.tool_calls or []] == ["f"]
    assert complete_deltas([*called, Stopped("news", "news")]).stop_reason == "tool_use"


def test_interleaved_calls_stay_apart() -> None:
    response = complete_deltas(
        [
            ToolCallStarted(index=0, id="a", name="f"),
            ToolCallStarted(index=1, id="b", name="g"),
            ToolCallArguments(index=1, text='{"y":'),
            ToolCallArguments(index=0, text='{"x":1'),
            ToolCallArguments(index=1, text="2}"),
            ToolCallArguments(index=0, text="}"),
            Stopped("tool_use"),
        ]
    )
    assert [call["arguments"] for call in response.tool_calls or []] == [{"x": 1}, {"y": 2}]


def test_a_repeated_call_start_continues_the_call() -> None:
    response = complete_deltas(
        [
            ToolCallStarted(index=0, id="a", name="f"),
            ToolCallArguments(index=0, text='{"x":'),
            ToolCallStarted(index=0, id="a", name="f"),
            ToolCallArguments(index=0, id="a", text="1}"),
            ToolCallStarted(index=0, id=None, name=""),
            Stopped("tool_use"),
        ]
    )
    assert response.tool_calls == [{"id": "a", "name": "f", "arguments": {"x": 1}}]


def test_arguments_that_do_not_parse_are_kept_unmodified() -> None:
    response = complete_deltas(
        [ToolCallStarted(index=0, id="a", name="f"), ToolCallArguments(index=0, text='{"x": 1'), Stopped("length")]
    )
    assert response.tool_calls == [{"id": "a", "name": "f", "arguments": '{"x": 1'}]
    assert response.stop_reason == "length"


def test_arguments_without_a_started_call_are_kept() -> None:
    response = complete_deltas([ToolCallArguments(index=3, text='{"x":1}'), Stopped("tool_use")])
    assert response.tool_calls == [{"id": "call_0", "name": "", "arguments": {"x": 1}}]


def test_values_at_paths_build_arguments() -> None:
    response = complete_deltas(
        [
            ToolCallStarted(index=0, id="a", name="f"),
            ToolCallArgumentSet(index=0, path=("steps", 0), value="sl"),
            ToolCallArgumentSet(index=0, path=("steps", 0), value="ice"),
            ToolCallArgumentSet(index=0, path=("steps", 1), value="fry"),
            ToolCallArgumentSet(index=0, path=("hot",), value=True),
            Stopped("stop"),
        ]
    )
    assert response.tool_calls == [{"id": "a", "name": "f", "arguments": {"steps": ["slice", "fry"], "hot": True}}]


def test_unknown_stop_reason_is_kept() -> None:
    assert complete_deltas([TextDelta("x"), Stopped("MYSTERY", "MYSTERY")]).stop_reason == "MYSTERY"


def test_tool_use_without_a_call_is_a_stop() -> None:
    assert complete_deltas([TextDelta("x"), Stopped("tool_use", "tool_calls")]).stop_reason == "stop"


def test_a_refusal_is_a_stop_reason() -> None:
    response = complete_deltas([RefusalDelta("I can't "), RefusalDelta("do that."), Stopped("stop", "stop")])
    assert (response.content, response.stop_reason) == ("", "refusal")
    assert response.metadata is not None
    assert response.metadata["refusal"] == "I can't do that."


def test_usage_that_was_not_reported_is_absent() -> None:
    assert complete_deltas([TextDelta("x"), Stopped("stop")]).usage is None
    assert complete_deltas([UsageReported(completion_tokens=0), Stopped("stop")]).usage == {"completion_tokens": 0}


def test_every_reported_count_is_a_field_of_the_usage() -> None:
    assert UsageReported.__struct_fields__ == tuple(Usage.__annotations__)


def test_later_usage_overrides_field_by_field() -> None:
    response = complete_deltas(
        [
            UsageReported(prompt_tokens=10, cache_read_input_tokens=4),
            UsageReported(completion_tokens=1),
            UsageReported(completion_tokens=7),
            Stopped("stop"),
        ]
    )
    assert response.usage == {
        "prompt_tokens": 10,
        "completion_tokens": 7,
        "total_tokens": 17,
        "cache_read_input_tokens": 4,
    }


def test_a_stream_without_a_stop_reason_is_truncated_and_keeps_partial_content() -> None:
    chunks, fault = stream_batches(
        [[TextDelta("Hel")], [ReasoningDelta("hm"), ToolCallStarted(index=0, id="a", name="f")]]
    )
    assert [chunk.content for chunk in chunks] == ["Hel", "", ""]
    assert isinstance(fault, StreamTruncated)
    assert fault.partial is not None
    assert (fault.partial.content, fault.partial.reasoning) == ("Hel", "hm")
    assert fault.partial.tool_calls == ({"id": "a", "name": "f", "arguments": {}},)
    assert (fault.provider, fault.model, fault.maybe_billed) == ("acme", "m-1", True)


def test_end_without_a_stop_reason_is_not_a_stop() -> None:
    _, fault = stream_batches([[TextDelta("x"), StreamEnded()]])
    assert isinstance(fault, StreamTruncated)


def test_events_after_an_error_are_ignored() -> None:
    chunks, fault = stream_batches(
        [[TextDelta("x"), ErrorReported(Overloaded(message="busy")), TextDelta("y"), Stopped("stop")]]
    )
    assert [chunk.content for chunk in chunks] == ["x"]
    assert isinstance(fault, Overloaded)


def test_events_after_the_end_are_ignored() -> None:
    chunks, fault = stream_batches(
        [[TextDelta("x"), Stopped("stop"), StreamEnded(), TextDelta("y"), ErrorReported(ServerFailed())]]
    )
    assert "".join(chunk.content for chunk in chunks) == "x"
    assert fault is None


def test_state_is_attached_to_its_block() -> None:
    response = complete_deltas(
        [
            ReasoningDelta("think"),
            StateReported({"signature": "s1"}),
            BlockEnded(),
            ReasoningDelta("more"),
            StateReported({"signature": "s2"}),
            StateReported({"data": "xx"}, alone=True),
            TextDelta("answer"),
            ToolCallStarted(index=0, id="a", name="f", arguments={"x": 1}, state={"sig": "t"}),
            Stopped("tool_use"),
            MetadataReported(model="m-1-0901", metadata={"id": "r"}),
        ]
    )
    assert response.metadata is not None
    assert response.metadata["reasoning_content"] == "think\n\nmore"
    assert response.metadata["provider_state"] == {
        "protocol": "openai-chat",
        "provider": "acme",
        "model": "m-1-0901",
        "blocks": [
            {"kind": "reasoning", "text": "think", "state": {"signature": "s1"}},
            {"kind": "reasoning", "text": "more", "state": {"signature": "s2"}},
            {"kind": "opaque", "state": {"data": "xx"}},
            {"kind": "text", "text": "answer"},
            {"kind": "tool_call", "id": "a", "name": "f", "arguments": {"x": 1}, "state": {"sig": "t"}},
        ],
    }


def test_plain_answers_carry_no_state() -> None:
    response = complete_deltas([TextDelta("x"), ToolCallStarted(index=0, id="a", name="f"), Stopped("stop")])
    assert response.metadata is None


@given(generate_answer_deltas(), st.data())
def test_how_deltas_are_batched_changes_nothing(deltas: list[Delta], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(deltas)), max_size=6)))
    edges = [0, *cuts, len(deltas)]
    batches = [deltas[a:b] for a, b in zip(edges, edges[1:], strict=False)]
    assert stream_batches(batches) == stream_batches([deltas])


@given(generate_answer_deltas())
def test_stream_and_body_yield_the_same_response(deltas: list[Delta]) -> None:
    chunks, fault = stream_batches([[delta] for delta in deltas])
    assert fault is None
    whole, last = complete_deltas(deltas), chunks[-1]
    assert [chunk.is_final for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert "".join(chunk.content for chunk in chunks) == whole.content
    assert (last.tool_calls, last.stop_reason, last.usage, last.metadata, last.model) == (
        whole.tool_calls,
        whole.stop_reason,
        whole.usage,
        whole.metadata,
        whole.model,
    )


def test_final_chunk_has_the_complete_response() -> None:
    body = b'event: message_start\ndata: {"type":"message_start","message":{"id":"m1","type":"message","role":"assistant","content":[],"model":"claude","stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}}\n\nevent: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"Hm.","signature":"sig"}}\n\nevent: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\nevent: content_block_start\ndata: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":"Hi"}}\n\nevent: content_block_stop\ndata: {"type":"content_block_stop","index":1}\n\nevent: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
    chunks = [result.unwrap() for result in replay.stream("anthropic", 200, {}, [body])]
    final = chunks[-1]
    assert final.response is not None
    assert final.response.content == "Hi"
    message = final.to_message()
    assert message.content == "Hi"
    assert message.metadata is not None
    assert "provider_state" in message.metadata
    with pytest.raises(ValueError, match="only the final chunk"):
        chunks[0].to_message()
