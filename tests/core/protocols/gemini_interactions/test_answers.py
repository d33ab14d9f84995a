"""Decoded interactions, from bodies and streams, as snapshots; and interactions without content."""

from __future__ import annotations

import json
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.core.protocols.gemini_interactions.interactions import (
    FOUND,
    MODEL,
    PICTURE,
    PROVIDER,
    SEARCH,
    Json,
    build_interaction,
    build_output,
    build_thought,
    call,
    dump_stream,
    encode_sse,
    events,
    read_completion,
    read_response,
    read_stream_fault,
    to_dict,
)
from victor_fp import replay

ROME, OSLO = {"city": "Rome"}, {"city": "Oslo"}
USAGE = {
    "total_input_tokens": 20,
    "total_output_tokens": 7,
    "total_thought_tokens": 5,
    "total_tool_use_tokens": 2,
    "total_cached_tokens": 16,
    "total_tokens": 34,
    "input_tokens_by_modality": [{"modality": "text", "tokens": 20}],
}
CITED = [{"type": "url_citation", "url": "https://rome.example", "start_index": 0, "end_index": 4}]

ANSWERS: dict[str, Json] = {
    "text": build_interaction(build_output("Hello"), usage={"total_input_tokens": 3}),
    "texts": build_interaction(build_output("Hel"), build_output("lo")),
    "tools": build_interaction(call("weather", ROME), status="requires_action"),
    "parallel tools": build_interaction(
        build_output("Both: "), call("weather", ROME), call("weather", OSLO, id="fc_2"), status="requires_action"
    ),
    "a tool without arguments": build_interaction(call("now", {}), status="requires_action"),
    "thinking": build_interaction(build_thought("Let me see."), build_output("Yes")),
    "thinking that is not shown": build_interaction(build_thought(), build_output("Yes")),
    "length": build_interaction(build_output("Once upon a"), status="incomplete"),
    "empty": build_interaction(),
    "a status nobody knows": build_interaction(build_output("Hm"), status="bored"),
    "usage with cache": build_interaction(build_output("Hi"), usage=USAGE, service_tier="standard"),
    "server-side search": build_interaction(
        build_thought(), SEARCH, FOUND, build_output({"type": "text", "text": "Rome.", "annotations": CITED})
    ),
    "a picture": build_interaction(build_output("Here: ", PICTURE)),
    "nothing stored": {**build_interaction(build_output("Hi")), "id": "", "created": "2026-11-01T00:00:00Z"},
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_interaction_is_decoded(name: str, snapshot: SnapshotAssertion) -> None:
    answer = ANSWERS[name]
    meant = to_dict(read_completion(answer))
    assert meant == snapshot
    assert dump_stream(encode_sse(events(answer))) == meant


def test_calls_of_a_response_without_ids_get_stable_ones() -> None:
    bare = build_interaction(call("weather", ROME, id=""), call("weather", ROME, id=""), status="requires_action")
    ids = [[made["id"] for made in read_completion(bare).tool_calls or ()] for _ in range(2)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2


def test_steps_that_only_the_final_event_has_are_read_from_it() -> None:
    answer = ANSWERS["thinking"]
    first = {"event_type": "interaction.created", "interaction": {"id": "v1_a", "model": MODEL}}
    last = {"event_type": "interaction.completed", "interaction": answer}
    assert dump_stream(encode_sse([first, last])) == to_dict(read_completion(answer))


FAULTS: dict[str, tuple[Json, str]] = {
    "still running": (build_interaction(status="in_progress"), "InvalidResponse"),
    "queued": (build_interaction(status="queued"), "InvalidResponse"),
    "cancelled": (build_interaction(status="cancelled"), "Cancelled"),
    "failed": (build_interaction(status="failed"), "ServerFailed"),
    "failed with a reason": (
        build_interaction(status="failed", errors=[{"code": "RESOURCE_EXHAUSTED", "message": "Too many requests"}]),
        "RateLimited",
    ),
    "an error in its place": (
        {"error": {"code": 503, "message": "The model is overloaded", "status": "UNAVAILABLE"}},
        "Overloaded",
    ),
    "nothing": ({}, "InvalidResponse"),
    "a list": ([], "InvalidResponse"),  # type: ignore[dict-item]  # what no server should send
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_response_without_content_is_a_fault(name: str) -> None:
    answer, fault = FAULTS[name]
    failure: Any = read_response(answer)
    assert type(failure.failure()).__name__ == fault


@pytest.mark.parametrize(
    ("status", "reason", "fault"),
    [
        (400, "API_KEY_INVALID", "AuthRejected"),
        (404, "NOT_FOUND", "ModelNotFound"),
        (429, "RESOURCE_EXHAUSTED", "RateLimited"),
        (503, "UNAVAILABLE", "Overloaded"),
    ],
)
def test_errors_are_those_of_the_gemini_api(status: int, reason: str, fault: str) -> None:
    said = {"error": {"code": status, "message": f"models/{MODEL} says no", "status": reason}}
    result: Any = replay.response(PROVIDER, status, {}, json.dumps(said).encode())
    assert type(result.failure()).__name__ == fault


def test_an_error_event_ends_the_stream_with_partial_content() -> None:
    error = {"event_type": "error", "error": {"code": "RESOURCE_EXHAUSTED", "message": "Slow down"}}
    fault = read_stream_fault(encode_sse([*events(ANSWERS["text"])[:5], error]))
    assert type(fault).__name__ == "RateLimited"


def test_an_output_that_ends_in_an_error_is_the_fault() -> None:
    failed = {**build_output("Half of"), "error": {"code": "INTERNAL", "message": "The model broke"}}
    failure: Any = read_response(build_interaction(failed))
    assert type(failure.failure()).__name__ == "ServerFailed"
