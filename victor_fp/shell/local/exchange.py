"""One HTTP exchange with the engine over a connection of its own: h11's rules, asyncio's streams.

A connection is never used twice: the server is apt to drop a kept one after a streamed answer without saying so. That
also makes stopping simple, since closing the connection is what stops the generation.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from contextlib import suppress

import h11

from victor_fp.core.faults import ConnectionFailed, Fault, InvalidResponse, StreamInterrupted, TimedOut
from victor_fp.core.requests import HttpRequest
from victor_fp.shell.local.llamacpp import Address, Engine

_PIECE = 1 << 16


class EngineReply:
    """An answer of the engine whose body is still to be read."""

    __slots__ = ("_connection", "_engine", "_reader", "_socket", "_timeout", "_writer", "headers", "status")

    def __init__(
        self,
        engine: Engine,
        raw: socket.socket,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        timeout: float | None,
    ) -> None:
        self._engine = engine
        self._socket = raw
        self._reader = reader
        self._writer = writer
        self._connection = h11.Connection(h11.CLIENT)
        self._timeout = timeout
        self.status = 0
        self.headers: Mapping[str, str] = {}

    async def begin(self, address: Address, request: HttpRequest, target: str) -> Fault | None:
        """Send the request and read the answer's head."""
        headers = {
            **request.headers,
            "host": f"{address.host}:{address.port}",
            "authorization": f"Bearer {address.key}",
            "connection": "close",
        }
        if request.body:
            headers["content-length"] = str(len(request.body))
        head = h11.Request(method=request.method, target=target, headers=list(headers.items()))
        out = self._connection.send(head) or b""
        if request.body:
            out += self._connection.send(h11.Data(data=request.body)) or b""
        self._writer.write(out + (self._connection.send(h11.EndOfMessage()) or b""))
        await self._writer.drain()
        while isinstance(event := await self._next(), h11.InformationalResponse):
            continue
        if not isinstance(event, h11.Response):
            return ConnectionFailed(message="the engine closed the connection before it answered", phase="read")
        self.status = event.status_code
        self.headers = {name.decode("ascii"): value.decode("latin-1") for name, value in event.headers}
        return None

    async def read(self, limit: int) -> bytes | Fault:
        """The whole body."""
        pieces: list[bytes] = []
        size = 0
        while (piece := await self.receive()) is not None:
            if not isinstance(piece, bytes):
                return piece
            size += len(piece)
            if size > limit:
                return InvalidResponse(message=f"the body is larger than {limit} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    async def receive(self) -> bytes | Fault | None:
        """The next bytes of the body."""
        try:
            event = await self._next()
        except TimeoutError:
            return TimedOut(message="the engine fell silent", phase="stream", seconds=self._timeout)
        except (OSError, h11.RemoteProtocolError) as error:
            return StreamInterrupted(message=f"the engine broke off its answer ({error})")
        if isinstance(event, h11.Data):
            return bytes(event.data)
        if isinstance(event, h11.EndOfMessage) or event is h11.PAUSED:
            return None
        return StreamInterrupted(message="the engine broke off its answer")

    async def aclose(self) -> None:
        """Close the connection, which stops the generation."""
        self._engine.disconnected(self._socket)
        self._writer.transport.abort()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def _next(self) -> object:
        while (event := self._connection.next_event()) is h11.NEED_DATA:
            async with asyncio.timeout(self._timeout):
                self._connection.receive_data(await self._reader.read(_PIECE))
        return event


async def exchange(
    engine: Engine, address: Address, request: HttpRequest, target: str, timeout: float | None
) -> EngineReply | Fault:
    """Open a connection, send, and wait for the answer's head. `timeout` (seconds) bounds each silence."""
    reply: EngineReply | None = None
    fault: Fault | None = None
    try:
        async with asyncio.timeout(timeout):
            reply = await _connect(engine, address, timeout)
            fault = await reply.begin(address, request, target)
            if fault is None:
                return reply
    except TimeoutError:
        fault = TimedOut(message="the engine did not answer in time", phase="read", seconds=timeout)
    except (OSError, h11.ProtocolError) as error:
        fault = ConnectionFailed(message=f"the engine cannot be reached ({error})", phase="read")
    except BaseException:
        if reply is not None:
            await reply.aclose()
        raise
    if reply is not None:
        await reply.aclose()
    return fault


async def _connect(engine: Engine, address: Address, timeout: float | None) -> EngineReply:
    """Connect with a socket of ours, which the engine can shut whatever event loop drives it."""
    raw = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        raw.setblocking(False)  # noqa: FBT003  the standard library's signature
        await asyncio.get_running_loop().sock_connect(raw, (address.host, address.port))
        engine.connected(raw)
        reader, writer = await asyncio.open_connection(sock=raw)
    except BaseException:
        engine.disconnected(raw)
        raw.close()
        raise
    return EngineReply(engine, raw, reader, writer, timeout)
