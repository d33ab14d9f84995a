"""Requests of one provider as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from returns.result import Failure, Result, Success

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


@dataclass(frozen=True)
class RequestBuilder:
    """Builds requests to `provider`; a test may name another provider or model, and any option."""

    provider: str
    model: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def _build(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Result[HttpRequest, Fault]:
        given = {"provider": self.provider, "model": self.model, **self.options, **options}
        return replay.request(given.pop("provider"), messages, **given)

    def request(self, messages: Sequence[Message] = (HI,), **options: Any) -> HttpRequest:
        match outcome(self._build(messages, options)):
            case Success(built):
                return built
            case Failure(fault):
                raise AssertionError(fault)

    def get_fault(self, messages: Sequence[Message] = (HI,), **options: Any) -> Fault:
        match outcome(self._build(messages, options)):
            case Success(built):
                raise AssertionError(built)
            case Failure(fault):
                return fault

    def build_body(self, messages: Sequence[Message] = (HI,), **options: Any) -> dict[str, Any]:
        return self.build_body_and_adjustments(messages, **options)[0]

    def build_turns(self, *messages: Message, **options: Any) -> list[dict[str, Any]]:
        said: list[dict[str, Any]] = self.build_body(messages, **options)["messages"]
        return said

    def get_unsupported_parameter(self, messages: Sequence[Message] = (HI,), **options: Any) -> str:
        """The parameter that is not supported."""
        fault = self.get_fault(messages, **options)
        assert isinstance(fault, UnsupportedParameter)
        return fault.parameter

    def build_body_and_adjustments(
        self, messages: Sequence[Message] = (HI,), **options: Any
    ) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """The body that is sent, and what was adjusted how."""
        built = self.request(messages, **options)
        found: Any = built.json()
        return found, [(adjustment.parameter, adjustment.action) for adjustment in built.adjustments]

    def build_adjusted_body(
        self, messages: Sequence[Message] = (HI,), **options: Any
    ) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """The same with leave to adjust what is not supported."""
        return self.build_body_and_adjustments(messages, on_unsupported="adjust", **options)
