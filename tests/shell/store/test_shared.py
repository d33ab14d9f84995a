"""Steps on shared states: each is applied once, and an unreachable server does not stop calls."""

from __future__ import annotations

import asyncio
import logging
import math

import pytest

from tests.acme import HI
from tests.fake_runtime import FakeRuntime
from tests.loopback import serving
from tests.managed_shapes import answer_hello, create_managed, fail_with_500, hold_request
from tests.shell.store.state_server import FakeStateServer
from victor_fp.core import faults
from victor_fp.core.resilience.admission import Admission, Arrived, Woken, advance
from victor_fp.core.resilience.breaker import Breaker, BreakerPermit, BreakerPolicy, admit
from victor_fp.core.resilience.rate_limit import Limiter, Limits
from victor_fp.shell.store.memory import MemoryStore
from victor_fp.shell.store.packing import CIRCUIT
from victor_fp.shell.store.shared import SharedCell, SharedStore, Swapped


class Number:
    """A count, packed as its digits."""

    def get_freshness(self, state: int) -> float:
        return 0.0

    def pack(self, state: int) -> bytes:
        return str(state).encode()

    def unpack(self, packed: bytes, mine: int) -> int | None:
        return int(packed) if packed.isdigit() else None

    def merge_changes(self, shared: int, base: int, mine: int) -> int:
        return shared


def add_one(count: int, _: None, __: float) -> tuple[int, int]:
    return count + 1, count + 1


async def take_one(cell: SharedCell[int]) -> int:
    notified: list[int] = []
    await cell.change(add_one, None, notified.append)
    (answer,) = notified
    return answer


def make_counter(server: FakeStateServer, **options: object) -> tuple[SharedStore, SharedCell[int]]:
    store = SharedStore(server, **options)  # type: ignore[arg-type]  # any options
    return store, store.open_cell("count", 0, Number())


async def test_concurrent_steps_are_applied_once_each() -> None:
    states = FakeStateServer()
    cells = [make_counter(states)[1] for _ in range(5)]
    got = await asyncio.gather(*(take_one(cell) for cell in cells for _ in range(20)))
    assert sorted(got) == list(range(1, 101))
    assert states.values["count"] == b"100"
    assert states.conflicts > 0


async def test_a_step_without_changes_reads_the_changes_of_others() -> None:
    states = FakeStateServer()
    (_, mine), (_, other) = make_counter(states), make_counter(states)
    await take_one(mine)
    await take_one(other)
    seen: list[int] = []
    await mine.change(lambda count, _, __: (count, count), None, seen.append)
    assert (seen, mine.state) == ([2], 2)


async def test_processes_that_start_together_do_not_write_the_initial_state() -> None:
    states = FakeStateServer()
    cells = [make_counter(states)[1] for _ in range(5)]
    seen: list[int] = []
    await asyncio.gather(*(cell.change(lambda count, _, __: (count, count), None, seen.append) for cell in cells))
    assert (seen, states.values) == ([0] * 5, {})
    assert [await take_one(cell) for cell in cells] == [1, 2, 3, 4, 5]


async def test_a_step_of_a_cancelled_caller_is_applied() -> None:
    states = FakeStateServer()
    store, cell = make_counter(states)
    notified: list[int] = []
    task = asyncio.create_task(cell.change(add_one, None, notified.append))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    await store.drain()
    assert (notified, states.values["count"]) == ([1], b"1")


async def test_posted_steps_are_applied_in_order() -> None:
    states = FakeStateServer()
    store, cell = make_counter(states)
    notified: list[int] = []
    for _ in range(5):
        cell.post(add_one, None, notified.append)
    await store.drain()
    assert notified == [1, 2, 3, 4, 5]


async def test_processes_continue_alone_while_the_server_is_unreachable_and_then_adopt_the_shared_state(
    caplog: pytest.LogCaptureFixture,
) -> None:
    runtime, states = FakeRuntime(), FakeStateServer()
    (store, mine), (_, other) = make_counter(states, runtime=runtime), make_counter(states)
    with caplog.at_level(logging.INFO, "victor_fp"):
        await take_one(mine)
        states.gone = True
        assert [await take_one(mine), await take_one(mine)] == [2, 3]
        asked = states.swaps
        assert await take_one(mine) == 4
        assert states.swaps == asked
        states.gone = False
        await take_one(other)
        runtime.time += 1.5
        assert await take_one(mine) == 5  # no call waits for the question whether the server is back
        await store.drain()
        assert await take_one(mine) == 3
    assert store.find_refusal() is None
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "the shared store of limits is unreachable",
        "the shared store of limits is reachable again",
    ]


