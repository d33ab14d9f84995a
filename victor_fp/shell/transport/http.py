"""Shared parts of the HTTP transports: their creation, request headers, response bodies, and resources of an event loop."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary, WeakSet

from pydantic import SecretStr

from victor_fp.core.faults import Fault, InvalidRequest, InvalidResponse
from victor_fp.core.requests import SECRET, HttpRequest
from victor_fp.core.security.redaction import redact_url
from victor_fp.shell.timers import Timers
from victor_fp.shell.transport.decompression import CODINGS, STEP, Decompressor
from victor_fp.shell.transport.errors import fault_from_error
from victor_fp.shell.transport.interception import active_interceptors
from victor_fp.shell.transport.protocol import Transport, TransportResponse

R = TypeVar("R")

DEFAULT_HEADERS = {"accept": "*/*", "accept-encoding": CODINGS, "user-agent": "victor-fp"}

MAX_CONNECTIONS, KEEPALIVE_SECONDS = 1000, 60.0
"""Limits for each transport and loop: concurrent connections, and the lifetime of an idle one."""
NO_BODY = frozenset({204, 304})
"""Statuses without a body; a body that a server sends anyway would be read as the next response."""


def check_url(url: str) -> Fault | None:
    """Return InvalidRequest for a URL that is not valid."""
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0):
            return None
    except ValueError:
        pass
    return InvalidRequest(message=f"URL is not valid: {redact_url(url)[:200]!r}")


def fill_headers(defaults: Mapping[str, str], headers: Mapping[str, str], secret: SecretStr | None) -> dict[str, str]:
    """Return the headers with the secret filled in. Do not assign the result to a variable: tracebacks may show it."""
    filled = {**defaults, **headers}
    for name, text in headers.items():
        if SECRET in text:
            filled[name] = text.replace(SECRET, "" if secret is None else secret.get_secret_value())
    return filled


def has_body(headers: Mapping[str, str]) -> bool:
    """Return whether the headers announce a body."""
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def build_size_fault(limit: int) -> Fault:
    """Build the fault for a body of more than `limit` bytes."""
    return InvalidResponse(message=f"response body is larger than {limit} bytes", maybe_billed=True)


def strip_frames(error: BaseException) -> BaseException:
    """Remove the HTTP client's frames from a cancellation: error trackers report their variables, including the key."""
    error.__context__ = None
    return error.with_traceback(None)


class LazyTransport:
    """A transport that is created at the first request, so that creating a provider imports no HTTP client and no engine."""

    def __init__(self, make: Callable[[], Transport]) -> None:
        self._make = make
        self._transport: Transport | None = None

    def load(self) -> Transport:
        """Return the transport; it is created if necessary."""
        if self._transport is None:
            self._transport = self._make()
        return self._transport

    async def open(
        self, request: HttpRequest, secret: SecretStr | None, timeout: float | None
    ) -> TransportResponse | Fault:
        """Send with the active interceptor, or else with the transport."""
        transport = self._transport or self.load()
        if active_interceptors:
            return await active_interceptors[-1].intercept(transport.open, request, secret, timeout)
        return await transport.open(request, secret, timeout)

    async def aclose(self) -> None:
        """Close the transport, if it was created."""
        if self._transport is not None:
            await self._transport.aclose()


