"""Both transports, raw servers, and proxies for the transport tests, all on loopback."""

from __future__ import annotations

import asyncio
import socket
import ssl
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any, NamedTuple, TypeAlias

from victor_fp.core.faults import Fault, FaultBase
from victor_fp.core.requests import HttpRequest
from victor_fp.shell.transport.aiohttp_transport import AiohttpTransport
from victor_fp.shell.transport.httpx_transport import HttpxTransport
from victor_fp.shell.transport.protocol import Transport
from victor_fp.shell.transport.proxies import parse_proxy

NAMES = ("aiohttp", "httpx")

Serve: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def make_transport(name: str, *, proxy: str | None = None, **options: Any) -> Transport:
    """A transport by its name, as a provider makes it."""
    kind = AiohttpTransport if name == "aiohttp" else HttpxTransport
    return kind(proxy=None if proxy is None else parse_proxy(proxy), **options)


class Answer(NamedTuple):
    """A whole response."""

    status: int
    headers: dict[str, str]
    body: bytes


async def send_request(
    transport: Transport, url: str, body: bytes = b"{}", *, timeout: float = 5.0, **headers: str
) -> Answer | Fault:
    """One request and its whole response."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = await transport.open(HttpRequest(url=url, headers=named, body=body), None, timeout)
    if isinstance(response, FaultBase):
        return response
    try:
        whole = await response.read(1 << 30)
        return Answer(response.status, dict(response.headers), whole) if isinstance(whole, bytes) else whole
    finally:
        await response.aclose()


@asynccontextmanager
async def close_at_end(transport: Transport) -> AsyncIterator[Transport]:
    """The transport, closed at the end."""
    try:
        yield transport
    finally:
        await transport.aclose()


@dataclass
class Peer:
    """A running server."""

    port: int
    host: str = "127.0.0.1"
    scheme: str = "http"
    connections: int = 0
    open_connections: int = 0
    heads: list[str] = field(default_factory=list)
    """Request lines and headers, in the order in which they came."""

    @property
    def url(self) -> str:
        """Its address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@asynccontextmanager
async def serve_raw(serve: Serve, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> AsyncIterator[Peer]:
    """A server whose connections are handled by `serve`."""
    tasks: set[asyncio.Task[Any]] = set()
    peer = Peer(0, host, "http" if tls is None else "https")

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer.connections += 1
        peer.open_connections += 1
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
                await serve(reader, writer)
        finally:
            peer.open_connections -= 1
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(handle, host, 0, ssl=tls)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def serve_answers(
    *answers: bytes, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Peer]:
    """A server that reads whole requests and sends these bytes in turn, the last one for all that follow."""
    served = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        while head := await read_request(reader):
            peer.heads.append(head)
            served += 1
            writer.write(answers[min(served, len(answers)) - 1])
            await writer.drain()

    async with serve_raw(serve, tls=tls, host=host) as peer:
        yield peer


async def read_request(reader: asyncio.StreamReader) -> str:
    """The head of a request, after its body was read too; empty at the end of the connection."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return ""
    await reader.readexactly(int(find_header(head, "content-length") or "0"))
    return head


def find_header(head: str, name: str) -> str | None:
    """The value of a header in the head of a request."""
    for line in head.split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.lower() == name:
            return value.strip()
    return None


def answer(body: bytes = b"ok", status: str = "200 OK", *headers: str) -> bytes:
    """The bytes of a response with a content length."""
    head = "\r\n".join([f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers])
    return f"{head}\r\n\r\n".encode("latin-1") + body


@asynccontextmanager
async def serve_proxy(*, tls: ssl.SSLContext | None = None, credentials: str | None = None) -> AsyncIterator[Peer]:
    """A proxy for plain requests and tunnels, which may ask for `user:password`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        peer.heads.append(head)
        if credentials is not None and _read_credentials(head) != credentials:
            writer.write(answer(b"", "407 Proxy Authentication Required", "proxy-authenticate: Basic"))
            await writer.drain()
            return
        method, target, _ = head.split(" ", 2)
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            onward, back = await asyncio.open_connection(host.strip("[]"), int(port))
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            address, _, path = target.removeprefix("http://").partition("/")
            host, _, port = address.rpartition(":")
            onward, back = await asyncio.open_connection(host, int(port))
            back.write(head.replace(target, f"/{path}", 1).encode())
        await asyncio.gather(_copy(reader, back), _copy(onward, writer))

    async with serve_raw(serve, tls=tls) as peer:
        yield peer


@asynccontextmanager
async def serve_socks(credentials: str) -> AsyncIterator[Peer]:
    """A SOCKS5 proxy that asks for `user:password`."""
    user, _, password = credentials.encode().partition(b":")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeting = await reader.readexactly(2)
        await reader.readexactly(greeting[1])
        writer.write(b"\x05\x02")
        _, length = await reader.readexactly(2)
        given = await reader.readexactly(length)
        (length,) = await reader.readexactly(1)
        if (given, await reader.readexactly(length)) != (user, password):
            writer.write(b"\x01\x01")
            return
        writer.write(b"\x01\x00")
        _, _, _, kind = await reader.readexactly(4)
        host = str(IPv4Address(await reader.readexactly(4))) if kind == 1 else ""
        if kind == 3:
            (length,) = await reader.readexactly(1)
            host = (await reader.readexactly(length)).decode()
        port = int.from_bytes(await reader.readexactly(2))
        onward, back = await asyncio.open_connection(host, port)
        writer.write(b"\x05\x00\x00\x01" + bytes(6))
        await asyncio.gather(_copy(reader, back), _copy(onward, writer))

    async with serve_raw(serve) as peer:
        yield peer


def _read_credentials(head: str) -> str | None:
    value = find_header(head, "proxy-authorization")
    return None if value is None else b64decode(value.removeprefix("Basic ")).decode()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


@contextmanager
def fill_backlog() -> Iterator[str]:
    """The address of a socket that accepts no connections, and whose queue is full, so that connecting to it stalls."""
    with socket.socket() as listening, socket.socket() as queued:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        queued.connect(listening.getsockname())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
