"""The HTTP client, and the only file that knows it: httpx, over aiohttp's connections unless the caller brings its own.

Requests go straight to the transport: nothing of what httpx's client adds (redirects, cookies, auth, hooks) is wanted
here, and it costs as much as the transport itself. One set of connections lives in each running event loop, made on
first use. It is closed with the wire, or when its loop is shut down, whichever comes first; so a provider serves one
`asyncio.run` after another and nothing is left open at exit.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, TypeAlias
from urllib.request import getproxies, proxy_bypass
from weakref import WeakKeyDictionary

import httpx
from pydantic import SecretStr

from victor_fp.core.faults import Fault, InvalidRequest, InvalidResponse
from victor_fp.core.requests import SECRET, HttpRequest
from victor_fp.shell.transport.decompression import CODINGS, STEP, decompressor_for
from victor_fp.shell.transport.errors import fault_from_error

if TYPE_CHECKING:
    from victor_fp.shell.transport.protocol import TransportResponse

Verify: TypeAlias = ssl.SSLContext | str | bool

LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=200, keepalive_expiry=60.0)
"""Room for the concurrency of a service; httpx's own 20 idle connections would make it reconnect all the time."""

DEFAULT_HEADERS = {"accept": "*/*", "accept-encoding": CODINGS, "user-agent": "victor-fp"}


class Carrier(Protocol):
    """What a wire uses within one event loop."""

    async def send(self, request: HttpRequest, headers: Mapping[str, str], timeout: float | None) -> httpx.Response:
        """Send, and wait for the headers; raises what the client raises."""
        ...

    async def aclose(self) -> None:
        """Close what this carrier opened."""
        ...


class TransportCarrier:
    """Transports over aiohttp's connection pool, whose cost does not grow with the connections open."""

    def __init__(self, *, verify: Verify, proxy: str | None, trust_env: bool) -> None:
        self._verify = verify
        self._proxy = proxy
        self._trust_env = trust_env
        self._urls: dict[str, tuple[httpx.URL, httpx.AsyncBaseTransport]] = {}
        self._transports: dict[tuple[bool, str | None], httpx.AsyncBaseTransport] = {}

    async def send(self, request: HttpRequest, headers: Mapping[str, str], timeout: float | None) -> httpx.Response:
        """Through the transport for the request's place."""
        found = self._urls.get(request.url)
        if found is None:
            found = self._placed(request.url)
        url, transport = found
        return await transport.handle_async_request(
            httpx.Request(
                request.method,
                url,
                headers={**DEFAULT_HEADERS, **headers},
                content=request.body or None,
                extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), timeout)},
            )
        )

    async def aclose(self) -> None:
        """Close every connection."""
        transports, self._transports, self._urls = self._transports, {}, {}
        for transport in transports.values():
            await transport.aclose()

    def _placed(self, address: str) -> tuple[httpx.URL, httpx.AsyncBaseTransport]:
        url = httpx.URL(address)
        proxy = self._proxy
        if proxy is None and self._trust_env and not proxy_bypass(url.host):
            proxies = getproxies()
            proxy = proxies.get(url.scheme) or proxies.get("all")
        key = (url.scheme == "https", proxy)
        transport = self._transports.get(key)
        if transport is None:
            transport = self._transports[key] = self._made(*key)
        if len(self._urls) > 1000:  # some protocols put the model into the path
            self._urls.clear()
        self._urls[address] = url, transport
        return url, transport

    def _made(self, secure: bool, proxy: str | None) -> httpx.AsyncBaseTransport:  # noqa: FBT001
        from httpx_aiohttp import AiohttpTransport

        # Certificates are loaded only for a place that shows some.
        return AiohttpTransport(
            verify=self._verify if secure or proxy else False,
            trust_env=self._trust_env,
            limits=LIMITS,
            proxy=None if proxy is None else httpx.Proxy(proxy),
        )