class Sum(Number):
    """A count whose changes are all kept."""

    def merge_changes(self, shared: int, base: int, mine: int) -> int:
        return shared + mine - base


def make_adder(server: FakeStateServer) -> tuple[FakeRuntime, SharedStore, SharedCell[int]]:
    runtime = FakeRuntime()
    store = SharedStore(server, runtime=runtime)
    return runtime, store, store.open_cell("count", 0, Sum())


async def restore_server(runtime: FakeRuntime, store: SharedStore) -> None:
    """Let the check whether the server is back succeed."""
    runtime.time += 5.0
    assert not store.is_in_reach()
    await store.drain()
    assert store.is_in_reach()


@pytest.mark.parametrize("first_steps", [0, 2])
async def test_changes_made_while_the_server_was_unreachable_are_added_once(first_steps: int) -> None:
    states = FakeStateServer()
    (runtime, store, mine), (_, _, other) = make_adder(states), make_adder(states)
    for _ in range(first_steps):
        await take_one(mine)
    states.gone = True
    for _ in range(5):
        await take_one(mine)
    states.gone = False
    for _ in range(3):
        await take_one(other)
    await restore_server(runtime, store)
    assert states.values["count"] == str(first_steps + 8).encode()  # without another step
    assert [await take_one(other), await take_one(mine)] == [first_steps + 9, first_steps + 10]


async def test_changes_of_several_outages_are_added_once() -> None:
    states = FakeStateServer()
    (runtime, store, mine), (_, _, other) = make_adder(states), make_adder(states)
    total = 0
    for _ in range(4):
        states.gone = True
        await take_one(mine)
        await take_one(mine)
        states.gone = False
        for _ in range(3):
            await take_one(other)
        await restore_server(runtime, store)
        total += 5
        assert (mine.state, states.values["count"]) == (total, str(total).encode())


async def test_a_swap_that_was_done_without_a_response_counts_once() -> None:
    states = FakeStateServer()
    runtime, store, mine = make_adder(states)
    await take_one(mine)
    swap, answered = states.swap, True

    async def swap_silently(name: str, expected: bytes, wanted: bytes) -> Swapped | None:
        swapped = await swap(name, expected, wanted)
        return swapped if answered else None

    states.swap = swap_silently  # type: ignore[method-assign]
    answered = False
    await take_one(mine)
    assert states.values["count"] == b"2"
    await take_one(mine)
    answered = True
    await restore_server(runtime, store)
    assert (mine.state, states.values["count"]) == (3, b"3")


async def test_after_the_server_lost_its_state_all_processes_add_what_it_has_not_seen() -> None:
    states = FakeStateServer()
    (runtime, store, mine), (others_runtime, others_store, other) = make_adder(states), make_adder(states)
    await take_one(mine)
    await take_one(other)
    states.gone = True
    await take_one(mine)
    await take_one(other)
    states.gone = False
    states.values.clear()
    await restore_server(runtime, store)
    await restore_server(others_runtime, others_store)
    assert states.values["count"] == b"3"


async def test_after_the_server_lost_its_state_the_first_process_stores_its_copy() -> None:
    states = FakeStateServer()
    _, mine = make_counter(states)
    await take_one(mine)
    await take_one(mine)
    states.values.clear()
    assert await take_one(mine) == 3
    assert states.values["count"] == b"3"


async def test_unreadable_values_count_as_absent() -> None:
    states = FakeStateServer(values={"count": b"from the future"})
    _, mine = make_counter(states)
    assert await take_one(mine) == 1


async def test_an_unresponsive_server_is_abandoned_after_the_timeout() -> None:
    store, mine = make_counter(FakeStateServer(silent=True), timeout=0.05, on_loss="closed")
    assert await take_one(mine) == 1
    assert isinstance(store.find_refusal(), faults.ConnectionFailed)


