"""The background loop: one for each process, waited for from any thread but its own."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import pytest

from victor_fp.shell.background_loop import LoopUnavailable, get_background_loop, run

NAME: ContextVar[str] = ContextVar("NAME", default="")


@pytest.fixture
def interrupted() -> Iterator[None]:
    """A signal handler that raises in the middle of whatever the main thread waits for."""

    def handler(*_: object) -> None:
        raise TimeoutError("the alarm")

    before = signal.signal(signal.SIGALRM, handler)
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


def test_all_threads_use_one_loop() -> None:
    async def loop() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    with ThreadPoolExecutor(8) as pool:
        loops = set(pool.map(lambda _: run(loop()), range(32)))
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
    async def outer() -> None:
        run(give(1))

    with pytest.raises(LoopUnavailable, match="use the asynchronous method"):
        run(outer())


def test_functions_are_called_in_the_loop_from_anywhere() -> None:
    async def nested() -> int:
        return get_background_loop().call(threading.get_ident)

    outside = get_background_loop().call(threading.get_ident)
    assert outside == run(nested()) != threading.get_ident()


def test_a_wait_that_is_interrupted_cancels_the_coroutine_before_it_raises(interrupted: None) -> None:
    ended = []

    async def hang() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            ended.append(True)

    signal.setitimer(signal.ITIMER_REAL, 0.05)
    with pytest.raises(TimeoutError, match="the alarm"):
        run(hang())
    assert ended == [True]
