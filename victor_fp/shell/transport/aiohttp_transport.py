"""The default transport: aiohttp's client session, one for each event loop."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import aiohttp
import aiohttp.abc
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import StreamWriter
from pydantic import SecretStr
from yarl import URL

from victor_fp.core.faults import Fault, FaultBase, InvalidRequest
from victor_fp.core.requests import HttpRequest, find_header_problem
from victor_fp.shell.timers import get_timers
from victor_fp.shell.transport.decompression import build_decompressor
from victor_fp.shell.transport.errors import fault_from_error
from victor_fp.shell.transport.http import (
    DEFAULT_HEADERS,
    KEEPALIVE_SECONDS,
    MAX_CONNECTIONS,
    NO_BODY,
    HttpResponse,
    LoopResources,
    build_size_fault,
    check_url,
    fill_headers,
    has_body,
    strip_frames,
)
from victor_fp.shell.transport.interception import VARIABLE, build_refusal, is_httpx_replaced, is_offline
from victor_fp.shell.transport.proxies import Proxy, read_settings, refuse_scheme
from victor_fp.shell.transport.tls import Verify, make_context

if TYPE_CHECKING:
    from victor_fp.shell.transport.protocol import Transport, TransportResponse

UNBOUNDED_BODY = 64 * 1024
"""Bytes of a request body that fit into the buffers of asyncio and the system. Sending a longer body can stall."""
LONGEST_HEADER = 64 * 1024
"""Maximum bytes of a status line or of one response header."""
SENT_AT_ONCE = 32
"""While fewer requests than this await a response, the next one is sent at once, for its latency. With more, those of one
iteration of the event loop are sent together in the next one, which costs 0.9 of the CPU where the loop is saturated."""
PIECE = 16 * 1024
"""Maximum bytes of one read of a body: the objects decoded from a larger one do not fit into the CPU caches."""

SOCKS_ADVICE = "For SOCKS, install httpx[socks] and pass transport='httpx'"


class ProxyRoute(NamedTuple):
    """The TLS context, proxy and headers for a URL; cached after the first request."""

    url: URL
    tls: ssl.SSLContext | bool
    proxy: URL | None
    headers: Mapping[str, str]
    """Headers of every request: the defaults, and the proxy's credentials if it receives the request itself."""
    proxy_headers: Mapping[str, str] | None
    """Headers of the CONNECT request for a tunnel through the proxy."""

    def __repr__(self) -> str:
        """Omit the headers, which may contain the credentials of a proxy."""
        return f"Route({self.url})"


