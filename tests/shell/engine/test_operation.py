"""The engine's loop: kinds other than chats, closing, inheritance, and what a shared store costs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from returns.result import Failure, Result, Success

from tests import openai_shapes as shapes
from tests.acme import HI, KEY, build_acme
from tests.fake_runtime import FakeRuntime
from tests.fake_transport import FakeTransport, create_managed_provider
from tests.loopback import Received, Talk, serving
from tests.managed_shapes import answer_hello, build_fallback, create_managed, fail_with_500, stream_hello
from victor_fp.core import faults
from victor_fp.core.catalogue.spec import ModelInfo
from victor_fp.core.resilience.budget import Budget
from victor_fp.core.resilience.pool import Borrow, Lent, Pool, lend
from victor_fp.core.resilience.rate_limit import Limits
from victor_fp.core.resilience.retry import RetryPolicy
from victor_fp.core.types import CompletionResponse, Message, StreamChunk
from victor_fp.providers.base import BaseProvider, ProviderError
from victor_fp.providers.factory import ManagedProvider, ManagedProviderFactory, ProviderConfig
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.store.shared import SharedStore, Swapped


async def answer_model_list(talk: Talk, _: Received) -> None:
    await talk.answer({"object": "list", "data": [{"id": "m-1", "object": "model", "context_length": 4321}]})


class TestQuestionsAboutModels:
    async def test_a_list_is_retried_on_a_plain_provider(self) -> None:
        runtime = FakeRuntime()
        async with (
            serving(fail_with_500, answer_model_list) as server,
            build_acme(server.url, runtime=runtime) as provider,
        ):
            assert [info.id for info in await provider.list_models()] == ["m-1"]
        assert len(server.received) == 2
        assert len(runtime.slept) == 1

    async def test_discovery_is_retried_and_limited_on_a_managed_provider(self) -> None:
        runtime = FakeRuntime()
        async with serving(fail_with_500, answer_model_list) as server:
            async with await create_managed(
                server.url, runtime=runtime, rate_limits=Limits(requests_per_minute=100)
            ) as provider:
                found = await provider.discover_capabilities()
                stats = provider.get_rate_limit_stats()
        assert (found.source, found.context_window) == ("discovered", 4321)
        assert stats is not None
        assert (stats["total_requests"], stats["in_flight"]) == (2, 0)

    async def test_failures_of_questions_do_not_open_the_breaker(self) -> None:
        async with serving(fail_with_500) as server, await create_managed(server.url, max_retries=0) as provider:
            for _ in range(8):
                with pytest.raises(ProviderError):
                    await provider.list_models()
            assert not provider.is_circuit_open()

    async def test_a_count_of_a_vendor_that_does_not_count_is_an_estimate(self) -> None:
        async with serving(fail_with_500) as server, await create_managed(server.url) as provider:
            assert await provider.count_tokens("12345678", model="m") == 2
        assert server.received == []

    async def test_a_result_that_needs_no_request_uses_no_permit_and_no_budget(self) -> None:
        runtime = FakeRuntime()
        async with serving(fail_with_500) as server:
            async with await create_managed(
                server.url,
                runtime=runtime,
                rate_limits=Limits(requests_per_minute=1),
                budget=Budget(requests=1),
            ) as provider:
                for _ in range(3):
                    assert await provider.count_tokens("12345678", model="m") == 2
        assert (server.received, runtime.slept) == ([], [])


class TestWrapping:
    async def test_a_base_provider_is_wrapped_as_it_is(self) -> None:
        async with serving(fail_with_500, answer_hello) as server:
            base = build_acme(server.url, runtime=FakeRuntime())
            wrapped = ManagedProvider(
                base_provider=base, config=ProviderConfig("acme", "m-1", extra_kwargs={"runtime": FakeRuntime()})
            )
            async with wrapped as provider:
                assert provider.provider is base
                assert (await provider.chat(HI)).content == "Hello!"
        assert len(server.received) == 2

    async def test_a_wrapped_custom_provider_uses_its_own_methods(self) -> None:
        async with ManagedProvider(base_provider=Overriding(), config=ProviderConfig("own", "m")) as provider:
            assert (await provider.chat(HI)).content == "chat_result"

    def test_one_of_the_two_is_needed(self) -> None:
        with pytest.raises(TypeError, match="base_provider"):
            ManagedProvider()


class Overriding(BaseProvider):
    """Overrides the methods that return results, and says which one was used."""

    @property
    def name(self) -> str:
        return "own"

    async def chat(self, messages: list[Message], **options: Any) -> CompletionResponse:
        return CompletionResponse(content="chat")

    async def chat_result(self, messages: Any, **options: Any) -> Result[CompletionResponse, faults.Fault]:
        return Success(CompletionResponse(content="chat_result"))

    async def stream(self, messages: list[Message], **options: Any) -> AsyncIterator[StreamChunk]:
        yield StreamChunk(content="stream", is_final=True)

    async def close(self) -> None:
        """Nothing is open."""


class WithStreamResult(Overriding):
    async def stream_result(self, messages: Any, **options: Any) -> AsyncIterator[Result[StreamChunk, faults.Fault]]:
        yield Success(StreamChunk(content="stream_result"))
        yield Success(StreamChunk(is_final=True))


class WithStreamChat(Overriding):
    async def stream_chat(self, messages: Any, **options: Any) -> AsyncIterator[StreamChunk]:
        yield StreamChunk(content="stream_chat")
        yield StreamChunk(is_final=True)


class Failing(Overriding):
    async def chat_result(self, messages: Any, **options: Any) -> Result[CompletionResponse, faults.Fault]:
        return Failure(faults.QuotaExhausted(message="no credit"))

    async def stream_result(self, messages: Any, **options: Any) -> AsyncIterator[Result[StreamChunk, faults.Fault]]:
        yield Failure(faults.QuotaExhausted(message="no credit"))


class TestOverriddenMethods:
    @pytest.mark.parametrize(
        ("kind", "used"), [(Overriding, "stream"), (WithStreamResult, "stream_result"), (WithStreamChat, "stream_chat")]
    )
    async def test_the_overridden_stream_is_used_when_managed(self, kind: type[BaseProvider], used: str) -> None:
        async with ManagedProvider(base_provider=kind(), config=ProviderConfig("own", "m")) as provider:
            assert (await provider.stream(HI).response()).content == used

    @pytest.mark.parametrize("name", ["chat", "chat_result", "stream", "stream_chat", "stream_result"])
    async def test_every_method_that_a_subclass_of_a_built_in_overrides_is_used(self, name: str) -> None:
        async def return_response(*_: Any, **__: Any) -> Any:
            response = CompletionResponse(content=name)
            return Success(response) if name == "chat_result" else response

        async def yield_chunk(*_: Any, **__: Any) -> AsyncIterator[Any]:
            chunk = StreamChunk(content=name, is_final=True)
            yield Success(chunk) if name == "stream_result" else chunk

        kind = type(
            "Own",
            (type(build_acme("http://127.0.0.1:9")),),
            {name: return_response if name.startswith("chat") else yield_chunk},
        )
        base = kind(api_key=KEY, base_url="http://127.0.0.1:9/v1", timeout=1)
        async with ManagedProvider(base_provider=base, config=ProviderConfig("acme", "m")) as provider:
            response = await (provider.chat(HI) if name.startswith("chat") else provider.stream(HI).response())
        assert response.content == name

    @pytest.mark.parametrize("name", ["chat", "chat_result", "stream", "stream_result", "embed", "list_models"])
    @pytest.mark.parametrize("call", ["chat", "stream", "list_models"])
    async def test_a_managed_provider_makes_the_only_retries_of_a_subclass_of_a_built_in(
        self, name: str, call: str
    ) -> None:
        """Also where the overridden method calls that of the base class."""
        calls: list[str] = []

        async def await_base(self: Any, *arguments: Any, **keywords: Any) -> Any:
            calls.append(name)
            return await getattr(super(kind, self), name)(*arguments, **keywords)

        async def yield_base(self: Any, *arguments: Any, **keywords: Any) -> AsyncIterator[Any]:
            calls.append(name)
            async for item in getattr(super(kind, self), name)(*arguments, **keywords):
                yield item

        parent = type(build_acme("http://127.0.0.1:9"))
        kind = type("Own", (parent,), {name: yield_base if name.startswith("stream") else await_base})
        async with serving(fail_with_500) as server:
            base = kind(api_key=KEY, base_url=f"{server.url}/v1", timeout=5, circuit_breaker_failure_threshold=1)
            config = ProviderConfig(
                "acme", "m", retry_config=RetryPolicy(max_retries=2), extra_kwargs={"runtime": FakeRuntime()}
            )
            async with ManagedProvider(base_provider=base, config=config) as provider:
                match call:
                    case "chat":
                        fault = (await provider.chat_result(HI)).failure()
                    case "stream":
                        fault = (await provider.stream_result(HI).response()).failure()
                    case _:
                        fault = (await provider.list_models_result()).failure()
        assert isinstance(fault, faults.ServerFailed)
        assert len(server.received) == len(fault.attempts) == 3
        assert len(calls) == (3 if name.startswith(call) else 0)
        assert not base.is_circuit_open()

    async def test_a_nested_call_outside_of_an_attempt_keeps_its_retries(self) -> None:
        class Own(type(build_acme("http://127.0.0.1:9"))):  # type: ignore[misc]  # the class of the test vendor
            async def chat(self, *arguments: Any, **keywords: Any) -> CompletionResponse:
                response: CompletionResponse = await super().chat(*arguments, **keywords)
                return response

        async with serving(fail_with_500, answer_hello) as server:
            base = Own(api_key=KEY, base_url=f"{server.url}/v1", timeout=5, runtime=FakeRuntime())
            async with ManagedProvider(base_provider=base, config=ProviderConfig("acme", "m")):
                assert (await base.chat(HI, model="m")).content == "Hello!"
        assert len(server.received) == 2

    async def test_faults_that_they_return_are_the_faults(self) -> None:
        # One provider each: after the first fault the target cools down.
        async with ManagedProvider(base_provider=Failing(), config=ProviderConfig("own", "m")) as provider:
            assert isinstance((await provider.chat_result(HI)).failure(), faults.QuotaExhausted)
        async with ManagedProvider(base_provider=Failing(), config=ProviderConfig("own", "m")) as provider:
            assert isinstance((await provider.stream_result(HI).response()).failure(), faults.QuotaExhausted)

    async def test_their_models_are_listed(self) -> None:
        class Listing(Overriding):
            async def list_models(self) -> list[ModelInfo]:
                return [ModelInfo(id="own-1")]

        async with ManagedProvider(base_provider=Listing(), config=ProviderConfig("own", "m")) as provider:
            assert [info.id for info in await provider.list_models()] == ["own-1"]


class TestInheritance:
    async def test_fallback_inherits_settings_of_the_primary(self) -> None:
        async with serving(answer_hello) as server:
            bare = ProviderConfig("acme", "m-2", KEY, f"{server.url}/v1")
            async with await create_managed(
                server.url, timeout=7, retry=RetryPolicy(max_retries=1), fallback_configs=[bare]
            ) as provider:
                first, second = provider.engine_pool.targets
        assert (second.timeout, second.retries.max_retries) == (first.timeout, 1)
        assert bare.timeout == 120.0

    async def test_explicit_settings_of_a_fallback_are_kept(self) -> None:
        async with serving(answer_hello) as server:
            own = build_fallback(server.url, timeout=120.0, retry_config=RetryPolicy(max_retries=5))
            async with await create_managed(server.url, timeout=7, fallback_configs=[own]) as provider:
                target = provider.engine_pool.targets[1]
        assert (target.timeout, target.retries.max_retries) == (120.0, 5)


class TestClosing:
    @pytest.mark.parametrize("is_managed", [False, True])
    async def test_open_streams_end_at_once_with_a_fault(self, is_managed: bool) -> None:
        async def stop_after_one_chunk(talk: Talk, _: Received) -> None:
            await talk.send_head(content_type="text/event-stream")
            await talk.send_event(shapes.build_chunk("Hel"))
            await talk.wait_for_close(30)

        async with serving(stop_after_one_chunk) as server:
            provider: Any = await create_managed(server.url) if is_managed else build_acme(server.url, timeout=30)
            stream = aiter(provider.stream_result(HI, model="m-1"))
            assert (await anext(stream)).unwrap().content == "Hel"
            waiting = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0.02)
            await provider.close()
            fault = (await waiting).failure()
            assert provider.in_flight.count == 0
        assert isinstance(fault, faults.Cancelled)
        assert "closed" in fault.message or "shut down" in fault.message
        assert fault.partial is not None
        assert fault.partial.content == "Hel"

    @pytest.mark.parametrize("is_managed", [False, True])
    @pytest.mark.parametrize("method", ["list_models", "count_tokens", "discover_capabilities", "embed"])
    async def test_every_other_call_ends_at_once_too(self, method: str, is_managed: bool) -> None:
        arrived = asyncio.Event()

        async def keep_silent(talk: Talk, _: Received) -> None:
            arrived.set()
            await talk.wait_for_close(30)

        async with serving(keep_silent) as server:
            name, url = ("anthropic", server.url) if method == "count_tokens" else ("openai", f"{server.url}/v1")
            provider: Any = (
                await ManagedProviderFactory.create(name, "m-1", api_key="k", base_url=url)
                if is_managed
                else ProviderRegistry.create(name, api_key="k", base_url=url)
            )
            arguments: dict[str, Any] = {"list_models": {}, "embed": {"texts": ["a"], "model": "m-1"}}.get(
                method, {"model": "m-1"}
            )
            text = ("some text",) if method == "count_tokens" else ()
            waiting = asyncio.ensure_future(getattr(provider, method)(*text, **arguments))
            await arrived.wait()
            await provider.close()
            ended, _ = await asyncio.wait({waiting}, timeout=5)
            assert ended == {waiting}
            waiting.exception()
            assert provider.in_flight.count == 0

    async def test_interrupted_stream_ends_at_its_next_read(self) -> None:
        provider = await create_managed_provider(FakeTransport())
        stream = aiter(provider.stream_result(HI))
        await anext(stream)
        await provider.close()
        rest = [result async for result in stream]
        assert [type(result.failure()) for result in rest] == [faults.Cancelled]

    async def test_cancellation_propagates_to_the_caller(self) -> None:
        async def keep_silent(talk: Talk, _: Received) -> None:
            await talk.wait_for_close(30)

        async with serving(keep_silent) as server, build_acme(server.url, timeout=30) as provider:
            task = asyncio.create_task(provider.chat(HI, model="m"))
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert provider.in_flight.count == 0


class RoundTrips:
    """A state server whose answers all wait until the next round trip is over."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.pools: dict[str, Pool] = {}
        self.log: list[str] = []
        self._gate = asyncio.Event()

    async def swap(self, name: str, expected: bytes, wanted: bytes) -> Swapped | None:
        self.log.append(name.partition(":")[0])
        await self._gate.wait()
        current = self.values.get(name, b"")
        if current == expected:
            self.values[name] = wanted
        return Swapped(done=current == expected, current=current, at=1e9)

    async def lend(self, name: str, borrow: Borrow) -> Lent | None:
        self.log.append(name.partition(":")[0])
        await self._gate.wait()
        self.pools[name], lent = lend(self.pools.get(name), borrow, 1e9)
        return lent

    def finish(self) -> None:
        """End the round trips that are under way."""
        gate, self._gate = self._gate, asyncio.Event()
        gate.set()

    async def aclose(self) -> None:
        """Nothing is open."""