class HttpResponse:
    """A response whose body has not been read; subclasses set the first five attributes, and implement closing."""

    status: int
    headers: Mapping[str, str]
    _receive: Callable[[], Awaitable[bytes]]
    """Returns the next bytes of the body as sent, and empty bytes at its end."""
    _timeout: float | None
    _decompressor: Decompressor | None
    _pieces: Iterator[bytes] = iter(())
    _fault: Fault | None = None
    """Fault to return after the data that was received before it."""
    _timers: Timers | None = None
    """Set if the client has no timeout of its own for reads; `expire` then ends a read."""
    due: float = math.inf
    """When the present wait for data expires."""

    async def read(self, limit: int) -> bytes | Fault:
        """Return the complete body; that of an error status as far as it was received, since the status says more."""
        pieces: list[bytes] = []
        size = 0
        while True:
            piece = await self.receive()
            if piece is None or (self.status >= 400 and not isinstance(piece, bytes)):
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)
            if not isinstance(piece, bytes):
                return piece
            size += len(piece)
            if size > limit:
                return build_size_fault(limit)
            pieces.append(piece)

    async def receive(self) -> bytes | Fault | None:
        """Return the next bytes of the body."""
        if self._fault is not None:
            return self._fault
        timers = self._timers
        try:
            if timers is not None and self._timeout is not None:
                loop = asyncio.get_running_loop()
                self.due = loop.time() + self._timeout
                timers.waiting[self] = None
                # `check_at` makes the same comparison; made here, it saves most of its calls.
                if not timers.checks or self.due < timers.checks[-1]:
                    timers.check_at(self.due, loop)
            if self._decompressor is None:
                return await self._receive() or None
            return await self._decompress(self._decompressor)
        except Exception as error:  # any exception of the client means that the response broke
            self._fault = fault_from_error(error, "reading", self._timeout)
            return self._take_unread() or self._fault
        except BaseException as error:
            raise strip_frames(error) from None
        finally:
            if timers is not None:
                timers.waiting.pop(self, None)

    def expire(self) -> None:
        """End the read that waits, with the client's exception for a timeout."""
        raise NotImplementedError

    def _take_unread(self) -> bytes:
        """Return data that was received before the response broke, and not read."""
        return b""

    async def _decompress(self, decompressor: Decompressor) -> bytes | None:
        while (piece := next(self._pieces, None)) is None:
            data = await self._receive()
            if self._timers is not None and self._timeout is not None:
                self.due = asyncio.get_running_loop().time() + self._timeout  # data came, although none to return
            if not data:
                decompressor.finish()
                return None
            self._pieces = decompressor.feed(data)
        if len(piece) == STEP:
            await asyncio.sleep(0)  # let timers and other tasks run between the steps
        return piece


class Held(NamedTuple, Generic[R]):
    """A resource of one event loop."""

    resource: R
    life: AsyncGenerator[None, None]
    """Closes the resource when it is closed."""


class LoopResources(Generic[R]):
    """One resource for each event loop, created at first use and closed when its loop shuts down.

    A loop that shuts down closes its asynchronous generators, so each resource is held by one and closed while the loop
    is still running. A forked process keeps its parent's resources without closing them, since that would close
    connections of the parent.
    """

    def __init__(
        self,
        make: Callable[[], R],
        close: Callable[[R], Awaitable[object]],
        set_aside: Callable[[R], object] | None = None,
    ) -> None:
        """`make` runs inside the loop. `set_aside` returns the object that a forked process keeps of a resource."""
        self._make = make
        self._close = close
        self._set_aside = set_aside
        self.held: WeakKeyDictionary[asyncio.AbstractEventLoop, Held[R]] = WeakKeyDictionary()
        """The open resources."""
        _OF_THIS_PROCESS.add(self)

    async def open(self) -> R:
        """Make the resource of the running loop, which has none in `held`."""
        resource = self._make()
        life = _hold(resource, self._close)
        self.held[asyncio.get_running_loop()] = Held(resource, life)
        await anext(life)
        return resource

    async def aclose(self) -> None:
        """Close the resource of the running loop."""
        found = self.held.pop(asyncio.get_running_loop(), None)
        if found is not None:
            await found.life.aclose()

    def leave_to_parent(self) -> None:
        """Forget the resources without closing them, in a forked process."""
        held, self.held = list(self.held.items()), WeakKeyDictionary()
        for loop, (resource, life) in held:
            kept = resource if self._set_aside is None else self._set_aside(resource)
            _INHERITED.append((loop, life, kept))


async def _hold(resource: R, close: Callable[[R], Awaitable[object]]) -> AsyncGenerator[None, None]:
    process = os.getpid()
    try:
        yield
    finally:
        if process == os.getpid():
            await close(resource)


_OF_THIS_PROCESS: WeakSet[LoopResources[Any]] = WeakSet()
_INHERITED: list[object] = []
"""Resources that a forked process inherited; kept, so that they are not closed by garbage collection."""


def _on_fork() -> None:
    for resources in list(_OF_THIS_PROCESS):
        resources.leave_to_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_on_fork)
