"""Decoded responses, from bodies and streams, as snapshots."""

from __future__ import annotations

import json
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from tests import aws_frames
from tests.core.protocols.bedrock_converse.answers import (
    Event,
    answer,
    answered,
    block_events,
    call,
    cited,
    completion,
    computed,
    events,
    framed,
    joined,
    redacted,
    streamed,
    text,
    thought,
)

PLACE = {"documentPage": {"documentIndex": 0, "start": 2, "end": 3}}
CITATION = {"title": "T", "sourceContent": [{"text": "sky"}], "location": PLACE}
CACHED = {
    "inputTokens": 12,
    "outputTokens": 7,
    "totalTokens": 2319,
    "cacheReadInputTokens": 2000,
    "cacheWriteInputTokens": 300,
    "cacheDetails": [{"ttl": "5m", "inputTokens": 300}],
    "serverToolUsage": {},
}
TRACE = {"guardrail": {"actionReason": "Guardrail blocked.", "inputAssessment": {"g1": {"wordPolicy": {}}}}}

ANSWERS: dict[str, dict[str, Any]] = {
    "text": answer(text("Hello there")),
    "several texts": answer(text("One. "), text("Two.")),
    "length": answer(text("Once upon"), stop="max_tokens"),
    "context window": answer(text("Once"), stop="model_context_window_exceeded"),
    "stop sequence": answer(text("1, 2"), stop="stop_sequence", additionalModelResponseFields={"stop_sequence": ", 3"}),
    "empty": answer(),
    "empty text": answer(text("")),
    "tools": answer(text("Let me look."), call("tooluse_1", "weather", city="Paris"), stop="tool_use"),
    "parallel tools": answer(
        call("tooluse_1", "weather", city="Paris"), call("tooluse_2", "weather", city="Oslo"), stop="tool_use"
    ),
    "tool without input": answer(call("tooluse_1", "now"), stop="tool_use"),
    "tools although the reason is another": answer(call("tooluse_1", "weather", city="Rome"), stop="end_turn"),
    "reasoning": answer(thought("Let me see.", "Sig=="), text("Yes")),
    "reasoning without a signature": answer(thought("Let me see."), text("Yes")),
    "reasoning kept from us": answer(thought("", "Sig=="), text("Yes")),
    "reasoning, redacted, then a tool": answer(
        thought("Hm.", "SigA"), redacted("RW5j"), call("tooluse_1", "weather", city="Rome"), stop="tool_use"
    ),
    "reasoning behind the text": answer(text("ready"), thought("Just one word.")),
    "guardrail": answer(text("Blocked."), stop="guardrail_intervened", trace=TRACE),
    "content filter": answer(stop="content_filtered"),
    "malformed tool use": answer(text("Hm"), stop="malformed_tool_use"),
    "code that the vendor runs": answer(text("Look. "), *computed("1 + 1", "2"), text("Two.")),
    "citations": answer(cited("It is blue.", CITATION), text(" Yes.")),
    "a block nobody knows": answer({"hologram": {"beams": [1, 2], "text": "no text of ours"}}, text("Hi")),
    "a picture": answer(text("Here."), {"image": {"format": "png", "source": {"bytes": "aGk="}}}),
    "a reason nobody knows": answer(text("Hm"), stop="tired"),
    "cache": answer(text("Hi"), usage=CACHED),
    "no usage": answer(text("Hi"), usage=None),
    "half the usage": answer(text("Hi"), usage={"outputTokens": 50}),
    "a tier and a latency": answer(text("Hi"), serviceTier={"type": "flex"}, performanceConfig={"latency": "standard"}),
}
EACH = pytest.mark.parametrize("name", ANSWERS)


@EACH
def test_an_answer_is_decoded(name: str, snapshot: SnapshotAssertion) -> None:
    assert snapshot == answered(ANSWERS[name])