async def test_a_managed_stream_over_a_shared_store_waits_for_no_round_trip_under_its_loan() -> None:
    place = RoundTrips()
    store = SharedStore(place, timeout=30)

    async def count_rounds(done: asyncio.Future[Any]) -> int:
        count = 0
        while not done.done():
            for _ in range(30):
                await asyncio.sleep(0)
            if done.done():
                return count
            count += 1
            place.finish()
        return count

    creating = asyncio.ensure_future(
        create_managed_provider(FakeTransport(), store=store, rate_limits=Limits(concurrency=5))
    )
    await count_rounds(creating)
    provider = creating.result()
    # The first call also learns what the place holds.
    warming = asyncio.ensure_future(provider.chat(HI))
    await count_rounds(warming)
    draining = asyncio.ensure_future(store.drain())
    await count_rounds(draining)
    place.log.clear()
    stream = aiter(provider.stream(HI))
    first = asyncio.ensure_future(anext(stream))
    assert await count_rounds(first) == 0
    second = asyncio.ensure_future(anext(stream))
    assert await count_rounds(second) == 0
    assert place.log == []
    closing = asyncio.ensure_future(provider.close())
    await count_rounds(closing)


async def test_streams_with_a_plain_provider_report_to_its_observers() -> None:
    class Notes:
        def __init__(self) -> None:
            self.ended: list[Any] = []

        def begun(self, operation: Any) -> Any:
            return self.ended.append

    notes = Notes()
    async with serving(answer_hello, stream_hello) as server, build_acme(server.url, observers=[notes]) as provider:
        await provider.chat(HI, model="m-1")
        await provider.stream(HI, model="m-1").response()
    assert [(one.sample.model, one.sample.outcome, one.sample.streamed) for one in notes.ended] == [
        ("m-1", "ok", False),
        ("m-1", "ok", True),
    ]
