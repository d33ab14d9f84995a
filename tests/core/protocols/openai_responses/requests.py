"""Builds requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from returns.result import Failure, Success

from victor_fp import replay
from victor_fp.core.faults import Fault, UnsupportedParameter
from victor_fp.core.requests import HttpRequest
from victor_fp.core.result import outcome
from victor_fp.core.types import Message, ToolDefinition

HI = Message(role="user", content="Hi")
WEATHER = ToolDefinition(
    name="weather",
    description="The weather in a city",
    parameters={"type": "object", "properties": {"city": {"type": "string"}, "day": {"type": "string"}}},
)
CLASSIC, THINKER = "gpt-4.1", "gpt-5.1"
"""A model that does not reason, and one that does."""


def build_request(
    messages: Sequence[Message] = (HI,),
    *,
    provider: str = "openai-responses",
    model: str = CLASSIC,
    settings: Mapping[str, object] | None = None,
    **options: Any,
) -> HttpRequest | Fault:
    match outcome(replay.request(provider, [*messages], model=model, settings=settings, **options)):
        case Success(request):
            return request
        case Failure(fault):
            return fault


def request(messages: Sequence[Message] = (HI,), **more: Any) -> HttpRequest:
    built = build_request(messages, **more)
    assert isinstance(built, HttpRequest), built
    return built


def build_body(messages: Sequence[Message] = (HI,), **more: Any) -> dict[str, Any]:
    sent = request(messages, **more).json()
    assert isinstance(sent, dict)
    return sent


def build_items(*messages: Message, **more: Any) -> list[Any]:
    found: list[Any] = build_body(messages, **more)["input"]
    return found


def get_unsupported_parameter(messages: Sequence[Message] = (HI,), **more: Any) -> str:
    """The parameter that a request is refused for."""
    fault = build_request(messages, **more)
    assert isinstance(fault, UnsupportedParameter), fault
    return fault.parameter


def build_adjusted_body(
    messages: Sequence[Message] = (HI,), **more: Any
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The body, and what was done to the wishes that it could not hold."""
    built = request(messages, on_unsupported="adjust", **more)
    sent = built.json()
    assert isinstance(sent, dict)
    return sent, [(change.parameter, change.action) for change in built.adjustments]
