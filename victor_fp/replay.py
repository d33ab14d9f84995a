"""The pure core for callers: what would be sent, and what an answer's bytes mean, without any effect.

    replay.request("openai", [Message(role="user", content="Hi")], model="gpt-5.1").map(HttpRequest.json)

`provider` is any registered name or alias.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from returns.result import Failure, Result, Success

from victor_fp.core.catalogue import find
from victor_fp.core.defaults import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE
from victor_fp.core.faults import Fault
from victor_fp.core.protocols import Codec, codec_for
from victor_fp.core.request_building.chat import build_chat_request
from victor_fp.core.request_building.endpoints import build_endpoint
from victor_fp.core.request_building.inputs import Messages, Tools
from victor_fp.core.requests import Endpoint, HttpRequest
from victor_fp.core.responses import ResponseContext, build_completion, fold_response, with_context
from victor_fp.core.result import outcome
from victor_fp.core.stream_reading import ReadResult, begin_reading, feed, finish
from victor_fp.core.text_tools.hearing import codec_with_text_calls
from victor_fp.core.types import CompletionResponse, StreamChunk, ToolDefinition

__all__ = ["request", "response", "stream"]


def request(
    provider: str,
    messages: Messages,
    *,
    model: str,
    stream: bool = False,
    temperature: float | None = DEFAULT_TEMPERATURE,
    max_tokens: int | None = DEFAULT_MAX_TOKENS,
    tools: Tools | None = None,
    base_url: str | None = None,
    settings: Mapping[str, object] | None = None,
    **options: Any,
) -> Result[HttpRequest, Fault]:
    """The request that `chat` (or, with `stream`, `stream`) would send; the key stands as a placeholder."""
    match outcome(_endpoint(provider, base_url, settings)):
        case Failure(fault):
            return Failure(fault)
        case Success(endpoint):
            return build_chat_request(
                endpoint.spec.name,
                messages,
                model=model,
                temperature=temperature,
                max_tokens=max_tokens,
                tools=tools,
                stream=stream,
                options=options,
            ).bind(codec_for(endpoint).for_model(model).request)


def response(
    provider: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    settings: Mapping[str, object] | None = None,
    tools: Sequence[ToolDefinition] | None = None,
    text_tool_calls: str | None = None,
) -> Result[CompletionResponse, Fault]:
    """What an answer's body means. Calls of `tools` in the text are found as `text_tool_calls` says."""
    match outcome(_spoken(provider, settings, tools, text_tool_calls)):
        case Failure(fault):
            return Failure(fault)
        case Success((endpoint, spoken)):
            context = ResponseContext(endpoint=endpoint)
            if status >= 400:
                return Failure(with_context(context, spoken.error(status, _lower_names(headers), body)))
            return build_completion(context, fold_response(spoken, body), body)


def stream(
    provider: str,
    status: int,
    headers: Mapping[str, str],
    chunks: Iterable[bytes],
    *,
    settings: Mapping[str, object] | None = None,
    tools: Sequence[ToolDefinition] | None = None,
    text_tool_calls: str | None = None,
) -> Iterator[Result[StreamChunk, Fault]]:
    """What a streamed answer means, in whatever pieces it came: successes, then at most one failure, then nothing."""
    match outcome(_spoken(provider, settings, tools, text_tool_calls)):
        case Failure(fault):
            yield Failure(fault)
        case Success((endpoint, spoken)):
            reading = begin_reading(ResponseContext(endpoint=endpoint), spoken, status, _lower_names(headers))
            for chunk in chunks:
                read = feed(reading, chunk)
                reading = read.reading
                yield from _told(read)
            yield from _told(finish(reading))


def _told(read: ReadResult) -> Iterator[Result[StreamChunk, Fault]]:
    yield from map(Success, read.chunks)
    if read.fault is not None:
        yield Failure(read.fault)


def _spoken(
    provider: str,
    settings: Mapping[str, object] | None,
    tools: Sequence[ToolDefinition] | None,
    text_tool_calls: str | None,
) -> Result[tuple[Endpoint, Codec], Fault]:
    """The place, and its protocol with an ear for calls in the text."""
    match outcome(_endpoint(provider, None, settings)):
        case Failure(fault):
            return Failure(fault)
        case Success(endpoint):
            spoken = codec_with_text_calls(codec_for(endpoint), tools or (), text_tool_calls)
            return spoken.map(lambda hears: (endpoint, hears))


def _endpoint(provider: str, base_url: str | None, settings: Mapping[str, object] | None) -> Result[Endpoint, Fault]:
    return find(provider).bind(partial(build_endpoint, base_url=base_url, settings=settings))


def _lower_names(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
