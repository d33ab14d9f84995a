"""OpenTelemetry: one span and a few measurements for each operation, in the words of the GenAI conventions.

Needs the extra `otel`, which is the API alone; where spans go is the program's affair. A span covers the whole operation with
all its tries; tries that failed are its events. Prompts and answers are not recorded unless a program asks for them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import metrics, trace
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider
from opentelemetry.util.types import AttributeValue

from victor_fp.core.defaults import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE
from victor_fp.core.types import CompletionResponse
from victor_fp.shell.otel_messages import answer_parts, prompt_of, system_of
from victor_fp.shell.otel_names import (
    NAMES,
    OWN_FAILED_TRY,
    OWN_FALLBACKS,
    OWN_QUEUED,
    OWN_RETRYING,
    OWN_TRIES,
    SECONDS,
    TOKENS,
    Version,
)
from victor_fp.shell.telemetry import Begun, Ended, Hear, redacted

SCOPE = "victor_fp"
CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
"""The environment's variable by which programs allow content in general: true."""

_QUIET = frozenset({"ok", "left", "Cancelled"})


class OtelObserver:
    """Give one to `ManagedProviderFactory.create(..., observers=[OtelObserver()])`.

    `version` chooses the conventions' names. `capture_content` records prompts and answers on the span; None asks the
    environment. Without providers of its own it uses the program's global ones.
    """

    def __init__(
        self,
        *,
        version: Version = "1.41",
        capture_content: bool | None = None,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        allowed = os.environ.get(CAPTURE, "").lower() == "true"
        self.wants_content = allowed if capture_content is None else capture_content
        self._names = NAMES[version]
        self._tracer = trace.get_tracer(SCOPE, tracer_provider=tracer_provider)
        meter = metrics.get_meter(SCOPE, meter_provider=meter_provider)
        histogram = partial(meter.create_histogram, unit="s", explicit_bucket_boundaries_advisory=SECONDS)
        self._duration = histogram(self._names.duration_metric, description="Duration of an operation")
        self._usage = meter.create_histogram(
            self._names.usage_metric,
            unit="{token}",
            description="Tokens of an operation",
            explicit_bucket_boundaries_advisory=TOKENS,
        )
        names = self._names
        self._first_chunk = histogram(names.first_chunk_metric) if names.first_chunk_metric else None
        self._chunk_gap = histogram(names.chunk_gap_metric) if names.chunk_gap_metric else None

    def begun(self, operation: Begun) -> Hear | None:
        """Start a span, below the caller's current one."""
        names, asking = self._names, operation.asking
        place = self._place(operation.address)
        attributes: dict[str, AttributeValue] = {
            names.operation: "chat",
            names.provider: self._vendor(operation.provider),
            names.request_model: operation.model,
            **place,
            **self._options(operation),
        }
        if names.stream and asking.stream:
            attributes[names.stream] = True
        span = self._tracer.start_span(f"chat {operation.model}", kind=SpanKind.CLIENT, attributes=attributes)
        if self.wants_content and span.is_recording():
            if names.system and (system := system_of(asking.messages)):
                span.set_attribute(names.system, json.dumps(system))
            span.set_attribute(names.prompt, json.dumps(prompt_of(asking.messages, apart=bool(names.system))))
        return partial(self._ended, span, operation, place)

    def _ended(self, span: Span, operation: Begun, place: Mapping[str, AttributeValue], ending: Ended) -> None:
        names, sample = self._names, ending.sample
        shared: dict[str, AttributeValue] = {
            names.operation: "chat",
            names.provider: self._vendor(sample.provider),
            names.request_model: operation.model,
            **place,
        }
        if ending.answer is not None and ending.answer.model:
            shared[names.response_model] = ending.answer.model
        if sample.outcome not in _QUIET:
            shared[names.error] = sample.outcome
        self._measure(ending, shared)
        if span.is_recording():
            span.set_attributes({**shared, **self._of_answer(ending), **self._of_sample(ending)})
            self._tell_tries(span, ending)
            if sample.outcome not in _QUIET:
                message = redacted(ending.fault.message) if ending.fault is not None else None
                span.set_status(Status(StatusCode.ERROR, message))
        span.end()

    def _measure(self, ending: Ended, shared: Mapping[str, AttributeValue]) -> None:
        sample = ending.sample
        self._duration.record(sample.seconds, shared)
        for kind, count in (("input", sample.prompt_tokens), ("output", sample.completion_tokens)):
            if count is not None:
                self._usage.record(count, {**shared, self._names.token_type: kind})
        if self._first_chunk is not None and sample.first_piece is not None:
            self._first_chunk.record(sample.first_piece, shared)
        if self._chunk_gap is not None and sample.gap is not None:
            self._chunk_gap.record(sample.gap, shared)

    def _of_answer(self, ending: Ended) -> dict[str, AttributeValue]:
        names, answer = self._names, ending.answer
        if answer is None:
            return {}
        told: dict[str, AttributeValue] = {}
        if answer.stop_reason:
            told[names.finish_reasons] = [answer.stop_reason]
        if isinstance(identity := (answer.metadata or {}).get("id"), str):
            told[names.response_id] = identity
        usage: Mapping[str, Any] = answer.usage or {}
        told |= {name: usage[count] for count, name in names.usage.items() if isinstance(usage.get(count), int)}
        if self.wants_content:
            text = answer.content if isinstance(answer, CompletionResponse) else ending.text or ""
            parts = answer_parts(text, answer.tool_calls)
            message = {"role": "assistant", "parts": parts, "finish_reason": answer.stop_reason or ""}
            told[names.completion] = json.dumps([message])
        return told

    def _of_sample(self, ending: Ended) -> dict[str, AttributeValue]:
        sample = ending.sample
        told: dict[str, AttributeValue] = {
            OWN_TRIES: sample.tries,
            OWN_FALLBACKS: sample.fallbacks,
            OWN_QUEUED: sample.queued,
            OWN_RETRYING: sample.retrying,
        }
        if self._names.first_chunk and sample.first_piece is not None:
            told[self._names.first_chunk] = sample.first_piece
        return told

    def _tell_tries(self, span: Span, ending: Ended) -> None:
        for attempt in ending.attempts:
            if attempt.outcome != "ok":
                facts: dict[str, AttributeValue] = {
                    self._names.provider: self._vendor(attempt.provider),
                    self._names.request_model: attempt.model or "",
                    self._names.error: attempt.outcome,
                    "message": redacted(attempt.message),
                    "started": attempt.started,
                    "seconds": attempt.seconds,
                }
                span.add_event(OWN_FAILED_TRY, facts)

    def _options(self, operation: Begun) -> dict[str, AttributeValue]:
        """What the caller chose; the usual temperature and bound were nobody's choice."""
        asking = operation.asking
        given: dict[str, Any] = dict(asking.options)
        if asking.temperature not in {None, DEFAULT_TEMPERATURE}:
            given["temperature"] = asking.temperature
        if asking.max_tokens not in {None, DEFAULT_MAX_TOKENS}:
            given["max_tokens"] = asking.max_tokens
        told: dict[str, AttributeValue] = {}
        for option, name in self._names.options.items():
            value = given.get(option)
            if isinstance(value, int | float | str):
                told[name] = [value] if option == "stop" and isinstance(value, str) else value
            elif isinstance(value, list | tuple):
                told[name] = [str(one) for one in value]
        if given.get("response_format") is not None:
            told[self._names.output_type] = "json"
        return told

    def _place(self, address: str | None) -> dict[str, AttributeValue]:
        parts = urlsplit(address or "")
        if not parts.hostname:
            return {}
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return {self._names.address: parts.hostname, self._names.port: port}

    def _vendor(self, provider: str) -> str:
        return self._names.vendors.get(provider, provider)