class AiohttpTransport:
    """Sends requests with aiohttp. Proxy and certificates are looked up once for each URL.

    aiohttp's `trust_env` is not used: it reads the environment in a thread for each request.
    """

    def __init__(self, *, verify: Verify = True, proxy: Proxy | Fault | None = None, trust_env: bool = True) -> None:
        self._verify = verify
        self._proxy = proxy
        self._trust_env = trust_env
        self._context: ssl.SSLContext | Fault | None = None
        self._routes: dict[str, ProxyRoute] = {}
        self._timeouts: dict[float | None, aiohttp.ClientTimeout] = {}
        self._sessions = LoopResources(_make_session, aiohttp.ClientSession.close, _detach)
        self._httpx: Transport | None = None

    async def open(
        self, request: HttpRequest, secret: SecretStr | None, timeout: float | None
    ) -> TransportResponse | Fault:
        """Send, and wait for the headers."""
        try:
            if "httpx" in sys.modules and is_httpx_replaced():
                return await self._open_over_httpx(request, secret, timeout)
            if VARIABLE in os.environ and is_offline():
                return build_refusal(request.url)
            route = self._routes.get(request.url)
            if route is None:
                found = self._find_route(request.url)
                if isinstance(found, FaultBase):
                    return found
                route = found
            if (problem := find_header_problem(request.headers)) is not None:
                return InvalidRequest(message=problem)
            body = request.body
            held = self._sessions.held.get(asyncio.get_running_loop())
            session = await self._sessions.open() if held is None else held.resource
            response = await session.request(
                request.method,
                route.url,
                headers=fill_headers(route.headers, request.headers, secret),
                data=TimedBody(body, timeout) if len(body) > UNBOUNDED_BODY else body or None,
                allow_redirects=False,
                timeout=self._timeouts.get(timeout) or self._make_timeout(timeout),
                ssl=route.tls,
                proxy=route.proxy,
                proxy_headers=route.proxy_headers,
            )
        except Exception as error:  # any exception of the client means that the request failed
            return fault_from_error(error, "opening", timeout)
        except BaseException as error:
            raise strip_frames(error) from None
        return AiohttpResponse(response, timeout)

    async def aclose(self) -> None:
        """Close the running loop's connections; those of other loops end with their loops."""
        await self._sessions.aclose()
        if self._httpx is not None:
            await self._httpx.aclose()

    async def _open_over_httpx(
        self, request: HttpRequest, secret: SecretStr | None, timeout: float | None
    ) -> TransportResponse | Fault:
        if self._httpx is None:
            from victor_fp.shell.transport.httpx_transport import HttpxTransport

            self._httpx = HttpxTransport(verify=self._verify, proxy=self._proxy, trust_env=self._trust_env)
        return await self._httpx.open(request, secret, timeout)

    def _find_route(self, address: str) -> ProxyRoute | Fault:
        """Look up the route of a URL, and cache it."""
        if (unusable := check_url(address)) is not None:
            return unusable
        # The URL is not encoded again: a signature may cover it.
        url = URL(address, encoded=address.isascii() and address.isprintable() and " " not in address)
        proxy = read_settings(self._proxy, trust_env=self._trust_env).choose(address)
        if isinstance(proxy, FaultBase):
            return proxy
        headers, proxy_headers = DEFAULT_HEADERS, None
        if proxy is not None:
            if (refused := refuse_scheme(proxy, ("http", "https"), SOCKS_ADVICE)) is not None:
                return refused
            if proxy.user is not None:
                password = "" if proxy.password is None else proxy.password.get_secret_value()
                encoded = b64encode(f"{proxy.user}:{password}".encode()).decode()
                credentials = {"proxy-authorization": f"Basic {encoded}"}
                if url.scheme == "https":
                    proxy_headers = credentials
                else:
                    headers = headers | credentials
        tls: ssl.SSLContext | bool = True
        if url.scheme == "https" or (proxy is not None and proxy.url.startswith("https")):
            self._context = self._context or make_context(self._verify, os.environ if self._trust_env else {})
            if isinstance(self._context, FaultBase):
                return self._context
            tls = self._context
        if len(self._routes) > 1000:  # the path may contain the model, so that the number of URLs is not bounded
            self._routes.clear()
        route = ProxyRoute(url, tls, None if proxy is None else URL(proxy.url), headers, proxy_headers)
        self._routes[address] = route
        return route

    def _make_timeout(self, timeout: float | None) -> aiohttp.ClientTimeout:
        if len(self._timeouts) > 100:
            self._timeouts.clear()
        # Without the threshold aiohttp would round longer timeouts up to whole seconds.
        made = aiohttp.ClientTimeout(connect=timeout, sock_read=timeout, ceil_threshold=float("inf"))
        self._timeouts[timeout] = made
        return made


class AiohttpResponse(HttpResponse):
    """A response of aiohttp whose body has not been read."""

    def __init__(self, response: aiohttp.ClientResponse, timeout: float | None) -> None:
        headers: dict[str, str] = {}
        for name, value in response.headers.items():
            name = name.lower()  # noqa: PLW2901
            if not value.isascii():
                value = _decode_header(value)  # noqa: PLW2901
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        self.status = response.status
        self.headers = headers
        self._receive = partial(response.content.read, PIECE)
        self._timeout = timeout
        self._decompressor = build_decompressor(headers["content-encoding"]) if "content-encoding" in headers else None
        self._response = response
        if not response.content.is_eof():
            self._timers = get_timers(asyncio.get_running_loop())

    async def read(self, limit: int) -> bytes | Fault:
        """Return the complete body. A short one has usually arrived with the headers."""
        content = self._response.content
        if content.is_eof() and self._decompressor is None and content.exception() is None:
            body = content.read_nowait()
            return body if len(body) <= limit else build_size_fault(limit)
        return await super().read(limit)

    async def aclose(self) -> None:
        """Release the connection, or close it if the body was not read to its end."""
        try:
            if self._response.content.at_eof():
                self._response.release()
            else:
                self._response.close()
        except Exception:  # noqa: S110  errors while closing are irrelevant
            pass

    def expire(self) -> None:
        """End the read that waits."""
        self._response.content.set_exception(aiohttp.SocketTimeoutError("no data within the timeout"))

    def _take_unread(self) -> bytes:
        """Return data that was received before the connection broke."""
        if self._decompressor is not None:
            return b""
        with suppress(Exception):
            return self._response.content._read_nowait(-1)  # noqa: SLF001  the public methods raise the exception first
        return b""


class WriteTimeout(Exception):
    """The body of a request was not sent in time; the name is that of httpx."""


