"""Decoding of chat completions of all dialects, streaming and not."""

from __future__ import annotations

from functools import partial
from typing import TypeAlias

from victor_fp_wire.openai_chat.operations import CreateChatCompletion
from victor_fp_wire.openai_chat.response import ChatCompletion, ChatCompletionChunk, ChunkChoice, ErrorBody, Usage
from victor_fp_wire.openai_chat.response import Choice as BodyChoice

from victor_fp.core.deltas import Delta, ReasoningDelta, RefusalDelta, Stopped, TextDelta
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.framing import Frame
from victor_fp.core.json import Json, NotJson, decode_lenient_json
from victor_fp.core.protocols.error_events import is_error_object, may_be_error
from victor_fp.core.protocols.openai_chat.content import emit_content, find_reasoning, read_fragments
from victor_fp.core.protocols.openai_chat.metadata import (
    read_choice_metadata,
    read_completion_metadata,
    read_logprobs,
    read_message_metadata,
)
from victor_fp.core.protocols.openai_chat.usage import read_usage, read_usage_metadata
from victor_fp.core.protocols.openai_family.completions import ChoiceContent, ChunkContent, CompletionFormat
from victor_fp.core.protocols.openai_family.errors import TypedError
from victor_fp.core.protocols.openai_family.records import Record
from victor_fp.core.protocols.operations import build_decoder
from victor_fp.core.wire_decoding import Undecodable, WireDecoder

AnyCompletion: TypeAlias = ChatCompletion | ChatCompletionChunk
AnyChoice: TypeAlias = BodyChoice | ChunkChoice
Format: TypeAlias = CompletionFormat[ChatCompletionChunk, ChatCompletion]

CHUNKS = build_decoder(CreateChatCompletion.EVENT, keep_surrogates=True)
BODIES = build_decoder(CreateChatCompletion.RESPONSE, keep_surrogates=True)
ERRORS: WireDecoder[ErrorBody] = WireDecoder(ErrorBody)
EMPTY_USAGE = Usage()
STOP_REASONS = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "content_filter",
    # Together, and servers behind Hugging Face
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    # zai
    "model_context_window_exceeded": "length",
    # Gateways that pass another vendor's reason through
    "end_turn": "stop",
    "max_tokens": "length",
    "tool_use": "tool_use",
}


def build_format(dialect: ChatDialect) -> Format:
    """Return the functions that read the dialect's completions."""
    return CompletionFormat(
        decode_chunk=CHUNKS.decode,
        decode_body=BODIES.decode,
        read_plain_text=read_plain_text,
        read_chunk=read_chunk,
        read_body=read_body,
        build_stop=partial(build_stop, dialect),
        done_is_stop=dialect.done_is_stop,
    )


def build_stop(dialect: ChatDialect, reason: str) -> Stopped:
    """Return the standard stop reason, by the dialect's table, then the common one; unknown ones are passed through."""
    return Stopped(dialect.stop_reasons.get(reason) or STOP_REASONS.get(reason, reason), reason)


def read_error(body: bytes) -> TypedError:
    """Return request id and, in the flat form, parameter from the vendor's error model."""
    completion = ERRORS.decode(body)
    if isinstance(completion, Undecodable):
        return TypedError()
    parameter = completion.param if isinstance(completion.param, str) else ""
    return TypedError(parameter=parameter, request_id=completion.request_id)


def read_plain_text(chunk: ChatCompletionChunk) -> TextDelta | ReasoningDelta | None:
    """Return the text or reasoning of a chunk that has nothing else, else None."""
    choices = chunk.choices
    if (
        not choices
        or len(choices) != 1
        or chunk.usage is not None
        or chunk.error is not None
        or chunk.x_groq is not None
    ):
        return None
    choice = choices[0]
    delta = choice.delta
    if (
        delta is None
        or choice.index
        or choice.finish_reason is not None
        or choice.logprobs is not None
        or choice.usage is not None
        or choice.content_filter_results
        or delta.tool_calls is not None
        or delta.refusal is not None
        or delta.reasoning_details is not None
        or delta.function_call is not None
        or delta.annotations is not None
        or delta.audio is not None
        or delta.images is not None
        or delta.executed_tools is not None
        or delta.context is not None
        or delta.extra_content is not None
    ):
        return None
    content = delta.content
    reasoning = delta.reasoning_content or delta.reasoning
    if reasoning:
        return None if content else ReasoningDelta(reasoning)
    return TextDelta(content) if type(content) is str else None


