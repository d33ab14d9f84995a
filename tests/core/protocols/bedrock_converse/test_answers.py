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
    build_block_events,
    build_cited_text,
    build_code_blocks,
    build_redacted_thought,
    build_text,
    build_thought,
    call,
    encode_frames,
    events,
    read_completion,
    read_response,
    read_stream,
)
from tests.core.protocols.results import join_chunks

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
    "text": answer(build_text("Hello there")),
    "several texts": answer(build_text("One. "), build_text("Two.")),
    "length": answer(build_text("Once upon"), stop="max_tokens"),
    "context window": answer(build_text("Once"), stop="model_context_window_exceeded"),
    "stop sequence": answer(
        build_text("1, 2"), stop="stop_sequence", additionalModelResponseFields={"stop_sequence": ", 3"}
    ),
    "empty": answer(),
    "empty text": answer(build_text("")),
    "tools": answer(build_text("Let me look."), call("tooluse_1", "weather", city="Paris"), stop="tool_use"),
    "parallel tools": answer(
        call("tooluse_1", "weather", city="Paris"), call("tooluse_2", "weather", city="Oslo"), stop="tool_use"
    ),
    "tool without input": answer(call("tooluse_1", "now"), stop="tool_use"),
    "tools although the reason is another": answer(call("tooluse_1", "weather", city="Rome"), stop="end_turn"),
    "reasoning": answer(build_thought("Let me see.", "Sig=="), build_text("Yes")),
    "reasoning without a signature": answer(build_thought("Let me see."), build_text("Yes")),
    "reasoning kept from us": answer(build_thought("", "Sig=="), build_text("Yes")),
    "reasoning, redacted, then a tool": answer(
        build_thought("Hm.", "SigA"),
        build_redacted_thought("RW5j"),
        call("tooluse_1", "weather", city="Rome"),
        stop="tool_use",
    ),
    "reasoning behind the text": answer(build_text("ready"), build_thought("Just one word.")),
    "guardrail": answer(build_text("Blocked."), stop="guardrail_intervened", trace=TRACE),
    "content filter": answer(stop="content_filtered"),
    "malformed tool use": answer(build_text("Hm"), stop="malformed_tool_use"),
    "code that the vendor runs": answer(build_text("Look. "), *build_code_blocks("1 + 1", "2"), build_text("Two.")),
    "citations": answer(build_cited_text("It is blue.", CITATION), build_text(" Yes.")),
    "a block nobody knows": answer({"hologram": {"beams": [1, 2], "text": "no text of ours"}}, build_text("Hi")),
    "a picture": answer(build_text("Here."), {"image": {"format": "png", "source": {"bytes": "aGk="}}}),
    "a reason nobody knows": answer(build_text("Hm"), stop="tired"),
    "cache": answer(build_text("Hi"), usage=CACHED),
    "no usage": answer(build_text("Hi"), usage=None),
    "half the usage": answer(build_text("Hi"), usage={"outputTokens": 50}),
    "a tier and a latency": answer(
        build_text("Hi"), serviceTier={"type": "flex"}, performanceConfig={"latency": "standard"}
    ),
}
EACH = pytest.mark.parametrize("name", ANSWERS)


@EACH
def test_an_answer_is_decoded(name: str, snapshot: SnapshotAssertion) -> None:
    assert snapshot == read_response(ANSWERS[name])


