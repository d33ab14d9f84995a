"""Requests as plain values."""

from __future__ import annotations

from collections.abc import Sequence
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
    description="Weather of a city",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
OLD, SONNET, NEW = "claude-sonnet-4-20250514", "claude-sonnet-4-5", "claude-opus-4-8"


def request(
    messages: Sequence[Message] = (HI,), *, provider: str = "anthropic", model: str = SONNET, **more: Any
) -> HttpRequest:
    match outcome(replay.request(provider, messages, model=model, **more)):
        case Success(built):
            return built
        case Failure(fault):
            raise AssertionError(fault)


def build_body(messages: Sequence[Message] = (HI,), **more: Any) -> dict[str, Any]:
    return build_body_and_adjustments(messages, **more)[0]


def build_turns(*messages: Message, **more: Any) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = build_body(messages, **more)["messages"]
    return said


def get_fault(messages: Sequence[Message] = (HI,), *, model: str = SONNET, **more: Any) -> Fault:
    match outcome(replay.request("anthropic", messages, model=model, **more)):
        case Success(built):
            raise AssertionError(built)
        case Failure(fault):
            return fault


def get_unsupported_parameter(messages: Sequence[Message] = (HI,), **more: Any) -> str:
    """The parameter that cannot be taken."""
    fault = get_fault(messages, **more)
    assert isinstance(fault, UnsupportedParameter)
    return fault.parameter


def build_body_and_adjustments(
    messages: Sequence[Message] = (HI,), **more: Any
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The body that goes out, and what was adjusted how."""
    built = request(messages, **more)
    found: Any = built.json()
    return found, [(adjustment.parameter, adjustment.action) for adjustment in built.adjustments]


def build_adjusted_body(
    messages: Sequence[Message] = (HI,), **more: Any
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The same with leave to adjust what cannot be taken."""
    return build_body_and_adjustments(messages, on_unsupported="adjust", **more)
