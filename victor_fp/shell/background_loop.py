"""The background event loop of a process: a daemon thread that runs coroutines for synchronous callers.

The loop starts on first use and is closed at exit, together with all connections that were opened in it. A forked child
process does not inherit the thread and starts its own loop on first use.
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
"""Seconds that the exit of the process, or an interrupted caller, waits for the loop to close open resources."""


class LoopUnavailable(RuntimeError):
    """The loop cannot be used: the caller runs inside it, or the process is about to exit."""


class BackgroundLoop:
    """An event loop in its own thread."""

    __slots__ = ("_process", "_thread", "is_stopping", "loop")

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        # Only our own code runs here; debug mode would report lazy imports as slow callbacks.
        self.loop.set_debug(False)
        self._process = os.getpid()
        self.is_stopping = False
        """Whether the process is about to exit. Only daemon threads can still wait then; they block until the exit."""
        self._thread = threading.Thread(target=self._serve, name="victor_fp-loop", daemon=True)
        self._thread.start()

    @property
    def is_own_thread(self) -> bool:
        """Return whether the caller runs inside this loop and so must not wait for it."""
        return threading.get_ident() == self._thread.ident

    @property
    def is_inherited(self) -> bool:
        """Return whether the loop belongs to the parent of this forked process, so that it does not run here."""
        return self._process != os.getpid()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the loop, in the caller's context, and return its result or raise its exception.

        If the wait is interrupted, by Ctrl-C or another signal handler that raises, the coroutine is cancelled and has
        released its resources before the exception propagates. Raises LoopUnavailable.
        """
        if self.is_own_thread:
            coroutine.close()
            raise LoopUnavailable(
                "a synchronous method was called inside the background event loop: use the asynchronous method there"
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
        """Call a function in the loop, where the state of providers is changed; inside the loop, call it directly."""
        return function() if self.is_own_thread else self.run(_call(function))

    def post(self, function: Callable[[], object], coroutine: Coroutine[Any, Any, Any] | None = None) -> None:
        """Schedule a function in the loop. If LoopUnavailable is raised, the coroutine has been closed."""
        try:
            self.loop.call_soon_threadsafe(function)
        except RuntimeError:
            if coroutine is not None:
                coroutine.close()
            raise LoopUnavailable("the process is about to exit: no more requests can be sent") from None

    def stop(self) -> None:
        """Cancel all tasks, close open resources, and end the thread."""
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
        """Held until the coroutine has ended. A lock is much cheaper than a `concurrent.futures.Future`."""
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
            del error  # avoids a reference cycle of the exception and the frames

    async def _drive(self) -> None:
        try:
            self._value = await self._coroutine
        except BaseException as error:  # raised in the caller; SystemExit must not end the loop
            self._error = error
        if not self._host.is_stopping:
            self.done.release()


async def _cancel_tasks() -> None:
    """Cancel all other tasks, and wait until they have ended."""
    await asyncio.sleep(0)  # new tasks run their first step, so that they can handle the cancellation
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _call(function: Callable[[], T]) -> T:
    return function()


_current: BackgroundLoop | None = None
_starting = threading.Lock()


def get_background_loop() -> BackgroundLoop:
    """Return the loop of this process; it is started if necessary. Raises LoopUnavailable."""
    global _current  # noqa: PLW0603  one loop for each process
    found = _current
    if found is not None:
        return found
    with _starting:
        if _current is None:
            try:
                _current = BackgroundLoop()
            except RuntimeError as error:  # threads can no longer be started
                raise LoopUnavailable(f"the background event loop cannot be started: {error}") from None
        return _current


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in the loop of this process and return its result; raises its exception, and LoopUnavailable.

        response = run(provider.chat("Hi"))

    Works in every thread, also if an event loop is running in it, as in a notebook.
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
    """Forget the parent's loop without closing it: its sockets and its selector are shared with the parent.

    Finalizers of its objects, such as open connections, would emit warnings and remove the parent's sockets from the
    shared selector. They must not run: everything that refers to the loop is kept until the process exits.
    """
    global _current, _starting  # noqa: PLW0603
    inherited, _current = _current, None
    _starting = threading.Lock()  # it may be held by another thread of the parent
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