@EACH
def test_a_stream_gives_the_same_response_as_the_body(name: str) -> None:
    whole = read_response(ANSWERS[name])
    chunks = read_stream(encode_frames(events(ANSWERS[name])))
    assert join_chunks(chunks) == {"content": "", **whole}
    assert [chunk.get("is_final", False) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


def test_the_chunks_of_a_stream(snapshot: SnapshotAssertion) -> None:
    story = answer(
        build_thought("Let me", "Sig"),
        build_text("On it."),
        call("tooluse_1", "weather", city="Rome"),
        stop="tool_use",
        usage=CACHED,
    )
    assert snapshot == read_stream(encode_frames(events(story, size=8)))


def test_an_error_body_is_classified(snapshot: SnapshotAssertion) -> None:
    headers = {
        "x-amzn-ErrorType": "ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/",
        "x-amzn-RequestId": "req-1",
    }
    assert snapshot == read_response({"message": "Too many requests."}, status=429, headers=headers)


def test_a_truncated_stream_keeps_partial_content(snapshot: SnapshotAssertion) -> None:
    story = answer(build_thought("Hm", "Sig"), build_text("Half of"), call("tooluse_1", "weather", city="Rome"))
    assert snapshot == read_stream(encode_frames(events(story)[:-4]))[-1]


def test_an_exception_frame_is_classified(snapshot: SnapshotAssertion) -> None:
    story = events(answer(build_text("Half of")))
    broken = aws_frames.encode_exception(
        "modelStreamErrorException", {"message": "It broke.", "originalStatusCode": 500}
    )
    assert snapshot == read_stream(encode_frames(story[:3]) + broken)


# The wire's own ways


def test_blocks_need_no_end_and_no_metadata() -> None:
    story = [event for event in events(ANSWERS["tools"]) if event[0] not in ("contentBlockStop", "metadata")]
    read = read_stream(encode_frames(story))[-1]
    assert (read["is_final"], read["stop_reason"]) == (True, "tool_use")
    assert read["tool_calls"] == [{"id": "tooluse_1", "name": "weather", "arguments": {"city": "Paris"}}]


def test_events_after_the_metadata_are_ignored() -> None:
    late = aws_frames.encode_event("contentBlockDelta", {"contentBlockIndex": 9, "delta": {"text": "late"}})
    story = encode_frames(events(ANSWERS["text"]))
    assert read_stream(story + late) == read_stream(story)


def test_metadata_before_the_stop_reason_does_not_end_the_stream() -> None:
    *story, stop, metadata = events(ANSWERS["text"])
    read = read_stream(encode_frames([*story, metadata, stop]))
    assert join_chunks(read) == read_response(ANSWERS["text"])


def test_interleaved_calls_stay_apart() -> None:
    one = build_block_events(0, call("tooluse_1", "weather", city="Paris"))
    two = build_block_events(1, call("tooluse_2", "weather", city="Oslo"))
    mixed = [event for pair in zip(one, two, strict=False) for event in pair]
    left = [event for event in (*one, *two) if event not in mixed]
    ends: list[Event] = [("messageStop", {"stopReason": "tool_use"})]
    calls = read_stream(encode_frames([("messageStart", {"role": "assistant"}), *mixed, *left, *ends]))[-1][
        "tool_calls"
    ]
    assert [call["arguments"] for call in calls] == [{"city": "Paris"}, {"city": "Oslo"}]


def test_a_server_tool_call_is_not_for_the_caller_even_if_its_deltas_are_interleaved() -> None:
    own, _ = build_code_blocks("1 + 1", "2")
    one, two = build_block_events(0, own), build_block_events(1, build_text("Wait for it"))
    mixed = [one[0], two[0], *one[1:-1], *two[1:], one[-1]]
    read = read_stream(encode_frames([*mixed, ("messageStop", {"stopReason": "end_turn"})]))
    assert "tool_calls" not in read[-1]
    assert join_chunks(read)["content"] == "Wait for it"
    assert {"kind": "opaque", "state": own} in read[-1]["metadata"]["provider_state"]["blocks"]


def test_redacted_reasoning_in_pieces_is_one_blob() -> None:
    pieces = [
        {"contentBlockIndex": 0, "delta": {"reasoningContent": {"redactedContent": blob}}} for blob in ("YQ==", "Yg==")
    ]
    story: list[Event] = [("contentBlockDelta", piece) for piece in pieces]
    story.append(("contentBlockStop", {"contentBlockIndex": 0}))
    read = read_stream(encode_frames([*story, ("messageStop", {"stopReason": "end_turn"})]))
    assert read[-1]["metadata"]["provider_state"]["blocks"] == [
        {"kind": "opaque", "state": build_redacted_thought("YWI=")}
    ]


def test_a_whole_body_instead_of_a_stream_is_read_like_one() -> None:
    read = read_stream(json.dumps(ANSWERS["tools"]).encode())
    assert join_chunks(read) == read_response(ANSWERS["tools"])


def test_a_call_with_a_type_of_its_own_is_a_call() -> None:
    whole = answer({"toolUse": {**call("tooluse_1", "now")["toolUse"], "type": "tool_use"}}, stop="tool_use")
    assert read_completion(whole).tool_calls == [{"id": "tooluse_1", "name": "now", "arguments": {}}]


def test_input_that_is_not_an_object_is_kept() -> None:
    whole = answer({"toolUse": {"toolUseId": "t", "name": "n", "input": "so, then"}}, stop="tool_use")
    assert read_completion(whole).tool_calls == [{"id": "t", "name": "n", "arguments": "so, then"}]


def test_the_prompt_count_includes_cache_reads_and_writes() -> None:
    assert read_response(ANSWERS["cache"])["usage"] == {
        "prompt_tokens": 2312,
        "completion_tokens": 7,
        "total_tokens": 2319,
        "cache_creation_input_tokens": 300,
        "cache_read_input_tokens": 2000,
    }
