"""Behaviour of streams that the vendor's document does not describe."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.protocols.anthropic_messages.answers import (
    build_message,
    build_search_blocks,
    build_text,
    call,
    encode_sse,
    events,
    read_response,
    read_stream,
)
from tests.core.protocols.results import join_chunks

STORY = build_message(build_text("Hello"))
WHOLE = {"content": "", **read_response(STORY)}


def read_final(stream: list[dict[str, Any]]) -> dict[str, Any]:
    return join_chunks(read_stream(encode_sse(stream)))


def test_a_repeated_start_changes_nothing() -> None:
    start, *rest = events(STORY)
    assert read_final([start, start, *rest]) == WHOLE


def test_a_repeated_start_replaces_the_first_ones_counts() -> None:
    start, *rest = events(STORY)
    cached = {"input_tokens": 1, "cache_read_input_tokens": 99, "output_tokens": 1}
    first = {**start, "message": {**start["message"], "usage": cached}}
    assert read_final([first, start, *rest])["usage"]["prompt_tokens"] == 21


def test_the_last_message_delta_overrides_every_count_that_it_has() -> None:
    *rest, ending, stop = events(STORY)
    counts = {"input_tokens": 5, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 2, "output_tokens": 6}
    assert read_final([*rest, {**ending, "usage": counts}, stop])["usage"] == {
        "prompt_tokens": 47,
        "completion_tokens": 6,
        "total_tokens": 53,
        "cache_read_input_tokens": 40,
        "cache_creation_input_tokens": 2,
    }


def test_nulls_in_a_message_delta_override_nothing() -> None:
    *rest, ending, stop = events(STORY)
    counts = {"input_tokens": None, "cache_read_input_tokens": None, "output_tokens": 9}
    assert read_final([*rest, {**ending, "usage": counts}, stop]) == WHOLE


def test_done_after_the_end_and_pings_anywhere_change_nothing() -> None:
    data = b": comment\n\nevent: ping\ndata: {}\n\n" + encode_sse(events(STORY)) + b"event: data\ndata: [DONE] \n\n"
    assert join_chunks(read_stream(data)) == WHOLE


def test_done_instead_of_the_end_is_enough_once_the_reason_is_known() -> None:
    *rest, _ = events(STORY)
    assert join_chunks(read_stream(encode_sse(rest) + b"data: [DONE]\n\n")) == WHOLE


def test_done_without_a_stop_reason_is_a_truncated_stream() -> None:
    *rest, _, _ = events(STORY)
    assert read_stream(encode_sse(rest) + b"data: [DONE]\n\n")[-1]["fault"] == "StreamTruncated"


def test_events_after_message_stop_are_ignored() -> None:
    late = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "!"}}
    assert read_final([*events(STORY), late]) == WHOLE


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_of_any_kind(end: str) -> None:
    data = encode_sse(events(STORY)).replace(b"\n", end.encode())
    assert join_chunks(read_stream(data, size=7)) == WHOLE


def test_a_call_whose_input_comes_whole_in_its_start() -> None:
    whole = build_message(call("toolu_1", "weather", city="Rome"), stop="tool_use")
    story = events(whole)
    story[2]["content_block"]["input"] = {"city": "Rome"}
    kept = [event for event in story if event["type"] != "content_block_delta"]
    assert read_final(kept) == {"content": "", **read_response(whole)}


def test_a_call_whose_start_has_no_input_field() -> None:
    whole = build_message(call("toolu_1", "now"), stop="tool_use")
    story = events(whole)
    del story[2]["content_block"]["input"]
    assert read_final(story) == {"content": "", **read_response(whole)}


def test_a_call_cut_by_the_length_keeps_its_text_and_its_reason() -> None:
    story = events(build_message(call("toolu_1", "weather", city="Rome"), stop="max_tokens"), size=6)
    cut = [*story[:5], *story[-3:]]
    read = read_final(cut)
    assert read["tool_calls"] == [{"id": "toolu_1", "name": "weather", "arguments": '{"city'}]
    assert read["stop_reason"] == "length"


def test_a_call_without_an_id_gets_the_same_one_in_both_ways() -> None:
    whole = build_message({"type": "tool_use", "name": "now", "input": {}}, stop="tool_use")
    read = read_response(whole)
    assert read["tool_calls"][0]["id"]
    assert read_final(events(whole)) == {"content": "", **read}


def test_input_that_is_not_an_object_is_kept_as_text() -> None:
    whole = build_message({**call("toolu_1", "sum"), "input": [1, 2]}, stop="tool_use")
    assert read_response(whole)["tool_calls"][0]["arguments"] == "[1,2]"


def test_calls_of_server_tools_are_not_calls_for_the_caller() -> None:
    read = read_final(events(build_message(*build_search_blocks("sky", "https://a.example/1"), build_text("Blue."))))
    assert "tool_calls" not in read
    assert read["stop_reason"] == "stop"
    assert [block["kind"] for block in read["metadata"]["provider_state"]["blocks"]] == ["opaque", "opaque", "text"]


def test_an_unknown_block_and_delta_are_merged() -> None:
    start, ping, *_, ending, stop = events(STORY)
    block = {"type": "compaction", "content": None, "notes": ["a"], "log": "x"}
    delta = {"type": "compaction_delta", "content": "Summary", "notes": ["b"], "log": "y"}
    read = read_final(
        [
            start,
            ping,
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            ending,
            stop,
        ]
    )
    (kept,) = read["metadata"]["provider_state"]["blocks"]
    assert kept["state"] == {"type": "compaction", "content": "Summary", "notes": ["a", "b"], "log": "xy"}


def test_fields_that_a_gateway_adds_are_kept_in_metadata() -> None:
    start, *rest, ending, stop = events(STORY)
    start["message"]["provider"] = "Amazon Bedrock"
    ending |= {"context_management": {"applied_edits": []}, "usage": {"output_tokens": 9, "cost": 0.000112}}
    metadata = read_final([start, *rest, ending, stop])["metadata"]
    assert metadata["provider"] == "Amazon Bedrock"
    assert metadata["cost"] == {"amount": 0.000112, "currency": "USD", "source": "vendor"}
    assert metadata["context_management"] == {"applied_edits": []}


def test_events_without_their_parts_are_ignored() -> None:
    hollow = [
        {"type": kind}
        for kind in (
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
        )
    ]
    assert read_final([*hollow, *events(STORY)]) == WHOLE
