"""The event loop that runs coroutines for synchronous callers: one for each process.

A caller drives the loop itself while its coroutine runs, which needs no switch of threads. A daemon thread drives it at all
other times: when several threads call at once, while tasks go on after a call, inside a thread with an event loop of
its own (a notebook), and after a second without calls, so that timers run and idle connections are closed.

The loop starts on first use and is closed at exit, together with all connections that were opened in it. A forked child
process does not inherit the thread and starts its own loop on first use.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import copy_context
from importlib import import_module
from types import FrameType
from typing import Any, Generic, TypeVar

T = TypeVar("T")

STOP_TIMEOUT = 5.0
"""Seconds that the exit of the process, or an interrupted caller, waits for the loop to close open resources."""

IDLE_SECONDS = 1.0
"""Seconds without a call after which the thread drives the loop."""

# The C functions. Those of `signal` convert to enums, which costs more than all else that a call adds here.
_c_signal = import_module("_signal")
_get_handler: Callable[[int], object] = _c_signal.getsignal
_set_handler: Callable[[int, Callable[[int, FrameType | None], object]], object] = _c_signal.signal

_SIGNALS = tuple(
    int(found)
    for name in ("SIGINT", "SIGTERM", "SIGALRM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGVTALRM", "SIGPROF")
    if (found := getattr(signal, name, None)) is not None
)
"""Signals for which programs install handlers that may raise."""

_SIGINT = int(signal.SIGINT)


class LoopUnavailable(RuntimeError):
    """The loop cannot be used: the caller runs inside it, or the process is about to exit."""


class BackgroundLoop:
    """An event loop that is driven by its callers, or else by its own thread."""

    __slots__ = ("_driver", "_gate", "_is_wanted", "_process", "_thread", "_turn", "_was_used", "is_stopping", "loop")

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        # Only our own code runs here; debug mode would report lazy imports as slow callbacks.
        self.loop.set_debug(False)
        self._process = os.getpid()
        self.is_stopping = False
        """Whether the process is about to exit. Only daemon threads can still wait then; they block until the exit."""
        self._turn = threading.Lock()
        """Held by the thread that drives the loop."""
        self._driver: int | None = None
        """The identifier of that thread."""
        self._was_used = True
        """Whether a caller has driven the loop in this second."""
        self._is_wanted = False
        """Whether functions were posted that no thread may have seen yet."""
        self._gate = threading.Lock()
        """The own thread waits for it when it does not drive."""
        self._gate.acquire()
        self._thread = threading.Thread(target=self._serve, name="victor_fp-loop", daemon=True)
        self._thread.start()

    @property
    def is_own_thread(self) -> bool:
        """Return whether the caller runs inside this loop and so must not wait for it."""
        return threading.get_ident() == self._driver

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
        is_driven = _can_drive() and self._take_turn()
        job = _Job(self, coroutine, is_driven=is_driven)
        if is_driven:
            self._drive(job)
        else:
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
        self._is_wanted = True
        if not self._turn.locked():  # a thread that still holds it looks at `_is_wanted` after its release
            self._wake()

    def rest(self) -> None:
        """Stop driving in the own thread if no task is left, so that the next caller can drive."""
        if threading.get_ident() == self._thread.ident and not asyncio.all_tasks(self.loop):
            self.loop.stop()

    def stop(self) -> None:
        """Cancel all tasks, close open resources, and end the thread."""
        self.is_stopping = True
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.loop.stop)
        self._wake()
        self._thread.join(STOP_TIMEOUT)

    def _take_turn(self) -> bool:
        """Take the turn, if no thread has it and the loop is open; it is not closed before the release."""
        if not self._turn.acquire(blocking=False):
            return False
        if self.is_stopping:
            self._turn.release()
            return False
        return True

    def _drive(self, job: _Job[Any]) -> None:
        """Drive the loop in this thread, which has the turn, until the job has ended."""
        loop = self.loop
        self._driver = threading.get_ident()
        try:
            # The first pass of the loop notices what connections have received since; the task begins in the second.
            loop.call_soon(job.start)
            is_interrupted = _get_handler(_SIGINT) is signal.default_int_handler
            if is_interrupted and threading.current_thread() is threading.main_thread():
                _drive_interruptibly(loop, job)
            else:
                _run_loop(loop, lambda: job.is_over)
        finally:
            has_tasks = bool(asyncio.all_tasks(loop))
            self._was_used = True
            self._driver = None
            self._turn.release()
            if has_tasks or self._is_wanted:
                self._wake()
        if not job.is_over:  # the process is about to exit
            job.done.acquire()

    def _cancel(self, job: _Job[Any]) -> None:
        if job.is_over:  # the interrupt came after the wait: `done` is held again
            return
        with suppress(LoopUnavailable):
            self.post(job.cancel)
            job.done.acquire(timeout=STOP_TIMEOUT)

    def _wake(self) -> None:
        with suppress(RuntimeError):  # it is awake
            self._gate.release()

    def _serve(self) -> None:
        """Drive the loop whenever callers do not, until the end of the process."""
        loop = self.loop
        asyncio.set_event_loop(loop)
        try:
            while not self.is_stopping:
                is_wanted = self._gate.acquire(timeout=IDLE_SECONDS)
                if not is_wanted and self._was_used:
                    self._was_used = False
                    continue
                with self._turn:
                    self._driver = threading.get_ident()
                    self._is_wanted = False
                    if is_wanted:
                        loop.call_soon(self.rest)  # after what was posted
                    _run_loop(loop, lambda: self.is_stopping)
                    self._driver = None
                if self._is_wanted:
                    self._wake()
        finally:
            with self._turn:
                self._driver = threading.get_ident()
                loop.call_soon(loop.stop)
                loop.run_forever()  # takes the stop that may be left
                loop.run_until_complete(_cancel_tasks())
                loop.run_until_complete(loop.shutdown_asyncgens())  # HTTP connections are closed by one
                asyncio.set_event_loop(None)
                loop.close()


class _Job(Generic[T]):
    """A coroutine that a thread waits for."""

    __slots__ = ("_context", "_coroutine", "_error", "_host", "_task", "_value", "done", "is_driven", "is_over")

    def __init__(self, host: BackgroundLoop, coroutine: Coroutine[Any, Any, T], *, is_driven: bool) -> None:
        """`is_driven`: the waiting thread drives the loop itself, until the job stops it."""
        self._host = host
        self._coroutine = coroutine
        self._context = copy_context()
        self._task: asyncio.Task[None] | None = None
        self._value: T
        self._error: BaseException | None = None
        self.is_driven = is_driven
        self.is_over = False
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
        host = self._host
        if host.is_stopping:
            return
        self.is_over = True
        if self.is_driven:
            host.loop.stop()
        else:
            self.done.release()
            host.loop.call_soon(host.rest)


def _can_drive() -> bool:
    """Return whether this thread can drive the loop: it has no loop of its own, and no signal handler raises in it.

    Python's signal handlers run in the main thread, at any instruction. An exception out of one could end a coroutine
    of another caller.
    """
    if asyncio._get_running_loop() is not None:  # noqa: SLF001  exported by asyncio for implementers of loops
        return False
    if threading.current_thread() is not threading.main_thread():
        return True
    handlers = map(_get_handler, _SIGNALS)
    return not any(callable(handler) and handler is not signal.default_int_handler for handler in handlers)


def _run_loop(loop: asyncio.AbstractEventLoop, is_over: Callable[[], bool]) -> None:
    """Drive the loop until it is stopped.

    asyncio raises SystemExit and KeyboardInterrupt of a task here as well. They do not end the loop, on which others rely: they
    are raised where the task is awaited.
    """
    while not is_over():
        try:
            loop.run_forever()
        except (KeyboardInterrupt, SystemExit):
            continue
        return


def _drive_interruptibly(loop: asyncio.AbstractEventLoop, job: _Job[Any]) -> None:
    """Drive the loop in the main thread: Ctrl-C cancels the job, and is raised when the job has ended."""
    interrupts: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        interrupts.append(number)
        loop.call_soon_threadsafe(cancel)

    def cancel() -> None:
        job.cancel()
        if len(interrupts) == 1:
            loop.call_later(STOP_TIMEOUT, give_up)
        else:
            give_up()

    def give_up() -> None:
        if not job.is_over:
            loop.stop()

    _set_handler(_SIGINT, handle)
    try:
        _run_loop(loop, lambda: job.is_over)
    finally:
        _set_handler(_SIGINT, signal.default_int_handler)
    if interrupts:
        raise KeyboardInterrupt


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