class ClientCarrier:
    """A client that the caller brought, with its own transport, headers and hooks; it stays the caller's to close."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def send(self, request: HttpRequest, headers: Mapping[str, str], timeout: float | None) -> httpx.Response:
        """Through the client; a redirect is not followed with a key, and no coding asked for that we cannot undo."""
        asked = {"accept-encoding": CODINGS, **headers}
        built = self._client.build_request(
            request.method, request.url, headers=asked, content=request.body or None, timeout=timeout
        )
        return await self._client.send(built, stream=True, follow_redirects=False)

    async def aclose(self) -> None:
        """Nothing: the caller closes it."""


class HttpReply:
    """An httpx response still to be read."""

    __slots__ = ("_pieces", "_response", "_timeout", "_unpack", "_unpacked", "headers", "status")

    def __init__(self, response: httpx.Response, timeout: float | None) -> None:
        self._response = response
        self._timeout = timeout
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers
        # A hook or a double of the caller's may have read it, and httpx has then unpacked it.
        read = response.is_stream_consumed
        encoding = None if read else response.headers.get("content-encoding")
        self._pieces = response.aiter_bytes() if read else response.aiter_raw()
        self._unpack = None if encoding is None else decompressor_for(encoding)
        self._unpacked: Iterator[bytes] = iter(())

    async def read(self, limit: int) -> bytes | Fault:
        """The whole body."""
        pieces: list[bytes] = []
        size = 0
        try:
            while (piece := await self._next()) is not None:
                size += len(piece)
                if size > limit:
                    return InvalidResponse(message=f"the body is larger than {limit} bytes", maybe_billed=True)
                pieces.append(piece)
        except Exception as error:  # whatever the client raises is an answer that broke
            return fault_from_error(error, "reading", self._timeout)
        except BaseException as error:
            raise _bare(error) from None
        return b"".join(pieces)

    async def receive(self) -> bytes | Fault | None:
        """The next bytes of the body."""
        try:
            return await self._next()
        except Exception as error:
            return fault_from_error(error, "reading", self._timeout)
        except BaseException as error:
            raise _bare(error) from None

    async def aclose(self) -> None:
        """Give the connection back or close it."""
        with suppress(Exception):  # a connection that fails while it is closed is closed
            await self._response.aclose()

    async def _next(self) -> bytes | None:
        """The next bytes, unpacked; raises what the client and zlib raise."""
        if self._unpack is None:
            return await anext(self._pieces, None)
        while (piece := next(self._unpacked, None)) is None:
            packed = await anext(self._pieces, None)
            if packed is None:
                return None
            self._unpacked = self._unpack(packed)
        if len(piece) == STEP:
            await asyncio.sleep(0)  # there is more of it; clocks and others first
        return piece


class HttpWire:
    """One carrier for each event loop that sends."""

    def __init__(self, make_carrier: Callable[[], Carrier]) -> None:
        self._make_carrier = make_carrier
        self._carriers: WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopCarrier] = WeakKeyDictionary()

    async def open(
        self, request: HttpRequest, secret: SecretStr | None, timeout: float | None
    ) -> TransportResponse | Fault:
        """Send, and wait for the headers."""
        if (unsendable := _unsendable(request.headers)) is not None:
            return InvalidRequest(message=f"the header {unsendable!r} holds characters that no header may hold")
        try:
            loop = asyncio.get_running_loop()
            held = self._carriers.get(loop) or await self._begun(loop)
            response = await held.carrier.send(request, _with_secret(request.headers, secret), timeout)
        except Exception as error:  # whatever the client raises is a request that failed
            return fault_from_error(error, "opening", timeout)
        except BaseException as error:
            raise _bare(error) from None
        return HttpReply(response, timeout)

    async def aclose(self) -> None:
        """Close the running loop's connections; those of other loops ended with them."""
        held = self._carriers.pop(asyncio.get_running_loop(), None)
        if held is not None:
            await held.aclose()

    async def _begun(self, loop: asyncio.AbstractEventLoop) -> _LoopCarrier:
        held = self._carriers[loop] = _LoopCarrier(self._make_carrier())
        await held.begin()
        return held


class _LoopCarrier:
    """A carrier that ends with its event loop.

    A loop that shuts down closes the async generators that were begun in it, so one that holds the carrier is enough
    to be told in time, while the loop still runs.
    """

    __slots__ = ("_life", "carrier")

    def __init__(self, carrier: Carrier) -> None:
        self.carrier = carrier
        self._life = _held(carrier)

    async def begin(self) -> None:
        """Tie the carrier to the running loop."""
        await anext(self._life)

    async def aclose(self) -> None:
        """Close it now."""
        await self._life.aclose()


async def _held(carrier: Carrier) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await carrier.aclose()


def http_transport(
    *,
    http_client: httpx.AsyncClient | None = None,
    verify: Verify = True,
    proxy: str | None = None,
    trust_env: bool = True,
) -> HttpWire:
    """A wire over connections of its own, or over a client that the caller brings and closes."""
    if http_client is not None:
        client = http_client
        return HttpWire(lambda: ClientCarrier(client))
    return HttpWire(lambda: TransportCarrier(verify=verify, proxy=proxy, trust_env=trust_env))


def _unsendable(headers: Mapping[str, str]) -> str | None:
    """The name of a header that cannot be sent."""
    for name, text in headers.items():
        if not (text.isascii() and text.isprintable() and name.isascii() and name.isprintable()):
            return name
    return None


def _bare(error: BaseException) -> BaseException:
    """A cancellation without the client's frames: error trackers show their variables, and one of them is the key."""
    error.__context__ = None
    return error.with_traceback(None)


def _with_secret(headers: Mapping[str, str], secret: SecretStr | None) -> dict[str, str]:
    value = secret.get_secret_value() if secret is not None else ""
    return {name: text.replace(SECRET, value) if SECRET in text else text for name, text in headers.items()}
