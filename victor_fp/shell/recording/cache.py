"""A cache of responses: the same request is answered from a file until its lifetime is over."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from victor_fp.core.faults import Fault, FaultBase
from victor_fp.shell.recording import yaml_format
from victor_fp.shell.recording.exchange import Exchange, RecordedResponse
from victor_fp.shell.recording.recording import RecordedBody, ReplayedResponse, decode_recording
from victor_fp.shell.recording.redacting import collect_secrets, make_cleaner, redact_exchange, redact_request
from victor_fp.shell.transport.factory import build_default_transport
from victor_fp.shell.transport.interception import SendFunction, activate, deactivate

if TYPE_CHECKING:
    from pydantic import SecretStr

    from victor_fp.core.requests import HttpRequest
    from victor_fp.shell.transport.protocol import Transport, TransportResponse

_STREAM_END = re.compile(
    rb'data: ?\[DONE\]|"finish_?[rR]eason": ?"|"done": ?true|message_stop|messageStop|message-end|response\.completed'
)
"""What stands near the end of a whole stream: OpenAI, Gemini, Ollama, Anthropic, Bedrock, Cohere, Responses."""
_ERROR = re.compile(rb'"error": ?[{"]|"type": ?"error"|event: error')
"""What stands in a 200 response that reports an error."""


def _read_clock() -> datetime:
    return datetime.now(UTC)


class Cache:
    """Answers repeated requests from a folder, one file for each, which reads like a recording.

        with Cache(".cache/llm", lifetime=24 * 3600):        # every provider of this process, until the block is left
            provider.chat("How high is Galdhøpiggen?")

    `Cache(...).transport()` is for one provider alone. Only whole responses with status 200 that report no error are kept; keys are
    not, and do not count: two accounts that ask the same get the same answer. Streams are answered in the pieces in which they came.
    """

    def __init__(self, folder: str | Path, *, lifetime: float, now: Callable[[], datetime] = _read_clock) -> None:
        """`lifetime` is in seconds."""
        self.folder = Path(folder)
        self.lifetime = lifetime
        self.hits = 0
        self.misses = 0
        self._now = now

    def transport(self, inner: Transport | None = None) -> Transport:
        """A transport for one provider; `inner` sends what is not in the cache, the default transport where it is None."""
        return CachingTransport(self, inner)

    def clear(self, *, expired_only: bool = False) -> int:
        """Delete what is kept, or what is expired; the number of files deleted."""
        count = 0
        for path in self.folder.glob("*.yaml"):
            if not expired_only or self._read(path) is None:
                with suppress(FileNotFoundError):
                    path.unlink()
                    count += 1
        return count

    async def intercept(
        self, send: SendFunction, request: HttpRequest, secret: SecretStr | None, timeout: float | None
    ) -> TransportResponse | Fault:
        """Answer from the cache, or send and keep. Only a POST asks for an answer; the state of a job changes."""
        if request.method != "POST":
            return await send(request, secret, timeout)
        clean = make_cleaner(collect_secrets(request, None if secret is None else secret.get_secret_value()))
        asked = redact_request(request, clean)
        path = self.folder / f"{_digest(request)}.yaml"
        found = self._read(path)
        if found is not None:
            self.hits += 1
            return ReplayedResponse(found)
        self.misses += 1
        began = self._now()
        response = await send(request, secret, timeout)
        if isinstance(response, FaultBase):
            return response

        def keep(recorded: RecordedResponse) -> None:
            if is_worth_keeping(recorded):
                exchange = redact_exchange(Exchange(request=asked, response=recorded), clean)
                self._write(path, msgspec.structs.replace(exchange, recorded_at=began.isoformat(timespec="seconds")))

        def seconds() -> float:
            return (self._now() - began).total_seconds()

        return RecordedBody(response, seconds, 0.0, keep)

    def __enter__(self) -> Self:
        activate(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        deactivate(self)

    def _read(self, path: Path) -> RecordedResponse | None:
        """What is kept and not expired. A file that cannot be read is as good as none."""
        try:
            kept: tuple[Exchange, ...] = decode_recording(path.read_text(encoding="utf-8")).value_or(())
            if len(kept) != 1:
                return None
            exchange = kept[0]
            age = (self._now() - datetime.fromisoformat(exchange.recorded_at or "")).total_seconds()
        except (OSError, ValueError, TypeError):
            return None
        response = exchange.response
        return response if isinstance(response, RecordedResponse) and 0 <= age < self.lifetime else None

    def _write(self, path: Path, exchange: Exchange) -> None:
        """Write the file whole; a folder that cannot be written to keeps nothing."""
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(f".{os.getpid()}.{id(exchange)}")
            draft.write_text(yaml_format.encode_exchanges([exchange]), encoding="utf-8")
            draft.replace(path)


class CachingTransport:
    """A transport whose responses are kept in a cache."""

    def __init__(self, cache: Cache, inner: Transport | None) -> None:
        self._cache = cache
        self._inner = build_default_transport() if inner is None else inner

    async def open(
        self, request: HttpRequest, secret: SecretStr | None, timeout: float | None
    ) -> TransportResponse | Fault:
        """Answer from the cache, or send."""
        return await self._cache.intercept(self._inner.open, request, secret, timeout)

    async def aclose(self) -> None:
        """Close the transport that sends."""
        await self._inner.aclose()


def is_worth_keeping(response: RecordedResponse) -> bool:
    """Whether a response is whole and reports no error, as far as its bytes show."""
    body = response.body
    if response.status != 200 or response.ending != "whole" or response.fault is not None or _ERROR.search(body):
        return False
    if response.is_stream:
        return _STREAM_END.search(body) is not None
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def _digest(request: HttpRequest) -> str:
    """What makes requests the same: method, URL and body, JSON without regard to the order of names."""
    body: Any
    try:
        body = json.dumps(json.loads(request.body), sort_keys=True).encode()
    except (ValueError, RecursionError):
        body = request.body
    head = f"{request.method} {request.url}\n".encode()
    return sha256(head + body).hexdigest()[:32]
