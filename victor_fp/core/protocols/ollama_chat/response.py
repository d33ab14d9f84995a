"""Decoding of bodies and stream lines to deltas: both have the same form, and a body is a single last line."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from victor_fp_wire.ollama_chat import response as wire
from victor_fp_wire.ollama_chat.operations import Chat

from victor_fp.core.deltas import (
    Delta,
    ErrorReported,
    MetadataReported,
    ReasoningDelta,
    Stopped,
    StreamEnded,
    TextDelta,
    ToolCallArguments,
    ToolCallStarted,
    UsageReported,
)
from victor_fp.core.dialects.ollama import OllamaDialect
from victor_fp.core.faults import InvalidResponse
from victor_fp.core.json import Json, NotJson, Undecodable, decode_json_object, encode_flawed_json
from victor_fp.core.protocols.ollama_chat.errors import fault_from_error
from victor_fp.core.protocols.operations import build_decoder
from victor_fp.core.protocols.shared_events import is_error_object, may_be_error
from victor_fp.core.protocols.stop_reasons import STOP_REASONS
from victor_fp.core.requests import Endpoint
from victor_fp.core.streaming.tool_call_drafts import make_id

LINES = build_decoder(Chat.RESPONSE, keep_surrogates=True)
"""Decoder of bodies and stream lines, which have the same type."""
METADATA = (
    "created_at",
    "total_duration",
    "load_duration",
    "prompt_eval_duration",
    "eval_duration",
    "remote_model",
    "remote_host",
)
"""Fields of the last line that become metadata; durations are in nanoseconds."""


def read(endpoint: Endpoint, dialect: OllamaDialect, body: bytes) -> Sequence[Delta]:
    """Decode a body to deltas; `ErrorReported` if it is an error or not a complete response."""
    line = LINES.decode(body)
    if isinstance(line, Undecodable):
        return [
            ErrorReported(
                InvalidResponse(message=f"the response cannot be decoded: {line.reason}", provider=endpoint.spec.name)
            )
        ]
    if (error := find_error(line, body)) is not None:
        return [ErrorReported(fault_from_error(endpoint, dialect, error, model=line.model))]
    if line.message is None or line.done is False:
        reason = "the response contains no message" if line.message is None else "the response is not done"
        return [ErrorReported(InvalidResponse(message=reason, provider=endpoint.spec.name, model=line.model))]
    if line.done is None:
        # Ollama-compatible servers omit `done` in non-streaming responses.
        line = msgspec.structs.replace(line, done=True)
    return emit_line(line, 0)


def find_error(line: wire.ChatResponse, data: bytes) -> Json:
    """Return the error that a line contains, or that it is in another form than Ollama's; None if there is none."""
    error: Json = line.error
    if error is not None or line.message is not None or not may_be_error(data):
        return error
    value = decode_json_object(data)
    return value if not isinstance(value, NotJson) and is_error_object(value) else None


def emit_line(line: wire.ChatResponse, calls: int) -> list[Delta]:
    """Emit the deltas of one line without an error; `calls` is the number of calls in earlier lines."""
    deltas: list[Delta] = []
    if (message := line.message) is not None:
        if message.thinking:
            deltas.append(ReasoningDelta(message.thinking))
        if message.content:
            deltas.append(TextDelta(message.content))
        if message.tool_calls:
            for ordinal, call in enumerate(message.tool_calls, calls):
                deltas += _emit_call(line, call, ordinal)
        if message.images:
            deltas.append(MetadataReported(metadata={"images": list(message.images)}))
    if line.logprobs:
        deltas.append(MetadataReported(metadata={"logprobs": drop_unreported(msgspec.to_builtins(line.logprobs))}))
    if line.done:
        deltas += _emit_end(line)
    return deltas


def _emit_call(line: wire.ChatResponse, call: wire.ToolCall, ordinal: int) -> list[Delta]:
    """Emit a call, which is always complete. It is numbered by position: some versions omit or repeat indexes."""
    function = call.function or wire.FunctionCall()
    name, arguments = function.name or "", function.arguments
    id_ = call.id or make_id(f"{line.created_at}\x00{name}\x00{encode_flawed_json(arguments).decode()}", ordinal)
    if isinstance(arguments, str):
        return [
            ToolCallStarted(index=ordinal, id=id_, name=name),
            ToolCallArguments(index=ordinal, id=id_, text=arguments),
        ]
    return [ToolCallStarted(index=ordinal, id=id_, name=name, arguments=arguments or {})]


def _emit_end(line: wire.ChatResponse) -> list[Delta]:
    metadata: dict[str, Json] = {name: value for name in METADATA if (value := getattr(line, name)) is not None}
    deltas: list[Delta] = [MetadataReported(model=line.model, metadata=metadata)]
    if line.prompt_eval_count is not None or line.eval_count is not None:
        deltas.append(UsageReported(prompt_tokens=line.prompt_eval_count, completion_tokens=line.eval_count))
    # load and unload are responses to a chat without messages. Older versions have no done_reason.
    reason = line.done_reason or "stop"
    deltas.append(Stopped(STOP_REASONS.get(reason, reason), line.done_reason))
    deltas.append(StreamEnded())
    return deltas


def drop_unreported(value: Json) -> Json:
    """Return the value without None values."""
    match value:
        case dict():
            return {name: drop_unreported(item) for name, item in value.items() if item is not None}
        case list():
            return [drop_unreported(item) for item in value]
        case _:
            return value
