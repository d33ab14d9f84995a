"""OpenTelemetry through the SDK's own in-memory exporters."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, get_tracer

from tests import openai_shapes as shapes
from tests.acme import HI, KEY
from tests.loopback import Received, Talk, serving
from tests.managed_shapes import answer_hello, build_fallback, create_managed, fail_with_500, hold_request, stream_hello
from victor_fp.core.types import ImagePart, Message, TextPart
from victor_fp.providers.factory import ManagedProvider
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.otel import CAPTURE, OtelObserver
from victor_fp.shell.otel_messages import build_prompt
from victor_fp.shell.otel_names import NAMES, Version

ASKED = [
    Message(role="system", content="Be brief."),
    Message(role="user", content="What is this?"),
    Message(role="assistant", tool_calls=[{"id": "c1", "name": "look", "arguments": {"at": "it"}}]),
    Message(role="tool", tool_call_id="c1", content="a cat"),
]


NEWER = {"gen_ai.request.reasoning.level", "gen_ai.usage.cache_write.input_tokens"}
"""Names of the conventions' own repository, which the installed package does not have."""


class Watched:
    """Exporters, and what they hold."""

    def __init__(self) -> None:
        self.exporter, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)

    def make_observer(self, **options: Any) -> OtelObserver:
        return OtelObserver(tracer_provider=self.tracers, meter_provider=self.meters, **options)

    def get_span(self) -> ReadableSpan:
        (span,) = self.exporter.get_finished_spans()
        return span

    def get_attributes(self) -> dict[str, Any]:
        return dict(self.get_span().attributes or {})

    def collect_metrics(self) -> dict[str, list[tuple[dict[str, Any], float, int]]]:
        data = self.reader.get_metrics_data()
        assert data is not None
        return {
            metric.name: [(dict(point.attributes or {}), point.sum, point.count) for point in metric.data.data_points]  # type: ignore[union-attr]  # histograms
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture
def watched() -> Iterator[Watched]:
    watched = Watched()
    yield watched
    watched.meters.shutdown()
    watched.tracers.shutdown()


async def create_provider(url: str, watched: Watched, **keywords: Any) -> ManagedProvider:
    options = keywords.pop("otel", {})
    return await create_managed(url, observers=[watched.make_observer(**options)], **keywords)


async def test_call_is_one_client_span_with_the_convention_names(watched: Watched) -> None:
    async with serving(answer_hello) as server, await create_provider(server.url, watched) as one:
        await one.chat(HI, temperature=0.2, max_tokens=50, top_p=0.5, stop=["END"], response_format="json")
    span = watched.get_span()
    assert (span.name, span.kind, span.status.status_code) == ("chat m-1", SpanKind.CLIENT, StatusCode.UNSET)
    own = {name: value for name, value in watched.get_attributes().items() if name.startswith("victor_fp.")}
    rest = {name: value for name, value in watched.get_attributes().items() if name not in own}
    assert rest == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "acme",
        "gen_ai.request.model": "m-1",
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.top_p": 0.5,
        "gen_ai.request.stop_sequences": ("END",),
        "gen_ai.output.type": "json",
        "gen_ai.response.model": "m-1",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 5,
        "gen_ai.usage.output_tokens": 2,
        "server.address": "127.0.0.1",
        "server.port": server.port,
    }
    assert own["victor_fp.tries"] == 1


async def test_default_options_are_not_recorded(watched: Watched) -> None:
    async with serving(answer_hello) as server, await create_provider(server.url, watched) as one:
        await one.chat(HI)
    assert not {"gen_ai.request.temperature", "gen_ai.request.max_tokens"} & watched.get_attributes().keys()


