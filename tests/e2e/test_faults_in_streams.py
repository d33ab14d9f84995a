"""Streams of ten vendors cut, split, malformed and stalled at every event, and the verdict on the client: no FAIL, no WARN."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from returns.result import Failure, Success

from tests.e2e.faulty_vendors import MANNERS, REPLY, Case, Manner, Servers, on_every_vendor, read_stream, run_scenario
from victor_fp.core.faults import Fault, InvalidResponse, StreamInterrupted, StreamTruncated, TimedOut
from victor_fp.core.result import outcome
from victor_fp.providers.base import Message, StreamChunk

if TYPE_CHECKING:
    from llmock.scenarios import StreamFaultKind

KINDS: dict[StreamFaultKind, type[Fault]] = {
    "truncate": StreamTruncated,
    "disconnect": StreamInterrupted,
    "malformed": InvalidResponse,
    "stall": TimedOut,
}
JUDGED: dict[StreamFaultKind, dict[str, int]] = {
    "truncate": {"truncated_stream_accepted": 1},
    "disconnect": {"gave_up": 1},
    "malformed": {"malformed_chunk_ignored": 1},
    "stall": {},
}
"""The verdict on a stream that was cut at any position and not retried."""
REST = 0.7
"""Seconds a caller rests before it asks again: longer than the provider's own first rest, for a rest must grow."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("manner", MANNERS)
async def test_a_fault_at_any_event_is_retried_or_reported(
    kind: StreamFaultKind, manner: Manner, fault_servers: Servers
) -> None:
    """Before the first chunk the provider retries; after it the caller gets a fault, waits, and calls again."""
    from llmock.scenarios import Match, StreamFault

    async def check_case(case: Case) -> None:
        events = await count_events(case)
        last = events - case.vendor.coda
        if kind == "malformed":  # at the second event after, the server notices that its client has hung up
            last = events - 2
            case.faults.pace(200)

        async def check_fault_at(at: int) -> None:
            model = f"{case.vendor.model}-{at}"
            case.faults.add(StreamFault(kind, after_chunks=at, stall_seconds=20, match=Match(model=model)))
            async with case.open_another() as provider:
                text, end = await read_stream(provider, model, timeout=1.0)
                if at <= case.vendor.lead:
                    assert isinstance(end, StreamChunk), (at, end)
                if not isinstance(end, StreamChunk):
                    assert isinstance(end, KINDS[kind]), (at, end)
                    assert REPLY.startswith(text)
                    assert text
                    assert end.partial is not None
                    assert end.partial.content == text
                    await asyncio.sleep(REST)
                    text, end = await read_stream(provider, model)
                assert (text, isinstance(end, StreamChunk)) == (REPLY, True), (at, text, end)

        await asyncio.gather(*map(check_fault_at, range(last)))
        await case.check_requests(requests=2 * last)

    await run_scenario(check_case, fault_servers, [manner])


@pytest.mark.parametrize("kind", ["truncate", "disconnect", "stall"])
async def test_a_response_is_complete_once_its_stop_reason_has_arrived(
    kind: StreamFaultKind, fault_servers: Servers
) -> None:
    """Some servers send no [DONE]. The judge does not look at the reason, so it finds fault with this alone."""
    from llmock.scenarios import StreamFault

    async def check_case(case: Case) -> None:
        events = await count_events(case)
        for at in range(events - case.vendor.coda, events):
            case.faults.reset().reply(REPLY).add(StreamFault(kind, after_chunks=at, stall_seconds=20))
            await case.check_whole_stream()
            findings = Counter(finding.code for finding in (await case.get_verdict()).findings)
            assert findings == JUDGED[kind], (at, findings)

    await run_scenario(check_case, fault_servers)


@on_every_vendor
async def test_a_malformed_last_event_is_reported(case: Case) -> None:
    """The server has then sent everything and cannot see whether anybody minds, so the judge warns whatever is done."""
    events = await count_events(case)
    case.faults.reset().pace(30).reply(REPLY).corrupt(after_chunks=events - 1)
    text, end = await case.read_stream()
    if isinstance(end, StreamChunk):
        assert text == REPLY
    else:
        assert isinstance(end, InvalidResponse), end
        assert REPLY.startswith(text)
    assert Counter(finding.code for finding in (await case.get_verdict()).findings) == JUDGED["malformed"]


