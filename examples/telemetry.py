"""Telemetry: spans and metrics of OpenTelemetry, the structured log, and the provider's own figures."""

from __future__ import annotations

import logging

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from stand_in import build_options

from victor_fp.shell.otel import OtelObserver
from victor_fp.sync import create_managed
from victor_fp.testing import Turn, json_answer


def main() -> None:
    """Make a call that is retried once and show what was observed."""
    logging.basicConfig(level=logging.INFO, format="%(name)s %(levelname)s %(message)s")
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(tracing)
    metrics.set_meter_provider(MeterProvider([reader]))

    settings = build_options(json_answer({"error": {"message": "busy"}}, 503), Turn(text="Hello."))
    with create_managed("openai", "gpt-5-mini", observers=[OtelObserver()], **settings) as provider:
        with trace.get_tracer("example").start_as_current_span("answer a question"):
            print(provider.chat("Hi").content)
        if (figures := provider.get_metrics()) is not None:
            summary = figures["summary"]
            print(summary["total_requests"], "request,", summary["retries"], "retries")
    for span in spans.get_finished_spans():
        print(span.name, [event.name for event in span.events])
    data = reader.get_metrics_data()
    if data is not None:
        print(
            sorted(
                metric.name
                for resource in data.resource_metrics
                for scope in resource.scope_metrics
                for metric in scope.metrics
            )
        )


if __name__ == "__main__":
    main()