@EACH
def test_a_stream_gives_the_same_response_as_the_body(name: str) -> None:
    whole = answered(ANSWERS[name])
    chunks = streamed(framed(events(ANSWERS[name])))
    assert joined(chunks) == {"content": "", **whole}
    assert [chunk.get("is_final", False) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


def test_the_chunks_of_a_stream(snapshot: SnapshotAssertion) -> None:
    story = answer(
        thought("Let me", "Sig"),
        text("On it."),
        call("tooluse_1", "weather", city="Rome"),
        stop="tool_use",
        usage=CACHED,
    )
    assert snapshot == streamed(framed(events(story, size=8)))


def test_an_error_body_is_classified(snapshot: SnapshotAssertion) -> None:
    headers = {
        "x-amzn-ErrorType": "ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/",
        "x-amzn-RequestId": "req-1",
    }
    assert snapshot == answered({"message": "Too many requests."}, status=429, headers=headers)


def test_a_truncated_stream_keeps_partial_content(snapshot: SnapshotAssertion) -> None:
    story = answer(thought("Hm", "Sig"), text("Half of"), call("tooluse_1", "weather", city="Rome"))
    assert snapshot == streamed(framed(events(story)[:-4]))[-1]


def test_an_exception_frame_is_classified(snapshot: SnapshotAssertion) -> None:
    story = events(answer(text("Half of")))
    broken = aws_frames.encode_exception(
        "modelStreamErrorException", {"message": "It broke.", "originalStatusCode": 500}
    )
    assert snapshot == streamed(framed(story[:3]) + broken)


# The wire's own ways


def test_blocks_need_no_end_and_no_metadata() -> None:
    story = [event for event in events(ANSWERS["tools"]) if event[0] not in ("contentBlockStop", "metadata")]
    read = streamed(framed(story))[-1]
    assert (read["is_final"], read["stop_reason"]) == (True, "tool_use")
    assert read["tool_calls"] == [{"id": "tooluse_1", "name": "weather", "arguments": {"city": "Paris"}}]


def test_events_after_the_metadata_are_ignored() -> None:
    late = aws_frames.encode_event("contentBlockDelta", {"contentBlockIndex": 9, "delta": {"text": "late"}})
    story = framed(events(ANSWERS["text"]))
    assert streamed(story + late) == streamed(story)


def test_metadata_before_the_stop_reason_does_not_end_the_stream() -> None:
    *story, stop, metadata = events(ANSWERS["text"])
    read = streamed(framed([*story, metadata, stop]))
    assert joined(read) == answered(ANSWERS["text"])


def test_interleaved_calls_stay_apart() -> None:
    one = block_events(0, call("tooluse_1", "weather", city="Paris"))
    two = block_events(1, call("tooluse_2", "weather", city="Oslo"))
    mixed = [event for pair in zip(one, two, strict=False) for event in pair]
    left = [event for event in (*one, *two) if event not in mixed]
    ends: list[Event] = [("messageStop", {"stopReason": "tool_use"})]
    calls = streamed(framed([("messageStart", {"role": "assistant"}), *mixed, *left, *ends]))[-1]["tool_calls"]
    assert [call["arguments"] for call in calls] == [{"city": "Paris"}, {"city": "Oslo"}]


def test_a_server_tool_call_is_not_for_the_caller_even_if_its_deltas_are_interleaved() -> None:
    own, _ = computed("1 + 1", "2")
    one, two = block_events(0, own), block_events(1, text("Wait for it"))
    mixed = [one[0], two[0], *one[1:-1], *two[1:], one[-1]]
    read = streamed(framed([*mixed, ("messageStop", {"stopReason": "end_turn"})]))
    assert "tool_calls" not in read[-1]
    assert joined(read)["content"] == "Wait for it"
    assert {"kind": "opaque", "state": own} in read[-1]["metadata"]["provider_state"]["blocks"]


def test_redacted_reasoning_in_pieces_is_one_blob() -> None:
    pieces = [
        {"contentBlockIndex": 0, "delta": {"reasoningContent": {"redactedContent": blob}}} for blob in ("YQ==", "Yg==")
    ]
    story: list[Event] = [("contentBlockDelta", piece) for piece in pieces]
    story.append(("contentBlockStop", {"contentBlockIndex": 0}))
    read = streamed(framed([*story, ("messageStop", {"stopReason": "end_turn"})]))
    assert read[-1]["metadata"]["provider_state"]["blocks"] == [{"kind": "opaque", "state": redacted("YWI=")}]


def test_a_whole_body_instead_of_a_stream_is_read_like_one() -> None:
    read = streamed(json.dumps(ANSWERS["tools"]).encode())
    assert joined(read) == answered(ANSWERS["tools"])


def test_a_call_with_a_type_of_its_own_is_a_call() -> None:
    whole = answer({"toolUse": {**call("tooluse_1", "now")["toolUse"], "type": "tool_use"}}, stop="tool_use")
    assert completion(whole).tool_calls == [{"id": "tooluse_1", "name": "now", "arguments": {}}]


def test_input_that_is_not_an_object_is_kept() -> None:
    whole = answer({"toolUse": {"toolUseId": "t", "name": "n", "input": "so, then"}}, stop="tool_use")
    assert completion(whole).tool_calls == [{"id": "t", "name": "n", "arguments": "so, then"}]


def test_the_prompt_count_includes_cache_reads_and_writes() -> None:
    assert answered(ANSWERS["cache"])["usage"] == {
        "prompt_tokens": 2312,
        "completion_tokens": 7,
        "total_tokens": 2319,
        "cache_creation_input_tokens": 300,
        "cache_read_input_tokens": 2000,
    }
