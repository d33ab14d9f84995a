"""A cache of responses: repeated requests are answered from a file until it expires."""

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
"""Matches the end of a complete stream: OpenAI, Gemini, Ollama, Anthropic, Bedrock, Cohere, Responses."""
_ERROR = re.compile(rb'"error": ?[{"]|"type": ?"error"|event: error')
"""Matches a 200 response that reports an error."""


def _read_clock() -> datetime:
    return datetime.now(UTC)


class Cache:
    """Answers repeated requests from a directory, with one file per request in the format of recordings.

        with Cache(".cache/llm", lifetime=24 * 3600):        # every provider of this process, until the block is left
            provider.chat("How high is Galdhøpiggen?")

    `Cache(...).transport()` is for a single provider. Only complete responses with status 200 without errors are
    stored; keys are not part of the cache key: two accounts share responses. Streams are replayed in the parts in which
    they were received.
    """

    def __init__(self, folder: str | Path, *, lifetime: float, now: Callable[[], datetime] = _read_clock) -> None:
        """`lifetime` is in seconds. Requires the extra `yaml`; raises ImportError."""
        yaml_format.require_yaml()
        self.folder = Path(folder)
        self.lifetime = lifetime
        self.hits = 0
        self.misses = 0
        self._now = now

    def transport(self, inner: Transport | None = None) -> Transport:
        """Return a transport for one provider; `inner` sends uncached requests, by default the default transport."""
        return CachingTransport(self, inner)

    def clear(self, *, expired_only: bool = False) -> int:
        """Delete all files, or expired ones; return the number of deleted files."""
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
        """Answer from the cache, or send and store. Only POST requests are cached; the state of a job changes."""
        if request.method != "POST":
            return await send(request, secret, timeout)
        clean = make_cleaner(collect_secrets(request, None if secret is None else secret.get_secret_value()))
        recorded_request = redact_request(request, clean)
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
                exchange = redact_exchange(Exchange(request=recorded_request, response=recorded), clean)
                self._write(path, msgspec.structs.replace(exchange, recorded_at=began.isoformat(timespec="seconds")))

        def compute_age() -> float:
            return (self._now() - began).total_seconds()

        return RecordedBody(response, compute_age, 0.0, keep)

    def __enter__(self) -> Self:
        activate(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        deactivate(self)

    def _read(self, path: Path) -> RecordedResponse | None:
        """Read a file that has not expired; None if it is missing or cannot be read."""
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
        """Write the file atomically; failures are ignored."""
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(f".{os.getpid()}.{id(exchange)}")
            draft.write_text(yaml_format.encode_exchanges([exchange]), encoding="utf-8")
            draft.replace(path)


class CachingTransport:
    """A transport with a cache of responses."""

    def __init__(self, cache: Cache, inner: Transport | None) -> None:
        self._cache = cache
        self._inner = build_default_transport() if inner is None else inner

    async def open(
        self, request: HttpRequest, secret: SecretStr | None, timeout: float | None
    ) -> TransportResponse | Fault:
        """Answer from the cache, or send."""
        return await self._cache.intercept(self._inner.open, request, secret, timeout)

    async def aclose(self) -> None:
        """Close the inner transport."""
        await self._inner.aclose()


def is_worth_keeping(response: RecordedResponse) -> bool:
    """Return whether a response is complete and reports no error, judged by its bytes."""
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
    """Return the cache key: method, URL and body; for JSON the order of names is ignored."""
    body: Any
    try:
        body = json.dumps(json.loads(request.body), sort_keys=True).encode()
    except (ValueError, RecursionError):
        body = request.body
    head = f"{request.method} {request.url}\n".encode()
    return sha256(head + body).hexdigest()[:32]
