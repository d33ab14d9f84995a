"""Errors, delays and outages of ten vendors, and the verdict on the client: no FAIL, no WARN."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable

import pytest

from tests.e2e.faulty_vendors import (
    MANNERS,
    REPLY,
    VENDORS,
    Case,
    Manner,
    Servers,
    get_answer,
    on_every_vendor,
    open_case,
    read_stream,
)
from victor_fp.core.faults import (
    AuthRejected,
    ContextLengthExceeded,
    Fault,
    FaultBase,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    PermissionRefused,
    QuotaExhausted,
    ServerFailed,
)
from victor_fp.providers.base import CompletionResponse, StreamChunk

EVERY_STATUS = range(400, 600)
NAMED = (400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 501, 502, 503, 504, 529)
"""Statuses for which the server has bodies of each vendor's own."""
NAMELESS = (405, 418, 451, 499, 505, 520, 599)
PASSING = frozenset({408, 409, 425, 429, *range(500, 600)})
MEANINGS: dict[int, type[Fault]] = {401: AuthRejected, 403: PermissionRefused, 404: ModelNotFound}


@on_every_vendor
async def test_without_faults(case: Case) -> None:
    await case.check_answer()
    await case.check_whole_stream()
    await case.check_requests(requests=2)


@on_every_vendor
async def test_retry_after_of_a_rate_limit_is_honoured(case: Case) -> None:
    case.faults.rate_limit(times=2, retry_after=0.4)
    began = time.monotonic()
    await case.check_answer()
    assert time.monotonic() - began >= 0.8
    case.faults.rate_limit(times=1, retry_after=0.4)
    await case.check_whole_stream()
    await case.check_requests(requests=5)


@on_every_vendor
async def test_retry_after_of_other_errors_is_honoured(case: Case) -> None:
    for status in (408, 409, 500, 503, 529):
        case.faults.fail(status, retry_after=0.7)
        began = time.monotonic()
        await case.check_answer()
        assert time.monotonic() - began >= 0.7
    case.faults.fail(400, retry_after=0.1)
    assert isinstance(await case.get_answer(), InvalidRequest)
    await case.check_requests(requests=11)


@on_every_vendor
async def test_every_status_once_is_retried_or_reported(case: Case) -> None:
    await check_statuses(case, EVERY_STATUS, stream=False)


@on_every_vendor
async def test_every_status_before_a_stream_is_retried_or_reported(case: Case) -> None:
    await check_statuses(case, (*NAMED, *NAMELESS), stream=True)


async def check_statuses(case: Case, statuses: Iterable[int], *, stream: bool) -> None:
    """Each status has its own provider and model, so that all of them can be called concurrently."""
    from llmock.scenarios import Fail, Match

    few = asyncio.Semaphore(16)

    async def check_status(status: int) -> None:
        model = f"{case.vendor.model}-{status}"
        case.faults.add(Fail(status, match=Match(model=model)))
        async with few, case.open_another(timeout=20) as provider:
            end = (await read_stream(provider, model))[1] if stream else await get_answer(provider, model)
        if status in PASSING:
            assert isinstance(end, CompletionResponse | StreamChunk), (status, end)
        else:
            assert isinstance(end, FaultBase), (status, end)
            assert isinstance(end, MEANINGS.get(status, FaultBase)), (status, end)
            assert (end.status, len(end.attempts)) == (status, 1), end

    ended = await asyncio.gather(*map(check_status, statuses), return_exceptions=True)
    assert [error for error in ended if error] == []
    await case.check_requests(requests=sum(1 + (status in PASSING) for status in statuses))


def count_attempts(status: int) -> int:
    """How often a call is sent if each response has this status."""
    return 4 if status in PASSING else 1


@on_every_vendor
async def test_an_outage_with_any_status_ends_in_a_fault_after_a_few_attempts(case: Case) -> None:
    async def check_status(status: int) -> None:
        headers = {"x-llmock-force-status": str(status)}
        async with case.open_another() as provider:
            fault = await get_answer(provider, f"{case.vendor.model}-{status}", extra_headers=headers)
        assert isinstance(fault, FaultBase), (status, fault)
        assert (fault.status, len(fault.attempts)) == (status, count_attempts(status)), fault

    statuses = (*NAMED, *NAMELESS)
    await asyncio.gather(*map(check_status, statuses))
    await case.check_requests(requests=sum(map(count_attempts, statuses)))


@on_every_vendor
async def test_an_outage_is_reported_with_its_attempts(case: Case) -> None:
    case.faults.outage()
    async with case.open_another() as provider:  # the first one's breaker counts
        fault, (text, end) = await asyncio.gather(case.get_answer(), read_stream(provider, case.vendor.model))
    assert isinstance(fault, Overloaded | ServerFailed), fault
    assert fault.status == 503
    assert (text, isinstance(end, Overloaded | ServerFailed)) == ("", True), end
    assert isinstance(end, FaultBase)
    assert len(fault.attempts) == len(end.attempts) == 4
    await case.check_requests(requests=8)


