"""Steps on a state that many share: each counts once, and a place out of reach stops nobody."""

from __future__ import annotations

import asyncio
import logging
import math

import pytest

from tests.acme import HI
from tests.loopback import serving
from tests.managed_shapes import answers, fails, hangs, managed
from tests.paper import PaperRuntime
from tests.shell.store.places import PaperPlace
from victor_fp.core import faults
from victor_fp.core.resilience.admission import Admission, Arrived, Grant, advance
from victor_fp.core.resilience.breaker import Breaker, BreakerPermit, BreakerPolicy, admit
from victor_fp.core.resilience.cooldown import Cooldown, CooldownPolicy
from victor_fp.core.resilience.queue import Priority, Queue, join
from victor_fp.core.resilience.rate_limit import Limiter, Limits, Permit, take
from victor_fp.shell.store.memory import MemoryStore
from victor_fp.shell.store.packing import CIRCUIT, LIMITS
from victor_fp.shell.store.shared import SharedCell, SharedStore


class Number:
    """A count, packed as its digits."""

    def get_freshness(self, state: int) -> float:
        return 0.0

    def pack(self, state: int) -> bytes:
        return str(state).encode()

    def unpack(self, packed: bytes, mine: int) -> int | None:
        return int(packed) if packed.isdigit() else None


def one_more(count: int, _: float) -> tuple[int, int]:
    return count + 1, count + 1


async def taken(cell: SharedCell[int]) -> int:
    heard: list[int] = []
    await cell.change(one_more, heard.append)
    (answer,) = heard
    return answer


def counter(place: PaperPlace, **options: object) -> tuple[SharedStore, SharedCell[int]]:
    store = SharedStore(place, **options)  # type: ignore[arg-type]  # any options
    return store, store.open_cell("count", 0, Number())


async def test_every_step_counts_once_however_many_take_them() -> None:
    place = PaperPlace()
    cells = [counter(place)[1] for _ in range(5)]
    got = await asyncio.gather(*(taken(cell) for cell in cells for _ in range(20)))
    assert sorted(got) == list(range(1, 101))
    assert place.values["count"] == b"100"
    assert place.conflicts > 0


async def test_a_step_that_changes_nothing_still_sees_what_others_did() -> None:
    place = PaperPlace()
    (_, mine), (_, other) = counter(place), counter(place)
    await taken(mine)
    await taken(other)
    seen: list[int] = []
    await mine.change(lambda count, _: (count, count), seen.append)
    assert (seen, mine.state) == ([2], 2)


async def test_a_cancelled_caller_still_lets_its_step_be_heard() -> None:
    place = PaperPlace()
    store, cell = counter(place)
    heard: list[int] = []
    task = asyncio.create_task(cell.change(one_more, heard.append))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    await store.drain()
    assert (heard, place.values["count"]) == ([1], b"1")


async def test_posted_steps_are_taken_in_their_turn() -> None:
    place = PaperPlace()
    store, cell = counter(place)
    heard: list[int] = []
    for _ in range(5):
        cell.post(one_more, heard.append)
    await store.drain()
    assert heard == [1, 2, 3, 4, 5]


async def test_out_of_reach_each_goes_on_alone_and_what_is_shared_counts_when_it_is_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    runtime, place = PaperRuntime(), PaperPlace()
    (store, mine), (_, other) = counter(place, runtime=runtime), counter(place)
    with caplog.at_level(logging.INFO, "victor_fp"):
        await taken(mine)
        place.gone = True
        assert [await taken(mine), await taken(mine)] == [2, 3]
        asked = place.swaps
        assert await taken(mine) == 4
        assert place.swaps == asked
        place.gone = False
        await taken(other)
        runtime.time += 1.5
        assert await taken(mine) == 3
    assert store.find_refusal() is None
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "the shared store of limits is out of reach",
        "the shared store of limits is back",
    ]


async def test_where_the_place_has_lost_its_state_the_first_to_come_brings_its_copy() -> None:
    place = PaperPlace()
    _, mine = counter(place)
    await taken(mine)
    await taken(mine)
    place.values.clear()
    assert await taken(mine) == 3
    assert place.values["count"] == b"3"


async def test_what_cannot_be_read_counts_as_nothing() -> None:
    place = PaperPlace(values={"count": b"from the future"})
    _, mine = counter(place)
    assert await taken(mine) == 1