async def test_metrics_carry_duration_and_reported_tokens(watched: Watched) -> None:
    async with serving(answer_hello) as server, await create_provider(server.url, watched) as one:
        await one.chat(HI)
        await one.chat(HI)
    measured = watched.collect_metrics()
    ((facts, seconds, count),) = measured["gen_ai.client.operation.duration"]
    assert (facts["gen_ai.provider.name"], facts["gen_ai.request.model"], count) == ("acme", "m-1", 2)
    assert seconds > 0
    tokens = {
        facts["gen_ai.token.type"]: (total, count) for facts, total, count in measured["gen_ai.client.token.usage"]
    }
    assert tokens == {"input": (10, 2), "output": (4, 2)}


async def test_a_stream_has_a_time_to_its_first_chunk(watched: Watched) -> None:
    async with serving(stream_hello) as server, await create_provider(server.url, watched) as one:
        assert [chunk async for chunk in one.stream(HI)]
    attributes = watched.get_attributes()
    assert attributes["gen_ai.request.stream"] is True
    assert attributes["gen_ai.response.time_to_first_chunk"] > 0
    assert attributes["gen_ai.usage.output_tokens"] == 2
    assert watched.collect_metrics()["gen_ai.client.operation.time_to_first_chunk"][0][2] == 1


async def test_failure_is_an_error_and_each_failed_attempt_an_event(watched: Watched) -> None:
    async def repeat_key(talk: Talk, _: Received) -> None:
        await talk.answer(shapes.build_error(f"wrong key {KEY}"), 500)

    async with serving(repeat_key) as one, serving(fail_with_500) as two:
        fallback = build_fallback(two.url, extra_kwargs={"max_retries": 0})
        async with await create_provider(one.url, watched, fallback_configs=[fallback], max_retries=0) as target:
            await target.chat_result(HI)
    span = watched.get_span()
    assert (span.status.status_code, watched.get_attributes()["error.type"]) == (StatusCode.ERROR, "AllFallbacksFailed")
    assert [(event.attributes or {})["error.type"] for event in span.events] == ["ServerFailed", "ServerFailed"]
    assert [(event.attributes or {})["gen_ai.request.model"] for event in span.events] == ["m-1", "m-2"]
    assert KEY not in span.to_json()
    assert watched.collect_metrics()["gen_ai.client.operation.duration"][0][0]["error.type"] == "AllFallbacksFailed"


async def test_leaving_a_stream_ends_its_span_without_an_error(watched: Watched) -> None:
    async with serving(stream_hello) as server, await create_provider(server.url, watched) as one:
        async with one.stream(HI) as stream:
            async for _ in stream:
                break
    assert watched.get_span().status.status_code is StatusCode.UNSET
    assert "error.type" not in watched.get_attributes()


async def test_a_cancelled_call_ends_its_span(watched: Watched) -> None:
    import asyncio

    async with serving(hold_request) as server, await create_provider(server.url, watched) as one:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(one.chat(HI), 0.05)
    assert watched.get_span().end_time is not None


async def test_span_is_a_child_of_the_current_span(watched: Watched) -> None:
    tracer = get_tracer("test", tracer_provider=watched.tracers)
    async with serving(answer_hello) as server, await create_provider(server.url, watched) as one:
        with tracer.start_as_current_span("outer"):
            await one.chat(HI)
    inner, outer = watched.exporter.get_finished_spans()
    assert inner.parent is not None
    assert outer.context is not None
    assert inner.parent.span_id == outer.context.span_id


@pytest.mark.parametrize("version", ["1.36", "1.41", "genai-0.1"])
async def test_content_is_not_recorded_by_default(
    watched: Watched, version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(CAPTURE, raising=False)
    async with (
        serving(answer_hello) as server,
        await create_provider(server.url, watched, otel={"version": version}) as one,
    ):
        await one.chat(ASKED)
    reported = watched.get_span().to_json()
    assert not [word for word in ("Be brief", "What is this", "a cat", "Hello!", "look") if word in reported]


async def test_content_is_recorded_in_the_convention_format_on_request(watched: Watched) -> None:
    async with serving(stream_hello) as server:
        async with await create_provider(server.url, watched, otel={"capture_content": True}) as one:
            assert [chunk async for chunk in one.stream(ASKED)]
    attributes = watched.get_attributes()
    assert json.loads(attributes["gen_ai.system_instructions"]) == [{"type": "text", "content": "Be brief."}]
    assert json.loads(attributes["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "What is this?"}]},
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "c1", "name": "look", "arguments": {"at": "it"}}],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "a cat"}]},
    ]
    assert json.loads(attributes["gen_ai.output.messages"]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "Hello"}], "finish_reason": "stop"}
    ]


