"""What the HTTP transports share: headers of requests, bodies of responses, and resources that belong to an event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary, WeakSet

from pydantic import SecretStr

from victor_fp.core.faults import Fault, InvalidRequest, InvalidResponse
from victor_fp.core.redaction import redact_url
from victor_fp.core.requests import SECRET, find_header_problem
from victor_fp.shell.transport.decompression import CODINGS, STEP, Decompressor, build_decompressor
from victor_fp.shell.transport.errors import fault_from_error

R = TypeVar("R")

DEFAULT_HEADERS = {"accept": "*/*", "accept-encoding": CODINGS, "user-agent": "victor-fp"}

MAX_CONNECTIONS, KEEPALIVE_SECONDS = 1000, 60.0
"""Open at once for each transport and loop, and how long an idle one is kept."""

NO_BODY = frozenset({204, 304})
"""Statuses of responses without a body; one that a server sends all the same would be read as the next response."""


def check_url(url: str) -> Fault | None:
    """InvalidRequest for an address that no request can be sent to."""
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0):
            return None
    except ValueError:
        pass
    return InvalidRequest(message=f"URL is not valid: {redact_url(url)[:200]!r}")


def check_headers(headers: Mapping[str, str]) -> Fault | None:
    """InvalidRequest for a header that cannot be sent."""
    problem = find_header_problem(headers)
    return None if problem is None else InvalidRequest(message=problem)


def fill_headers(defaults: Mapping[str, str], headers: Mapping[str, str], secret: SecretStr | None) -> dict[str, str]:
    """The headers to send, with the secret in its place. The result is not to be held in a variable: tracebacks show those."""
    filled = {**defaults, **headers}
    for name, text in headers.items():
        if SECRET in text:
            filled[name] = text.replace(SECRET, "" if secret is None else secret.get_secret_value())
    return filled


def has_body(headers: Mapping[str, str]) -> bool:
    """Whether a server seems to send a body."""
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def strip_frames(error: BaseException) -> BaseException:
    """A cancellation without the HTTP client's frames: error trackers show their variables, and one of them is the key."""
    error.__context__ = None
    return error.with_traceback(None)


class HttpResponse:
    """A response whose body is still to be read; the transports add how it is closed."""

    __slots__ = ("_decompressor", "_fault", "_pieces", "_receive", "_timeout", "headers", "status")

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        receive: Callable[[], Awaitable[bytes]],
        timeout: float | None,
        *,
        is_decoded: bool = False,
    ) -> None:
        """`receive` returns the next bytes of the body as they were sent, and none at its end."""
        self.status = status
        self.headers = headers
        self._receive = receive
        self._timeout = timeout
        encoding = None if is_decoded else headers.get("content-encoding")
        self._decompressor: Decompressor | None = None if encoding is None else build_decompressor(encoding)
        self._pieces: Iterator[bytes] = iter(())
        self._fault: Fault | None = None
        """To be returned once the bytes that came before it are."""

    async def read(self, limit: int) -> bytes | Fault:
        """The whole body."""
        pieces: list[bytes] = []
        size = 0
        while True:
            piece = await self.receive()
            if piece is None:
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)
            if not isinstance(piece, bytes):
                return piece
            size += len(piece)
            if size > limit:
                return InvalidResponse(message=f"response body is larger than {limit} bytes", maybe_billed=True)
            pieces.append(piece)

    async def receive(self) -> bytes | Fault | None:
        """The next bytes of the body."""
        if self._fault is not None:
            return self._fault
        try:
            if self._decompressor is None:
                return await self._receive() or None
            return await self._decompress(self._decompressor)
        except Exception as error:  # whatever the client raises means that the response broke
            self._fault = fault_from_error(error, "reading", self._timeout)
            return self._take_unread() or self._fault
        except BaseException as error:
            raise strip_frames(error) from None

    def _take_unread(self) -> bytes:
        """Bytes that came before the response broke and were not read."""
        return b""

    async def _decompress(self, decompressor: Decompressor) -> bytes | None:
        while (piece := next(self._pieces, None)) is None:
            data = await self._receive()
            if not data:
                decompressor.finish()
                return None
            self._pieces = decompressor.feed(data)
        if len(piece) == STEP:
            await asyncio.sleep(0)  # there is more; timers and other tasks come first
        return piece


class LoopResources(Generic[R]):
    """One resource for each event loop, made when it is first asked for and closed when its loop shuts down.

    A loop that shuts down closes the asynchronous generators that were begun in it, so one that holds the resource hears of it
    while the loop still runs. A forked process sets its parent's resources aside without closing them, since that would end
    connections that the parent uses.
    """

    def __init__(
        self,
        make: Callable[[], R],
        close: Callable[[R], Awaitable[object]],
        set_aside: Callable[[R], object] | None = None,
    ) -> None:
        """`make` runs inside the loop. `set_aside` returns what a forked process has to keep in place of the resource."""
        self._make = make
        self._close = close
        self._set_aside = set_aside
        self._held: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[R, AsyncGenerator[None, None]]]
        self._held = WeakKeyDictionary()
        _OF_THIS_PROCESS.add(self)

    async def get(self) -> R:
        """The running loop's resource."""
        loop = asyncio.get_running_loop()
        found = self._held.get(loop)
        if found is not None:
            return found[0]
        resource = self._make()
        life = _hold(resource, self._close)
        self._held[loop] = resource, life
        await anext(life)
        return resource

    async def aclose(self) -> None:
        """Close the running loop's resource."""
        found = self._held.pop(asyncio.get_running_loop(), None)
        if found is not None:
            await found[1].aclose()

    def leave_to_parent(self) -> None:
        """Forget the resources without closing them, in a forked process."""
        held, self._held = list(self._held.items()), WeakKeyDictionary()
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
"""What a forked process got from its parent; kept, since Python closes what nothing refers to."""


def _on_fork() -> None:
    for resources in list(_OF_THIS_PROCESS):
        resources.leave_to_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_on_fork)
