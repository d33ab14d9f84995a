"""Builds requests to Cohere; returns the request or the fault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from returns.result import Failure, Success

from victor_fp import replay
from victor_fp.core.requests import HttpRequest
from victor_fp.core.result import outcome
from victor_fp.core.types import Message, ToolDefinition

HI = Message(role="user", content="Hi")
PLAIN, THINKING, OLD = "command-a-03-2025", "command-a-reasoning-08-2025", "command-r-08-2024"
WEATHER = ToolDefinition(
    name="weather",
    description="The weather",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
TIME = ToolDefinition(name="now")


def request(messages: Sequence[Message] = (HI,), *, model: str = PLAIN, **more: Any) -> HttpRequest:
    match outcome(replay.request("cohere", messages, model=model, **more)):
        case Success(built):
            return built
        case Failure(fault):
            raise AssertionError(fault)


def build_body(messages: Sequence[Message] = (HI,), **more: Any) -> dict[str, Any]:
    found: Any = request(messages, **more).json()
    assert isinstance(found, dict)
    return found


def build_extra_fields(**more: Any) -> dict[str, Any]:
    """What an option adds to the body."""
    given: dict[str, Any] = {"temperature": None, "max_tokens": None, **more}
    return {name: value for name, value in build_body(**given).items() if name not in ("model", "messages")}


def build_adjusted_fields(**more: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The same with leave to adjust, and what was adjusted how."""
    given: dict[str, Any] = {"temperature": None, "max_tokens": None, "on_unsupported": "adjust", **more}
    adjustments: list[tuple[str, str]] = [(one.parameter, one.action) for one in request(**given).adjustments]
    return build_extra_fields(**given), adjustments


def build_turns(*messages: Message, **more: Any) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = build_body(messages, **more)["messages"]
    return said


def get_refusal(messages: Sequence[Message] = (HI,), *, model: str = PLAIN, **more: Any) -> tuple[str, str]:
    """The fault's class, and the parameter that cannot be taken."""
    result = replay.request("cohere", messages, model=model, **more)
    assert isinstance(result, Failure), result
    fault = result.failure()
    return type(fault).__name__, getattr(fault, "parameter", "")
