"""Arguments of calls that a server sends as an object where its protocol has JSON text."""

from __future__ import annotations

import json
from typing import Any

import pytest

from victor_fp import replay

CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": {"n": [1, "x"]}}}
ITEM = {"type": "function_call", "call_id": "a", "name": "f", "arguments": {"n": [1, "x"]}}
CHOICE = {"index": 0, "finish_reason": "tool_calls"}
READ = [{"id": "a", "name": "f", "arguments": {"n": [1, "x"]}}]


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("openai", {"choices": [{**CHOICE, "message": {"tool_calls": [CALL]}}]}),
        ("mistral", {"choices": [{**CHOICE, "message": {"tool_calls": [CALL]}}]}),
        ("cohere", {"message": {"tool_calls": [CALL]}, "finish_reason": "TOOL_CALL"}),
        ("openai-responses", {"status": "completed", "output": [ITEM]}),
    ],
)
def test_arguments_sent_as_an_object_are_kept_in_a_body(provider: str, body: dict[str, Any]) -> None:
    assert replay.response(provider, 200, {}, json.dumps(body).encode()).unwrap().tool_calls == READ


@pytest.mark.parametrize(
    ("provider", "events"),
    [
        ("openai", [{"choices": [{**CHOICE, "delta": {"tool_calls": [CALL]}}]}]),
        ("mistral", [{"choices": [{**CHOICE, "delta": {"tool_calls": [CALL]}}]}]),
        (
            "cohere",
            [
                {"type": "tool-call-start", "index": 0, "delta": {"message": {"tool_calls": CALL}}},
                {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL"}},
            ],
        ),
        (
            "openai-responses",
            [
                {"type": "response.output_item.done", "output_index": 0, "item": ITEM},
                {"type": "response.completed", "response": {"status": "completed"}},
            ],
        ),
    ],
)
def test_arguments_sent_as_an_object_are_kept_in_a_stream(provider: str, events: list[dict[str, Any]]) -> None:
    data = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()
    *_, last = replay.stream(provider, 200, {}, [data])
    assert last.unwrap().tool_calls == READ