class TimedBody(aiohttp.Payload):
    """A request body with a write timeout; aiohttp's own timeouts start after the body has been sent."""

    def __init__(self, body: bytes, timeout: float | None) -> None:
        super().__init__(body)
        self._body = body
        self._timeout = timeout
        self._size = len(body)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return the body as text."""
        return self._body.decode(encoding, errors)

    async def write(self, writer: aiohttp.abc.AbstractStreamWriter) -> None:
        """Send the body."""
        view = memoryview(self._body)
        bound = asyncio.timeout(self._timeout)
        try:
            async with bound:
                for start in range(0, len(view), UNBOUNDED_BODY):
                    await writer.write(view[start : start + UNBOUNDED_BODY])
        except TimeoutError:
            if bound.expired():
                raise WriteTimeout from None
            raise


class _ClientRequest(aiohttp.ClientRequest):
    """aiohttp's request; a body of bytes is sent without a task for it, as aiohttp itself does from Python 3.12 on."""

    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        protocol, body = conn.protocol, self._body
        if (
            type(body) is not aiohttp.BytesPayload
            or protocol is None
            or protocol.writing_paused
            or self.proxy is not None
            or cast("_Connector", conn._connector).awaited >= SENT_AT_ONCE  # noqa: SLF001
        ):
            return await super().send(conn)
        writer = StreamWriter(protocol, self.loop)
        await writer.write_headers(f"{self.method} {self.url.raw_path_qs} HTTP/1.1", self.headers)
        await self.write_bytes(writer, conn, body.size)
        return _ClientResponse(
            self.method,
            self.original_url,
            writer=None,
            continue100=None,
            timer=self._timer,
            request_info=self.request_info,
            traces=self._traces,
            loop=self.loop,
            session=self._session,
            stream_writer=writer,
        )


def _choose_request_class() -> type[aiohttp.ClientRequest]:
    """Choose `_ClientRequest` only with the version of aiohttp that it was written for."""
    is_needed = sys.version_info < (3, 12) and aiohttp.__version__.startswith("3.14.")
    return _ClientRequest if is_needed else aiohttp.ClientRequest


class _ClientResponse(aiohttp.ClientResponse):
    """aiohttp's response; prevents the reuse of connections in two cases where aiohttp would reuse them.

    The reads of the body are timed by `HttpResponse`: aiohttp would set a timer for each piece of data.
    """

    async def start(self, connection: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        protocol = connection.protocol
        # RFC 9112, 9.6: after a request with `connection: close` the server closes, regardless of its response.
        if protocol is not None and self.request_info.headers.get("connection") == "close":
            protocol.force_close()
        connector = cast("_Connector", connection._connector)  # noqa: SLF001
        connector.awaited += 1
        try:
            started = await super().start(connection)
        finally:
            connector.awaited -= 1
        if protocol is not None:
            protocol.read_timeout = None
            protocol.start_timeout()  # without a timeout it ends the one that was started
        if protocol is not None and self.status in NO_BODY and has_body(self.headers):
            protocol.close()
        return started


class _ResponseHandler(ResponseHandler):
    """aiohttp's protocol; reports a connection that broke within a body to its reader.

    aiohttp would leave the reader waiting after malformed data, and take a reset for the end of a body without a length.
    """

    def connection_lost(self, exc: BaseException | None) -> None:
        if exc is not None:
            self._break_body(exc)
        super().connection_lost(exc)

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        self._break_body(exc_cause or exc)
        super().set_exception(exc, exc if exc_cause is None else exc_cause)

    def _break_body(self, error: BaseException) -> None:
        body = self._payload
        if body is not None and not body.is_eof() and body.exception() is None:
            body.set_exception(error)


class _Connector(aiohttp.TCPConnector):
    """aiohttp's connection pool; a forked process does not close the connections of its parent."""

    def __init__(self) -> None:
        super().__init__(limit=MAX_CONNECTIONS, keepalive_timeout=KEEPALIVE_SECONDS)
        handler = partial(_ResponseHandler, loop=asyncio.get_running_loop())
        self._factory = cast("partial[ResponseHandler]", handler)
        self.awaited = 0
        """Number of responses whose headers are awaited."""
        self._is_inherited: Callable[[], bool] = partial(_has_forked, os.getpid(), os.getpid)

    def __del__(self, *unused: Any) -> None:
        if not self._is_inherited():
            super().__del__(*unused)


def _has_forked(process: int, current: Callable[[], int]) -> bool:
    return current() != process


def _make_session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("content-type",),
        connector=_Connector(),
        request_class=_choose_request_class(),
        response_class=_ClientResponse,
        max_line_size=LONGEST_HEADER,
        max_field_size=LONGEST_HEADER,
        trust_env=False,
    )


def _detach(session: aiohttp.ClientSession) -> object:
    """Detach the connection pool from a session, which then counts as closed."""
    connector = session.connector
    session.detach()
    return connector


def _decode_header(value: str) -> str:
    """Decode a non-ASCII header value: UTF-8 if valid, else Latin-1, as in older versions of HTTP."""
    data = value.encode("utf-8", "surrogateescape")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
