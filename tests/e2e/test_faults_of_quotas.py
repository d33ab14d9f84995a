"""Ten vendors' quotas of requests, tokens and context, with their real waits, and the verdict on the client."""

from __future__ import annotations

import asyncio
import time

from tests.e2e.faulty_vendors import REPLY, Case, Servers, on_every_vendor, run_scenario
from victor_fp.core.faults import ContextLengthExceeded, RateLimited

MINUTE = 60.0
LONG = 90.0
"""Seconds: a deadline that leaves room for a minute's wait."""


async def test_a_limit_of_one_request_per_minute_is_waited_for(fault_servers: Servers) -> None:
    """The only test here that needs a minute; calls and streams, plain and managed, of all vendors wait concurrently."""

    async def check_case(case: Case) -> None:
        case.faults.limits(rpm=1)

        async def call_twice(key: str, *, stream: bool) -> None:
            async with case.open_another(key=key) as provider:
                own = Case(**{**vars(case), "provider": provider})
                ask = own.check_whole_stream if stream else own.check_answer
                await ask()
                began = time.monotonic()
                await ask(deadline=LONG)
                assert MINUTE - 2 < time.monotonic() - began < MINUTE + 10

        await asyncio.gather(call_twice("key-1", stream=False), call_twice("key-2", stream=True))
        await case.check_requests()
        assert len((await case.get_verdict()).calls) == 4

    await run_scenario(check_case, fault_servers)


@on_every_vendor
async def test_a_temporary_token_limit_is_waited_for(case: Case) -> None:
    """Each call books a little over 4096 tokens, its own bound, so that the second lacks some forty to two hundred."""
    case.faults.limits(tpm=8150)
    await case.check_answer()
    began = time.monotonic()
    await case.check_answer()
    assert 0.3 < time.monotonic() - began < 4
    await case.check_requests(requests=3)


@on_every_vendor
async def test_a_temporary_token_limit_is_waited_for_before_a_stream(case: Case) -> None:
    case.faults.limits(tpm=8150)
    await case.check_whole_stream()
    began = time.monotonic()
    await case.check_whole_stream()
    assert 0.3 < time.monotonic() - began < 4
    await case.check_requests(requests=3)


@on_every_vendor
async def test_a_quota_with_a_wait_past_the_deadline_is_reported(case: Case) -> None:
    """A plain provider gets the error from the server, and the verdict warns that it gave up: the caller's deadline requires that.
    A managed one knows from the headers before, and does not send."""
    case.faults.limits(rpm=1)
    await case.check_answer()
    began = time.monotonic()
    fault = await case.get_answer(deadline=6.0)
    assert time.monotonic() - began < 4, "reported at once"
    verdict = await case.get_verdict()
    assert isinstance(fault, RateLimited), fault
    assert fault.retry_after is not None
    assert MINUTE - 5 < fault.retry_after < MINUTE + 5
    if case.manner == "managed":
        verdict.assert_ok(strict=True)
        assert verdict.attempts == 1
    else:
        assert [finding.code for finding in verdict.findings] == ["gave_up"]


@on_every_vendor
async def test_a_request_larger_than_the_token_limit_per_minute_is_reported(case: Case) -> None:
    """It will never be let through, but a rate limit is all that the vendor says."""
    case.faults.limits(tpm=1000)
    fault = await case.get_answer(deadline=1.0)
    assert isinstance(fault, RateLimited), fault
    assert [finding.code for finding in (await case.get_verdict()).findings] == ["gave_up"]


@on_every_vendor
async def test_a_context_window_that_is_too_small_is_reported_and_not_retried(case: Case) -> None:
    case.faults.limits(context_window=1)
    fault = await case.get_answer()
    assert isinstance(fault, ContextLengthExceeded), fault
    _, end = await case.read_stream()
    assert isinstance(end, ContextLengthExceeded), end
    await case.check_requests(requests=2)
    case.faults.reset().reply(REPLY).limits(context_window=100)
    await case.check_answer()