async def test_after_a_fallback_everything_names_the_target_that_answered(watched: Watched) -> None:
    async with serving(fail_with_500) as one, serving(answer_hello) as two:
        fallback = build_fallback(two.url, "m-2")
        async with await create_provider(one.url, watched, max_retries=0, fallback_configs=[fallback]) as asked:
            await asked.chat(HI)
    assert watched.get_span().name == "chat m-2"
    measured = [facts for points in watched.collect_metrics().values() for facts, _, _ in points]
    for facts in (watched.get_attributes(), *measured):
        assert (facts["gen_ai.request.model"], facts["gen_ai.response.model"]) == ("m-2", "m-1")
        assert facts["server.port"] == two.port


async def test_each_chunk_after_the_first_is_measured(watched: Watched) -> None:
    async def stream_three_chunks(talk: Talk, _: Received) -> None:
        await talk.send_head(content_type="text/event-stream")
        for piece in ("a", "b", "c"):
            await talk.send_event(shapes.build_chunk(piece))
            await asyncio.sleep(0.01)
        await talk.send_event(shapes.build_chunk("", "stop"))
        await talk.send_event("[DONE]")
        await talk.end()

    async with serving(stream_three_chunks) as server, await create_provider(server.url, watched) as one:
        assert (await one.stream(HI).response()).content == "abc"
    ((_, _, count),) = watched.collect_metrics()["gen_ai.client.operation.time_per_output_chunk"]
    assert count >= 2


async def test_a_cancelled_call_is_marked(watched: Watched) -> None:
    async with serving(hold_request) as server, await create_provider(server.url, watched) as one:
        task = asyncio.create_task(one.chat(HI))
        await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.wait([task])
    assert watched.get_span().status.status_code == StatusCode.UNSET
    ((facts, _, _),) = watched.collect_metrics()["gen_ai.client.operation.duration"]
    for marked in (watched.get_attributes(), facts):
        assert marked["error.type"] == "Cancelled"
    assert watched.get_attributes()["victor_fp.outcome"] == "Cancelled"


async def test_a_stream_that_is_cancelled_while_it_waits_is_marked(watched: Watched) -> None:
    first_chunk = asyncio.Event()

    async def hold_after_a_chunk(talk: Talk, _: Received) -> None:
        await talk.send_head(content_type="text/event-stream")
        await talk.send_event(shapes.build_chunk("a"))
        await asyncio.sleep(60)

    async def read_stream() -> None:
        async for _ in one.stream(HI):
            first_chunk.set()

    async with serving(hold_after_a_chunk) as server, await create_provider(server.url, watched) as one:
        task = asyncio.create_task(read_stream())
        await first_chunk.wait()
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()
    ((facts, _, _),) = watched.collect_metrics()["gen_ai.client.operation.duration"]
    for marked in (watched.get_attributes(), facts):
        assert marked["error.type"] == "Cancelled"


async def test_observers_may_be_an_iterator(watched: Watched) -> None:
    observers: Any = iter([watched.make_observer()])
    async with serving(answer_hello) as server, await create_managed(server.url, observers=observers) as one:
        await one.chat(HI)
        await one.chat(HI)
    assert len(watched.exporter.get_finished_spans()) == 2


