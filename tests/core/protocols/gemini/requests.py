"""Builds requests to Gemini; returns the request or the fault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from returns.result import Failure, Success

from victor_fp import replay
from victor_fp.core.requests import HttpRequest
from victor_fp.core.result import outcome
from victor_fp.core.types import Message, ToolDefinition

NEW, MIDDLE, OLD = "gemini-3.5-flash", "gemini-2.5-flash", "gemini-2.0-flash"
HI = [Message(role="user", content="Hi")]
WEATHER = ToolDefinition(
    name="weather",
    description="The weather",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


def build_request(
    messages: Sequence[Message] = HI, *, model: str = MIDDLE, provider: str = "google", **more: Any
) -> HttpRequest:
    match outcome(replay.request(provider, messages, model=model, **more)):
        case Success(request):
            return request
        case Failure(fault):
            raise AssertionError(fault)


def build_body(messages: Sequence[Message] = HI, **more: Any) -> dict[str, Any]:
    read = build_request(messages, **more).json()
    assert isinstance(read, dict)
    return read


def build_config(**more: Any) -> dict[str, Any]:
    """The generationConfig without the default options."""
    options: dict[str, Any] = {"temperature": None, "max_tokens": None} | more
    found: dict[str, Any] = build_body(**options).get("generationConfig", {})
    return found


def get_fault(messages: Sequence[Message] = HI, *, model: str = MIDDLE, provider: str = "google", **more: Any) -> Any:
    result = replay.request(provider, messages, model=model, **more)
    assert isinstance(result, Failure), result
    return result.failure()


def turn(*calls: tuple[str, str, Any], content: str = "") -> Message:
    """An assistant's turn with calls, as (id, name, arguments)."""
    return Message.model_validate(
        {
            "role": "assistant",
            "content": content,
            "tool_calls": [{"id": id_, "name": name, "arguments": arguments} for id_, name, arguments in calls],
        }
    )


def result(id_: str, content: str, **more: Any) -> Message:
    return Message(role="tool", tool_call_id=id_, content=content, **more)
