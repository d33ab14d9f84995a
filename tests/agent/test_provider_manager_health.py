"""ProviderManager: checks that ask, fallbacks of calls and of switches, and who is healthy."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from tests.acme import HI, KEY, SPEC, build_acme
from tests.loopback import Loopback, Received, Talk, serving
from tests.managed_shapes import (
    Echo,
    answer_hello,
    answer_with,
    fail_with_500,
    hold_request,
    reject_request,
    stream_hello,
)
from tests.openai_shapes import build_body, build_chunk, build_error
from victor_fp.agent.provider_health import check_provider
from victor_fp.agent.provider_manager import ProviderManager, ProviderManagerConfig, SwitchReason
from victor_fp.core import faults
from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.providers.errors import error_from
from victor_fp.providers.registry import ProviderRegistry

SECOND = ProviderSpec(
    name="second", title="Second", dialect=ChatDialect(), base_url="http://second.test/v1", default_model="s-1"
)
THIRD = ProviderSpec(
    name="third", title="Third", dialect=ChatDialect(), base_url="http://third.test/v1", default_model="t-1"
)
MODELS = {"object": "list", "data": [{"id": "m-1", "object": "model"}]}


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    for spec in (SPEC, SECOND, THIRD):
        ProviderRegistry.register_spec(spec)
    ProviderRegistry.register("echo", Echo)
    Echo.plan, Echo.closed = [], 0
    yield
    ProviderRegistry.restore()


def build_settings(**places: Loopback) -> dict[str, Any]:
    return {
        name: {"api_key": KEY, "base_url": f"{one.url}/v1", "max_retries": 0, "timeout": 5}
        for name, one in places.items()
    }


def build_config(*names: str) -> ProviderManagerConfig:
    return ProviderManagerConfig(enable_health_checks=False, fallback_providers=list(names))


def list_after(seconds: float = 0.0) -> Callable[[Talk, Received], Awaitable[None]]:
    async def answer(talk: Talk, received: Received) -> None:
        await asyncio.sleep(seconds)
        await talk.answer(MODELS if received.path.endswith("/models") else build_body())

    return answer


async def test_failing_call_switches_to_the_fallback() -> None:
    async with serving(fail_with_500) as one, serving(answer_with("from two")) as two:
        manager = ProviderManager(
            build_settings(second=two), build_acme(one.url, max_retries=0), "m-1", config=build_config("second")
        )
        async with manager:
            response = await manager.chat(HI)
            again = await manager.chat(HI)
            (event,) = manager.get_switch_history()
            assert (manager.provider_name, manager.model) == ("second", "s-1")
    assert (response.content, again.content) == ("from two", "from two")
    assert response.metadata is not None
    assert [(a["provider"], a["model"], a["outcome"]) for a in response.metadata["attempts"]] == [
        ("acme", "m-1", "ServerFailed"),
        ("second", "s-1", "ok"),
    ]
    assert (event.from_provider, event.to_provider, event.reason) == ("acme", "second", SwitchReason.FALLBACK)
    assert event.metadata == {"fault": "ServerFailed"}
    assert (len(one.received), two.received[0].json()["model"]) == (1, "s-1")


async def test_a_fallback_may_name_its_model() -> None:
    async with serving(fail_with_500) as one, serving(answer_hello) as two:
        manager = ProviderManager(
            build_settings(second=two), build_acme(one.url, max_retries=0), "m-1", config=build_config("second:s-9")
        )
        async with manager:
            await manager.chat(HI)
            assert manager.model == "s-9"


async def test_client_error_does_not_switch() -> None:
    async with serving(reject_request) as one, serving(answer_hello) as two:
        manager = ProviderManager(build_settings(second=two), build_acme(one.url), "m-1", config=build_config("second"))
        async with manager:
            assert isinstance((await manager.chat_result(HI)).failure(), faults.InvalidRequest)
            assert manager.get_switch_history() == []
    assert two.received == []


async def test_fault_after_all_fallbacks_failed_lists_all() -> None:
    async with serving(fail_with_500) as one, serving(fail_with_500) as two:
        config = build_config("second", "nobody")
        manager = ProviderManager(build_settings(second=two), build_acme(one.url, max_retries=0), "m-1", config=config)
        async with manager:
            fault = (await manager.chat_result(HI)).failure()
    assert isinstance(fault, faults.AllFallbacksFailed)
    assert [attempt.outcome for attempt in fault.attempts] == ["ServerFailed", "ServerFailed", "ProviderNotFound"]


async def test_no_more_fallbacks_are_tried_than_allowed_and_none_where_they_are_switched_off() -> None:
    async with serving(fail_with_500) as one, serving(fail_with_500) as two, serving(answer_hello) as three:
        bounded = ProviderManagerConfig(
            enable_health_checks=False, fallback_providers=["second", "third"], max_fallback_attempts=1
        )
        given = build_settings(second=two, third=three)
        async with ProviderManager(given, build_acme(one.url, max_retries=0), "m-1", config=bounded) as manager:
            assert isinstance((await manager.chat_result(HI)).failure(), faults.AllFallbacksFailed)
        off = ProviderManagerConfig(enable_health_checks=False, auto_fallback=False, fallback_providers=["third"])
        async with ProviderManager(given, build_acme(one.url, max_retries=0), "m-1", config=off) as manager:
            assert isinstance((await manager.chat_result(HI)).failure(), faults.ServerFailed)
    assert three.received == []


async def test_calls_that_fail_together_switch_once() -> None:
    async with serving(fail_with_500) as one, serving(answer_hello) as two:
        manager = ProviderManager(
            build_settings(second=two), build_acme(one.url, max_retries=0), "m-1", config=build_config("second")
        )
        async with manager:
            got = await asyncio.gather(*(manager.chat(HI) for _ in range(8)))
            assert len(manager.get_switch_history()) == 1
    assert [response.content for response in got] == ["Hello!"] * 8


async def test_stream_falls_back_before_its_first_chunk_only() -> None:
    async def break_stream(talk: Talk, _: Received) -> None:
        await talk.send_events(build_chunk("Hel"), done=False)

    async with serving(fail_with_500, break_stream) as one, serving(stream_hello) as two:
        given = build_settings(second=two, acme=one)
        async with ProviderManager(
            given, build_acme(one.url, max_retries=0), "m-1", config=build_config("second")
        ) as manager:
            chunks = [piece async for piece in manager.stream(HI)]
            assert "".join(piece.content for piece in chunks) == "Hello"
            assert chunks[-1].metadata is not None
            assert [a["outcome"] for a in chunks[-1].metadata["attempts"]] == ["ServerFailed", "ok"]
            await manager.switch_provider("acme", "m-1")
            results = [result async for result in manager.stream_result(HI)]
            assert manager.provider_name == "acme"
    assert isinstance(results[-1].failure(), faults.StreamTruncated)
    assert len(two.received) == 1


@pytest.mark.usefixtures("no_pauses")
async def test_a_custom_provider_is_retried_before_a_fallback_replaces_it() -> None:
    async with serving(answer_hello) as two:
        Echo.plan = [ConnectionError("nobody there")] * 2
        async with ProviderManager(build_settings(second=two), Echo(), "e-1", config=build_config("second")) as manager:
            assert (await manager.chat(HI)).content == "e-1: Hi"
            Echo.plan = [ConnectionError("nobody there")] * 4
            assert (await manager.chat(HI)).content == "Hello!"
    assert Echo.plan == []


async def test_a_custom_provider_may_raise_anything_and_is_bounded_by_the_timeout() -> None:
    async def sleep_long() -> None:
        await asyncio.sleep(60)

    async with serving(answer_hello, stream_hello) as two:
        config = build_config("second")
        Echo.plan = [ConnectionError("nobody there")]
        async with ProviderManager(build_settings(second=two), Echo(max_retries=0), "e-1", config=config) as manager:
            assert (await manager.chat(HI)).content == "Hello!"
        Echo.plan = [OSError("no route"), sleep_long, None]
        async with ProviderManager(build_settings(second=two), Echo(max_retries=0), "e-1", config=config) as manager:
            assert "".join([piece.content async for piece in manager.stream(HI)]) == "Hello"
            await manager.switch_provider("echo", "e-2")
            late = await manager.chat_result(HI, deadline=0.1)
            assert isinstance(late.failure(), faults.DeadlineExceeded | faults.TimedOut | faults.AllFallbacksFailed)
            await manager.switch_provider("echo", "e-3")
            response = await manager.chat(HI, deadline=2.0, seed=1)
    assert response.metadata is not None
    assert response.metadata["options"] == {"temperature": 0.7, "max_tokens": 4096, "tools": None, "seed": 1}


async def test_one_deadline_over_all() -> None:
    loop = asyncio.get_running_loop()
    async with serving(hold_request) as one, serving(hold_request) as two:
        manager = ProviderManager(
            build_settings(second=two), build_acme(one.url, max_retries=0), "m-1", config=build_config("second")
        )
        async with manager:
            began = loop.time()
            fault = (await manager.chat_result(HI, deadline=0.3)).failure()
    assert isinstance(fault, faults.DeadlineExceeded)
    assert loop.time() - began < 1.0


async def test_switch_checks_the_new_provider_first() -> None:
    async with serving(list_after()) as well, serving(fail_with_500) as ill:
        manager = ProviderManager(build_settings(second=well, third=ill), build_acme(well.url), "m-1")
        async with manager:
            assert not await manager.switch_provider("third")
            assert manager.provider_name == "acme"
            assert await manager.switch_provider("second")
            assert manager.provider_name == "second"
    assert ill.received[0].path == "/v1/models"


async def test_a_switch_to_an_unhealthy_provider_ends_at_the_first_fallback_that_works() -> None:
    async with serving(list_after()) as well, serving(fail_with_500) as ill:
        config = ProviderManagerConfig(fallback_providers=["nobody", "second"])
        async with ProviderManager(
            build_settings(second=well, third=ill), Echo(max_retries=0), "e-1", config=config
        ) as manager:
            assert await manager.switch_provider("third")
            assert manager.provider_name == "second"
            (event,) = manager.get_switch_history()
    assert (event.from_provider, event.to_provider, event.reason) == ("echo", "second", SwitchReason.FALLBACK)


async def test_monitoring_checks_and_falls_back() -> None:
    async with serving(list_after(), fail_with_500) as one, serving(list_after()) as two:
        config = ProviderManagerConfig(health_check_interval=0.02, fallback_providers=["second"])
        async with ProviderManager(build_settings(second=two), build_acme(one.url), "m-1", config=config) as manager:
            switched = asyncio.Event()
            manager.add_switch_callback(lambda _: switched.set())
            await manager.start_health_monitoring()
            await asyncio.wait_for(switched.wait(), 3)
            assert manager.provider_name == "second"
            await manager.stop_health_monitoring()
            (event,) = manager.get_switch_history()
    assert (event.reason, event.metadata["fault"]) == (SwitchReason.FALLBACK, "ServerFailed")


async def test_monitoring_notices_recovery() -> None:
    async with serving(fail_with_500, list_after()) as one:
        config = ProviderManagerConfig(health_check_interval=0.02)
        async with ProviderManager(None, build_acme(one.url), "m-1", config=config) as manager:
            await manager.start_health_monitoring()
            seen: list[bool] = []
            for _ in range(100):
                await asyncio.sleep(0.01)
                seen.append(manager.get_info()["is_healthy"])
                if False in seen and seen[-1]:
                    break
    assert False in seen
    assert seen[-1]


async def test_monitoring_does_not_run_where_checks_are_switched_off() -> None:
    async with serving(answer_hello) as one:
        config = ProviderManagerConfig(enable_health_checks=False, health_check_interval=0.01)
        async with ProviderManager(None, build_acme(one.url), "m-1", config=config) as manager:
            await manager.start_health_monitoring()
            await asyncio.sleep(0.05)
    assert one.received == []


async def test_healthy_providers_are_sorted_by_latency() -> None:
    async with serving(list_after(0.15)) as slow, serving(list_after()) as quick, serving(fail_with_500) as ill:
        config = ProviderManagerConfig(fallback_providers=["second", "third", "nobody"])
        given = build_settings(second=quick, third=ill)
        async with ProviderManager(given, build_acme(slow.url), "m-1", config=config) as manager:
            assert await manager.get_healthy_providers() == ["second", "acme"]


async def test_without_checks_health_is_based_on_calls() -> None:
    async with serving(fail_with_500) as one:
        config = ProviderManagerConfig(enable_health_checks=False, auto_fallback=False, fallback_providers=["echo"])
        async with ProviderManager(None, build_acme(one.url, max_retries=0), "m-1", config=config) as manager:
            assert await manager.get_healthy_providers() == ["acme", "echo"]
            for _ in range(4):
                await manager.chat_result(HI)
            assert await manager.get_healthy_providers() == ["echo"]


async def test_provider_without_a_model_list_is_checked_with_a_chat() -> None:
    assert (await check_provider(Echo(), "e-1")).is_healthy
    Echo.plan = [ConnectionError("nobody there")]
    assert isinstance((await check_provider(Echo(), "e-1")).fault, faults.ConnectionFailed)


async def test_a_provider_whose_targets_all_failed_is_unhealthy() -> None:
    Echo.plan = [error_from(faults.AllFallbacksFailed(message="all 2 targets failed"))]
    assert isinstance((await check_provider(Echo(), "e-1")).fault, faults.AllFallbacksFailed)


async def test_a_check_is_bounded_in_time() -> None:
    async with serving(hold_request) as one, build_acme(one.url) as provider:
        check = await check_provider(provider, "m-1", timeout=0.1)
    assert isinstance(check.fault, faults.TimedOut)
    assert check.seconds < 1.0


async def test_a_server_without_a_list_that_answers_is_healthy() -> None:
    async def refuse_list(talk: Talk, received: Received) -> None:
        if received.path.endswith("/models"):
            await talk.answer(build_error("not here", None, "invalid_request_error"), 404)
        else:
            await talk.answer(build_body())

    async with serving(refuse_list) as one, build_acme(one.url) as provider:
        assert (await check_provider(provider, "m-1")).is_healthy


async def test_info_reports_the_outcome_of_the_last_call() -> None:
    async with serving(fail_with_500, answer_hello, reject_request) as server:
        config = ProviderManagerConfig(enable_health_checks=False, auto_fallback=False)
        async with ProviderManager(build_settings(acme=server), None, "m", "acme", config) as manager:
            assert (manager.get_info()["is_healthy"], manager.get_info()["last_error"]) == (True, None)
            await manager.chat_result(HI)
            info = manager.get_info()
            assert info["is_healthy"] is False
            assert "500" in (info["last_error"] or "")
            await manager.chat_result(HI)
            assert (manager.get_info()["is_healthy"], manager.get_info()["last_error"]) == (True, None)
            await manager.chat_result(HI)  # a request that the vendor rejects is the caller's fault
            assert manager.get_info()["is_healthy"] is True
