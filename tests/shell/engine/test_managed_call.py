"""Managed calls over real HTTP on loopback: retries, fallbacks, limits, one deadline, and the log of attempts."""

from __future__ import annotations

import asyncio

import pytest
from returns.result import Success

from tests.acme import HI
from tests.fake_runtime import FakeRuntime
from tests.loopback import serving
from tests.managed_shapes import (
    answer_hello,
    answer_with,
    build_fallback,
    create_managed,
    fail_with_500,
    hold_request,
    limit_rate,
    reject_request,
)
from victor_fp.core import faults
from victor_fp.core.resilience.fallback import FallbackPolicy
from victor_fp.core.types import Message


async def test_a_call_uses_the_configured_model() -> None:
    async with serving(answer_hello) as server, await create_managed(server.url) as provider:
        response = await provider.chat(HI)
    assert (response.content, server.received[0].json()["model"]) == ("Hello!", "m-1")
    assert "attempts" not in (response.metadata or {})


async def test_a_model_named_in_the_call_wins() -> None:
    async with serving(answer_hello) as server, await create_managed(server.url) as provider:
        await provider.chat(HI, model="m-9")
    assert server.received[0].json()["model"] == "m-9"


async def test_a_failure_is_retried_by_one_owner() -> None:
    runtime = FakeRuntime()
    async with serving(fail_with_500) as server, await create_managed(server.url, runtime=runtime) as provider:
        result = await provider.chat_result(HI)
    fault = result.failure()
    assert isinstance(fault, faults.ServerFailed)
    assert (len(server.received), len(fault.attempts), len(runtime.slept)) == (4, 4, 3)


async def test_fallback_uses_its_own_model_key_and_options() -> None:
    async with serving(fail_with_500) as one, serving(answer_with("from two")) as two:
        fallback = build_fallback(two.url, options={"seed": 7})
        async with await create_managed(one.url, fallback_configs=[fallback], max_retries=0) as provider:
            response = await provider.chat(HI, model="m-special", seed=1)
            stats = provider.get_resilience_stats()
    assert response.content == "from two"
    assert one.received[0].json()["model"] == "m-special"
    assert (two.received[0].json()["model"], two.received[0].json()["seed"]) == ("m-2", 7)
    assert two.received[0].headers["authorization"] == "Bearer sk-canary-fallback-42"
    assert response.metadata is not None
    reported = [(a["model"], a["outcome"], a["status"]) for a in response.metadata["attempts"]]
    assert reported == [("m-special", "ServerFailed", 500), ("m-2", "ok", 200)]
    assert stats is not None
    assert (stats["primary_successes"], stats["fallback_successes"]) == (0, 1)


async def test_fault_after_all_targets_failed_has_all_attempts() -> None:
    async with serving(fail_with_500) as one, serving(limit_rate) as two:
        async with await create_managed(
            one.url, fallback_configs=[build_fallback(two.url, extra_kwargs={"max_retries": 0})], max_retries=0
        ) as provider:
            fault = (await provider.chat_result(HI)).failure()
    assert isinstance(fault, faults.AllFallbacksFailed)
    assert [(a.model, a.outcome) for a in fault.attempts] == [("m-1", "ServerFailed"), ("m-2", "RateLimited")]
    assert (fault.last, fault.retry_after) == ("RateLimited", 7.0)


async def test_client_error_does_not_fall_back() -> None:
    async with serving(reject_request) as one, serving(answer_hello) as two:
        async with await create_managed(one.url, fallback_configs=[build_fallback(two.url)]) as provider:
            fault = (await provider.chat_result(HI)).failure()
    assert isinstance(fault, faults.InvalidRequest)
    assert two.received == []


async def test_the_policy_decides_which_faults_fall_back() -> None:
    async with serving(fail_with_500) as one, serving(answer_hello) as two:
        never = FallbackPolicy(moves_on=frozenset())
        async with await create_managed(
            one.url, max_retries=0, fallback_configs=[build_fallback(two.url)], fallback_policy=never
        ) as provider:
            assert isinstance((await provider.chat_result(HI)).failure(), faults.ServerFailed)
    assert two.received == []