def read_chunk(chunk: ChatCompletionChunk, frame: Frame, first: bool) -> ChunkContent:  # noqa: FBT001  one of a format
    """Read a chunk. Its metadata are read only in the first chunk, those without a choice, and the last ones."""
    choice = next((choice for choice in chunk.choices or () if not choice.index), None)
    counts = _find_counts(chunk, None if choice is None else choice.usage)
    is_error = chunk.error or (
        choice is None and (frame.event == "error" or chunk.object == "error" or _is_error(frame))
    )
    error = _decode_frame(frame) if is_error else _find_groq_error(chunk)
    if not first and choice is not None and not choice.finish_reason and counts is None:
        return ChunkContent(choice=_read_choice(choice), error=error)
    return _read_completion(chunk, choice, counts, error)


def _is_error(frame: Frame) -> bool:
    """Return whether a chunk without a choice is an error in another form than OpenAI's."""
    value = _decode_frame(frame) if may_be_error(frame.data) else None
    return isinstance(value, dict) and is_error_object(value)


def read_body(body: ChatCompletion, frame: Frame) -> ChunkContent:
    """Read a non-streaming body. Older servers send errors as a body without a choice and with top-level error fields."""
    choice = next((choice for choice in body.choices or () if not choice.index), None)
    error: Json = None
    if body.error:
        error = _decode_frame(frame)
    elif choice is None:
        value = _decode_frame(frame)
        fields = value.keys() if isinstance(value, dict) else set[str]()
        error = value if body.object == "error" or {"message", "detail"} & fields else None
    return _read_completion(body, choice, _find_counts(body, None), error)


def _read_completion(
    completion: AnyCompletion, choice: AnyChoice | None, counts: Usage | None, error: Json
) -> ChunkContent:
    identity: dict[str, Json] = {"id": completion.id} if completion.id else {}
    if completion.created:
        identity["created"] = int(completion.created)
    return ChunkContent(
        choice=None if choice is None else _read_choice(choice),
        usage=read_usage(counts),
        identity=identity,
        model=completion.model or None,
        notes=read_completion_metadata(completion) | read_usage_metadata(counts),
        error=error,
    )


def _read_choice(choice: AnyChoice) -> ChoiceContent:
    message = choice.message if isinstance(choice, BodyChoice) else choice.delta
    growing_metadata = read_logprobs(choice) if choice.logprobs else {}
    if message is None:
        return ChoiceContent(
            notes=read_choice_metadata(choice),
            growing_metadata=growing_metadata,
            finish_reason=choice.finish_reason,
            error=choice.error,
        )
    deltas: list[Delta] = []
    if reasoning := find_reasoning(message):
        deltas.append(ReasoningDelta(reasoning))
    deltas += emit_content(message.content)
    if message.refusal:
        deltas.append(RefusalDelta(message.refusal))
    return ChoiceContent(
        deltas=deltas,
        fragments=read_fragments(message) if message.tool_calls or message.function_call else (),
        details=message.reasoning_details or (),
        executed=_list_records(message.executed_tools) if message.executed_tools else (),
        audio=message.audio if isinstance(message.audio, dict) else None,
        notes=read_choice_metadata(choice),
        growing_metadata=growing_metadata | read_message_metadata(message),
        finish_reason=choice.finish_reason,
        error=choice.error,
    )


def _list_records(value: Json) -> list[Record]:
    """Return the records of a list, or a single record as a list."""
    return [record for record in (value if isinstance(value, list) else [value]) if isinstance(record, dict)]


def _find_counts(completion: AnyCompletion, in_choice: Usage | None) -> Usage | None:
    """Return the usage, from the chunk, Groq's `x_groq`, or (Moonshot) the choice."""
    extras = completion.x_groq
    for usage in (completion.usage, None if extras is None else extras.usage, in_choice):
        if usage is not None and usage != EMPTY_USAGE:
            return usage
    return None


def _find_groq_error(chunk: ChatCompletionChunk) -> Json:
    return {"error": chunk.x_groq.error} if chunk.x_groq is not None and chunk.x_groq.error else None


def _decode_frame(frame: Frame) -> Json:
    value = decode_lenient_json(frame.data)
    return {} if isinstance(value, NotJson) else value
