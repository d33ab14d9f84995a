"""The pure core for callers: what would be sent, and what an answer's bytes mean, without any effect.

    replay.request("openai", [Message(role="user", content="Hi")], model="gpt-5.1").map(HttpRequest.json)

`provider` is any registered name or alias.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from returns.result import Failure, Result, Success

from victor_fp.core.answers import Asked, completion, placed
from victor_fp.core.asking import chat_request, endpoint_for
from victor_fp.core.catalogue import find
from victor_fp.core.completing import folded
from victor_fp.core.defaults import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE
from victor_fp.core.faults import Fault
from victor_fp.core.protocols import speaker
from victor_fp.core.requests import Endpoint, HttpRequest
from victor_fp.core.result import outcome
from victor_fp.core.stream_reading import Read, fed, finished, opened
from victor_fp.core.types import CompletionResponse, Message, StreamChunk, ToolDefinition

__all__ = ["request", "response", "stream"]


def request(
    provider: str,
    messages: Sequence[Message],
    *,
    model: str,
    stream: bool = False,
    temperature: float | None = DEFAULT_TEMPERATURE,
    max_tokens: int | None = DEFAULT_MAX_TOKENS,
    tools: Sequence[ToolDefinition] | None = None,
    base_url: str | None = None,
    settings: Mapping[str, object] | None = None,
    **options: Any,
) -> Result[HttpRequest, Fault]:
    """The request that `chat` (or, with `stream`, `stream`) would send; the key stands as a placeholder."""
    match outcome(_endpoint(provider, base_url, settings)):
        case Failure(fault):
            return Failure(fault)
        case Success(endpoint):
            return chat_request(
                endpoint.spec.name,
                messages,
                model=model,
                temperature=temperature,
                max_tokens=max_tokens,
                tools=tools,
                stream=stream,
                options=options,
            ).bind(speaker(endpoint).request)


def response(
    provider: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    settings: Mapping[str, object] | None = None,
) -> Result[CompletionResponse, Fault]:
    """What an answer's body means."""
    match outcome(_endpoint(provider, None, settings)):
        case Failure(fault):
            return Failure(fault)
        case Success(endpoint):
            asked, spoken = Asked(endpoint=endpoint), speaker(endpoint)
            if status >= 400:
                return Failure(placed(asked, spoken.error(status, _lowered(headers), body)))
            return completion(asked, folded(spoken, body), body)


def stream(
    provider: str,
    status: int,
    headers: Mapping[str, str],
    chunks: Iterable[bytes],
    *,
    settings: Mapping[str, object] | None = None,
) -> Iterator[Result[StreamChunk, Fault]]:
    """What a streamed answer means, in whatever pieces it came: successes, then at most one failure, then nothing."""
    match outcome(_endpoint(provider, None, settings)):
        case Failure(fault):
            yield Failure(fault)
        case Success(endpoint):
            reading = opened(Asked(endpoint=endpoint), speaker(endpoint), status, _lowered(headers))
            for chunk in chunks:
                read = fed(reading, chunk)
                reading = read.reading
                yield from _told(read)
            yield from _told(finished(reading))


def _told(read: Read) -> Iterator[Result[StreamChunk, Fault]]:
    yield from map(Success, read.chunks)
    if read.fault is not None:
        yield Failure(read.fault)


def _endpoint(provider: str, base_url: str | None, settings: Mapping[str, object] | None) -> Result[Endpoint, Fault]:
    return find(provider).bind(partial(endpoint_for, base_url=base_url, settings=settings))


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
