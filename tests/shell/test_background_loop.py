"""The background loop: one for each process, waited for from any thread but its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import pytest

from victor_fp.shell import background_loop
from victor_fp.shell.background_loop import LoopUnavailable, get_background_loop, run

NAME: ContextVar[str] = ContextVar("NAME", default="")


@pytest.fixture
def interrupted() -> Iterator[None]:
    """A signal handler that raises while the main thread waits."""

    def raise_timeout(*_: object) -> None:
        raise TimeoutError("the alarm")

    before = signal.signal(signal.SIGALRM, raise_timeout)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


async def give(value: object) -> object:
    await asyncio.sleep(0)
    return value


async def fail(error: BaseException) -> None:
    await asyncio.sleep(0)
    raise error


def test_a_coroutine_is_run_and_its_result_returned() -> None:
    assert run(give(1)) == 1


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)])
def test_exceptions_propagate_to_the_caller_and_the_loop_continues(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        run(fail(error))
    assert caught.value is error
    assert run(give(2)) == 2


class LateInterrupt:
    """A lock whose wait is interrupted when it has been acquired, as by a signal before the next instruction."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()
        self.release = self._lock.release

    def acquire(self, timeout: float = -1.0) -> bool:
        assert timeout < 0, "the call is over"
        self._lock.acquire()
        raise KeyboardInterrupt


@pytest.mark.usefixtures("interrupted")
def test_an_interrupt_after_the_end_of_a_call_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Job(background_loop._Job[object]):
        def __init__(self, *arguments: object, **keywords: object) -> None:
            super().__init__(*arguments, **keywords)  # type: ignore[arg-type]  # passed on
            self.done = LateInterrupt()  # type: ignore[assignment]  # of the same methods

    with monkeypatch.context() as patched:
        patched.setattr(background_loop, "_Job", Job)
        with pytest.raises(KeyboardInterrupt):
            run(give(1))
    assert run(give(2)) == 2


def test_all_threads_use_one_loop() -> None:
    async def get_loop() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    with ThreadPoolExecutor(8) as pool:
        loops = set(pool.map(lambda _: run(get_loop()), range(32)))
    assert loops == {get_background_loop().loop}


def test_a_coroutine_runs_in_the_context_of_its_caller() -> None:
    async def name() -> str:
        return NAME.get()

    token = NAME.set("caller")
    try:
        assert run(name()) == "caller"
    finally:
        NAME.reset(token)


async def test_thread_with_a_running_loop_can_wait() -> None:
    assert run(give(3)) == 3


def test_the_loop_does_not_wait_for_itself() -> None:
    async def run_inside() -> None:
        run(give(1))

    with pytest.raises(LoopUnavailable, match="use the asynchronous method"):
        run(run_inside())


def test_functions_are_called_in_the_loop_from_anywhere() -> None:
    async def call_inside() -> object:
        return get_background_loop().call(asyncio.get_running_loop)

    assert get_background_loop().call(asyncio.get_running_loop) is run(call_inside()) is get_background_loop().loop


async def find_thread() -> int:
    await asyncio.sleep(0)
    return threading.get_ident()


def test_a_caller_drives_the_loop_itself() -> None:
    run(give(None))  # moves the loop from its thread, if that drives it
    assert {run(find_thread()) for _ in range(3)} == {threading.get_ident()}


async def test_a_thread_with_an_event_loop_does_not_drive() -> None:
    assert run(find_thread()) != threading.get_ident()


def test_the_main_thread_does_not_drive_if_a_signal_handler_may_raise(interrupted: None) -> None:
    run(give(None))
    assert run(find_thread()) != threading.get_ident()


def test_tasks_go_on_after_the_call_that_started_them() -> None:
    ended = threading.Event()
    tasks = []

    async def work() -> None:
        for _ in range(20):
            await asyncio.sleep(0.001)
        ended.set()

    async def begin() -> None:
        tasks.append(asyncio.get_running_loop().create_task(work()))

    run(begin())
    assert ended.wait(10)
    assert run(give(4)) == 4


def test_timers_run_without_calls() -> None:
    fired = threading.Event()

    async def begin() -> None:
        asyncio.get_running_loop().call_later(0.001, fired.set)

    run(begin())
    assert fired.wait(10)


def test_a_call_ends_while_another_thread_drives_and_after_it() -> None:
    async def wait_for(event: asyncio.Event) -> int:
        await event.wait()
        return threading.get_ident()

    async def make() -> tuple[asyncio.Event, asyncio.Event]:
        return asyncio.Event(), asyncio.Event()

    first, second = run(make())
    with ThreadPoolExecutor(2) as pool:
        driving = pool.submit(run, wait_for(first))
        waiting = pool.submit(run, wait_for(second))
        assert run(give(5)) == 5
        get_background_loop().post(first.set)
        driving.result(10)
        assert not waiting.done()
        get_background_loop().post(second.set)
        waiting.result(10)


def test_no_call_is_lost_between_threads_that_drive_in_turn() -> None:
    def call(number: int) -> list[object]:
        return [run(give((number, index))) for index in range(200)]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(call, range(8))) == [[(number, index) for index in range(200)] for number in range(8)]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt, also where tests run in a worker process that ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_main_thread_drives_where_interrupts_are_ignored(interruptible: None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run(give(None))
    assert run(find_thread()) == threading.get_ident()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


@pytest.mark.parametrize("delay", [0.0, 0.02])
def test_interrupt_cancels_the_coroutine_that_the_main_thread_drives(interruptible: None, delay: float) -> None:
    ended = []

    async def interrupt_and_wait() -> None:
        try:
            threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT)).start()
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            ended.append(threading.get_ident())

    run(give(None))
    with pytest.raises(KeyboardInterrupt):
        run(interrupt_and_wait())
    assert ended == [threading.get_ident()]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert run(give(6)) == 6


def test_a_wait_that_is_interrupted_cancels_the_coroutine_before_it_raises(interrupted: None) -> None:
    ended = []

    async def wait_forever() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            ended.append(True)

    signal.setitimer(signal.ITIMER_REAL, 0.05)
    with pytest.raises(TimeoutError, match="the alarm"):
        run(wait_forever())
    assert ended == [True]


@pytest.mark.parametrize("is_threaded", [False, True])
def test_the_exit_of_a_task_is_raised_where_it_is_awaited_and_does_not_end_the_loop(is_threaded: bool) -> None:
    async def leave() -> None:
        await asyncio.sleep(0)
        sys.exit(3)

    async def wait() -> None:
        await asyncio.gather(asyncio.create_task(leave()), asyncio.sleep(0))

    async def answer() -> int:
        return 1

    async def run_in_a_thread() -> None:
        run(wait())  # a loop runs in this thread, so the background thread drives the other

    with pytest.raises(SystemExit):
        asyncio.run(run_in_a_thread()) if is_threaded else run(wait())
    assert run(answer()) == 1
