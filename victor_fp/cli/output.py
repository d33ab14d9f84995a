"""One answer: streamed to the terminal as it comes, or whole, and what to say beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from returns.result import Failure, Result, Success

from victor_fp.cli.inputs import Wishes
from victor_fp.cli.terminal import Terminal
from victor_fp.core.defaults import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE
from victor_fp.core.faults import Fault, StreamTruncated
from victor_fp.core.json import encode_json
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, Message, StreamChunk
from victor_fp.providers.base import BaseProvider


async def whole(
    provider: BaseProvider, model: str, messages: Sequence[Message], wishes: Wishes
) -> Result[CompletionResponse, Fault]:
    """The answer in one piece."""
    return await provider.chat_result(
        messages,
        model=model,
        temperature=DEFAULT_TEMPERATURE if wishes.temperature is None else wishes.temperature,
        max_tokens=DEFAULT_MAX_TOKENS if wishes.max_tokens is None else wishes.max_tokens,
        tools=wishes.tools or None,
    )


async def shown(
    provider: BaseProvider, model: str, messages: Sequence[Message], wishes: Wishes, terminal: Terminal
) -> Result[CompletionResponse, Fault]:
    """The answer on the terminal, streamed where that is wished and possible."""
    if wishes.stream and provider.supports_streaming():
        return await _streamed(provider, model, messages, wishes, terminal)
    answered = await whole(provider, model, messages, wishes)
    match outcome(answered):
        case Success(response):
            terminal.write(response.content)
            _end_line(terminal, response.content)
            _remark(terminal, response)
        case Failure(_):
            pass
    return answered


async def _streamed(
    provider: BaseProvider, model: str, messages: Sequence[Message], wishes: Wishes, terminal: Terminal
) -> Result[CompletionResponse, Fault]:
    pieces: list[str] = []
    thinking = False
    stream = provider.stream_result(
        messages,
        model=model,
        temperature=DEFAULT_TEMPERATURE if wishes.temperature is None else wishes.temperature,
        max_tokens=DEFAULT_MAX_TOKENS if wishes.max_tokens is None else wishes.max_tokens,
        tools=wishes.tools or None,
    )
    async with _closing(stream):
        async for step in stream:
            match outcome(step):
                case Success(chunk):
                    thinking = _show_piece(terminal, chunk, thinking=thinking)
                    pieces.append(chunk.content)
                    if chunk.is_final:
                        content = "".join(pieces)
                        response = completed(chunk, content)
                        _end_line(terminal, content or ("?" if thinking else ""))
                        _remark(terminal, response)
                        return Success(response)
                case Failure(fault):
                    _end_line(terminal, "".join(pieces) or ("?" if thinking else ""))
                    return Failure(fault)
    return Failure(StreamTruncated(provider=provider.name, model=model, message="the stream had no final chunk"))


@asynccontextmanager
async def _closing(stream: object) -> AsyncIterator[None]:
    """Close the stream at the end, where it can be closed: a provider's own may be any async iterator."""
    try:
        yield
    finally:
        if (close := getattr(stream, "aclose", None)) is not None:
            await close()


def _show_piece(terminal: Terminal, chunk: StreamChunk, *, thinking: bool) -> bool:
    """Show what came; whether the cursor stands behind a thought. Thoughts are for those who watch, not for pipes."""
    thought = None if chunk.is_final else (chunk.metadata or {}).get("reasoning_content")
    if terminal.shown and isinstance(thought, str) and thought:
        terminal.write(thought, dim=True)
        thinking = True
    if chunk.content:
        terminal.write("\n\n" if thinking else "")
        terminal.write(chunk.content)
        return False
    return thinking


def completed(final: StreamChunk, content: str) -> CompletionResponse:
    """A stream's end and its text as the completion they are."""
    return CompletionResponse(
        content=content,
        tool_calls=final.tool_calls,
        stop_reason=final.stop_reason,
        usage=final.usage,
        model=final.model,
        metadata=final.metadata,
    )


def call_text(name: str, arguments: object) -> str:
    """A tool call as people write it."""
    return f"{name}({arguments if isinstance(arguments, str) else encode_json(arguments).decode()})"


def _end_line(terminal: Terminal, text: str) -> None:
    if text and not text.endswith("\n"):
        terminal.line()


def _remark(terminal: Terminal, response: CompletionResponse) -> None:
    """Calls are part of the answer; what was cut, left out or refused is said aside."""
    for call in response.tool_calls or ():
        terminal.line(call_text(call["name"], call["arguments"]))
    metadata = response.metadata or {}
    for adjustment in metadata.get("adjustments") or ():
        terminal.note(f"victor: {adjustment['parameter']} was {adjustment['action']}: {adjustment['reason']}")
    refusal = metadata.get("refusal")
    if isinstance(refusal, str) and refusal and not response.content:
        terminal.note(f"victor: the model refused: {refusal}")
    match response.stop_reason:
        case "length":
            terminal.note("victor: the answer was cut at the limit of tokens; --max-tokens raises it")
        case "content_filter":
            terminal.note("victor: the answer was cut by the provider's content filter")
        case None | "stop" | "tool_use" | "refusal":
            pass
        case reason:
            terminal.hint(f"victor: the model stopped for {reason}")
