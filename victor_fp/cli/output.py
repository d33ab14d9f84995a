"""Output of responses, streamed or complete, with notes on stderr."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.cli.inputs import RequestOptions
from victor_fp.cli.terminal import Terminal, to_one_line
from victor_fp.core.faults import Fault, StreamTruncated
from victor_fp.core.json import Json, encode_flawed_json, encode_json
from victor_fp.core.result import outcome
from victor_fp.core.schemas.structured import structured
from victor_fp.core.types import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE, CompletionResponse, Message, StreamChunk
from victor_fp.providers.base import BaseProvider


async def fetch_response(
    provider: BaseProvider, model: str, messages: Sequence[Message], options: RequestOptions
) -> Result[CompletionResponse, Fault]:
    """Request a non-streaming response."""
    return await provider.chat_result(
        messages,
        model=model,
        temperature=DEFAULT_TEMPERATURE if options.temperature is None else options.temperature,
        max_tokens=DEFAULT_MAX_TOKENS if options.max_tokens is None else options.max_tokens,
        tools=options.tools or None,
        **options.chat,
    )


async def show_response(
    provider: BaseProvider,
    model: str,
    messages: Sequence[Message],
    options: RequestOptions,
    terminal: Terminal,
    *,
    hidden_calls: frozenset[str] = frozenset(),
) -> Result[CompletionResponse, Fault]:
    """Request and show a response, streamed if requested and supported; calls of hidden names are not shown."""
    if options.stream and provider.supports_streaming():
        return await _show_stream(provider, model, messages, options, terminal, hidden_calls)
    answered = await fetch_response(provider, model, messages, options)
    match outcome(answered):
        case Success(response):
            terminal.write(response.content)
            _end_line(terminal, response.content)
            show_notes(terminal, response, hidden_calls)
        case Failure(_):
            pass
    return answered


async def _show_stream(
    provider: BaseProvider,
    model: str,
    messages: Sequence[Message],
    options: RequestOptions,
    terminal: Terminal,
    hidden_calls: frozenset[str],
) -> Result[CompletionResponse, Fault]:
    pieces: list[str] = []
    thinking = False
    stream = provider.stream_result(
        messages,
        model=model,
        temperature=DEFAULT_TEMPERATURE if options.temperature is None else options.temperature,
        max_tokens=DEFAULT_MAX_TOKENS if options.max_tokens is None else options.max_tokens,
        tools=options.tools or None,
        **options.chat,
    )
    async with _close_on_exit(stream):
        async for step in stream:
            match outcome(step):
                case Success(chunk):
                    thinking = _show_chunk(terminal, chunk, thinking=thinking)
                    pieces.append(chunk.content)
                    if chunk.is_final:
                        content = "".join(pieces)
                        response = response_from_chunk(chunk, content)
                        _end_line(terminal, content or ("?" if thinking else ""))
                        show_notes(terminal, response, hidden_calls)
                        return Success(response)
                case Failure(fault):
                    _end_line(terminal, "".join(pieces) or ("?" if thinking else ""))
                    return Failure(fault)
    return Failure(StreamTruncated(provider=provider.name, model=model, message="the stream has no final chunk"))


@asynccontextmanager
async def _close_on_exit(stream: object) -> AsyncIterator[None]:
    """Close the stream on exit, if it can be closed: a custom provider may return any async iterator."""
    try:
        yield
    finally:
        if (close := getattr(stream, "aclose", None)) is not None:
            await close()


def _show_chunk(terminal: Terminal, chunk: StreamChunk, *, thinking: bool) -> bool:
    """Show a chunk; return whether reasoning was shown last. Reasoning is shown on terminals only."""
    thought = None if chunk.is_final else (chunk.metadata or {}).get("reasoning_content")
    if terminal.shown and isinstance(thought, str) and thought:
        terminal.write(thought, dim=True)
        thinking = True
    if chunk.content:
        terminal.write("\n\n" if thinking else "")
        terminal.write(chunk.content)
        return False
    return thinking


def response_from_chunk(final: StreamChunk, content: str) -> CompletionResponse:
    """Return the response of a stream from its final chunk and its text."""
    return CompletionResponse(
        content=content,
        tool_calls=final.tool_calls,
        stop_reason=final.stop_reason,
        usage=final.usage,
        model=final.model,
        metadata=final.metadata,
    )


def show_value(
    response: CompletionResponse, schema: Mapping[str, Json], terminal: Terminal, *, is_quiet: bool = False
) -> Result[None, Fault]:
    """Validate the response and show its JSON: on one line, or indented on a terminal. `is_quiet`: only validate."""
    match outcome(structured(response, schema)):
        case Failure(fault):
            return Failure(fault)
        case Success(value):
            if not is_quiet:
                text = encode_flawed_json(value)
                terminal.write_line((msgspec.json.format(text, indent=2) if terminal.shown else text).decode())
                show_notes(terminal, response)
            return Success(None)


def encode_response(response: CompletionResponse) -> str:
    """Encode a response as one line of JSON without fields that are None.

    Encoded with msgspec: pydantic rejects values nested deeper than 255 levels, which models may return as arguments.
    """
    fields = {name: getattr(response, name) for name in type(response).model_fields}
    return encode_json({name: value for name, value in fields.items() if value is not None}).decode()


def format_call(name: str, arguments: object) -> str:
    """Return a tool call in the notation of a function call."""
    return f"{name}({arguments if isinstance(arguments, str) else encode_json(arguments).decode()})"


def _end_line(terminal: Terminal, text: str) -> None:
    if text and not text.endswith("\n"):
        terminal.write_line()


def show_adjustments(terminal: Terminal, metadata: Mapping[str, Any] | None) -> None:
    """Show a note for each adjustment of the request."""
    for adjustment in (metadata or {}).get("adjustments") or ():
        what = f"victor: {adjustment['parameter']} was {adjustment['action']}: {adjustment['reason']}"
        terminal.note(to_one_line(what))


def show_notes(terminal: Terminal, response: CompletionResponse, hidden_calls: frozenset[str] = frozenset()) -> None:
    """Show tool calls, then notes on adjustments, refusal and stop reason."""
    for call in response.tool_calls or ():
        if call["name"] in hidden_calls:
            continue
        terminal.write_line(format_call(call["name"], call["arguments"]))
    metadata = response.metadata or {}
    show_adjustments(terminal, metadata)
    refusal = metadata.get("refusal")
    if isinstance(refusal, str) and refusal and not response.content:
        terminal.note(f"victor: the model refused: {to_one_line(refusal)}")
    match response.stop_reason:
        case "length":
            terminal.note("victor: the response was truncated at the token limit; raise it with --max-tokens")
        case "content_filter":
            terminal.note("victor: the response was truncated by the provider's content filter")
        case None | "stop" | "tool_use" | "refusal":
            pass
        case reason:
            terminal.write_hint(f"victor: stop reason: {to_one_line(reason)}")
