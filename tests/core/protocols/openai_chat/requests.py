"""Builds requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from returns.result import Failure, Success

from victor_fp import replay
from victor_fp.core.faults import Fault
from victor_fp.core.requests import HttpRequest
from victor_fp.core.result import outcome
from victor_fp.core.types import Message, ToolDefinition

HI = Message(role="user", content="Hi")
WEATHER = ToolDefinition(
    name="weather",
    description="The weather in a city",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


def build_request(
    provider: str, messages: Sequence[Message] = (HI,), *, model: str = "m", **options: Any
) -> HttpRequest | Fault:
    """The request, or why there is none."""
    match outcome(replay.request(provider, messages, model=model, **options)):
        case Success(request):
            return request
        case Failure(fault):
            return fault


def build_body(
    provider: str, messages: Sequence[Message] = (HI,), *, model: str = "m", **options: Any
) -> dict[str, Any]:
    """The request's body."""
    request = build_request(provider, messages, model=model, **options)
    assert isinstance(request, HttpRequest), request
    body = request.json()
    assert isinstance(body, dict)
    return body


def build_extra_fields(provider: str, **options: Any) -> dict[str, Any]:
    """What an option adds to the body of the plainest request."""
    tools = {"tools": options["tools"]} if "tools" in options else {}
    model = {"model": options["model"]} if "model" in options else {}
    plain = build_body(provider, **tools, **model)
    return {name: value for name, value in build_body(provider, **options).items() if plain.get(name) != value}


def get_refusal(
    provider: str, messages: Sequence[Message] = (HI,), *, model: str = "m", **options: Any
) -> tuple[str, str]:
    """The fault's class and the parameter it names."""
    fault = build_request(provider, messages, model=model, **options)
    assert not isinstance(fault, HttpRequest)
    return type(fault).__name__, getattr(fault, "parameter", "")


def get_adjustments(
    provider: str, messages: Sequence[Message] = (HI,), *, model: str = "m", **options: Any
) -> dict[str, str]:
    """The parameters that were left out or changed, where the caller allows it."""
    request = build_request(provider, messages, model=model, on_unsupported="adjust", **options)
    assert isinstance(request, HttpRequest), request
    return {adjustment.parameter: adjustment.action for adjustment in request.adjustments}
