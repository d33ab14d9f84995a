"""Builds requests to Replicate; returns the request or the fault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from returns.result import Failure, Success

from victor_fp import replay
from victor_fp.core.requests import HttpRequest
from victor_fp.core.result import outcome
from victor_fp.core.types import Message

HI = Message(role="user", content="Hi")
LLAMA, LLAMA_2, MISTRAL = (
    "meta/meta-llama-3-70b-instruct",
    "meta/llama-2-70b-chat",
    "mistralai/mixtral-8x7b-instruct-v0.1",
)
GPT, O4, CLAUDE, GEMINI = "openai/gpt-5", "openai/o4-mini", "anthropic/claude-4-sonnet", "google/gemini-2.5-flash"


def request(messages: Sequence[Message] = (HI,), *, model: str = LLAMA, **more: Any) -> HttpRequest:
    match outcome(replay.request("replicate", messages, model=model, **more)):
        case Success(built):
            return built
        case Failure(fault):
            raise AssertionError(fault)


def build_body(messages: Sequence[Message] = (HI,), **more: Any) -> dict[str, Any]:
    found: Any = request(messages, **more).json()
    assert isinstance(found, dict)
    return found


def build_inputs(*messages: Message, **more: Any) -> dict[str, Any]:
    """The model's inputs, without the defaults of length and temperature unless they are given."""
    given: dict[str, Any] = {"temperature": None, "max_tokens": None, **more}
    found: dict[str, Any] = build_body(messages or (HI,), **given)["input"]
    return found


def build_adjusted_inputs(*messages: Message, **more: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The same with leave to adjust, and what was adjusted how."""
    given: dict[str, Any] = {"temperature": None, "max_tokens": None, "on_unsupported": "adjust", **more}
    built = request(messages or (HI,), **given)
    adjustments: list[tuple[str, str]] = [(one.parameter, one.action) for one in built.adjustments]
    return build_inputs(*messages, **given), adjustments


def get_refusal(messages: Sequence[Message] = (HI,), *, model: str = LLAMA, **more: Any) -> tuple[str, str]:
    """The fault's class, and the parameter that cannot be taken."""
    result = replay.request("replicate", messages, model=model, **more)
    assert isinstance(result, Failure), result
    fault = result.failure()
    return type(fault).__name__, getattr(fault, "parameter", "")
