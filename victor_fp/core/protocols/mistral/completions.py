"""Decoding of Mistral's completions, streaming and not."""

from __future__ import annotations

from typing import TypeAlias

from victor_fp_wire.mistral.operations import CreateChatCompletion
from victor_fp_wire.mistral.response import ChatCompletion, ChatCompletionChunk, ChunkChoice, ErrorBody, Usage
from victor_fp_wire.mistral.response import Choice as BodyChoice

from victor_fp.core.deltas import TextDelta, UsageReported
from victor_fp.core.framing import Frame
from victor_fp.core.json import Json, NotJson, Undecodable, WireDecoder, decode_json_object
from victor_fp.core.protocols.mistral.content import emit_content, read_fragment
from victor_fp.core.protocols.openai_family.completions import (
    ChoiceContent,
    ChunkContent,
    CompletionFormat,
    read_raw_counts,
)
from victor_fp.core.protocols.openai_family.errors import TypedError
from victor_fp.core.protocols.operations import build_decoder
from victor_fp.core.protocols.shared_events import is_failed_envelope
from victor_fp.core.protocols.stop_reasons import STOP_REASONS

AnyMistralCompletion: TypeAlias = ChatCompletion | ChatCompletionChunk
AnyMistralChoice: TypeAlias = BodyChoice | ChunkChoice

ERRORS: WireDecoder[ErrorBody] = WireDecoder(ErrorBody)
ERROR_FIELDS = frozenset({"error", "message", "detail"})
"""Fields of the message in the three forms of an error, and in those of gateways."""


def read_error(body: bytes) -> TypedError:
    """Return parameter and request id from the vendor's error model."""
    completion = ERRORS.decode(body)
    if isinstance(completion, Undecodable):
        return TypedError()
    return TypedError(parameter=completion.param or "", request_id=completion.request_id)


def read_plain_text(chunk: ChatCompletionChunk) -> TextDelta | None:
    """Return the text of a chunk that has only text, else None."""
    choices = chunk.choices
    if not choices or len(choices) != 1 or chunk.usage is not None or chunk.error is not None:
        return None
    choice = choices[0]
    delta = choice.delta
    if delta is None or choice.index or choice.finish_reason is not None or choice.logprobs is not None:
        return None
    return TextDelta(delta.content) if delta.tool_calls is None and isinstance(delta.content, str) else None


def read_chunk(chunk: ChatCompletionChunk, frame: Frame, first: bool) -> ChunkContent:  # noqa: FBT001  one of a format
    """Read a chunk. Its metadata are read only in the first chunk, those without a choice, and the last ones."""
    choice = next((choice for choice in chunk.choices or () if not choice.index), None)
    if not first and choice is not None and not choice.finish_reason and chunk.usage is None and not chunk.error:
        return ChunkContent(choice=_read_choice(choice))
    return _read_completion(chunk, choice, frame)


def read_body(body: ChatCompletion, frame: Frame) -> ChunkContent:
    """Read a non-streaming body."""
    return _read_completion(body, next((choice for choice in body.choices or () if not choice.index), None), frame)


FORMAT = CompletionFormat[ChatCompletionChunk, ChatCompletion](
    decode_chunk=build_decoder(CreateChatCompletion.EVENT, keep_surrogates=True).decode,
    decode_body=build_decoder(CreateChatCompletion.RESPONSE, keep_surrogates=True).decode,
    read_plain_text=read_plain_text,
    read_chunk=read_chunk,
    read_body=read_body,
    stop_reasons=STOP_REASONS,
)


def _read_completion(completion: AnyMistralCompletion, choice: AnyMistralChoice | None, frame: Frame) -> ChunkContent:
    identity: dict[str, Json] = {"id": completion.id} if completion.id else {}
    if completion.created:
        identity["created"] = int(completion.created)
    return ChunkContent(
        choice=None if choice is None else _read_choice(choice),
        usage=_read_usage(completion.usage),
        identity=identity,
        model=completion.model or None,
        notes=read_raw_counts(completion.usage),
        error=_find_error(frame) if choice is None or completion.error else None,
    )


def _read_choice(choice: AnyMistralChoice) -> ChoiceContent:
    message = choice.message if isinstance(choice, BodyChoice) or choice.delta is None else choice.delta
    growing_metadata: dict[str, Json] = {}
    # Log probabilities keep the vendor's form; the lists of chunks are concatenated.
    if isinstance(choice.logprobs, dict) and choice.logprobs:
        growing_metadata["logprobs"] = choice.logprobs
    if message is None:
        return ChoiceContent(growing_metadata=growing_metadata, finish_reason=choice.finish_reason)
    return ChoiceContent(
        deltas=emit_content(message.content),
        fragments=[read_fragment(call) for call in message.tool_calls or ()],
        growing_metadata=growing_metadata,
        finish_reason=choice.finish_reason,
    )


def _find_error(frame: Frame) -> Json:
    """Return the error that a chunk or body contains or is, in any of its forms; None if there is none."""
    value = decode_json_object(frame.data)
    if isinstance(value, NotJson):
        return None
    is_error = frame.event == "error" or any(map(value.get, ERROR_FIELDS)) or is_failed_envelope(value)
    return value if is_error else None


def _read_usage(usage: Usage | None) -> UsageReported | None:
    """Return the usage; counts that the vendor does not report are absent."""
    if usage is None:
        return None
    details = usage.prompt_tokens_details or usage.prompt_token_details
    cached = usage.num_cached_tokens if details is None or details.cached_tokens is None else details.cached_tokens
    counts = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "cache_read_input_tokens": cached,
    }
    reported = {name: int(count) for name, count in counts.items() if count is not None}
    return UsageReported(**reported) if reported else None
