"""Keys are in no span, measurement, structured log or URL, even if a server repeats them."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.acme import HI, SPEC
from tests.catalogue_samples import list_entry_params
from tests.fake_runtime import FakeRuntime
from tests.faults.canaries import (
    ANSWERS,
    AWS_KEY,
    AWS_SECRET,
    AWS_SESSION,
    CANARIES,
    KEY,
    MODEL,
    CapturedLogs,
    check_clean,
    collect_failures,
    repeat_headers,
)
from tests.loopback import Received, Talk, serving
from victor_fp import replay
from victor_fp.core.types import Message
from victor_fp.providers.factory import ManagedProviderFactory
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.otel import OtelObserver

KINDS: dict[str, dict[str, Any]] = {
    "acme": {"api_key": KEY},
    "anthropic": {"api_key": KEY},
    "google": {"api_key": KEY},
    "bedrock": {
        "region": "eu-west-1",
        "runtime": FakeRuntime(
            variables={
                "AWS_ACCESS_KEY_ID": AWS_KEY,
                "AWS_SECRET_ACCESS_KEY": AWS_SECRET,
                "AWS_SESSION_TOKEN": AWS_SESSION,
            }
        ),
    },
}


async def collect_spans(name: str, answer: Any, **keywords: Any) -> tuple[str, list[Received]]:
    """All that an exporter is given of a call and a stream through a managed provider."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers, meters = TracerProvider(shutdown_on_exit=False), MeterProvider([reader], shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    observer = OtelObserver(tracer_provider=tracers, meter_provider=meters, capture_content=True)
    try:
        async with serving(answer) as server:
            place = {"runtime": FakeRuntime(), "max_retries": 1, "base_url": f"{server.url}/v1", **keywords}
            async with await ManagedProviderFactory.create(name, MODEL, observers=[observer], **place) as provider:
                await collect_failures(provider)
        spans = exporter.get_finished_spans()
        assert len(spans) == 4
        assert not any(span.status.is_ok for span in spans)
        return "".join(span.to_json() for span in spans) + str(reader.get_metrics_data()), server.received
    finally:
        meters.shutdown()
        tracers.shutdown()


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.__name__)
@pytest.mark.parametrize("name", KINDS)
async def test_no_key_is_in_a_span_or_a_measurement(name: str, answer: Any, captured_logs: CapturedLogs) -> None:
    if name == "bedrock":
        pytest.importorskip("botocore")
    ProviderRegistry.register_spec(SPEC)
    reported, received = await collect_spans(name, answer, **KINDS[name])
    check_clean(reported)
    check_clean("\n".join(captured_logs.lines))
    structured = [repr(vars(record)["victor_fp"]) for record in captured_logs.records if "victor_fp" in vars(record)]
    assert len(structured) == 4
    check_clean("".join(structured))
    sent = "".join(value for one in received for value in one.headers.values())
    assert any(secret in sent for secret in CANARIES), "nothing secret was sent, so nothing was tested"


async def test_a_key_in_a_span_would_be_noticed() -> None:
    async def answer_with_headers(talk: Talk, received: Received) -> None:
        reported = {"role": "assistant", "content": repeat_headers(received)}
        await talk.answer({"choices": [{"message": reported, "finish_reason": "stop"}]})

    exporter = InMemorySpanExporter()
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    ProviderRegistry.register_spec(SPEC)
    observer = OtelObserver(tracer_provider=tracers, capture_content=True)
    async with serving(answer_with_headers) as server:
        place: dict[str, Any] = {"api_key": KEY, "base_url": f"{server.url}/v1", "observers": [observer]}
        async with await ManagedProviderFactory.create("acme", MODEL, **place) as provider:
            await provider.chat(HI)
    reported = "".join(span.to_json() for span in exporter.get_finished_spans())
    tracers.shutdown()
    with pytest.raises(AssertionError, match="a secret is shown"):
        check_clean(reported)


@pytest.mark.parametrize("spec", list_entry_params())
@pytest.mark.parametrize("stream", [False, True], ids=["chat", "stream"])
def test_every_request_has_its_key_in_a_header_and_nowhere_else(spec: Any, stream: bool) -> None:
    settings = {setting.name: f"{setting.name}-x" for setting in spec.settings}
    model = spec.default_model or "owner/model"
    request = replay.request(
        spec.name, [Message(role="user", content="Hi")], model=model, stream=stream, settings=settings
    ).unwrap()
    assert "<secret>" not in request.url
    assert b"<secret>" not in request.body
    placed = [name for name, value in request.headers.items() if "<secret>" in value]
    assert len(placed) <= (2 if spec.auth.second_header else 1)
    assert placed or spec.auth.kind != "key"


def test_log_records_are_captured(captured_logs: CapturedLogs) -> None:
    logging.getLogger("anything").debug("%s", json.dumps({"key": KEY}))
    with pytest.raises(AssertionError, match="a secret is shown"):
        check_clean("\n".join(captured_logs.lines))