async def test_a_silent_place_is_left_after_the_timeout() -> None:
    store, mine = counter(PaperPlace(silent=True), timeout=0.05, on_loss="closed")
    assert await taken(mine) == 1
    assert isinstance(store.find_refusal(), faults.ConnectionFailed)


async def test_the_clock_is_the_places_own() -> None:
    store, mine = counter(PaperPlace(time=5_000_000_000.0))
    assert abs(store.now() - 5_000_000_000.0) > 1e9
    await store.open()
    await taken(mine)
    assert store.now() == pytest.approx(5_000_000_000.0, abs=1.0)


def test_limits_travel_without_settings_and_line() -> None:
    limiter, permit = take(Limiter(limits=Limits(requests_per_minute=5)), 10, 100.0)
    assert isinstance(permit, Permit)
    queue, _ = join(Queue(), 1, Priority.HIGH, 5, 100.0)
    theirs = Admission(limiter=limiter, queue=queue, cooldown=Cooldown(until=170.0))
    mine = Admission(
        limiter=Limiter(limits=Limits(concurrency=1)),
        queue=Queue(provider="mine"),
        cooldown=Cooldown(policy=CooldownPolicy(base=9.0)),
    )
    got = LIMITS.unpack(LIMITS.pack(theirs), mine)
    assert got is not None
    assert (got.limiter.under_way, got.limiter.slots, got.cooldown.until) == ((permit,), limiter.slots, 170.0)
    assert (got.limiter.limits, got.cooldown.policy.base, got.queue.provider) == (Limits(concurrency=1), 9.0, "mine")
    fresh = LIMITS.unpack(LIMITS.pack(Admission()), mine)
    assert fresh is not None
    assert fresh.cooldown.until == -math.inf


def test_breakers_travel_without_their_policy() -> None:
    theirs = Breaker(state="open", since=5.0, total_calls=7)
    mine = Breaker(policy=BreakerPolicy(recovery_timeout=99.0))
    got = CIRCUIT.unpack(CIRCUIT.pack(theirs), mine)
    assert got is not None
    assert (got.state, got.since, got.total_calls, got.policy.recovery_timeout) == ("open", 5.0, 0, 99.0)
    assert CIRCUIT.unpack(b"\xc1", mine) is None
    assert LIMITS.unpack(b"", Admission()) is None


async def test_processes_on_one_key_stay_within_the_limit_together_and_waiters_hear_of_permits_given_back() -> None:
    busy = most = 0

    async def counts(talk: object, received: object) -> None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0.01)
        busy -= 1
        await answers(talk, received)  # type: ignore[arg-type]  # a script

    place = PaperPlace()
    stores = [SharedStore(place, poll=0.01) for _ in range(3)]
    async with serving(counts) as server:
        providers = [await managed(server.url, store=store, rate_limits=Limits(concurrency=2)) for store in stores]
        await asyncio.gather(*(provider.chat(HI) for provider in providers for _ in range(5)))
        stats = [stats for provider in providers if (stats := provider.get_rate_limit_stats()) is not None]
        for provider in providers:
            await provider.shutdown()
    assert (most, len(server.received)) == (2, 15)
    assert len(stats) == 3
    assert max(one["total_requests"] for one in stats) == 15


async def test_a_breaker_opened_by_one_is_open_for_all() -> None:
    place = PaperPlace()
    async with serving(fails) as server:
        one = await managed(server.url, store=SharedStore(place), max_retries=0)
        two = await managed(server.url, store=SharedStore(place), max_retries=0)
        for _ in range(5):
            await one.chat_result(HI)
        assert isinstance((await two.chat_result(HI)).failure(), faults.CircuitOpen)
        await one.shutdown()
        await two.shutdown()
    assert len(server.received) == 5


async def test_a_process_without_a_breaker_leaves_the_others_breaker_alone() -> None:
    place = PaperPlace()
    async with serving(fails) as server:
        one = await managed(server.url, store=SharedStore(place), max_retries=0)
        plain = await managed(server.url, store=SharedStore(place), enable_resilience=False)
        for _ in range(5):
            await one.chat_result(HI)
        await plain.chat_result(HI)
        assert isinstance((await one.chat_result(HI)).failure(), faults.CircuitOpen)
        await one.shutdown()
        await plain.shutdown()


