"""Recordings: requests are sent and recorded, or answered from a recording."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, FaultBase, InvalidRequest, InvalidResponse, StreamInterrupted
from victor_fp.core.result import outcome
from victor_fp.shell.recording import vcr_format, yaml_format
from victor_fp.shell.recording.exchange import Exchange, Piece, RecordedEnding, RecordedRequest, RecordedResponse
from victor_fp.shell.recording.matching import Matching, explain_missing, find_exchange
from victor_fp.shell.recording.redacting import Clean, collect_secrets, make_cleaner, redact_exchange, redact_request
from victor_fp.shell.transport.factory import build_default_transport
from victor_fp.shell.transport.interception import SendFunction, activate, deactivate

if TYPE_CHECKING:
    from pydantic import SecretStr

    from victor_fp.core.requests import HttpRequest
    from victor_fp.shell.transport.protocol import Transport, TransportResponse

Mode: TypeAlias = Literal["replay", "record", "add"]
"""`replay` answers from the file and sends nothing; `record` sends everything and overwrites the file; `add` answers
from the file, and sends and adds missing requests."""


class Recording:
    """A file of exchanges that replaces or records HTTP.

        with Recording("recordings/weather.yaml", mode="record"):   # every provider of this process, inside the block
            provider.chat("How is the weather?")
        with Recording("recordings/weather.yaml"):                  # no connection is opened
            provider.chat("How is the weather?")

    `Recording(...).transport()` records or replays a single provider: `create("openai",
    transport=recording.transport())`. Files of vcrpy and pytest-recording are also supported.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        mode: Mode = "replay",
        match: Matching = "strict",
        pace: float = 0.0,
        scrub: Clean | None = None,
        exchanges: Sequence[Exchange] = (),
        note: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read the file, if there is one. Raises ValueError if it is invalid, and ImportError without the extra `yaml`.

        `pace` scales the recorded times in a replay: 0 replays at once, 1 in real time. `scrub` is applied to every
        text that is recorded or compared, to remove confidential data other than keys. `note` is written at the top of
        the file. Without a path nothing is read or written.
        """
        if path is not None:
            yaml_format.require_yaml()
        self.path = None if path is None else Path(path)
        self.mode = mode
        self.match: Matching = match
        self.note = note
        self._pace = pace
        self._scrub = scrub
        self._clock = clock
        self._lock = threading.Lock()
        kept = list(exchanges)
        if mode != "record" and self.path is not None and self.path.exists():
            kept += read_recording(self.path)
        self._kept = kept
        self._uses = [0] * len(kept)
        self._new: list[Exchange | None] = []
        """In the order of their requests; None until the response has ended."""

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """The exchanges that were read, and those added so far."""
        with self._lock:
            return (*self._kept, *(one for one in self._new if one is not None))

    @property
    def unused(self) -> tuple[Exchange, ...]:
        """The exchanges that were read and not used so far."""
        with self._lock:
            return tuple(one for one, uses in zip(self._kept, self._uses, strict=True) if not uses)

    def transport(self, inner: Transport | None = None) -> Transport:
        """Return a transport for one provider; `inner` sends requests, by default the default transport."""
        return RecordingTransport(self, inner)

    def start(self) -> None:
        """Intercept the HTTP transports of all providers in this process."""
        activate(self)

    def stop(self) -> None:
        """Stop intercepting, and write the file."""
        deactivate(self)
        self.save()

    def save(self) -> None:
        """Write the file, if there is something to write."""
        if self.path is None or self.mode == "replay" or not self._new:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        draft.write_text(yaml_format.encode_exchanges(self.exchanges, self.note), encoding="utf-8")
        draft.replace(self.path)

    async def intercept(
        self, send: SendFunction, request: HttpRequest, secret: SecretStr | None, timeout: float | None
    ) -> TransportResponse | Fault:
        """Answer from the recording, or send and record."""
        clean = make_cleaner(
            collect_secrets(request, None if secret is None else secret.get_secret_value()), self._scrub
        )
        recorded_request = redact_request(request, clean)
        if self.mode != "record":
            found = self._take(recorded_request)
            if found is not None:
                return await self._answer(found)
            if self.mode == "replay":
                return InvalidRequest(message=self._explain(recorded_request))
        return await self._record(send, request, secret, timeout, recorded_request, clean)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Recording {self.path or 'in memory'}, {self.mode}, {len(self.exchanges)} exchanges>"

    def _take(self, recorded_request: RecordedRequest) -> Exchange | None:
        with self._lock:
            index = find_exchange(self._kept, self._uses, recorded_request, self.match)
            if index is None:
                return None
            self._uses[index] += 1
            return self._kept[index]

    async def _answer(self, exchange: Exchange) -> TransportResponse | Fault:
        response = exchange.response
        if not isinstance(response, RecordedResponse):
            return response
        if self._pace:
            await asyncio.sleep(response.after * self._pace)
        return ReplayedResponse(response, self._pace)

    async def _record(
        self,
        send: SendFunction,
        request: HttpRequest,
        secret: SecretStr | None,
        timeout: float | None,
        recorded_request: RecordedRequest,
        clean: Clean,
    ) -> TransportResponse | Fault:
        with self._lock:
            index = len(self._new)
            self._new.append(None)

        def keep(response: RecordedResponse | Fault) -> None:
            exchange = redact_exchange(Exchange(request=recorded_request, response=response), clean)
            with self._lock:
                self._new[index] = exchange

        began = self._clock()
        response = await send(request, secret, timeout)
        if isinstance(response, FaultBase):
            if isinstance(response, InvalidRequest):  # nothing was sent
                return InvalidRequest(message=f"{response.message} ({self._explain(recorded_request)})")
            keep(response)
            return response
        return RecordedBody(response, self._clock, began, keep)

    def _explain(self, recorded_request: RecordedRequest) -> str:
        with self._lock:
            return explain_missing(self._kept, self._uses, recorded_request, str(self.path or "the recording"))


class RecordingTransport:
    """A transport that records or replays exchanges."""

    def __init__(self, recording: Recording, inner: Transport | None) -> None:
        self._recording = recording
        self._inner = inner

    async def open(
        self, request: HttpRequest, secret: SecretStr | None, timeout: float | None
    ) -> TransportResponse | Fault:
        """Send the request, or answer from the recording."""
        return await self._recording.intercept(self._send, request, secret, timeout)

    async def aclose(self) -> None:
        """Close the inner transport, and write the file."""
        if self._inner is not None:
            await self._inner.aclose()
        self._recording.save()

    async def _send(
        self, request: HttpRequest, secret: SecretStr | None, timeout: float | None
    ) -> TransportResponse | Fault:
        if self._inner is None:
            self._inner = build_default_transport()
        return await self._inner.open(request, secret, timeout)


class RecordedBody:
    """A response that is recorded while it is read."""

    def __init__(
        self,
        inner: TransportResponse,
        clock: Callable[[], float],
        began: float,
        keep: Callable[[RecordedResponse], None],
    ) -> None:
        self._inner = inner
        self._clock = clock
        self._keep = keep
        self._at = clock()
        self._after = round(self._at - began, 3)
        self._pieces: list[Piece] = []
        self._is_stream = False
        self._is_kept = False
        self.status = inner.status
        self.headers: Mapping[str, str] = inner.headers

    async def read(self, limit: int) -> bytes | Fault:
        """Return the complete body."""
        body = await self._inner.read(limit)
        if isinstance(body, bytes):
            self._pieces.append(Piece(body))
            self._end("whole")
        else:
            self._end("whole", body)
        return body

    async def receive(self) -> bytes | Fault | None:
        """Return the next piece."""
        self._is_stream = True
        piece = await self._inner.receive()
        if isinstance(piece, bytes):
            now = self._clock()
            self._pieces.append(Piece(piece, round(now - self._at, 3)))
            self._at = now
        else:
            self._end("whole", piece)
        return piece

    async def aclose(self) -> None:
        """Close the response; unread data is not recorded."""
        self._end("left")
        await self._inner.aclose()

    def _end(self, ending: RecordedEnding, fault: Fault | None = None) -> None:
        if self._is_kept:
            return
        self._is_kept = True
        pieces = tuple(self._pieces) if self._is_stream else tuple(piece for piece in self._pieces if piece.data)
        self._keep(
            RecordedResponse(
                status=self.status,
                headers={name.lower(): value for name, value in self.headers.items()},
                pieces=pieces,
                is_stream=self._is_stream,
                after=self._after,
                ending=ending,
                fault=fault,
            )
        )


class ReplayedResponse:
    """A recorded response that is replayed."""

    def __init__(self, recorded: RecordedResponse, pace: float = 0.0) -> None:
        self._recorded = recorded
        self._pieces = iter(recorded.pieces)
        self._pace = pace
        self.status = recorded.status
        self.headers: Mapping[str, str] = recorded.headers

    async def read(self, limit: int) -> bytes | Fault:
        """Return the complete body."""
        body = self._recorded.body
        if len(body) > limit:
            return InvalidResponse(message=f"the body is larger than {limit} bytes", maybe_billed=True)
        end = self._end()
        return body if end is None else end

    async def receive(self) -> bytes | Fault | None:
        """Return the next piece."""
        piece = next(self._pieces, None)
        if piece is None:
            return self._end()
        await asyncio.sleep(piece.after * self._pace)
        return piece.data

    async def aclose(self) -> None:
        """Do nothing."""

    def _end(self) -> Fault | None:
        if self._recorded.ending == "left" and self._recorded.fault is None:
            return StreamInterrupted(message="the recording ends here: the response was abandoned before its end")
        return self._recorded.fault


def read_recording(path: str | Path) -> tuple[Exchange, ...]:
    """Read the exchanges of a file, also of vcrpy. Raises ValueError if it is not a recording, and OSError."""
    match outcome(decode_recording(Path(path).read_text(encoding="utf-8"))):
        case Success(exchanges):
            return exchanges
        case Failure(problem):
            raise ValueError(f"{path} is not a recording: {problem}")


def decode_recording(text: str) -> Result[tuple[Exchange, ...], str]:
    """Decode the exchanges of a file, or return an error message."""
    match outcome(yaml_format.load_documents(text)):
        case Failure(problem):
            return Failure(problem)
        case Success(documents) if vcr_format.is_cassette(documents):
            return vcr_format.decode_cassette(documents)
        case Success(documents):
            return yaml_format.decode_documents(documents)