async def test_the_clock_is_that_of_the_server() -> None:
    store, mine = make_counter(FakeStateServer(now=lambda: 5_000_000_000.0))
    assert abs(store.now() - 5_000_000_000.0) > 1e9
    await store.open()
    await take_one(mine)
    assert store.now() == pytest.approx(5_000_000_000.0, abs=1.0)


def test_breakers_are_packed_without_their_policy() -> None:
    theirs = Breaker(state="open", since=5.0, state_changes=1, total_calls=7)
    mine = Breaker(policy=BreakerPolicy(recovery_timeout=99.0), total_calls=3)
    got = CIRCUIT.unpack(CIRCUIT.pack(theirs), mine)
    assert got is not None
    assert (got.state, got.since, got.total_calls, got.policy.recovery_timeout) == ("open", 5.0, 3, 99.0)
    assert CIRCUIT.unpack(b"\xc1", mine) is None


async def test_processes_on_one_key_share_a_limit_and_waiters_are_notified_of_returned_permits() -> None:
    busy = most = 0

    async def count_and_answer(talk: object, received: object) -> None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0.01)
        busy -= 1
        await answer_hello(talk, received)  # type: ignore[arg-type]  # a script

    states = FakeStateServer()
    stores = [SharedStore(states, poll=0.01) for _ in range(3)]
    async with serving(count_and_answer) as server:
        providers = [
            await create_managed(server.url, store=store, rate_limits=Limits(concurrency=2)) for store in stores
        ]
        await asyncio.gather(*(provider.chat(HI) for provider in providers for _ in range(5)))
        stats = [stats for provider in providers if (stats := provider.get_rate_limit_stats()) is not None]
        for provider in providers:
            await provider.shutdown()
    assert (most, len(server.received)) == (2, 15)
    assert len(stats) == 3
    assert all(one["total_requests"] >= 5 for one in stats)  # a permit that came too late is given back


async def test_a_breaker_opened_by_one_process_is_open_for_all() -> None:
    states = FakeStateServer()
    async with serving(fail_with_500) as server:
        one = await create_managed(server.url, store=SharedStore(states), max_retries=0)
        two = await create_managed(server.url, store=SharedStore(states), max_retries=0)
        for _ in range(5):
            await one.chat_result(HI)
        assert isinstance((await two.chat_result(HI)).failure(), faults.CircuitOpen)
        await one.shutdown()
        await two.shutdown()
    assert len(server.received) == 5


async def test_a_process_without_a_breaker_leaves_the_others_breaker_alone() -> None:
    states = FakeStateServer()
    async with serving(fail_with_500) as server:
        one = await create_managed(server.url, store=SharedStore(states), max_retries=0)
        plain = await create_managed(server.url, store=SharedStore(states), enable_resilience=False)
        for _ in range(5):
            await one.chat_result(HI)
        await plain.chat_result(HI)
        assert isinstance((await one.chat_result(HI)).failure(), faults.CircuitOpen)
        await one.shutdown()
        await plain.shutdown()


async def test_steps_of_one_process_that_wait_go_in_one_swap() -> None:
    states = FakeStateServer()
    _, cell = make_counter(states)
    assert await asyncio.gather(*(take_one(cell) for _ in range(20))) == list(range(1, 21))
    assert states.swaps <= 3


async def test_a_process_sends_one_request_at_a_time_to_a_pool() -> None:
    states = FakeStateServer()
    cell = SharedStore(states).open_limits("limits", Admission(limiter=Limiter(limits=Limits(requests_per_minute=60))))
    cell.post(advance, Arrived(ticket=1), lambda _: None)
    for _ in range(20):
        await asyncio.sleep(0)
        cell.post(advance, Woken(), lambda _: None)
    assert states.loans == 1
    await cell.release()


async def test_healthy_calls_ask_the_server_for_nothing_under_a_loan() -> None:
    states = FakeStateServer()
    async with serving(answer_hello) as server:
        async with await create_managed(
            server.url, store=SharedStore(states), rate_limits=Limits(concurrency=2)
        ) as provider:
            await provider.chat(HI)
            states.swaps = 0
            for _ in range(20):
                await provider.chat(HI)
    assert states.swaps <= 3  # a look at the breaker each second, in the background
    assert len(server.received) == 21


