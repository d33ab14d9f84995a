"""A scripted HTTP server on loopback, including transport failures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from victor_fp.testing.answers import Answer, Received, Script


@dataclass
class Server:
    """A running server: its URL, the received requests, and the state of its connections."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    open_connections: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client disconnects before the end of a response."""


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[Server]:
    """Serve requests with a script inside the `async with` block."""
    server = Server()
    tasks: set[asyncio.Task[object]] = set()

    async def serve_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        server.open_connections += 1
        try:
            while (received := await _read_request(reader)) is not None:
                server.received.append(received)
                if not await _send_answer(script(received), reader, writer, server.left):
                    break
        except ConnectionError:
            server.left.set()
        except asyncio.CancelledError:
            pass  # asyncio's streams report a cancelled connection task
        finally:
            server.open_connections -= 1
            writer.close()

    listening = await asyncio.start_server(serve_connection, "127.0.0.1", 0)
    host, port = listening.sockets[0].getsockname()[:2]
    server.url = f"http://{host}:{port}"
    try:
        yield server
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read_request(reader: asyncio.StreamReader) -> Received | None:
    """Read the next request; None if the client has closed the connection."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        method, path, _ = first.split(" ", 2)
        named = (line.partition(":") for line in lines if line)
        headers = {name.lower(): value.strip() for name, _, value in named}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return Received(method=method, path=path, headers=headers, body=body)


async def _send_answer(
    answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: asyncio.Event
) -> bool:
    """Send the response; return whether the connection can be reused."""
    if answer.ending == "silent":
        return await _wait_for_disconnect(reader, left)
    fields = {**answer.headers, "transfer-encoding": "chunked"}
    lines = [f"HTTP/1.1 {answer.status} Status", *(f"{name}: {value}" for name, value in fields.items())]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    for piece in answer.pieces:
        writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0)  # send each part in its own packet, if possible
    if answer.ending == "held":
        return await _wait_for_disconnect(reader, left)
    if answer.ending == "cut":
        writer.transport.abort()
        return False
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    return True


async def _wait_for_disconnect(reader: asyncio.StreamReader, left: asyncio.Event) -> bool:
    """Wait until the client disconnects."""
    with suppress(ConnectionError):
        await reader.read(1)
    left.set()
    return False
