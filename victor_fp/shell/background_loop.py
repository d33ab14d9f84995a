"""The background event loop of a process: one daemon thread that runs what synchronous callers wait for.

The loop starts on first use and is closed at exit, together with every connection that was opened in it. A forked child
does not inherit its thread: the child starts a loop of its own on first use.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context, copy_context
from typing import Any, Generic, TypeVar

T = TypeVar("T")

STOP_TIMEOUT = 5.0
"""Seconds that the end of the process, or a caller who was interrupted, waits for the loop to close what is open."""


class LoopUnavailable(RuntimeError):
    """The loop cannot be waited for: the caller is its own thread, or the process is about to end."""


class BackgroundLoop:
    """An event loop in a thread of its own."""

    __slots__ = ("_process", "_thread", "is_stopping", "loop")

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        # Nothing but our own code runs here; debug mode would report imports on first use as slow callbacks.
        self.loop.set_debug(False)
        self._process = os.getpid()
        self.is_stopping = False
        """Whether the process ends. Only daemon threads wait at that time; they go on waiting, as with anything else that ends."""
        self._thread = threading.Thread(target=self._serve, name="victor_fp-loop", daemon=True)
        self._thread.start()

    @property
    def is_own_thread(self) -> bool:
        """Whether the caller runs inside this loop and so must not wait for it."""
        return threading.get_ident() == self._thread.ident

    @property
    def is_inherited(self) -> bool:
        """Whether it belongs to the process that this one was forked from, so that nothing runs in it here."""
        return self._process != os.getpid()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the loop, in the caller's context, and wait for its result; raises what it raises.

        Where the wait itself is interrupted, by Ctrl-C or another signal handler that raises, the coroutine is cancelled and
        has closed what it held before the exception goes on. Raises LoopUnavailable.
        """
        if self.is_own_thread:
            coroutine.close()
            raise LoopUnavailable(
                "a synchronous method was called inside the event loop that serves it: use the asynchronous one there"
            )
        job = _Job(self, coroutine, copy_context())
        self.post(job.start, coroutine)
        try:
            job.done.acquire()
        except BaseException:
            self._cancel(job)
            raise
        return job.result()

    def call(self, function: Callable[[], T]) -> T:
        """Call a function in the loop, where the state of providers is changed; in the loop itself it is called at once."""
        return function() if self.is_own_thread else self.run(_call(function))

    def post(self, function: Callable[[], object], coroutine: Coroutine[Any, Any, Any] | None = None) -> None:
        """Have a function called in the loop soon. Raises LoopUnavailable, after closing the coroutine that was to run."""
        try:
            self.loop.call_soon_threadsafe(function)
        except RuntimeError:
            if coroutine is not None:
                coroutine.close()
            raise LoopUnavailable("the process is about to end: nothing more can be sent") from None

    def stop(self) -> None:
        """Cancel what runs, close what is open, and end the thread."""
        self.is_stopping = True
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(STOP_TIMEOUT)

    def _cancel(self, job: _Job[Any]) -> None:
        with suppress(LoopUnavailable):
            self.post(job.cancel)
            job.done.acquire(timeout=STOP_TIMEOUT)

    def _serve(self) -> None:
        loop = self.loop
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            loop.run_until_complete(_cancel_tasks())
            loop.run_until_complete(loop.shutdown_asyncgens())  # HTTP connections are closed by one
            asyncio.set_event_loop(None)
            loop.close()


class _Job(Generic[T]):
    """A coroutine that a thread waits for."""

    __slots__ = ("_context", "_coroutine", "_error", "_host", "_task", "_value", "done")

    def __init__(self, host: BackgroundLoop, coroutine: Coroutine[Any, Any, T], context: Context) -> None:
        self._host = host
        self._coroutine = coroutine
        self._context = context
        self._task: asyncio.Task[None] | None = None
        self._value: T
        self._error: BaseException | None = None
        self.done = threading.Lock()
        """Held until the coroutine has ended. A plain lock costs a fraction of a `concurrent.futures.Future`."""
        self.done.acquire()

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._drive(), context=self._context)

    def cancel(self) -> None:
        if self._task is not None:  # a task that is cancelled before its first step would never run `_drive`
            asyncio.get_running_loop().call_soon(self._task.cancel)

    def result(self) -> T:
        error, self._error = self._error, None
        if error is None:
            return self._value
        try:
            raise error
        finally:
            del error  # no cycle of the exception, this frame and the caller's

    async def _drive(self) -> None:
        try:
            self._value = await self._coroutine
        except BaseException as error:  # the caller's to raise; SystemExit must not end the loop
            self._error = error
        if not self._host.is_stopping:
            self.done.release()


async def _cancel_tasks() -> None:
    """Cancel all other tasks, and wait until they have closed what they hold."""
    await asyncio.sleep(0)  # those that were just made take their first step, so that their ends are heard of
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _call(function: Callable[[], T]) -> T:
    return function()


_current: BackgroundLoop | None = None
_starting = threading.Lock()


def get_background_loop() -> BackgroundLoop:
    """The loop of this process, started if need be. Raises LoopUnavailable where the process is about to end."""
    global _current  # noqa: PLW0603  one loop for each process
    found = _current
    if found is not None:
        return found
    with _starting:
        if _current is None:
            try:
                _current = BackgroundLoop()
            except RuntimeError as error:  # no thread can be started any more
                raise LoopUnavailable(f"the background event loop cannot be started: {error}") from None
        return _current


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in the loop of this process and wait for its result; raises what it raises, and LoopUnavailable.

        response = run(provider.chat("Hi"))

    It works in every thread, also in one whose own event loop is running, as in a notebook.
    """
    try:
        loop = get_background_loop()
    except LoopUnavailable:
        coroutine.close()
        raise
    return loop.run(coroutine)


def _stop_at_exit() -> None:
    if _current is not None:
        _current.stop()


def _forget_after_fork() -> None:
    """Leave the parent's loop alone: no thread runs it here, and its sockets and its selector are shared with the parent.

    Finalizers of what belongs to it, such as open connections, would warn of what the parent still uses, and would
    take the parent's sockets out of the shared selector. They never run: everything that refers to the loop is kept for
    as long as the process lives.
    """
    global _current, _starting  # noqa: PLW0603
    inherited, _current = _current, None
    _starting = threading.Lock()  # another thread of the parent may have held it
    if inherited is not None:
        import gc

        _keep_for_ever([inherited.loop, *gc.get_referrers(inherited.loop)])


def _keep_for_ever(objects: list[object]) -> None:
    try:
        from ctypes import py_object, pythonapi
    except ImportError:  # an interpreter without ctypes: the objects are kept until modules are cleared at exit
        _kept.extend(objects)
    else:
        pythonapi.Py_IncRef(py_object(objects))


_kept: list[object] = []

atexit.register(_stop_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
