"""Transports over httpx: with an `httpx.AsyncClient` of the caller, or with internal clients."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING

import httpx
from pydantic import SecretStr

from victor_fp.core.faults import Fault, FaultBase, InvalidRequest
from victor_fp.core.requests import HttpRequest, find_header_problem
from victor_fp.shell.transport.decompression import CODINGS, build_decompressor
from victor_fp.shell.transport.errors import fault_from_error
from victor_fp.shell.transport.http import (
    DEFAULT_HEADERS,
    KEEPALIVE_SECONDS,
    MAX_CONNECTIONS,
    NO_BODY,
    HttpResponse,
    LoopResources,
    check_url,
    fill_headers,
    has_body,
    strip_frames,
)
from victor_fp.shell.transport.interception import refuse_client
from victor_fp.shell.transport.proxies import Proxy, read_settings, refuse_scheme
from victor_fp.shell.transport.tls import Verify, make_context

if TYPE_CHECKING:
    from victor_fp.shell.transport.protocol import TransportResponse

LIMITS = httpx.Limits(
    max_connections=MAX_CONNECTIONS, max_keepalive_connections=200, keepalive_expiry=KEEPALIVE_SECONDS
)
"""httpx's default of 20 idle connections is too low for a service."""


class ClientTransport:
    """Sends requests with a client of the caller, with its proxies, TLS, headers and hooks. The caller closes it."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def open(
        self, request: HttpRequest, secret: SecretStr | None, timeout: float | None
    ) -> TransportResponse | Fault:
        """Send, and wait for the headers."""
        # Only codings that can be decoded are requested.
        return await _open(self._client, {"accept-encoding": CODINGS}, request, secret, timeout)

    async def aclose(self) -> None:
        """Do nothing: the client belongs to the caller."""


class HttpxTransport:
    """Sends requests with httpx, with one client for each proxy and event loop."""

    def __init__(self, *, verify: Verify = True, proxy: Proxy | Fault | None = None, trust_env: bool = True) -> None:
        self._verify = verify
        self._proxy = proxy
        self._trust_env = trust_env
        self._routes: dict[str, Proxy | None] = {}
        self._clients = LoopResources[dict[Proxy | None, httpx.AsyncClient]](dict, _close_all)

    async def open(
        self, request: HttpRequest, secret: SecretStr | None, timeout: float | None
    ) -> TransportResponse | Fault:
        """Send, and wait for the headers."""
        client = await self._find_client(request.url)
        if isinstance(client, FaultBase):
            return client
        return await _open(client, DEFAULT_HEADERS, request, secret, timeout)

    async def aclose(self) -> None:
        """Close the running loop's connections; those of other loops end with their loops."""
        await self._clients.aclose()

    async def _find_client(self, url: str) -> httpx.AsyncClient | Fault:
        if url not in self._routes:
            if (unusable := check_url(url)) is not None:
                return unusable
            proxy = read_settings(self._proxy, trust_env=self._trust_env).choose(url)
            if isinstance(proxy, FaultBase):
                return proxy
            if len(self._routes) > 1000:  # the path may contain the model, so that the number of URLs is not bounded
                self._routes.clear()
            self._routes[url] = proxy
        proxy = self._routes[url]
        found = self._clients.held.get(asyncio.get_running_loop())
        clients = await self._clients.open() if found is None else found.resource
        client = clients.get(proxy)
        if client is None:
            made = self._make_client(proxy)
            if isinstance(made, FaultBase):
                return made
            client = clients[proxy] = made
        return client

    def _make_client(self, proxy: Proxy | None) -> httpx.AsyncClient | Fault:
        context = make_context(self._verify, os.environ if self._trust_env else {})
        if isinstance(context, FaultBase):
            return context
        through = None
        if proxy is not None:
            if (refused := refuse_scheme(proxy, ("http", "https", "socks5", "socks5h"))) is not None:
                return refused
            password = "" if proxy.password is None else proxy.password.get_secret_value()
            through = httpx.Proxy(
                proxy.url,
                auth=None if proxy.user is None else (proxy.user, password),
                ssl_context=context if proxy.url.startswith("https") else None,
            )
        try:
            return httpx.AsyncClient(
                verify=context,
                proxy=through,
                trust_env=False,
                limits=LIMITS,
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # cookies are not stored
            )
        except ImportError:  # of httpx, for SOCKS
            return InvalidRequest(message=f"proxy {through.url if through else ''}: install httpx[socks] to use it")


class HttpxResponse(HttpResponse):
    """A response of httpx whose body has not been read."""

    def __init__(self, response: httpx.Response, timeout: float | None) -> None:
        # If a hook or a test double has read it, httpx has decompressed it.
        is_read = response.is_stream_consumed
        pieces = response.aiter_bytes() if is_read else response.aiter_raw()
        # Without reading, the connection is closed, since the server may still send the announced body.
        is_unread = response.status_code in NO_BODY and has_body(response.headers)
        encoding = "" if is_read else response.headers.get("content-encoding", "")
        self.status = response.status_code
        self.headers = response.headers
        self._receive = _read_nothing if is_unread else partial(_read_piece, pieces)
        self._timeout = timeout
        self._decompressor = build_decompressor(encoding)
        self._response = response

    async def aclose(self) -> None:
        """Release the connection, or close it if the body was not read to its end."""
        with suppress(Exception):  # errors while closing are irrelevant
            await self._response.aclose()


async def _open(
    client: httpx.AsyncClient,
    defaults: dict[str, str],
    request: HttpRequest,
    secret: SecretStr | None,
    timeout: float | None,
) -> TransportResponse | Fault:
    """Send with a client, and wait for the headers."""
    if (unsendable := check_url(request.url)) is not None:
        return unsendable
    if (problem := find_header_problem(request.headers)) is not None:
        return InvalidRequest(message=problem)
    try:
        response = await _send(client, defaults, request, secret, timeout)
    except Exception as error:  # any exception of the client means that the request failed
        return fault_from_error(error, "opening", timeout)
    except BaseException as error:
        raise strip_frames(error) from None
    return response if isinstance(response, FaultBase) else HttpxResponse(response, timeout)


async def _send(
    client: httpx.AsyncClient,
    defaults: dict[str, str],
    request: HttpRequest,
    secret: SecretStr | None,
    timeout: float | None,
) -> httpx.Response | Fault:
    """Send; exceptions of httpx propagate. Redirects are not followed, so that the key is not sent to another host."""
    built = client.build_request(
        request.method,
        request.url,
        headers=fill_headers(defaults, request.headers, secret),
        content=request.body or None,
        timeout=timeout,
    )
    if (refused := refuse_client(client, request.url, built.url)) is not None:
        return refused
    return await client.send(built, stream=True, follow_redirects=False)


async def _read_piece(pieces: AsyncIterator[bytes]) -> bytes:
    """Return the next bytes, empty at the end; empty parts from test doubles are skipped."""
    async for piece in pieces:
        if piece:
            return piece
    return b""


async def _read_nothing() -> bytes:
    return b""


async def _close_all(clients: dict[Proxy | None, httpx.AsyncClient]) -> None:
    for client in clients.values():
        await client.aclose()
