"""The synchronous API: calls, streams, managed providers and the manager, from scripts, threads and running loops."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import BaseModel
from returns.result import Failure, Success

from tests.acme import HI, KEY, SPEC, build_acme
from tests.loopback import Received, Serve, Talk, serve_in_thread
from tests.openai_shapes import build_body, build_chunk, build_chunks, build_error
from victor_fp import structured
from victor_fp.agent.provider_manager import ProviderManagerConfig
from victor_fp.agent.provider_state import ProviderState
from victor_fp.agent.sync_manager import SyncProviderManager
from victor_fp.core.faults import CredentialMissing, InvalidRequest, ServerFailed, StreamInterrupted
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, StreamChunk
from victor_fp.providers.base import ProviderError
from victor_fp.providers.factory import ProviderConfig
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.providers.sync_stream import READ_AHEAD
from victor_fp.sync import SyncManagedProvider, SyncProvider, create, create_from_config, create_managed, run
from victor_fp.testing import CallRecord, ScriptedProvider, ScriptedWire, Turn


@pytest.fixture(autouse=True)
def _registry() -> Iterator[None]:
    ProviderRegistry.register_spec(SPEC)
    yield
    ProviderRegistry.restore()


@pytest.fixture
def serve() -> Iterator[Serve]:
    with serve_in_thread() as start:
        yield start


async def answer_request(talk: Talk, received: Received) -> None:
    if received.method == "GET":
        await talk.answer({"object": "list", "data": [{"id": "m-1", "object": "model"}]})
    elif received.json().get("stream"):
        await talk.send_events(*build_chunks("Hel", "lo"))
    else:
        await talk.answer(build_body())


async def fail_with_500(talk: Talk, _: Received) -> None:
    await talk.answer(build_error("boom"), 500)


def make_sync(url: str, **options: object) -> SyncProvider:
    return SyncProvider(build_acme(url, **options))


def wait_until(condition: object) -> None:
    deadline = time.monotonic() + 5
    while not (callable(condition) and condition()):
        assert time.monotonic() < deadline
        time.sleep(0.005)


class City(BaseModel):
    name: str


def test_a_call_returns_its_response_or_raises(serve: Serve) -> None:
    with make_sync(serve(answer_request).url) as provider:
        assert provider.chat("Hi", model="m").content == "Hello!"
    with (
        make_sync(serve(fail_with_500).url, max_retries=0) as provider,
        pytest.raises(ProviderError, match="boom") as caught,
    ):
        provider.chat(HI, model="m")
    assert isinstance(caught.value.fault, ServerFailed)


def test_a_connection_that_the_server_closed_between_two_calls_costs_no_attempt(serve: Serve) -> None:
    closed = threading.Event()

    async def answer_once(talk: Talk, _: Received) -> None:
        await talk.answer(build_body())
        await talk.close()
        closed.set()

    server = serve(answer_once)
    with make_sync(server.url, max_retries=0) as provider:
        for _ in range(5):
            closed.clear()
            assert provider.chat("Hi", model="m").content == "Hello!"
            assert closed.wait(5)


def test_a_call_returns_its_result_as_a_value(serve: Serve) -> None:
    with make_sync(serve(answer_request, fail_with_500).url, max_retries=0) as provider:
        assert provider.chat_result([{"role": "user", "content": "Hi"}], model="m").unwrap().content == "Hello!"
        match outcome(provider.chat_result(HI, model="m")):
            case Failure(fault):
                assert (fault.provider, fault.model, fault.status) == ("acme", "m", 500)
            case Success():
                pytest.fail("an answer")


def test_a_stream_is_iterated(serve: Serve) -> None:
    with make_sync(serve(answer_request).url) as provider:
        received = list(provider.stream(HI, model="m"))
        assert [one.content for one in received] == ["Hel", "lo", ""]
        assert received[-1].is_final
        results = list(provider.stream_result(HI, model="m"))
        assert [result.unwrap().content for result in results] == ["Hel", "lo", ""]
        assert provider.stream(HI, model="m").response().content == "Hello"
        assert provider.stream_result(HI, model="m").response().unwrap().content == "Hello"
        assert next(provider.stream_chat(HI, model="m")).content == "Hel"


def test_a_stream_that_fails_raises_or_yields_one_failure(serve: Serve) -> None:
    async def reset_after_one_chunk(talk: Talk, _: Received) -> None:
        await talk.send_head(content_type="text/event-stream")
        await talk.send_event(build_chunk("Hel"))
        await talk.reset()

    with make_sync(serve(reset_after_one_chunk).url, max_retries=0) as provider:
        received: list[str] = []
        with pytest.raises(ProviderError) as caught:
            received.extend(one.content for one in provider.stream(HI, model="m"))
        assert received == ["Hel"]
        assert isinstance(caught.value.fault, StreamInterrupted)
        first, last = provider.stream_result(HI, model="m")
        assert first.unwrap().content == "Hel"
        assert isinstance(last.failure(), StreamInterrupted)
        assert isinstance(provider.stream_result(HI, model="m").response().failure(), StreamInterrupted)


@pytest.mark.parametrize("way", ["break", "raise", "close", "with", "drop"])
def test_leaving_a_stream_closes_its_connection(serve: Serve, way: str) -> None:
    gone = threading.Event()

    async def stream_until_left(talk: Talk, _: Received) -> None:
        await talk.send_head(content_type="text/event-stream")
        await talk.send_event(build_chunk("Hel"))
        if await talk.wait_for_close(5):
            gone.set()

    with make_sync(serve(stream_until_left).url) as provider:
        stream = provider.stream(HI, model="m")
        match way:
            case "break":
                for _ in stream:
                    break
            case "raise":
                with pytest.raises(KeyError):
                    for _ in stream:
                        raise KeyError
            case "close":
                assert next(stream).content == "Hel"
                stream.close()
            case "with":
                with stream:
                    assert next(stream).content == "Hel"
            case _:
                assert next(stream).content == "Hel"
                stream = provider.stream(HI, model="m")  # nothing refers to the first one any more
        assert gone.wait(2)
        assert way == "drop" or list(stream) == []


def test_leaving_a_stream_at_its_final_chunk_keeps_the_connection(serve: Serve) -> None:
    server = serve(answer_request)
    with make_sync(server.url) as provider:
        for _ in range(3):
            for one in provider.stream(HI, model="m"):
                if one.is_final:
                    break
        assert server.connections == 1


def test_nothing_is_sent_before_the_first_item_is_read() -> None:
    wire = ScriptedWire(Turn(text="Hi"))
    provider = create("acme", api_key=KEY, transport=wire)
    stream = provider.stream(HI, model="m")
    run(provider.provider.count_tokens("a turn of the loop"))
    assert wire.requests == []
    stream.close()
    assert list(stream) == []
    assert wire.requests == []


def test_a_stream_runs_ahead_of_its_reader_only_so_far() -> None:
    made = []

    class Endless(ScriptedProvider):
        async def stream(self, *_: object, **__: object):  # type: ignore[no-untyped-def]  # any call
            while True:
                made.append(1)
                yield StreamChunk(content=".")

    with SyncProvider(Endless(lambda _: "")) as provider:
        stream = provider.stream(HI, model="m")
        for count in range(1, 3 * READ_AHEAD):
            next(stream)
            assert count <= len(made) <= count + READ_AHEAD + 1
        stream.close()
        assert list(stream) == []


def test_the_order_of_chunks_survives_any_pace_of_reader_and_writer() -> None:
    texts = [str(number) for number in range(1000)]
    with SyncProvider(ScriptedProvider(lambda _: texts)) as provider:
        assert [one.content for one in provider.stream(HI, model="m")][:-1] == texts


def test_thirty_two_threads_share_a_provider(serve: Serve) -> None:
    server = serve(answer_request)

    def work(number: int) -> str:
        if number % 2:
            return provider.chat("Hi", model="m").content
        return "".join(one.content for one in provider.stream("Hi", model="m"))

    with make_sync(server.url) as provider, ThreadPoolExecutor(32) as pool:
        said = list(pool.map(work, range(128)))
    assert said == ["Hello", "Hello!"] * 64


async def test_it_works_where_a_loop_is_running(serve: Serve) -> None:
    with make_sync(serve(answer_request).url) as provider:
        assert provider.chat("Hi", model="m").content == "Hello!"
        assert [one.content for one in provider.stream("Hi", model="m")] == ["Hel", "lo", ""]


def test_inside_the_background_loop_calls_fail_instead_of_hanging() -> None:
    def ask(_: CallRecord) -> CompletionResponse:
        results.append(inner.chat_result(HI, model="m").failure())
        results.append(next(inner.stream_result(HI, model="m")).failure())
        return CompletionResponse(content="asked")

    results: list[object] = []
    inner = SyncProvider(ScriptedProvider(lambda _: "Hi"))
    assert SyncProvider(ScriptedProvider(ask)).chat(HI, model="m").content == "asked"
    assert [type(one) for one in results] == [InvalidRequest, InvalidRequest]


def test_invalid_messages_and_models_are_faults() -> None:
    custom = SyncProvider(ScriptedProvider(lambda _: "Hi"))
    for provider in (custom, create("acme", api_key=KEY, transport=ScriptedWire(Turn(text="Hi")))):
        for given, model in ((7, "m"), ([{"role": "robot"}], "m"), (HI, None)):
            wrong: object = given
            assert isinstance(provider.chat_result(wrong, model=model).failure(), InvalidRequest)  # type: ignore[arg-type]  # wrong on purpose
            (only,) = provider.stream_result(wrong, model=model)  # type: ignore[arg-type]
            assert isinstance(only.failure(), InvalidRequest)
            with pytest.raises(ProviderError):
                provider.chat(wrong, model=model)  # type: ignore[arg-type]
            with pytest.raises(ProviderError):
                next(provider.stream(wrong, model=model))  # type: ignore[arg-type]


def test_a_custom_provider_gets_lists_of_messages_and_the_default_model() -> None:
    custom = ScriptedProvider(lambda call: f"{call.model}: {call.text}", models=["m-1"])
    custom.default_model = "m-1"
    with SyncProvider(custom) as provider:
        assert provider.chat("Hi").content == "m-1: Hi"
        assert provider.stream("Hi").response().content == "m-1: Hi"
        assert [model.id for model in provider.list_models()] == ["m-1"]
        assert [model.id for model in provider.list_models_result().unwrap()] == ["m-1"]
        assert provider.count_tokens("12345678", model="m-1") == 2
        assert (provider.supports_tools(), provider.supports_streaming()) == (True, True)
    assert custom.closed


def test_discovery_structured_output_and_the_breaker(serve: Serve) -> None:
    async def answer_in_form(talk: Talk, received: Received) -> None:
        await (
            answer_request(talk, received) if received.method == "GET" else talk.answer(build_body('{"name": "Oslo"}'))
        )

    with make_sync(serve(answer_in_form).url) as provider:
        assert structured(
            provider.chat_result("Where?", model="m", response_format=City, on_unsupported="adjust"), City
        ) == Success(City(name="Oslo"))
        assert [model.id for model in provider.list_models()] == ["m-1"]
        assert [model.id for model in provider.list_models_result().unwrap()] == ["m-1"]
        assert provider.discover_capabilities("m-1").model == "m-1"
        assert provider.count_tokens("12345678") == 2
        assert not provider.is_circuit_open()
        assert (provider.get_circuit_breaker_stats() or {})["state"] == "closed"
        provider.reset_circuit_breaker()


def test_providers_are_created_by_name_with_their_model() -> None:
    wire = ScriptedWire(Turn(text="Hi"))
    with create("acme/m-1", api_key=KEY, transport=wire) as provider:
        assert (provider.name, provider.default_model) == ("acme", "m-1")
        assert provider.chat("Hi").content == "Hi"
    assert wire.closed
    assert KEY not in repr(provider)


def test_a_managed_provider_has_all_its_methods(serve: Serve) -> None:
    failing, answering = serve(fail_with_500), serve(answer_request)
    fallback = ProviderConfig("acme/m-2", api_key=KEY, base_url=f"{answering.url}/v1")
    with create_managed(
        "acme/m-1", api_key=KEY, base_url=f"{failing.url}/v1", fallback_configs=[fallback], max_retries=0
    ) as managed:
        assert managed.model == "m-1"
        assert managed.chat("Hi").content == "Hello!"
        assert managed.chat_result("Hi").unwrap().content == "Hello!"
        assert managed.stream("Hi").response().content == "Hello"
        assert managed.stream_chat("Hi").response().content == "Hello"
        assert managed.stream_result("Hi").response().unwrap().content == "Hello"
        assert managed.is_healthy()
        metrics = managed.get_metrics()
        assert metrics is not None
        assert metrics["summary"]["total_requests"] == 5
        assert managed.get_resilience_stats() is not None
        assert managed.get_rate_limit_stats() is not None
        assert managed.discover_capabilities().model == "m-1"
        managed.shutdown()
    with create_from_config(ProviderConfig("acme/m-2", api_key=KEY, base_url=f"{answering.url}/v1")) as again:
        assert isinstance(again, SyncManagedProvider)
        assert again.chat("Hi").content == "Hello!"


def test_the_manager_is_shared_by_threads(serve: Serve) -> None:
    server = serve(answer_request)
    settings = {"acme": {"api_key": KEY, "base_url": f"{server.url}/v1"}}
    config = ProviderManagerConfig(enable_health_checks=False)
    states: list[ProviderState] = []
    with SyncProviderManager(settings, provider_name="acme/m-1", config=config) as manager:
        manager.add_switch_callback(states.append)
        with ThreadPoolExecutor(8) as pool:
            said = list(pool.map(lambda _: manager.chat("Hi").content, range(16)))
        assert said == ["Hello!"] * 16
        assert manager.switch_provider("acme/m-2")
        assert manager.switch_model("m-3")
        assert (manager.provider_name, manager.model, manager.switch_count) == ("acme", "m-3", 2)
        assert [state.model for state in states] == ["m-2", "m-3"]
        assert len(manager.get_switch_history()) == 2
        assert manager.get_info()["model"] == "m-3"
        assert manager.provider is not None
        assert manager.provider.chat("Hi", model="m").content == "Hello!"
        assert manager.stream("Hi").response().content == "Hello"
        assert manager.stream_result("Hi").response().unwrap().content == "Hello"
        assert manager.chat_result("Hi").unwrap().content == "Hello!"
        assert manager.get_healthy_providers() == ["acme"]
        assert manager.get_context_window() > 0
        assert (manager.is_cloud_provider(), manager.is_local_provider()) == (True, False)
        assert manager.detect_capabilities() is not None
        manager.start_health_monitoring()
        manager.stop_health_monitoring()
    assert isinstance(manager.chat_result("Hi").failure(), InvalidRequest)


def test_a_missing_key_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACME_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setenv("VICTOR_FP_CONFIG_DIR", "/nonexistent")
    assert isinstance(create("acme").chat_result("Hi", model="m").failure(), CredentialMissing)


def test_a_stream_that_another_thread_closes_ends(serve: Serve) -> None:
    async def stop_after_one_chunk(talk: Talk, _: Received) -> None:
        await talk.send_head(content_type="text/event-stream")
        await talk.send_event(build_chunk("Hel"))
        await talk.wait_for_close(5)

    with make_sync(serve(stop_after_one_chunk).url) as provider:
        stream = provider.stream(HI, model="m")
        assert next(stream).content == "Hel"
        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(list, stream)
            time.sleep(0.02)  # it waits, or will find the end at once
            stream.close()
            assert reading.result(5) == []


def test_closing_ends_streams_that_are_open(serve: Serve) -> None:
    async def stop_after_one_chunk(talk: Talk, _: Received) -> None:
        await talk.send_head(content_type="text/event-stream")
        await talk.send_event(build_chunk("Hel"))
        await talk.wait_for_close(5)

    provider = make_sync(serve(stop_after_one_chunk).url)
    stream = provider.stream_result(HI, model="m")
    assert next(stream).unwrap().content == "Hel"
    closing = threading.Timer(0.05, provider.close)
    closing.start()
    assert next(stream).failure().message == "the provider was closed"
    assert list(stream) == []
    closing.join()
