"""The HTTP client, and the only file that knows it: httpx, over aiohttp's connections unless the caller brings its own.

One client lives in each running event loop, made on first use. It is closed with the wire, or when its loop is shut
down, whichever comes first; so a provider serves one `asyncio.run` after another and nothing is left open at exit.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakKeyDictionary

import httpx
from pydantic import SecretStr

from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.requests import SECRET, HttpRequest
from victor_fp.shell.transport_faults import fault_of

if TYPE_CHECKING:
    from victor_fp.shell.wire import Reply

Clients: TypeAlias = Callable[[], httpx.AsyncClient]

LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=200, keepalive_expiry=60.0)
"""Room for the concurrency of a service; httpx's own 20 idle connections would make it reconnect all the time."""


def default_client(
    *, verify: ssl.SSLContext | str | bool = True, proxy: str | None = None, trust_env: bool = True
) -> httpx.AsyncClient:
    """httpx over aiohttp's connection pool, whose cost does not grow with the connections open."""
    from httpx_aiohttp import HttpxAiohttpClient

    return HttpxAiohttpClient(
        verify=verify, proxy=proxy, trust_env=trust_env, limits=LIMITS, timeout=None, follow_redirects=False
    )


class HttpReply:
    """An httpx response still to be read."""

    __slots__ = ("_response", "_timeout", "headers", "status")

    def __init__(self, response: httpx.Response, timeout: float | None) -> None:
        self._response = response
        self._timeout = timeout
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers

    async def read(self, limit: int) -> bytes | Fault:
        """The whole body."""
        pieces: list[bytes] = []
        size = 0
        async for piece in self.chunks():
            if not isinstance(piece, bytes):
                return piece
            size += len(piece)
            if size > limit:
                return InvalidResponse(message=f"the body is larger than {limit} bytes", maybe_billed=True)
            pieces.append(piece)
        return b"".join(pieces)

    async def chunks(self) -> AsyncGenerator[bytes | Fault, None]:
        """The body as it comes."""
        try:
            async for piece in self._response.aiter_bytes():
                yield piece
        except Exception as error:  # whatever the client raises is an answer that broke
            yield fault_of(error, "reading", self._timeout)

    async def aclose(self) -> None:
        """Give the connection back or close it."""
        with suppress(Exception):  # a connection that fails while it is closed is closed
            await self._response.aclose()


class HttpWire:
    """A client per event loop, or one client that the caller owns."""

    def __init__(self, make_client: Clients = default_client, *, owned: bool = True) -> None:
        self._make_client = make_client
        self._owned = owned
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopClient] = WeakKeyDictionary()

    async def open(self, request: HttpRequest, secret: SecretStr | None, timeout: float | None) -> Reply | Fault:
        """Send, and wait for the headers."""
        try:
            client = await self._client()
            response = await client.send(
                client.build_request(
                    request.method,
                    request.url,
                    headers=_with_secret(request.headers, secret),
                    content=request.body or None,
                    timeout=timeout,
                ),
                stream=True,
            )
        except Exception as error:  # whatever the client raises is a request that failed
            return fault_of(error, "opening", timeout)
        return HttpReply(response, timeout)

    async def aclose(self) -> None:
        """Close the clients this wire made."""
        loop = asyncio.get_running_loop()
        for owner, client in list(self._clients.items()):
            if owner is loop:
                await client.aclose()
        self._clients.clear()

    async def _client(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        found = self._clients.get(loop)
        if found is not None and not found.client.is_closed:
            return found.client
        made = _LoopClient(self._make_client(), owned=self._owned)
        self._clients[loop] = made
        await made.begin()
        return made.client


class _LoopClient:
    """A client that ends with its event loop.

    A loop that shuts down closes the async generators that were begun in it, so one that holds the client is enough
    to be told in time, while the loop still runs.
    """

    def __init__(self, client: httpx.AsyncClient, *, owned: bool) -> None:
        self.client = client
        self._life = _held(client) if owned else None

    async def begin(self) -> None:
        """Tie the client to the running loop."""
        if self._life is not None:
            await anext(self._life)

    async def aclose(self) -> None:
        """Close it now."""
        if self._life is not None:
            await self._life.aclose()


async def _held(client: httpx.AsyncClient) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await client.aclose()


def http_wire(
    *,
    http_client: httpx.AsyncClient | None = None,
    verify: ssl.SSLContext | str | bool = True,
    proxy: str | None = None,
    trust_env: bool = True,
) -> HttpWire:
    """A wire of its own clients, or over one that the caller brings and closes."""
    if http_client is not None:
        return HttpWire(lambda: http_client, owned=False)
    return HttpWire(partial(default_client, verify=verify, proxy=proxy, trust_env=trust_env))


def _with_secret(headers: Mapping[str, str], secret: SecretStr | None) -> dict[str, str]:
    value = secret.get_secret_value() if secret is not None else ""
    return {name: text.replace(SECRET, value) if SECRET in text else text for name, text in headers.items()}
