"""ProviderManager as a state machine: switches, failures, closing, cancelling and callbacks in simulated interleavings."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import pytest
from returns.result import Failure, Result, Success

from tests import openai_shapes as shapes
from tests.acme import HI
from tests.loopback import Received, Talk, serving
from tests.managed_shapes import Echo
from victor_fp.agent.provider_manager import ProviderManager, ProviderManagerConfig, ProviderState
from victor_fp.core import faults
from victor_fp.core.catalogue.spec import ModelInfo
from victor_fp.core.types import CompletionResponse, StreamChunk
from victor_fp.providers.base import BaseProvider, ProviderError
from victor_fp.providers.custom_provider import CustomProvider
from victor_fp.providers.errors import error_from
from victor_fp.providers.factory import ManagedProvider, ProviderConfig
from victor_fp.providers.registry import ProviderRegistry

NO_CHECKS = ProviderManagerConfig(enable_health_checks=False, fallback_providers=["bb", "cc"])


class World:
    """What all providers of one simulation share."""

    def __init__(self, seed: int) -> None:
        self.luck = random.Random(seed)
        self.created: list[Simulated] = []
        self.down: set[str] = set()
        self.steps = 4
        self.gate = asyncio.Event()
        """Calls wait for it."""
        self.gate.set()

    async def pause(self) -> None:
        for _ in range(self.luck.randrange(self.steps)):
            await asyncio.sleep(0)


class Simulated(BaseProvider):
    """A provider with a delay, which fails while it is down, and records calls after it was closed."""

    world: World
    label = ""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_retries": 0, **options})
        self.closed = 0
        self.asked: list[str] = []
        self.asked_after_close = 0
        self.world.created.append(self)

    @property
    def name(self) -> str:
        return self.label

    def _ask(self, model: str) -> None:
        self.asked.append(model)
        self.asked_after_close += self.closed > 0

    def _fail_if_down(self) -> None:
        if self.label in self.world.down:
            raise error_from(faults.ConnectionFailed(provider=self.label, message="down"))

    async def list_models(self) -> list[ModelInfo]:
        await self.world.pause()
        self._fail_if_down()
        return [ModelInfo(id="m")]

    async def chat(self, messages: Any, *, model: str, **options: Any) -> CompletionResponse:
        self._ask(model)
        await self.world.gate.wait()
        await self.world.pause()
        self._fail_if_down()
        return CompletionResponse(content=self.label, model=model)

    async def stream(self, messages: Any, *, model: str, **options: Any) -> AsyncIterator[StreamChunk]:
        self._ask(model)
        await self.world.gate.wait()
        await self.world.pause()
        self._fail_if_down()
        for _ in range(3):
            yield StreamChunk(content=self.label)
            await self.world.pause()
            if self.closed:
                raise RuntimeError("closed while streaming")
        yield StreamChunk(is_final=True, stop_reason="stop")

    async def close(self) -> None:
        await self.world.pause()
        self.closed += 1


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    yield
    ProviderRegistry.restore()


def build_world(seed: int = 0) -> World:
    world = World(seed)
    for label in ("aa", "bb", "cc", "dd"):
        members = {"label": label, "world": world, "default_model": f"{label}-m"}
        ProviderRegistry.register(label, type(label.upper(), (Simulated,), members))
    return world


@pytest.mark.parametrize("seed", range(150))
async def test_closed_providers_are_not_called_in_any_interleaving(seed: int) -> None:
    world = build_world(seed)
    luck = world.luck
    config = ProviderManagerConfig(
        enable_health_checks=luck.random() < 0.5, fallback_providers=["bb", "cc"], health_check_interval=1e6
    )
    shared = ProviderRegistry.create("aa")
    managers = [ProviderManager({}, shared, "aa-m", config=config) for _ in range(luck.choice([1, 2, 2]))]

    async def wait_on_switch(_: ProviderState) -> None:
        await world.pause()

    for manager in managers:
        manager.add_switch_callback(wait_on_switch)

    async def call_manager(manager: ProviderManager, kind: int) -> object:
        await world.pause()
        match kind:
            case 0:
                return await manager.chat_result(HI)
            case 1:
                return [result async for result in manager.stream_result(HI)][-1]
            case 2:
                return await manager.switch_provider(luck.choice(["aa", "bb", "cc", "dd", "nobody"]))
            case 3:
                return await manager.switch_model(luck.choice(["x", "y"]))
            case 4:
                world.down ^= {luck.choice(["aa", "bb", "cc"])}
            case _:
                return await manager.get_healthy_providers()
        return None

    users = [luck.choice(managers) for _ in range(12)]
    tasks = [asyncio.create_task(call_manager(user, luck.choice([0, 0, 0, 1, 1, 2, 3, 4, 5]))) for user in users]
    for task in tasks:
        if luck.random() < 0.2:
            for _ in range(luck.randrange(6)):
                await asyncio.sleep(0)
            task.cancel()
    closed = [manager for manager in managers if luck.random() < 0.4]
    for manager in closed:
        await manager.close()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    for manager in managers:
        await manager.close()
        assert await manager.switch_provider("bb") is False
        assert isinstance((await manager.chat_result(HI)).failure(), faults.InvalidRequest)
    for user, outcome in zip(users, done, strict=True):
        assert isinstance(outcome, Result | bool | list | None | asyncio.CancelledError), outcome
        if isinstance(outcome, Failure) and user not in closed:
            assert "closed" not in str(outcome.failure())
    for provider in world.created:
        assert provider.asked_after_close == 0
        assert provider.closed == 1
    assert len(asyncio.all_tasks()) == 1


async def test_a_call_that_fails_falls_back_although_the_model_was_switched_meanwhile() -> None:
    world = build_world()
    world.steps, world.down = 1, {"aa"}
    async with ProviderManager({}, provider_name="aa", config=NO_CHECKS) as manager:
        call = asyncio.create_task(manager.chat_result(HI))
        assert await manager.switch_model("aa-2")
        assert (await call).unwrap().content == "bb"


async def test_settings_that_raise_for_one_fallback_do_not_hide_the_next_one() -> None:
    class Settings:
        def get_provider_settings(self, name: str) -> dict[str, Any]:
            if name == "bb":
                raise KeyError("nothing for bb")
            return {}

    world = build_world()
    world.down = {"aa"}
    async with ProviderManager(Settings(), provider_name="aa", config=NO_CHECKS) as manager:
        assert (await manager.chat(HI)).content == "cc"
        assert manager.provider_name == "cc"


async def test_the_health_monitor_survives_settings_that_raise() -> None:
    class Settings:
        calls = 0

        def get_provider_settings(self, name: str) -> dict[str, Any]:
            if name == "bb":
                Settings.calls += 1
                raise KeyError("nothing for bb")
            return {}

    world = build_world()
    world.down = {"aa", "cc"}
    config = ProviderManagerConfig(fallback_providers=["bb"], health_check_interval=0.001)
    async with ProviderManager(Settings(), provider_name="aa", config=config) as manager:
        await manager.start_health_monitoring()
        while Settings.calls < 3:
            await asyncio.sleep(0.001)
        assert manager.provider_name == "aa"


async def test_a_cancelled_switch_closes_the_provider_it_had_created() -> None:
    world = build_world()
    async with ProviderManager({}, provider_name="aa") as manager:
        world.steps = 40
        switch = asyncio.create_task(manager.switch_provider("bb"))
        while len(world.created) < 2:
            await asyncio.sleep(0)
        switch.cancel()
        await asyncio.wait([switch])
        assert (manager.provider_name, world.created[1].closed) == ("aa", 1)


async def test_closing_during_a_switch_leaves_nothing_open() -> None:
    world = build_world()
    manager = ProviderManager({}, provider_name="aa")
    world.steps = 40
    switch = asyncio.create_task(manager.switch_provider("bb"))
    while len(world.created) < 2:
        await asyncio.sleep(0)
    await manager.close()
    assert await switch is False
    assert [provider.closed for provider in world.created] == [1, 1]
    assert len(asyncio.all_tasks()) == 1


async def test_a_call_after_close_is_refused_and_starts_no_monitor() -> None:
    build_world()
    manager = ProviderManager({}, provider_name="aa")
    await manager.close()
    assert "closed" in (await manager.chat_result(HI)).failure().message
    with pytest.raises(ProviderError, match="closed"):
        await manager.stream(HI).response()
    await manager.start_health_monitoring()
    assert len(asyncio.all_tasks()) == 1


async def test_a_slow_callback_does_not_let_a_call_run_on_a_closed_provider() -> None:
    world = build_world()
    world.down = {"aa"}
    switched = asyncio.Event()

    async def wait_on_switch(state: ProviderState) -> None:
        if state.provider_name == "bb":
            await switched.wait()

    async with ProviderManager({}, provider_name="aa", config=NO_CHECKS) as manager:
        manager.add_switch_callback(wait_on_switch)
        call = asyncio.create_task(manager.chat(HI))
        while manager.provider_name != "bb":
            await asyncio.sleep(0)
        assert await manager.switch_provider("dd")
        for _ in range(20):
            await asyncio.sleep(0)
        switched.set()
        assert (await call).content == "bb"
    assert all(provider.asked_after_close == 0 for provider in world.created)


async def test_provider_names_in_settings_are_case_insensitive() -> None:
    build_world()
    settings = {"Aa": {"base_url": "http://mine"}, "bb": {"base_url": "http://other"}}
    async with ProviderManager(settings, provider_name="AA", config=NO_CHECKS) as manager:
        assert manager.provider is not None
        assert manager.provider.base_url == "http://mine"
        assert await manager.switch_provider("BB")
        assert manager.provider.base_url == "http://other"


async def test_two_managers_over_one_provider_share_its_calls_and_the_last_one_closes_it() -> None:
    world = build_world()
    shared = ProviderRegistry.create("aa")
    assert isinstance(shared, Simulated)
    before = dict(vars(shared))
    one = ProviderManager({}, shared, "m", config=NO_CHECKS)
    two = ProviderManager({}, shared, "m", config=NO_CHECKS)
    world.steps = 30
    call = asyncio.create_task(two.chat(HI))
    while not shared.asked:
        await asyncio.sleep(0)
    assert one.get_info()["in_flight"] == two.get_info()["in_flight"] == 1
    await one.switch_provider("bb")
    await one.close()
    assert shared.closed == 0
    assert (await call).content == "aa"
    assert (await two.chat(HI)).content == "aa"
    assert vars(shared) | {"asked": []} == before | {"asked": []}
    await two.close()
    assert shared.closed == 1
    assert shared.asked_after_close == 0


async def chat(manager: ProviderManager) -> Result[Any, faults.Fault]:
    return await manager.chat_result(HI)


async def stream(manager: ProviderManager) -> Result[Any, faults.Fault]:
    return [result async for result in manager.stream_result(HI)][-1]


Call = Callable[[ProviderManager], Coroutine[None, None, Result[Any, faults.Fault]]]


class Shared:
    """A provider of several managers, whose calls wait for the gate."""

    def __init__(self) -> None:
        self.world = build_world()
        self.world.gate.clear()
        created = ProviderRegistry.create("aa")
        assert isinstance(created, Simulated)
        self.provider = created

    def build_manager(self) -> ProviderManager:
        return ProviderManager({}, self.provider, "m", config=NO_CHECKS)

    async def start(self, call: Call, manager: ProviderManager) -> asyncio.Task[Result[Any, faults.Fault]]:
        """Return the call when it is in flight."""
        before = len(self.provider.asked)
        task = asyncio.create_task(call(manager))
        while len(self.provider.asked) == before:
            await asyncio.sleep(0)
        return task


@pytest.mark.parametrize("call", [chat, stream])
async def test_a_manager_that_switched_keeps_a_shared_provider_until_its_calls_end(call: Call) -> None:
    shared = Shared()
    one, two = shared.build_manager(), shared.build_manager()
    of_one, of_two = await shared.start(call, one), await shared.start(call, two)
    await one.switch_provider("bb")
    await two.close()
    assert isinstance((await of_two).failure(), faults.Cancelled)
    assert (of_one.done(), shared.provider.closed) == (False, 0)
    shared.world.gate.set()
    assert isinstance(await of_one, Success)
    while shared.provider.closed == 0:
        await asyncio.sleep(0)
    await one.close()
    assert shared.provider.closed == 1


@pytest.mark.parametrize("call", [chat, stream])
async def test_closing_a_manager_keeps_calls_of_a_manager_that_uses_its_former_provider(call: Call) -> None:
    shared = Shared()
    one = shared.build_manager()
    of_one = await shared.start(call, one)
    await one.switch_provider("bb")
    two = shared.build_manager()
    of_two = await shared.start(call, two)
    await one.close()
    assert isinstance((await of_one).failure(), faults.Cancelled)
    assert (of_two.done(), shared.provider.closed) == (False, 0)
    shared.world.gate.set()
    assert isinstance(await of_two, Success)
    assert isinstance(await call(two), Success)
    await two.close()
    assert shared.provider.closed == 1


@pytest.mark.parametrize("call", [chat, stream])
async def test_closing_a_manager_ends_only_its_own_calls_on_a_shared_provider(call: Call) -> None:
    shared = Shared()
    one, two = shared.build_manager(), shared.build_manager()
    of_one, of_two = await shared.start(call, one), await shared.start(call, two)
    await one.close()
    assert isinstance((await asyncio.wait_for(of_one, 5)).failure(), faults.Cancelled)
    assert (of_two.done(), shared.provider.closed) == (False, 0)
    await two.close()
    assert isinstance((await of_two).failure(), faults.Cancelled)
    assert shared.provider.closed == 1


@pytest.mark.parametrize("call", [chat, stream])
async def test_a_former_provider_is_closed_with_the_last_manager_that_calls_it(call: Call) -> None:
    shared = Shared()
    one, two = shared.build_manager(), shared.build_manager()
    of_two = await shared.start(call, two)
    await one.switch_provider("bb")
    await asyncio.sleep(0)
    await two.close()
    assert isinstance((await of_two).failure(), faults.Cancelled)
    assert shared.provider.closed == 1
    await one.close()


async def test_managers_closed_at_the_same_time_close_their_provider_once_and_end_calls_made_on_it() -> None:
    gate, asked = asyncio.Event(), asyncio.Event()

    async def answer(talk: Talk, _: Received) -> None:
        asked.set()
        await gate.wait()
        await talk.answer(shapes.build_body())

    async with serving(answer) as server:
        provider = ProviderRegistry.create("openai", api_key="k", base_url=server.url)
        one, two = (ProviderManager({}, provider, "m", config=NO_CHECKS) for _ in range(2))
        call = asyncio.create_task(provider.chat_result(HI, model="m"))
        await asked.wait()
        await asyncio.gather(one.close(), two.close())
        assert isinstance((await call).failure(), faults.Cancelled)
        gate.set()


async def test_a_call_of_the_engine_on_a_shared_provider_ends_with_its_own_manager() -> None:
    gate, asked = asyncio.Event(), asyncio.Semaphore(0)

    async def answer(talk: Talk, _: Received) -> None:
        asked.release()
        await gate.wait()
        await talk.answer(shapes.build_body())

    async with serving(answer) as server:
        settings = {"openai": {"api_key": "k", "base_url": server.url}}
        provider = ProviderRegistry.create("openai", **settings["openai"])
        one, two = (ProviderManager(settings, provider, "m", config=NO_CHECKS) for _ in range(2))
        of_one = asyncio.create_task(chat(one))
        await asked.acquire()
        assert await one.switch_provider("openai", "m2")
        await two.close()
        three = ProviderManager({}, provider, "m", config=NO_CHECKS)
        of_three = asyncio.create_task(chat(three))
        await asked.acquire()
        await one.close()
        assert isinstance((await of_one).failure(), faults.Cancelled)
        gate.set()
        assert isinstance(await of_three, Success)
        await three.close()


def test_a_call_from_a_second_thread_is_rejected() -> None:
    build_world()
    manager = ProviderManager({}, provider_name="aa", config=NO_CHECKS)
    assert isinstance(asyncio.run(manager.chat_result(HI)), Success)
    found: list[Result[CompletionResponse, faults.Fault]] = []
    thread = threading.Thread(target=lambda: found.append(asyncio.run(manager.chat_result(HI))))
    thread.start()
    thread.join()
    assert isinstance(found[0], Failure)
    assert "thread" in found[0].failure().message


async def test_a_managed_provider_in_a_manager_keeps_its_own_attempts_and_metrics() -> None:
    world = build_world()
    world.down = {"aa"}
    inner = ManagedProvider(
        config=ProviderConfig(
            "aa", "aa-1", extra_kwargs={"max_retries": 0}, fallback_providers=[ProviderConfig("dd", "dd-1")]
        )
    )
    async with ProviderManager({}, inner, "aa-1", config=NO_CHECKS) as manager:
        response = await manager.chat(HI)
        metrics = inner.get_metrics()
    assert response.content == "dd"
    assert response.metadata is not None
    assert [(one["model"], one["outcome"]) for one in response.metadata["attempts"]] == [
        ("aa-1", "ConnectionFailed"),
        ("dd-1", "ok"),
    ]
    assert metrics is not None
    assert metrics["summary"]["fallbacks"] == 1


async def test_state_requires_provider_name_and_model() -> None:
    build_world()
    provider = ProviderRegistry.create("aa")
    state = ProviderState(provider, "aa", "m")
    assert state.is_healthy
    async with ProviderManager({}, provider, "m", config=NO_CHECKS) as manager:
        assert manager.get_info()["is_healthy"] is True
        assert manager.get_context_window() == 128_000
        provider.get_context_window = lambda model: 42  # type: ignore[attr-defined]  # a method of its own
        assert manager.get_context_window() == 42


class Windowed(Echo):
    """A class that knows the context windows of its models."""

    def get_context_window(self, model: str) -> int:
        return {"e-1": 4096}[model]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda own: own,
        CustomProvider,
        lambda own: ManagedProvider(base_provider=own, config=ProviderConfig("echo", "e-1")),
        lambda own: ManagedProvider(
            base_provider=ManagedProvider(base_provider=own, config=ProviderConfig("echo", "e-1"))
        ),
    ],
    ids=["plain", "custom", "managed", "managed twice"],
)
async def test_the_context_window_is_that_of_the_class(wrap: Callable[[BaseProvider], BaseProvider]) -> None:
    async with ProviderManager({}, wrap(Windowed()), "e-1", config=NO_CHECKS) as manager:
        assert manager.get_context_window() == 4096
        await manager.detect_capabilities()
        assert manager.get_context_window() == 4096
        await manager.switch_model("unknown")
        assert manager.get_context_window() == 128_000
