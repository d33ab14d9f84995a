"""Turns of other providers: what is translated, and what is reported as dropped."""

from __future__ import annotations

from typing import Any

import pytest

from victor_fp import replay
from victor_fp.core.requests import HttpRequest
from victor_fp.core.types import AudioPart, ImagePart, Message, TextPart

HI = Message(role="user", content="Hi")
IMAGE = ImagePart(data=b"png", media_type="image/png")


def turn(protocol: str, *blocks: dict[str, Any], provider: str, content: str = "Yes") -> Message:
    state = {"protocol": protocol, "provider": provider, "blocks": [*blocks]}
    return Message(role="assistant", content=content, metadata={"provider_state": state})


def request(provider: str, *messages: Message, model: str = "m", **more: Any) -> HttpRequest:
    return replay.request(provider, [*messages], model=model, **more).unwrap()


THOUGHT = {"kind": "reasoning", "text": "Hm"}


def test_reasoning_of_another_provider_that_is_left_out_is_named() -> None:
    built = request("openai", HI, turn("anthropic-messages", THOUGHT, provider="anthropic"), HI)
    assert [(one.parameter, one.action, one.reason) for one in built.adjustments] == [
        ("messages.reasoning", "dropped", "reasoning of anthropic is not sent to OpenAI")
    ]


def test_it_is_named_once_for_many_turns() -> None:
    said = turn("anthropic-messages", THOUGHT, provider="anthropic")
    assert len(request("openai", HI, said, HI, said, HI).adjustments) == 1


def test_reasoning_of_the_same_provider_is_not_reported() -> None:
    built = request("xai", HI, turn("openai-chat", THOUGHT, provider="xai"), HI)
    assert built.adjustments == ()


def test_reasoning_of_another_protocol_is_sent_as_text_if_the_vendor_expects_it() -> None:
    said = turn("anthropic-messages", {**THOUGHT, "state": {"signature": "s"}}, provider="anthropic")
    body: Any = request("moonshot", HI, said, HI).json()
    assert body["messages"][1] == {"role": "assistant", "content": "Yes", "reasoning_content": "Hm"}


def test_a_refusal_of_another_protocol_is_sent_as_text() -> None:
    said = turn("openai-chat", {"kind": "refusal", "text": "No."}, provider="openai", content="")
    body: Any = request("anthropic", HI, said, HI).json()
    assert body["messages"][1] == {"role": "assistant", "content": "No."}


def test_parts_of_several_results_move_into_one_message_under_the_ids_of_their_calls() -> None:
    calls: list[dict[str, Any]] = [{"id": id_, "name": "look", "arguments": {}} for id_ in ("a", "b")]
    messages = [
        HI,
        Message(role="assistant", tool_calls=calls),
        Message(role="tool", tool_call_id="a", content=[IMAGE]),
        Message(role="tool", tool_call_id="b", content=[TextPart(text="see"), IMAGE]),
        HI,
    ]
    body: Any = request("cohere", *messages, on_unsupported="adjust").json()
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "tool", "tool", "user", "user"]
    assert [message["content"] for message in body["messages"][2:4]] == [
        "The result is attached to the next message of the user.",
        "see",
    ]
    texts = [part["text"] for part in body["messages"][4]["content"] if part["type"] == "text"]
    assert texts == ["Attached to the result of the call a:", "Attached to the result of the call b:"]


@pytest.mark.parametrize("provider", ["cohere", "ollama", "deepseek"])
def test_parts_that_a_vendor_does_not_accept_are_rejected_by_name(provider: str) -> None:
    messages = [
        HI,
        Message(role="assistant", tool_calls=[{"id": "a", "name": "hear", "arguments": {}}]),
        Message(role="tool", tool_call_id="a", content=[AudioPart(data=b"wav", media_type="audio/wav")]),
    ]
    fault = replay.request(provider, messages, model="m").failure()
    assert type(fault).__name__ == "UnsupportedParameter"
    assert "audio" in fault.message