async def test_an_open_breaker_falls_back_at_once_and_each_target_has_its_own() -> None:
    async with serving(fail_with_500) as one, serving(answer_hello) as two:
        async with await create_managed(one.url, fallback_configs=[build_fallback(two.url)], max_retries=0) as provider:
            for _ in range(8):
                await provider.chat(HI)
            assert provider.is_circuit_open()
            assert provider.is_healthy()
            stats = provider.get_resilience_stats()
    assert (len(one.received), len(two.received)) == (5, 8)
    assert stats is not None
    primary, other = stats["primary_circuit"], stats["fallback_circuits"]["acme:m-2"]
    assert primary is not None
    assert other is not None
    assert (primary["state"], other["state"]) == ("open", "closed")


async def test_an_unresponsive_target_leaves_the_next_one_its_share_of_the_deadline() -> None:
    async with serving(hold_request) as one, serving(answer_with("from two")) as two:
        async with await create_managed(one.url, fallback_configs=[build_fallback(two.url)]) as provider:
            response = await provider.chat(HI, deadline=1.0)
    assert response.content == "from two"


async def test_one_deadline_holds_for_everything() -> None:
    loop = asyncio.get_running_loop()
    async with serving(hold_request) as one, serving(hold_request) as two:
        async with await create_managed(one.url, fallback_configs=[build_fallback(two.url)]) as provider:
            began = loop.time()
            fault = (await provider.chat_result(HI, deadline=0.6)).failure()
    assert isinstance(fault, faults.DeadlineExceeded)
    assert loop.time() - began < 1.0


async def test_everything_can_be_switched_off() -> None:
    async with (
        serving(fail_with_500) as server,
        await create_managed(
            server.url, enable_resilience=False, enable_rate_limiting=False, enable_metrics=False
        ) as provider,
    ):
        assert isinstance((await provider.chat_result(HI)).failure(), faults.ServerFailed)
        assert provider.get_metrics() is None
        assert provider.get_resilience_stats() is None
        assert provider.get_rate_limit_stats() is None
        assert provider.get_circuit_breaker_stats() is None
    assert len(server.received) == 1


async def test_a_missing_key_falls_back() -> None:
    runtime = FakeRuntime()
    async with serving(answer_hello) as two:
        async with await create_managed(
            "http://127.0.0.1:9", api_key=None, runtime=runtime, fallback_configs=[build_fallback(two.url)]
        ) as provider:
            response = await provider.chat(HI)
    assert response.metadata is not None
    assert [a["outcome"] for a in response.metadata["attempts"]] == ["CredentialMissing", "ok"]


async def test_invalid_conversation_is_a_fault_and_uses_no_permit() -> None:
    async with serving(answer_hello) as server, await create_managed(server.url) as provider:
        fault = (await provider.chat_result([Message(role="tool", tool_call_id="x", content="?")])).failure()
        stats = provider.get_rate_limit_stats()
    assert isinstance(fault, faults.InvalidRequest)
    assert stats is not None
    assert stats["total_requests"] == 0


@pytest.mark.usefixtures("no_pauses")
def test_one_provider_serves_two_event_loops_one_after_the_other() -> None:
    async def call_once(provider: object = None) -> object:
        async with serving(answer_hello) as server:
            made = await create_managed(server.url)
            assert isinstance(await made.chat_result(HI), Success)
            return made

    provider = asyncio.run(call_once())

    async def call_again() -> None:
        fault = (await provider.chat_result(HI, deadline=1.0)).failure()  # type: ignore[attr-defined]  # a provider
        assert isinstance(fault, faults.ConnectionFailed | faults.DeadlineExceeded)
        await provider.shutdown()  # type: ignore[attr-defined]  # a provider

    asyncio.run(call_again())
