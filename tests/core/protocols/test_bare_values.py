"""Servers that imitate a protocol send a text or one object where it has a list of blocks or calls."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.protocols.bedrock_converse.answers import encode_frames
from tests.core.protocols.results import read_completion, read_response
from victor_fp import replay
from victor_fp.core.faults import ServerFailed

TEXT = "Hello"
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
ARGUMENTS = '{"a":1}'


def build_converse(content: Any) -> dict[str, Any]:
    return {"output": {"message": {"role": "assistant", "content": content}}, "stopReason": "end_turn"}


def build_responses(*output: dict[str, Any]) -> dict[str, Any]:
    return {"id": "r", "status": "completed", "output": list(output)}


def build_gemini(part: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": part}, "finishReason": "STOP"}]}


def build_choice(**message: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", **message}, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("anthropic", {"id": "m", "role": "assistant", "content": TEXT, "stop_reason": "end_turn"}),
        ("anthropic", {"id": "m", "role": "assistant", "content": [TEXT], "stop_reason": "end_turn"}),
        (
            "anthropic",
            {"id": "m", "role": "assistant", "content": {"type": "text", "text": TEXT}, "stop_reason": "end_turn"},
        ),
        ("cohere", {"id": "m", "message": {"role": "assistant", "content": TEXT}, "finish_reason": "COMPLETE"}),
        ("openai-responses", build_responses({"type": "message", "id": "i", "role": "assistant", "content": TEXT})),
        ("bedrock", build_converse(TEXT)),
        ("bedrock", build_converse({"text": TEXT})),
        ("google", build_gemini(TEXT)),
        ("google", build_gemini({"text": TEXT})),
        (
            "google-interactions",
            {"id": "i", "status": "completed", "steps": [{"type": "model_output", "content": TEXT}]},
        ),
        ("openai", build_choice(content={"type": "text", "text": TEXT})),
        ("mistral", build_choice(content={"type": "text", "text": TEXT})),
    ],
)
def test_content_without_a_list_is_read(provider: str, body: dict[str, Any]) -> None:
    response = read_completion(provider, body)
    assert (response.content, response.stop_reason) == (TEXT, "stop")


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("openai", build_choice(tool_calls=CALL)),
        ("mistral", build_choice(tool_calls=CALL)),
        ("ollama", {"message": {"role": "assistant", "content": "", "tool_calls": CALL}, "done": True}),
        ("cohere", {"id": "m", "message": {"role": "assistant", "tool_calls": CALL}, "finish_reason": "TOOL_CALL"}),
        ("google", build_gemini([{"functionCall": {"name": "f", "id": "c1", "args": ARGUMENTS}}])),
        (
            "google-interactions",
            {
                "id": "i",
                "status": "completed",
                "steps": [{"type": "function_call", "id": "c1", "name": "f", "arguments": ARGUMENTS}],
            },
        ),
    ],
)
def test_a_call_without_a_list_or_with_arguments_as_text_is_read(provider: str, body: dict[str, Any]) -> None:
    calls = read_completion(provider, body).tool_calls or []
    assert len(calls) == 1
    call = calls[0]
    assert (call["id"], call["name"], call["arguments"]) == ("c1", "f", {"a": 1})


@pytest.mark.parametrize(
    "provider", ["google", "google-interactions", "ollama", "openai", "anthropic", "cohere", "mistral", "replicate"]
)
@pytest.mark.parametrize("body", [{"message": "no memory left"}, {"error": "no memory left"}])
def test_a_body_with_nothing_but_a_message_is_that_error(provider: str, body: dict[str, str]) -> None:
    fault = read_response(provider, body)
    assert isinstance(fault, ServerFailed), fault
    assert "no memory left" in fault.message


def test_an_array_with_an_error_as_text_is_that_error() -> None:
    fault = read_response("google", [{"error": "no memory left"}])
    assert isinstance(fault, ServerFailed), fault
    assert "no memory left" in fault.message


@pytest.mark.parametrize(
    ("start", "delta"), [({"text": {}}, {"text": TEXT}), ({"future": {"kind": "prose"}}, {"text": TEXT})]
)
def test_text_of_a_block_with_an_unknown_start_is_read(start: dict[str, Any], delta: dict[str, Any]) -> None:
    frames = encode_frames(
        [
            ("messageStart", {"role": "assistant"}),
            ("contentBlockStart", {"contentBlockIndex": 0, "start": start}),
            ("contentBlockDelta", {"contentBlockIndex": 0, "delta": delta}),
            ("contentBlockStop", {"contentBlockIndex": 0}),
            ("messageStop", {"stopReason": "end_turn"}),
            ("metadata", {"usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}}),
        ]
    )
    chunks = [
        result.unwrap() for result in replay.stream("bedrock", 200, {}, [frames], settings={"region": "eu-west-1"})
    ]
    assert chunks[-1].response is not None
    assert chunks[-1].response.content == TEXT
    assert chunks[-1].response.to_message().content == TEXT