async def count_events(case: Case) -> int:
    """How many events a complete stream has; the request is removed from the server's log."""
    await case.check_whole_stream()
    events: int = (await asyncio.to_thread(lambda: case.faults.last_request)).chunks_sent
    case.faults.reset().reply(REPLY, times=None).pace(50)
    return events


@pytest.mark.parametrize("kind", KINDS)
async def test_a_fault_at_a_random_event_of_every_stream_is_reported(
    kind: StreamFaultKind, fault_servers: Servers
) -> None:
    from llmock.chaos import StreamChaos

    async def check_case(case: Case) -> None:
        case.server.state.stream_chaos = StreamChaos(((kind, 1.0),), stall_seconds=20, chunk_delay_ms=30)
        text, end = await case.read_stream(timeout=1.0, deadline=12.0)
        assert isinstance(end, KINDS[kind]), end
        assert REPLY.startswith(text)
        case.server.state.stream_chaos = StreamChaos(chunk_delay_ms=10)
        await asyncio.sleep(REST)
        await case.check_whole_stream()
        await case.check_requests()

    await run_scenario(check_case, fault_servers)


@pytest.mark.parametrize("kind", KINDS)
async def test_faults_before_the_first_chunk_end_after_a_few_attempts(
    kind: StreamFaultKind, fault_servers: Servers
) -> None:
    """The verdict requires a retry for every cut or malformed stream; it has no other findings."""
    from llmock.scenarios import StreamFault

    async def check_case(case: Case) -> None:
        case.faults.pace(30).add(StreamFault(kind, after_chunks=case.vendor.lead, stall_seconds=20, times=None))
        text, end = await case.read_stream(timeout=1.0, deadline=12.0)
        assert text == ""
        assert isinstance(end, KINDS[kind]), end
        tries = 2 if kind == "malformed" else 4
        verdict = await case.get_verdict()
        assert len(end.attempts) == verdict.attempts == tries, end
        assert Counter(finding.code for finding in verdict.findings) == (
            JUDGED[kind] if kind in ("truncate", "malformed") else {}
        )

    await run_scenario(check_case, fault_servers)


@on_every_vendor
async def test_a_stall_in_the_middle_times_out(case: Case) -> None:
    case.faults.stall(after_chunks=case.vendor.lead + 2, seconds=20)
    began = time.monotonic()
    text, end = await case.read_stream(timeout=0.5)
    assert isinstance(end, TimedOut), end
    assert end.phase == "stream"
    assert time.monotonic() - began < 3
    assert 0 < len(text) < len(REPLY)
    await asyncio.sleep(REST)
    await case.check_whole_stream()
    await case.check_requests(requests=2)


@on_every_vendor
async def test_a_started_stream_is_not_restarted(case: Case) -> None:
    case.faults.truncate(after_chunks=case.vendor.lead + 3)
    _, end = await case.read_stream()
    assert isinstance(end, StreamTruncated), end
    assert len(end.attempts) == (await case.get_verdict()).attempts == 1


@on_every_vendor
async def test_a_slow_first_token_is_waited_for_within_the_timeout(case: Case) -> None:
    case.faults.slow_first_token(0.6)
    await case.check_whole_stream()
    await case.check_requests(requests=1)


@on_every_vendor
async def test_a_first_token_slower_than_the_timeout_is_retried(case: Case) -> None:
    case.faults.slow_first_token(20)
    await case.check_whole_stream(timeout=1.0)
    await case.check_requests(requests=2)


@on_every_vendor
async def test_a_caller_who_leaves_closes_the_stream(case: Case) -> None:
    case.faults.pace(100)
    asked = [Message(role="user", content="Count to ten, slowly.")]
    async for result in case.provider.stream_result(asked, model=case.vendor.model):
        match outcome(result):
            case Success(chunk) if chunk.content:
                break
            case Success():
                pass
            case Failure(fault):
                raise AssertionError(fault)
    verdict = await case.get_verdict()
    assert [attempt.completed for call in verdict.calls for attempt in call.attempts] == [False]
    verdict.assert_ok(strict=True)