@on_every_vendor
async def test_a_context_overflow_is_reported_and_not_retried(case: Case) -> None:
    case.faults.context_overflow(times=2)
    fault = await case.get_answer()
    assert isinstance(fault, ContextLengthExceeded), fault
    _, end = await case.read_stream()
    assert isinstance(end, ContextLengthExceeded), end
    await case.check_requests(requests=2)


@on_every_vendor
async def test_an_exhausted_quota_is_not_retried(case: Case) -> None:
    """A 429 by number only: the judge, who reads no words, would have it tried again."""
    case.faults.fail(429, code="insufficient_quota", message="You exceeded your current quota.", retry_after=0.1)
    fault = await case.get_answer()
    if isinstance(fault, QuotaExhausted):
        assert Counter(finding.code for finding in (await case.get_verdict()).findings) == {"gave_up": 1}
    else:
        assert isinstance(fault, CompletionResponse), fault
        await case.check_requests(requests=2)


@on_every_vendor
async def test_a_body_that_the_server_rejects_is_reported(case: Case) -> None:
    prompt = "contents" if case.vendor.provider == "google" else "messages"
    fault = await case.get_answer(extra_body={prompt: 5})
    assert isinstance(fault, InvalidRequest), fault
    assert fault.status == 422
    await case.check_requests(requests=1)


@on_every_vendor
async def test_a_delay_within_the_timeout_is_waited_for(case: Case) -> None:
    case.faults.delay(0.3, times=2)
    await case.check_answer()
    await case.check_whole_stream()
    await case.check_requests(requests=2)


@on_every_vendor
async def test_a_delay_beyond_the_timeout_is_a_timeout(case: Case) -> None:
    case.faults.delay(1.5)
    began = time.monotonic()
    await case.check_answer(timeout=0.7)
    assert time.monotonic() - began < 1.5
    case.faults.delay(1.5)
    await case.check_whole_stream(timeout=0.7)
    await asyncio.sleep(1.0)  # the server waits out its delay and then finds the client gone
    await case.check_requests(requests=4)


@on_every_vendor
async def test_random_errors_and_latency_are_retried_or_reported(case: Case) -> None:
    from llmock.chaos import ChaosSettings

    case.server.state.chaos = ChaosSettings(latency_ms=20, error_rates={429: 0.1, 500: 0.1, 503: 0.1})

    async def call_once(number: int) -> None:
        model = f"{case.vendor.model}-{number}"
        async with case.open_another() as provider:
            end = (await read_stream(provider, model))[1] if number % 2 else await get_answer(provider, model)
        if isinstance(end, FaultBase):
            assert (end.status in PASSING, len(end.attempts)) == (True, 4), end

    await asyncio.gather(*map(call_once, range(12)))
    await case.check_requests(has_many_retries=True)


@on_every_vendor
async def test_a_response_cut_short_by_the_vendor_is_reported(case: Case) -> None:
    """Nothing to try again: the model stopped for a reason."""
    from llmock.scenarios import Reply

    reasons = {"length": {"length"}, "content_filter": {"content_filter", "refusal"}}
    if case.vendor.provider == "cohere":
        del reasons["content_filter"]  # played as a generation that failed
    for finish, meanings in reasons.items():
        case.faults.reset().add(Reply(text=REPLY, finish_reason=finish, times=2)).pace(10)
        answer = await case.get_answer()
        assert isinstance(answer, CompletionResponse), answer
        text, end = await case.read_stream()
        assert isinstance(end, StreamChunk), end
        assert answer.content == text == REPLY
        assert {answer.stop_reason, end.stop_reason} <= meanings
        await case.check_requests(requests=2)


@pytest.mark.parametrize("manner", MANNERS)
async def test_a_failed_generation_is_retried_or_reported(manner: Manner, fault_servers: Servers) -> None:
    """Cohere has a finish reason for it. Whole answers are thrown away, streamed ones have reached the caller."""
    from llmock.scenarios import Reply

    (cohere,) = (vendor for vendor in VENDORS if vendor.provider == "cohere")
    failed = Reply(text="one two", finish_reason="content_filter")
    async with open_case(cohere, manner, fault_servers[manner, "cohere"]) as case:
        case.faults.reset().add(failed).reply(REPLY)
        await case.check_answer()
        case.faults.add(failed)
        text, end = await case.read_stream()
        assert (text, type(end)) == ("one two", ServerFailed)
        await case.check_requests(requests=3)


@on_every_vendor
async def test_an_unknown_path_is_reported(case: Case) -> None:
    async with case.open_another(path="/nowhere") as provider:
        fault = await get_answer(provider, case.vendor.model)
    assert isinstance(fault, FaultBase), fault
    assert fault.status == 404
    await case.check_requests(requests=1)
