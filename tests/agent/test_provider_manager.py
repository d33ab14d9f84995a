"""ProviderManager: switching during conversations, with a correct history and callbacks for each switch."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.acme import HI, KEY, SPEC, build_acme
from tests.loopback import Loopback, Received, Talk, serving
from tests.managed_shapes import Echo, answer_hello, answer_with
from tests.openai_shapes import build_body, build_chunks
from victor_fp.agent.provider_manager import ProviderManager, ProviderManagerConfig, ProviderState, SwitchReason
from victor_fp.core import faults
from victor_fp.core.types import StreamChunk
from victor_fp.providers.base import ProviderError
from victor_fp.providers.registry import ProviderRegistry

QUIET = ProviderManagerConfig(enable_health_checks=False)


class Slow(Echo):
    """A custom provider whose calls wait until they may go on."""

    go: asyncio.Event
    log: list[str]

    def __init__(self, name: str = "slow") -> None:
        super().__init__()
        self.called = name
        self.go, self.log = asyncio.Event(), []

    @property
    def name(self) -> str:
        return self.called

    async def chat(self, messages: list[Any], *, model: str, **options: Any) -> Any:
        await self.go.wait()
        return await super().chat(messages, model=model)

    async def stream(self, messages: list[Any], *, model: str, **options: Any) -> AsyncIterator[StreamChunk]:
        async for chunk in super().stream(messages, model=model):
            yield chunk
            await self.go.wait()

    async def close(self) -> None:
        self.log.append("closed")


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    ProviderRegistry.register_spec(SPEC)
    ProviderRegistry.register("echo", Echo)
    Echo.plan, Echo.closed = [], 0
    yield
    ProviderRegistry.restore()


def build_settings(**places: Loopback) -> dict[str, Any]:
    return {"providers": {name: {"api_key": KEY, "base_url": f"{one.url}/v1"} for name, one in places.items()}}


def test_signatures_match_the_documentation() -> None:
    names = list(inspect.signature(ProviderManager).parameters)
    assert names == ["settings", "initial_provider", "initial_model", "provider_name", "config"]
    config = ProviderManagerConfig()
    assert (config.enable_health_checks, config.health_check_interval, config.auto_fallback) == (True, 60.0, True)
    assert (config.fallback_providers, config.max_fallback_attempts) == ([], 3)
    assert SwitchReason.USER_REQUEST.value == "user_request"


async def test_manager_exposes_the_provider_it_was_given() -> None:
    mine = Echo()
    async with ProviderManager(None, mine, "e-1", config=QUIET) as manager:
        assert manager.provider is mine
        assert (manager.provider_name, manager.model, manager.switch_count) == ("echo", "e-1", 0)
        assert (await manager.chat(HI)).content == "e-1: Hi"
        assert (await mine.chat(HI, model="x")).content == "x: Hi"
    assert Echo.closed == 1


async def test_manager_without_a_provider_is_empty_and_calls_fail() -> None:
    async with ProviderManager(None) as manager:
        assert (manager.provider, manager.provider_name, manager.model) == (None, "", "")
        assert manager.get_info() == {"provider": None, "model": None}
        assert manager.get_context_window() == 0
        assert await manager.get_healthy_providers() == []
        assert not await manager.switch_model("m")
        with pytest.raises(ProviderError, match="no provider"):
            await manager.chat(HI)
        (result,) = [result async for result in manager.stream_result(HI)]
        assert isinstance(result.failure(), faults.InvalidRequest)


async def test_a_name_alone_makes_a_provider_of_the_settings() -> None:
    async with serving(answer_hello) as server:
        given = build_settings(acme=server)
        given["providers"]["acme"]["model"] = "m-7"
        async with ProviderManager(given, provider_name="acme", config=QUIET) as manager:
            assert (await manager.chat(HI)).content == "Hello!"
    assert server.received[0].json()["model"] == "m-7"
    with pytest.raises(ProviderError, match="nobody"):
        ProviderManager(None, provider_name="nobody")


async def test_a_call_in_flight_finishes_on_the_old_provider_which_is_then_closed() -> None:
    old = Slow()
    async with ProviderManager(None, old, "old-1", config=QUIET) as manager:
        running = asyncio.create_task(manager.chat(HI))
        await asyncio.sleep(0)
        assert await manager.switch_provider("echo", "new-1")
        assert (await manager.chat(HI)).content == "new-1: Hi"
        await asyncio.sleep(0.01)
        assert old.log == []
        old.go.set()
        assert (await running).content == "old-1: Hi"
        await asyncio.sleep(0.01)
        assert old.log == ["closed"]


async def test_a_stream_in_flight_finishes_on_the_old_provider_which_is_then_closed() -> None:
    old = Slow()
    async with ProviderManager(None, old, "old-1", config=QUIET) as manager:
        stream = aiter(manager.stream(HI))
        old.go.set()
        first = await anext(stream)
        assert await manager.switch_provider("echo", "new-1")
        await asyncio.sleep(0.01)
        assert old.log == []
        rest = [chunk async for chunk in stream]
        assert "".join(chunk.content for chunk in [first, *rest]) == "old-1"
        await asyncio.sleep(0.01)
        assert old.log == ["closed"]


@pytest.mark.parametrize("kind", ["call", "stream"])
async def test_a_call_made_on_the_provider_itself_counts_as_in_flight(kind: str) -> None:
    go = asyncio.Event()

    async def answer_late(talk: Talk, received: Received) -> None:
        await go.wait()
        await (
            talk.send_events(*build_chunks("Hel", "lo"))
            if received.json().get("stream")
            else talk.answer(build_body("Hello"))
        )

    async with serving(answer_late) as one:
        old = build_acme(one.url)
        async with ProviderManager(None, old, "m-1", config=QUIET) as manager:
            call = old.chat(HI, model="m-1") if kind == "call" else old.stream(HI, model="m-1").response()
            running = asyncio.ensure_future(call)
            while old.in_flight.count == 0:
                await asyncio.sleep(0)
            assert await manager.switch_provider("echo", "new-1")
            go.set()
            assert (await running).content == "Hello"


async def test_conversation_continues_after_a_switch() -> None:
    async def answer_late(talk: Talk, _: Received) -> None:
        await asyncio.sleep(0.1)
        await talk.answer(build_body("from one"))

    async with serving(answer_late) as one, serving(answer_with("from two")) as two:
        manager = ProviderManager(build_settings(acme=two), build_acme(one.url), "m-1", config=QUIET)
        async with manager:
            running = asyncio.create_task(manager.chat(HI))
            await asyncio.sleep(0.02)
            assert await manager.switch_provider("acme", "m-2")
            later = await manager.chat([*HI, (await running).to_message(), *HI])
            assert (await running).content == "from one"
            assert later.content == "from two"
    assert two.received[0].json()["model"] == "m-2"


async def test_history_and_callbacks_record_each_switch() -> None:
    notified: list[tuple[str, str]] = []

    def record_state(state: ProviderState) -> None:
        notified.append((state.provider_name, state.model))

    async def record_later(state: ProviderState) -> None:
        notified.append(("async", state.model))

    def fail(_: ProviderState) -> None:
        raise RuntimeError("not my day")

    async with ProviderManager(None, Echo(), "e-1", config=QUIET) as manager:
        for callback in (fail, record_state, record_later):
            manager.add_switch_callback(callback)
        assert await manager.switch_model("e-2", SwitchReason.COST)
        assert await manager.switch_provider("echo", "e-3")
        assert await manager.switch_provider("ECHO")
        history = manager.get_switch_history()
        assert manager.switch_count == 3
    reported = [(e.from_provider, e.from_model, e.to_provider, e.to_model, e.reason.name) for e in history]
    assert reported == [
        ("echo", "e-1", "echo", "e-2", "COST"),
        ("echo", "e-2", "echo", "e-3", "USER_REQUEST"),
        ("echo", "e-3", "echo", "e-3", "USER_REQUEST"),
    ]
    assert notified == [
        ("echo", "e-2"),
        ("async", "e-2"),
        ("echo", "e-3"),
        ("async", "e-3"),
        ("echo", "e-3"),
        ("async", "e-3"),
    ]


async def test_switching_the_model_keeps_the_provider_open() -> None:
    mine = Echo()
    async with ProviderManager(None, mine, "e-1", config=QUIET) as manager:
        assert await manager.switch_model("e-2")
        assert manager.provider is mine
        assert (await manager.chat(HI)).content == "e-2: Hi"
        assert Echo.closed == 0


async def test_a_switch_that_cannot_be_made_changes_nothing() -> None:
    async with ProviderManager(None, Echo(), "e-1", config=QUIET) as manager:
        assert not await manager.switch_provider("nobody")
        assert not await manager.switch_provider("acme", no_such_setting="x")
        assert (manager.provider_name, manager.get_switch_history()) == ("echo", [])
        assert "no_such_setting" in (manager.get_info()["last_error"] or "")


async def test_default_model_is_that_of_settings_or_catalogue() -> None:
    plain = SimpleNamespace(get_provider_settings=lambda name: {"api_key": KEY, "model": "configured"})
    async with ProviderManager(plain, Echo(), "e-1", config=QUIET) as manager:
        await manager.switch_provider("openai")
        assert manager.model == "configured"
    async with ProviderManager({"anthropic": {"api_key": KEY}}, Echo(), "e-1", config=QUIET) as manager:
        await manager.switch_provider("anthropic")
        assert manager.model.startswith("claude")
        await manager.switch_provider("echo")
        assert manager.model.startswith("claude")


async def test_info_has_capabilities() -> None:
    manager = ProviderManager({"anthropic": {"api_key": KEY}, "ollama": {}}, Echo(), "e-1", config=QUIET)
    async with manager:
        info = manager.get_info()
        assert (info["supports_tools"], info["is_cloud"], info["is_local"], info["is_healthy"]) == (
            True,
            False,
            False,
            True,
        )
        await manager.switch_provider("anthropic")
        info = manager.get_info()
        assert (info["provider"], info["supports_tools"], info["is_cloud"]) == ("anthropic", True, True)
        assert (info["native_tool_calls"], info["streaming_tool_calls"]) == (True, True)
        assert manager.capabilities is not None
        assert manager.capabilities.native_tool_calls
        assert manager.tool_adapter is not None
        assert info["context_window"] >= 200_000
        assert manager.get_context_window() == info["context_window"]
        await manager.switch_provider("ollama", "llama3")
        assert manager.is_local_provider()
        assert not manager.is_cloud_provider()


async def test_capabilities_are_detected_from_the_vendor_once() -> None:
    async def list_models(talk: Talk, _: Received) -> None:
        await talk.answer({"object": "list", "data": [{"id": "m-1", "object": "model", "context_length": 4321}]})

    async with serving(list_models) as server:
        async with ProviderManager(None, build_acme(server.url), "m-1", config=QUIET) as manager:
            found = await manager.detect_capabilities()
            assert await manager.detect_capabilities() is found
            info = manager.get_info()
    assert found is not None
    assert (found.source, info["capabilities_source"]) == ("discovered", "discovered")
    assert len(server.received) == 1


async def test_close_closes_providers_that_are_being_replaced() -> None:
    old = Slow()
    manager = ProviderManager(None, old, "old-1", config=QUIET)
    running = asyncio.create_task(manager.chat_result(HI))
    await asyncio.sleep(0)
    await manager.switch_provider("echo", "new-1")
    await manager.close()
    assert (old.log, Echo.closed) == (["closed"], 1)
    old.go.set()
    await running


async def test_streams_of_the_manager_have_the_stream_interface() -> None:
    async def stream_text(talk: Talk, _: Received) -> None:
        await talk.send_events(*build_chunks("Hel", "lo"))

    async with serving(stream_text) as server:
        async with ProviderManager(None, build_acme(server.url), "m-1", config=QUIET) as manager:
            async with manager.stream(HI, seed=3) as stream:
                got = [chunk async for chunk in stream]
            assert manager.get_info()["in_flight"] == 0
    assert [(chunk.content, chunk.is_final) for chunk in got] == [("Hel", False), ("lo", False), ("", True)]
    assert server.received[0].json()["seed"] == 3
