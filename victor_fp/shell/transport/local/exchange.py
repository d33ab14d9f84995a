"""One HTTP exchange with the engine over a new connection, with h11 and asyncio streams.

Connections are not reused: the server may drop a kept-alive connection after a streamed response without notice. Closing
the connection also stops the generation.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from contextlib import suppress

import h11

from victor_fp.core.faults import ConnectionFailed, Fault, InvalidResponse, StreamInterrupted, TimedOut
from victor_fp.core.requests import HttpRequest
from victor_fp.shell.transport.local.engine_process import Address, Engine

_PIECE = 1 << 16


class EngineResponse:
    """A response of the engine whose body has not been read."""

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
        """Send the request and read the head of the response."""
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
        while isinstance(event := await self._read_event(), h11.InformationalResponse):
            continue
        if not isinstance(event, h11.Response):
            return ConnectionFailed(message="the engine closed the connection before it responded", phase="read")
        self.status = event.status_code
        self.headers = {name.decode("ascii"): value.decode("latin-1") for name, value in event.headers}
        return None

    async def read(self, limit: int) -> bytes | Fault:
        """Return the complete body."""
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
        """Return the next bytes of the body; None at its end."""
        try:
            event = await self._read_event()
        except TimeoutError:
            return TimedOut(message="the engine sent nothing", phase="stream", seconds=self._timeout)
        except (OSError, h11.RemoteProtocolError) as error:
            return StreamInterrupted(
                message=f"the engine closed the connection before the end of its response ({error})"
            )
        if isinstance(event, h11.Data):
            return bytes(event.data)
        if isinstance(event, h11.EndOfMessage) or event is h11.PAUSED:
            return None
        return StreamInterrupted(message="the engine closed the connection before the end of its response")

    async def aclose(self) -> None:
        """Close the connection, which stops the generation."""
        self._engine.remove_connection(self._socket)
        self._writer.transport.abort()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def _read_event(self) -> object:
        while (event := self._connection.next_event()) is h11.NEED_DATA:
            async with asyncio.timeout(self._timeout):
                self._connection.receive_data(await self._reader.read(_PIECE))
        return event


async def send_request(
    engine: Engine, address: Address, request: HttpRequest, target: str, timeout: float | None
) -> EngineResponse | Fault:
    """Open a connection, send the request, and wait for the head of the response. `timeout` (seconds) bounds each read."""
    response: EngineResponse | None = None
    fault: Fault | None = None
    try:
        async with asyncio.timeout(timeout):
            response = await _connect(engine, address, timeout)
            fault = await response.begin(address, request, target)
            if fault is None:
                return response
    except TimeoutError:
        fault = TimedOut(message="the engine did not respond in time", phase="read", seconds=timeout)
    except (OSError, h11.ProtocolError) as error:
        fault = ConnectionFailed(message=f"the engine cannot be reached ({error})", phase="read")
    except BaseException:
        if response is not None:
            await response.aclose()
        raise
    if response is not None:
        await response.aclose()
    return fault


async def _connect(engine: Engine, address: Address, timeout: float | None) -> EngineResponse:
    """Connect with an explicit socket, which the engine can shut down from any thread or event loop."""
    raw = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        raw.setblocking(False)  # noqa: FBT003  the standard library's signature
        await asyncio.get_running_loop().sock_connect(raw, (address.host, address.port))
        engine.add_connection(raw)
        reader, writer = await asyncio.open_connection(sock=raw)
    except BaseException:
        engine.remove_connection(raw)
        raw.close()
        raise
    return EngineResponse(engine, raw, reader, writer, timeout)
