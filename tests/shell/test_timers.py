"""Time limits behave as those of asyncio, and one timer of the loop serves all of them."""

from __future__ import annotations

import asyncio
import gc
import heapq
import math
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor_fp.shell.timers import TimeLimit, Timers, get_timers

MakeLimit = Callable[[float], Any]


@asynccontextmanager
async def limit_time(seconds: float) -> AsyncIterator[None]:
    with TimeLimit(seconds):
        yield


LIMITS = pytest.mark.parametrize("limit", [limit_time, asyncio.timeout], ids=["ours", "asyncio"])


class Clock:
    """The part of a loop that timers use, with a clock that is set."""

    def __init__(self) -> None:
        self.now = 0.0
        self.scheduled: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self.set = 0

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[..., None], *arguments: Any) -> None:
        self.set += 1
        heapq.heappush(self.scheduled, (when, self.set, callback, arguments))

    def advance(self, to: float) -> None:
        while self.scheduled and self.scheduled[0][0] <= to:
            self.now, _, callback, arguments = heapq.heappop(self.scheduled)
            callback(*arguments)
        self.now = to


class Wait:
    """Notes when it expires."""

    def __init__(self, due: float, clock: Clock) -> None:
        self.due = due
        self.clock = clock
        self.expired_at: float | None = None

    def expire(self) -> None:
        self.expired_at = self.clock.now


def add(timers: Timers, wait: Wait) -> None:
    timers.waiting[wait] = None
    timers.check_at(wait.due, cast("asyncio.AbstractEventLoop", wait.clock))


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0.1, 5), st.booleans()), max_size=30))
def test_everything_expires_when_it_is_due_unless_it_was_removed(steps: list[tuple[float, float, bool]]) -> None:
    clock, timers = Clock(), Timers()
    expected: dict[Wait, bool] = {}
    for pause, seconds, is_removed in steps:
        clock.advance(clock.now + pause)
        wait = Wait(clock.now + seconds, clock)
        add(timers, wait)
        if is_removed:
            del timers.waiting[wait]
        expected[wait] = not is_removed
    clock.advance(clock.now + 100)
    assert not timers.waiting
    assert not timers.checks
    for wait, expires in expected.items():
        assert wait.expired_at == (wait.due if expires else None)


def test_waits_of_one_length_need_one_timer_at_a_time() -> None:
    clock, timers = Clock(), Timers()
    for number in range(1000):
        clock.advance(number * 0.01)
        wait = Wait(clock.now + 60, clock)
        add(timers, wait)
        del timers.waiting[wait]
    assert clock.set == 1
    clock.advance(1000)
    assert clock.set == 1  # nothing waits, so that nothing is set again


def test_short_waits_during_a_long_one_keep_its_timer() -> None:
    clock, timers = Clock(), Timers()
    long = Wait(60, clock)
    add(timers, long)
    for number in range(100):
        clock.advance(float(number) / 2)
        short = Wait(clock.now + 0.25, clock)
        add(timers, short)
        del timers.waiting[short]
    assert len(clock.scheduled) <= 2
    clock.advance(60)
    assert long.expired_at == 60


def test_a_failing_callback_does_not_stop_others_from_expiring() -> None:
    clock, timers = Clock(), Timers()

    class Broken(Wait):
        def expire(self) -> None:
            raise ValueError("broken")

    later = Wait(2, clock)
    add(timers, later)
    add(timers, Broken(1, clock))
    with pytest.raises(ValueError, match="broken"):
        clock.advance(1)
    clock.advance(3)
    assert later.expired_at == 2


@LIMITS
async def test_a_body_in_time_is_not_interrupted(limit: MakeLimit) -> None:
    async with limit(5):
        await asyncio.sleep(0)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@LIMITS
@pytest.mark.parametrize("seconds", [0.01, 0.0, -1.0])
async def test_a_late_body_is_a_timeout(limit: MakeLimit, seconds: float) -> None:
    with pytest.raises(TimeoutError) as caught:
        async with limit(seconds):
            await asyncio.Event().wait()
    assert isinstance(caught.value.__cause__, asyncio.CancelledError)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)  # the task goes on


@LIMITS
async def test_an_expired_limit_does_not_touch_a_body_that_does_not_wait(limit: MakeLimit) -> None:
    async with limit(0):
        pass
    await asyncio.sleep(0.001)


@LIMITS
async def test_the_inner_of_two_limits_expires_first(limit: MakeLimit) -> None:
    steps: list[str] = []
    with pytest.raises(TimeoutError):
        async with limit(0.2):
            try:
                async with limit(0.001):
                    await asyncio.Event().wait()
            except TimeoutError:
                steps.append("inner")
            await asyncio.Event().wait()
    assert steps == ["inner"]


@LIMITS
async def test_two_limits_that_expire_at_once_are_both_timeouts(limit: MakeLimit) -> None:
    with pytest.raises(TimeoutError):
        async with limit(0):
            with pytest.raises(TimeoutError):
                async with limit(0):
                    await asyncio.Event().wait()
            await asyncio.Event().wait()


async def wait_forever(limit: MakeLimit, seconds: float) -> None:
    async with limit(seconds):
        await asyncio.Event().wait()


@LIMITS
async def test_a_cancellation_by_others_stays_one(limit: MakeLimit) -> None:
    task = asyncio.create_task(wait_forever(limit, 5))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


@LIMITS
async def test_a_cancellation_at_the_time_of_expiry_wins(limit: MakeLimit) -> None:
    task = asyncio.create_task(wait_forever(limit, 0.001))
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_later(0.001, task.cancel)
    await asyncio.wait([task])
    # Whichever came first, the task has ended, and a cancellation is not turned into a timeout.
    assert task.cancelled() or isinstance(task.exception(), TimeoutError)

    task = asyncio.create_task(wait_forever(limit, 0.001))
    await asyncio.sleep(0)
    task.cancel()
    expired = next((wait for wait in get_timers(asyncio.get_running_loop()).waiting), None)
    if expired is not None:  # ours
        expired.expire()
    await asyncio.wait([task])
    assert task.cancelled()


@LIMITS
async def test_an_exception_of_the_body_is_passed_on(limit: MakeLimit) -> None:
    with pytest.raises(ValueError, match="mine"):
        async with limit(5):
            raise ValueError("mine")
    with pytest.raises(TimeoutError, match="mine"):
        async with limit(5):
            raise TimeoutError("mine")


async def test_limits_need_a_task() -> None:
    failed: list[BaseException] = []

    def enter() -> None:
        try:
            with TimeLimit(1):
                pass
        except RuntimeError as error:
            failed.append(error)

    asyncio.get_running_loop().call_soon(enter)
    await asyncio.sleep(0.001)
    assert len(failed) == 1


async def test_nothing_waits_after_limits_have_ended() -> None:
    timers = get_timers(asyncio.get_running_loop())

    async def work(seconds: float) -> None:
        with TimeLimit(seconds):
            await asyncio.sleep(0)

    await asyncio.gather(*(work(number + 1.0) for number in range(50)))
    assert not timers.waiting
    assert timers.checks == sorted(timers.checks, reverse=True)


def test_a_closed_loop_is_freed_with_its_waiting_limits() -> None:
    loop = asyncio.new_event_loop()

    task = loop.create_task(wait_forever(limit_time, math.inf))
    loop.run_until_complete(asyncio.sleep(0))
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # it is what the test leaves behind
    loop.close()
    alive = weakref.ref(loop)
    del loop, task
    gc.collect()
    assert alive() is None