def test_a_single_observer_in_place_of_a_list_is_rejected() -> None:
    single: Any = OtelObserver()
    with pytest.raises(TypeError, match="not iterable"):
        ProviderRegistry.create("vllm", observers=single)


async def test_requests_about_models_are_not_chats(watched: Watched) -> None:
    async def answer_list(talk: Talk, _: Received) -> None:
        await talk.answer({"object": "list", "data": [{"id": "m"}]})

    async with serving(answer_list) as server:
        async with ProviderRegistry.create("vllm", base_url=server.url, observers=[watched.make_observer()]) as one:
            assert [model.id for model in await one.list_models()] == ["m"]
    assert watched.get_span().name == "list_models"
    ((facts, _, _),) = watched.collect_metrics()["gen_ai.client.operation.duration"]
    for attributes in (watched.get_attributes(), facts):
        assert attributes["gen_ai.operation.name"] == "list_models"
        assert "gen_ai.request.model" not in attributes


async def test_the_newest_conventions_have_a_histogram_for_each_count(watched: Watched) -> None:
    async with serving(stream_hello) as server:
        async with await create_provider(server.url, watched, otel={"version": "genai-0.1"}) as one:
            await one.stream(HI, reasoning_effort="low", on_unsupported="adjust").response()
    assert watched.get_attributes()["gen_ai.request.reasoning.level"] == "low"
    measured = watched.collect_metrics()
    assert {name: total for name, ((_, total, _),) in measured.items() if ".usage." in name} == {
        "gen_ai.client.inference.usage.input_tokens": 5,
        "gen_ai.client.inference.usage.output_tokens": 2,
    }
    assert "gen_ai.client.inference.duration" in measured
    assert "gen_ai.client.inference.time_to_first_chunk" in measured
    assert "gen_ai.client.token.usage" not in measured


def test_of_attachments_only_the_fact_is_recorded() -> None:
    image = ImagePart(data=b"secret pixels", media_type="image/png")
    asked = [Message(role="user", content=[TextPart(text="What is this?"), image])]
    assert build_prompt(asked, apart=True) == [
        {
            "role": "user",
            "parts": [{"type": "text", "content": "What is this?"}, {"type": "image", "media_type": "image/png"}],
        }
    ]


async def test_the_environment_can_allow_content(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CAPTURE, "true")
    async with serving(answer_hello) as server, await create_provider(server.url, watched) as one:
        await one.chat(HI)
    assert "gen_ai.input.messages" in watched.get_attributes()


async def test_an_older_version_has_older_names(watched: Watched) -> None:
    async with serving(stream_hello) as server:
        async with await create_provider(server.url, watched, otel={"version": "1.36", "capture_content": True}) as one:
            assert [chunk async for chunk in one.stream(ASKED)]
    attributes = watched.get_attributes()
    assert attributes["gen_ai.system"] == "acme"
    assert "gen_ai.provider.name" not in attributes
    assert len(json.loads(attributes["gen_ai.prompt"])) == 4
    assert set(watched.collect_metrics()) == {"gen_ai.client.operation.duration", "gen_ai.client.token.usage"}


def test_the_names_are_those_of_the_published_conventions() -> None:
    attributes = pytest.importorskip("opentelemetry.semconv._incubating.attributes.gen_ai_attributes")
    published = {
        value for name, value in vars(attributes).items() if name.startswith("GEN_AI") and isinstance(value, str)
    }
    for names in NAMES.values():
        ours = [names.provider, names.operation, names.output_type, names.request_model, names.response_model]
        ours += [names.response_id, names.finish_reasons, names.prompt, names.completion, names.token_type]
        ours += [name for name in (names.stream, names.first_chunk, names.system) if name]
        ours += [*names.options.values(), *names.usage.values()]
        assert [name for name in ours if name not in published | NEWER] == []
    vendors = {one.value for one in attributes.GenAiProviderNameValues}
    assert [vendor for vendor in NAMES["1.41"].vendors.values() if vendor not in vendors] == []
