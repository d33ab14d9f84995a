"""OpenTelemetry: one span and metrics for each operation, with the names of the GenAI semantic conventions.

Requires the extra `otel`, which installs the API only; the program configures the exporters. A span covers the
operation with all its attempts; failed attempts are events. Span and metrics have provider, model and address of the
target that responded. Prompts and responses are recorded only on request.
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

from victor_fp.core.security.redaction import redact_text
from victor_fp.core.telemetry.metrics import NOT_FAILURES
from victor_fp.core.types import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE, CompletionResponse
from victor_fp.shell.engine.telemetry import Begun, Ended, OnEnd
from victor_fp.shell.otel_messages import build_answer_parts, build_prompt, list_instructions
from victor_fp.shell.otel_names import (
    NAMES,
    OWN_ATTEMPTS,
    OWN_FAILED_ATTEMPT,
    OWN_FALLBACKS,
    OWN_OUTCOME,
    OWN_QUEUED,
    OWN_RETRYING,
    SECONDS,
    TOKENS,
    Version,
)

SCOPE = "victor_fp"
CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
"""The environment variable that enables the recording of content with the value "true"."""


class OtelObserver:
    """Creates spans and metrics: `ManagedProviderFactory.create(..., observers=[OtelObserver()])`.

    `version` selects the version of the conventions. `capture_content` records prompts and responses on the span; None
    uses the environment variable. `tracer_provider` and `meter_provider` default to the global ones.
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
        tokens = partial(
            meter.create_histogram,
            unit="{token}",
            description="Tokens of an operation",
            explicit_bucket_boundaries_advisory=TOKENS,
        )
        usage_metric, usage_metrics = self._names.usage_metric, self._names.usage_metrics
        self._usage = tokens(usage_metric) if usage_metric else None
        self._counts = {count: tokens(name) for count, name in usage_metrics.items()}
        names = self._names
        self._first_chunk = histogram(names.first_chunk_metric) if names.first_chunk_metric else None
        self._chunk_gap = histogram(names.chunk_gap_metric) if names.chunk_gap_metric else None

    def begun(self, operation: Begun) -> OnEnd | None:
        """Start a span as a child of the caller's current one."""
        names, spec = self._names, operation.spec
        address = self._describe_address(operation.address)
        attributes: dict[str, AttributeValue] = {
            names.operation: operation.operation,
            names.provider: self._name_vendor(operation.provider),
            **address,
            **self._describe_options(operation),
        }
        if operation.model:  # a list of models has none
            attributes[names.request_model] = operation.model
        if names.stream and spec.stream:
            attributes[names.stream] = True
        span = self._tracer.start_span(
            f"{operation.operation} {operation.model}".rstrip(), kind=SpanKind.CLIENT, attributes=attributes
        )
        if self.wants_content and spec.messages and span.is_recording():
            if names.system and (system := list_instructions(spec.messages)):
                span.set_attribute(names.system, json.dumps(system))
            span.set_attribute(names.prompt, json.dumps(build_prompt(spec.messages, apart=bool(names.system))))
        return partial(self._end, span)

    def _end(self, span: Span, ending: Ended) -> None:
        names, sample = self._names, ending.sample
        shared: dict[str, AttributeValue] = {
            names.operation: ending.operation,
            names.provider: self._name_vendor(sample.provider),
            **self._describe_address(ending.address),
        }
        if sample.model:
            shared[names.request_model] = sample.model
        if ending.answer is not None and ending.answer.model:
            shared[names.response_model] = ending.answer.model
        if sample.outcome not in {"ok", "left"}:
            shared[names.error] = sample.outcome
        self._measure(ending, shared)
        if span.is_recording():
            span.update_name(f"{ending.operation} {sample.model or ''}".rstrip())
            span.set_attributes({**shared, **self._describe_answer(ending), **self._describe_sample(ending)})
            self._record_failed_attempts(span, ending)
            if sample.outcome not in NOT_FAILURES:
                message = redact_text(ending.fault.message, names=True) if ending.fault is not None else None
                span.set_status(Status(StatusCode.ERROR, message))
        span.end()

    def _measure(self, ending: Ended, shared: Mapping[str, AttributeValue]) -> None:
        sample = ending.sample
        self._duration.record(sample.seconds, shared)
        for kind, count in (("input", sample.prompt_tokens), ("output", sample.completion_tokens)):
            if count is not None and self._usage is not None:
                self._usage.record(count, {**shared, self._names.token_type: kind})
        usage: Mapping[str, Any] = {} if ending.answer is None else ending.answer.usage or {}
        for name, histogram in self._counts.items():
            if isinstance(count := usage.get(name), int):
                histogram.record(count, shared)
        if self._first_chunk is not None and sample.first_piece is not None:
            self._first_chunk.record(sample.first_piece, shared)
        if self._chunk_gap is not None:
            for gap in ending.chunk_gaps:
                self._chunk_gap.record(gap, shared)

    def _describe_answer(self, ending: Ended) -> dict[str, AttributeValue]:
        names, answer = self._names, ending.answer
        if answer is None:  # embeddings and reranking; the sample has everything
            tokens = ending.sample.prompt_tokens
            return {} if tokens is None else {names.usage["prompt_tokens"]: tokens}
        attributes: dict[str, AttributeValue] = {}
        if answer.stop_reason:
            attributes[names.finish_reasons] = [answer.stop_reason]
        if isinstance(identity := (answer.metadata or {}).get("id"), str):
            attributes[names.response_id] = identity
        usage: Mapping[str, Any] = answer.usage or {}
        attributes |= {name: usage[count] for count, name in names.usage.items() if isinstance(usage.get(count), int)}
        if self.wants_content:
            text = answer.content if isinstance(answer, CompletionResponse) else ending.text or ""
            parts = build_answer_parts(text, answer.tool_calls)
            message = {"role": "assistant", "parts": parts, "finish_reason": answer.stop_reason or ""}
            attributes[names.completion] = json.dumps([message])
        return attributes

    def _describe_sample(self, ending: Ended) -> dict[str, AttributeValue]:
        sample = ending.sample
        attributes: dict[str, AttributeValue] = {
            OWN_OUTCOME: sample.outcome,
            OWN_ATTEMPTS: sample.tries,
            OWN_FALLBACKS: sample.fallbacks,
            OWN_QUEUED: sample.queued,
            OWN_RETRYING: sample.retrying,
        }
        if self._names.first_chunk and sample.first_piece is not None:
            attributes[self._names.first_chunk] = sample.first_piece
        return attributes

    def _record_failed_attempts(self, span: Span, ending: Ended) -> None:
        for attempt in ending.attempts:
            if attempt.outcome != "ok":
                facts: dict[str, AttributeValue] = {
                    self._names.provider: self._name_vendor(attempt.provider),
                    self._names.request_model: attempt.model or "",
                    self._names.error: attempt.outcome,
                    "message": redact_text(attempt.message, names=True),
                    "started": attempt.started,
                    "seconds": attempt.seconds,
                }
                span.add_event(OWN_FAILED_ATTEMPT, facts)

    def _describe_options(self, operation: Begun) -> dict[str, AttributeValue]:
        """Return the attributes of the options set by the caller, without default values."""
        spec = operation.spec
        given: dict[str, Any] = dict(spec.options)
        if spec.temperature not in {None, DEFAULT_TEMPERATURE}:
            given["temperature"] = spec.temperature
        if spec.max_tokens not in {None, DEFAULT_MAX_TOKENS}:
            given["max_tokens"] = spec.max_tokens
        attributes: dict[str, AttributeValue] = {}
        for option, name in self._names.options.items():
            value = given.get(option)
            if isinstance(value, int | float | str):
                attributes[name] = [value] if option == "stop" and isinstance(value, str) else value
            elif isinstance(value, list | tuple):
                attributes[name] = [str(one) for one in value]
        if given.get("response_format") is not None:
            attributes[self._names.output_type] = "json"
        return attributes

    def _describe_address(self, address: str | None) -> dict[str, AttributeValue]:
        parts = urlsplit(address or "")
        if not parts.hostname:
            return {}
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return {self._names.address: parts.hostname, self._names.port: port}

    def _name_vendor(self, provider: str) -> str:
        return self._names.vendors.get(provider, provider)