async def test_a_server_that_hangs_stalls_no_call_under_a_loan() -> None:
    states = FakeStateServer()
    async with serving(answer_hello) as server:
        store = SharedStore(states, timeout=3600)
        provider = await create_managed(server.url, store=store, rate_limits=Limits(concurrency=2))
        await provider.chat(HI)
        await store.drain()
        states.silent = True
        async with asyncio.timeout(30):
            for _ in range(10):
                assert (await provider.chat(HI)).content == "Hello!"
        await provider.shutdown()


async def test_a_call_waits_for_a_hanging_server_no_longer_than_its_deadline() -> None:
    states = FakeStateServer()
    async with serving(fail_with_500) as server:
        store = SharedStore(states, timeout=3600)
        provider = await create_managed(server.url, store=store, max_retries=0, rate_limits=Limits(concurrency=2))
        for _ in range(5):
            await provider.chat_result(HI)
        await store.drain()
        states.silent = True
        fault = (await provider.chat_result(HI, deadline=0.02)).failure()
        assert isinstance(fault, faults.DeadlineExceeded)
        assert "-" not in fault.message
        stats = provider.get_rate_limit_stats()
        assert stats is not None
        assert stats["in_flight"] == 0


@pytest.mark.parametrize("on_loss", ["open", "closed"])
async def test_an_unavailable_store_is_handled_by_policy_without_an_exception(on_loss: str) -> None:
    states = FakeStateServer(gone=True)
    store = SharedStore(states, on_loss=on_loss, timeout=0.1)  # type: ignore[arg-type]  # one of the two
    async with serving(answer_hello) as server:
        async with await create_managed(server.url, store=store, rate_limits=Limits(concurrency=1)) as provider:
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
    states = FakeStateServer()
    store = SharedStore(states, poll=0.01)
    async with serving(hold_request) as server:
        async with await create_managed(server.url, store=store, rate_limits=Limits(concurrency=3)) as provider:
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
    states = FakeStateServer()
    _, cell = make_counter(states)

    async def take_five() -> list[int]:
        return await asyncio.gather(*(take_one(cell) for _ in range(5)))

    assert sorted(asyncio.run(take_five()) + asyncio.run(take_five())) == list(range(1, 11))


async def test_the_memory_store_applies_steps_at_once() -> None:
    store = MemoryStore(FakeRuntime())
    cell = store.open_cell("count", 0, Number())
    notified: list[int] = []
    cell.post(add_one, None, notified.append)
    await cell.change(add_one, None, notified.append)
    assert (notified, store.open_cell("count", 0, Number()).state, store.now()) == ([1, 2], 2, 1000.0)


@pytest.mark.parametrize("value", [b"\x01", b"garbage", b"\xc1", b"\x91" * 200_000 + b"\x01"])
async def test_a_damaged_value_counts_as_absent(value: bytes) -> None:
    states = FakeStateServer(values={"count": value})
    _, mine = make_counter(states)
    assert [await take_one(mine), await take_one(mine)] == [1, 2]
    assert states.values["count"] == b"2"


def test_a_deeply_nested_value_is_not_read() -> None:
    whole = CIRCUIT.pack(Breaker())
    deep = bytes([0x90 | ((whole[0] & 0x0F) + 1)]) + whole[1:] + b"\x91" * 200_000 + b"\x01"
    assert CIRCUIT.unpack(deep, Breaker()) is None
    assert CIRCUIT.unpack(b"\x00" * (5 * 2**20), Breaker()) is None


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_implausible_number_is_not_read(number: float) -> None:
    assert CIRCUIT.unpack(CIRCUIT.pack(Breaker(state="open", since=number)), Breaker()) is None


def test_a_breaker_opened_in_a_far_future_lets_a_probe_through() -> None:
    opened = CIRCUIT.unpack(CIRCUIT.pack(Breaker(state="open", since=1e300)), Breaker())
    assert opened is not None
    assert isinstance(admit(opened, 4e9)[1], BreakerPermit)
