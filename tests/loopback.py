"""A server on loopback with scripted responses, over real HTTP, including transport errors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import TypeAlias


@dataclass(frozen=True)
class Received:
    """One request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, object]:
        """The body as an object."""
        value = json.loads(self.body)
        assert isinstance(value, dict)
        return value


class Talk:
    """One connection, in the hands of a script."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send_bytes(self, data: bytes) -> None:
        """Write bytes and let them go out."""
        self._writer.write(data)
        await self._writer.drain()

    async def send_head(self, status: int = 200, **headers: str) -> None:
        """A status line and headers; without a content length the body is chunked."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if "content-length" not in named:
            named["transfer-encoding"] = "chunked"
        lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in named.items())]
        await self.send_bytes(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def send_chunk(self, data: bytes) -> None:
        """One chunk of a chunked body."""
        await self.send_bytes(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def end(self) -> None:
        """The end of a chunked body."""
        await self.send_bytes(b"0\r\n\r\n")

    async def answer(self, body: bytes | str | object, status: int = 200, **headers: str) -> None:
        """A whole answer."""
        if not isinstance(body, bytes | str):
            body = json.dumps(body)
        data = body.encode() if isinstance(body, str) else body
        await self.send_head(status, content_length=str(len(data)), **{"content_type": "application/json", **headers})
        await self.send_bytes(data)

    async def send_events(self, *payloads: object, done: bool = True) -> None:
        """A whole stream of server-sent events; text is sent as it is, anything else as JSON."""
        await self.send_head(content_type="text/event-stream")
        for payload in payloads:
            await self.send_event(payload)
        if done:
            await self.send_event("[DONE]")
        await self.end()

    async def send_event(self, payload: object) -> None:
        """One event."""
        text = payload if isinstance(payload, str) else json.dumps(payload)
        await self.send_chunk(f"data: {text}\n\n".encode())

    async def close(self) -> None:
        """Close the connection in order."""
        self._writer.close()
        await self._writer.wait_closed()

    async def reset(self) -> None:
        """Reset the connection without closing it cleanly."""
        transport = self._writer.transport
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()

    async def wait_for_close(self, seconds: float = 5.0) -> bool:
        """Whether the client closes the connection within this time."""
        try:
            return await asyncio.wait_for(self._reader.read(1), seconds) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False


Script: TypeAlias = Callable[[Talk, Received], Awaitable[None]]


@dataclass
class Loopback:
    """A running server: its URL and the requests it has received."""

    url: str
    port: int
    received: list[Received] = field(default_factory=list)
    open_connections: int = 0
    connections: int = 0


@asynccontextmanager
async def serving(*scripts: Script) -> AsyncIterator[Loopback]:
    """Serve the scripts one request after another; the last one serves all that follow."""
    loopback = Loopback(url="", port=0)
    tasks: set[asyncio.Task[object]] = set()

    async def handle_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loopback.open_connections += 1
        loopback.connections += 1
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            while (received := await _request(reader)) is not None:
                loopback.received.append(received)
                script = scripts[min(len(loopback.received), len(scripts)) - 1]
                await script(Talk(reader, writer), received)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # asyncio's streams complain of a connection's task that was cancelled
        finally:
            loopback.open_connections -= 1
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(handle_connection, "127.0.0.1", 0)
    loopback.port = server.sockets[0].getsockname()[1]
    loopback.url = f"http://127.0.0.1:{loopback.port}"
    try:
        yield loopback
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _request(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method, path, headers, body)


Serve: TypeAlias = Callable[..., Loopback]
"""Starts a server that serves scripts, in a thread of its own."""


@contextmanager
def serve_in_thread() -> Iterator[Serve]:
    """Start servers alongside a test that has no event loop."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    stack = AsyncExitStack()

    def start(*scripts: Script) -> Loopback:
        return asyncio.run_coroutine_threadsafe(stack.enter_async_context(serving(*scripts)), loop).result(5)

    try:
        yield start
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()