@pytest.mark.parametrize("on_loss", ["open", "closed"])
async def test_a_store_that_is_gone_is_a_choice_and_no_exception(on_loss: str) -> None:
    place = PaperPlace(gone=True)
    store = SharedStore(place, on_loss=on_loss, timeout=0.1)  # type: ignore[arg-type]  # one of the two
    async with serving(answers) as server:
        async with await managed(server.url, store=store, rate_limits=Limits(concurrency=1)) as provider:
            got = [await provider.chat_result(HI) for _ in range(3)]
            await store.drain()
            stats = provider.get_rate_limit_stats()
    assert stats is not None
    assert stats["in_flight"] == 0
    if on_loss == "open":
        assert [result.unwrap().content for result in got] == ["Hello!"] * 3
    else:
        assert {type(result.failure()).__name__ for result in got} == {"ConnectionFailed"}
        assert server.received == []


async def test_cancelled_calls_lose_no_permit_in_a_shared_store() -> None:
    place = PaperPlace()
    store = SharedStore(place, poll=0.01)
    async with serving(hangs) as server:
        async with await managed(server.url, store=store, rate_limits=Limits(concurrency=3)) as provider:
            for turns in range(40):
                task = asyncio.create_task(provider.chat_result(HI))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
            await store.drain()
            stats, circuit = provider.get_rate_limit_stats(), provider.get_circuit_breaker_stats()
    assert stats is not None
    assert (stats["in_flight"], stats["waiting"]) == (0, 0)
    assert circuit is not None
    assert circuit["total_failures"] == 0


def test_a_shared_store_serves_two_event_loops_one_after_the_other() -> None:
    place = PaperPlace()
    _, cell = counter(place)

    async def many() -> list[int]:
        return await asyncio.gather(*(taken(cell) for _ in range(5)))

    assert sorted(asyncio.run(many()) + asyncio.run(many())) == list(range(1, 11))


async def test_memory_takes_steps_at_once() -> None:
    store = MemoryStore(PaperRuntime())
    cell = store.open_cell("count", 0, Number())
    heard: list[int] = []
    cell.post(one_more, heard.append)
    await cell.change(one_more, heard.append)
    assert (heard, store.open_cell("count", 0, Number()).state, store.now()) == ([1, 2], 2, 1000.0)


@pytest.mark.parametrize("value", [b"\x01", b"garbage", b"\xc1", b"\x91" * 200_000 + b"\x01"])
async def test_a_damaged_value_counts_as_absent(value: bytes) -> None:
    place = PaperPlace(values={"count": value})
    _, mine = counter(place)
    assert [await taken(mine), await taken(mine)] == [1, 2]
    assert place.values["count"] == b"2"


def test_a_deeply_nested_value_is_not_read() -> None:
    for packing, state in ((LIMITS, Admission()), (CIRCUIT, Breaker())):
        whole = packing.pack(state)  # type: ignore[arg-type]  # each with its own state
        deep = bytes([0x90 | ((whole[0] & 0x0F) + 1)]) + whole[1:] + b"\x91" * 200_000 + b"\x01"
        assert packing.unpack(deep, state) is None  # type: ignore[arg-type]  # each with its own state
        assert packing.unpack(b"\x00" * (5 * 2**20), state) is None  # type: ignore[arg-type]  # each with its own state


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_number_that_no_state_holds_is_not_read(number: float) -> None:
    assert CIRCUIT.unpack(CIRCUIT.pack(Breaker(state="open", since=number)), Breaker()) is None
    assert LIMITS.unpack(LIMITS.pack(Admission(cooldown=Cooldown(until=number))), Admission()) is None


def test_a_time_that_is_too_far_ahead_is_not_waited_for() -> None:
    held = Admission(limiter=Limiter(held_until=1e300), cooldown=Cooldown(until=1e300))
    got = LIMITS.unpack(LIMITS.pack(held), Admission())
    assert got is not None
    _, (order,) = advance(got, Arrived(ticket=1, deadline=5e9), 4e9)
    assert isinstance(order, Grant)
    opened = CIRCUIT.unpack(CIRCUIT.pack(Breaker(state="open", since=1e300)), Breaker())
    assert opened is not None
    assert isinstance(admit(opened, 4e9)[1], BreakerPermit)
