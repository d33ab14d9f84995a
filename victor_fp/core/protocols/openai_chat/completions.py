"""Decoding of chat completions of all dialects, streaming and not: choices, text and calls, metadata, usage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TypeAlias, TypeVar

import msgspec
from victor_fp_wire.openai_chat.operations import CreateChatCompletion
from victor_fp_wire.openai_chat.response import (
    ChatCompletion,
    ChatCompletionChunk,
    ChunkChoice,
    ChunkDelta,
    ContentChunk,
    ErrorBody,
    FunctionCall,
    ResponseMessage,
    ToolCall,
    Usage,
)
from victor_fp_wire.openai_chat.response import Choice as BodyChoice

from victor_fp.core.deltas import Delta, ReasoningDelta, RefusalDelta, TextDelta, UsageReported
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.framing import Frame
from victor_fp.core.json import Json, NotJson, Undecodable, WireDecoder, decode_lenient_json
from victor_fp.core.protocols.openai_family.completions import (
    ChoiceContent,
    ChunkContent,
    CompletionFormat,
    Record,
    read_cost,
    read_raw_counts,
)
from victor_fp.core.protocols.openai_family.errors import TypedError
from victor_fp.core.protocols.openai_family.tool_calls import Fragment, is_empty_fragment
from victor_fp.core.protocols.operations import build_decoder
from victor_fp.core.protocols.shared_events import is_error_object, may_be_error
from victor_fp.core.protocols.stop_reasons import STOP_REASONS

AnyCompletion: TypeAlias = ChatCompletion | ChatCompletionChunk
AnyChoice: TypeAlias = BodyChoice | ChunkChoice
Choice = TypeVar("Choice", BodyChoice, ChunkChoice)
Format: TypeAlias = CompletionFormat[ChatCompletionChunk, ChatCompletion]

CHUNKS = build_decoder(CreateChatCompletion.EVENT, keep_surrogates=True)
BODIES = build_decoder(CreateChatCompletion.RESPONSE, keep_surrogates=True)
ERRORS: WireDecoder[ErrorBody] = WireDecoder(ErrorBody)
EMPTY_USAGE = Usage()
RENAMED = {"stop_reason": "matched_stop", "metadata": "vendor_metadata"}
"""vLLM's stop_reason is the token or text that ended the generation."""
EMPTY: tuple[object, ...] = ("", [], {})


class MetadataFields:
    """Fields of structs that become metadata, under their own names except for `RENAMED`."""

    __slots__ = ("_of",)

    def __init__(self, structs: tuple[type[msgspec.Struct], ...], names: tuple[str, ...]) -> None:
        self._of: dict[type, tuple[tuple[str, ...], Callable[[object], tuple[Json, ...]], tuple[None, ...]]] = {}
        for struct in structs:
            present = tuple(name for name in names if name in struct.__struct_fields__)
            renamed = tuple(RENAMED.get(name, name) for name in present)
            self._of[struct] = renamed, attrgetter(*present), (None,) * len(present)

    def collect(self, source: msgspec.Struct) -> dict[str, Json]:
        """Return the values that are neither missing nor empty."""
        names, read, missing = self._of[type(source)]
        values = read(source)
        if values == missing:
            return {}
        found = zip(names, values, strict=True)
        return {name: value for name, value in found if value is not None and value not in EMPTY}


COMPLETION_FIELDS = MetadataFields(
    (ChatCompletion, ChatCompletionChunk),
    (
        "system_fingerprint",
        "service_tier",
        "moderation",
        "prompt_filter_results",
        "provider",
        "openrouter_metadata",
        "usage_breakdown",
        "mcp_list_tools",
        "time_info",
        "timings",
        "warnings",
        "citations",
        "request_id",
        "web_search",
        "perf_metrics",
        "prompt_logprobs",
        "stats",
        "metadata",
    ),
)
CHOICE_FIELDS = MetadataFields(
    (BodyChoice, ChunkChoice),
    ("content_filter_results", "native_finish_reason", "stop_reason", "seed", "raw_output"),
)
MESSAGE_FIELDS = MetadataFields((ResponseMessage, ChunkDelta), ("annotations", "images", "context", "extra_content"))


def build_format(dialect: ChatDialect) -> Format:
    """Return the functions that read the dialect's completions."""
    return CompletionFormat(
        decode_chunk=CHUNKS.decode,
        decode_body=BODIES.decode,
        read_plain_text=read_plain_text,
        read_chunk=read_chunk,
        read_body=read_body,
        stop_reasons={**STOP_REASONS, **dialect.stop_reasons},
        done_is_stop=dialect.done_is_stop,
    )


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
    choices = chunk.choices
    choice = None if not choices else _find_first_choice(choices) if choices[0].index else choices[0]
    error: Json = None
    if chunk.error or (
        choice is None and (frame.event == "error" or chunk.object == "error" or (not chunk.usage and _is_error(frame)))
    ):
        error = _decode_frame(frame)
    elif chunk.x_groq is not None and chunk.x_groq.error:
        error = {"error": chunk.x_groq.error}
    if choice is None or first or choice.finish_reason or choice.usage or chunk.usage or chunk.x_groq:
        return _read_completion(chunk, choice, error)
    return ChunkContent(choice=_read_choice(choice), error=error)


def _find_first_choice(choices: Sequence[Choice]) -> Choice | None:
    """Return the choice with the index 0; None if there is none."""
    return next((choice for choice in choices if not choice.index), None)


def _is_error(frame: Frame) -> bool:
    """Return whether a chunk without a choice and usage is an error in another form than OpenAI's."""
    value = _decode_frame(frame) if may_be_error(frame.data) else None
    return isinstance(value, dict) and is_error_object(value)


def read_body(body: ChatCompletion, frame: Frame) -> ChunkContent:
    """Read a non-streaming body. Older servers send errors as a body without a choice and with top-level error fields."""
    choices = body.choices
    choice = None if not choices else _find_first_choice(choices) if choices[0].index else choices[0]
    error: Json = None
    if body.error:
        error = _decode_frame(frame)
    elif choice is None:
        value = _decode_frame(frame)
        if isinstance(value, dict) and ({"message", "detail"} & value.keys() or is_error_object(value)):
            error = value
    return _read_completion(body, choice, error)


def _read_completion(completion: AnyCompletion, choice: AnyChoice | None, error: Json) -> ChunkContent:
    extras, counts = completion.x_groq, completion.usage
    if counts is None or counts == EMPTY_USAGE:
        # In Groq's `x_groq`, or (Moonshot) in the choice.
        elsewhere = (extras and extras.usage, choice.usage if isinstance(choice, ChunkChoice) else None)
        counts = next((usage for usage in elsewhere if usage and usage != EMPTY_USAGE), None)
    notes = COMPLETION_FIELDS.collect(completion)
    if extras is not None and extras.usage_breakdown:
        notes["usage_breakdown"] = extras.usage_breakdown
    if counts is not None:
        notes |= read_raw_counts(counts)
        if counts.cost is not None or counts.cost_in_usd_ticks is not None:
            notes |= read_cost(counts.cost, counts.cost_in_usd_ticks)
    identity: dict[str, Json] = {"id": completion.id} if completion.id else {}
    if completion.created:
        identity["created"] = int(completion.created)
    return ChunkContent(
        choice=None if choice is None else _read_choice(choice),
        usage=None if counts is None else read_usage(counts),
        identity=identity,
        model=completion.model or None,
        notes=notes,
        error=error,
    )


def _read_choice(choice: AnyChoice) -> ChoiceContent:
    if isinstance(choice, BodyChoice) or choice.delta is None:
        message: ResponseMessage | ChunkDelta | None = choice.message
    else:
        message = choice.delta  # some vendors also send a message with all text so far
    growing: dict[str, Json] = {}
    if choice.logprobs and isinstance(choice.logprobs, dict):
        growing["logprobs"] = choice.logprobs  # in the vendor's form; the lists of chunks are concatenated
    if isinstance(choice, ChunkChoice) and choice.finish_reason is None:
        # An unfinished choice has no other metadata than content filters.
        filtered = choice.content_filter_results
        notes: dict[str, Json] = {"content_filter_results": filtered} if filtered else {}
    else:
        notes = CHOICE_FIELDS.collect(choice)
    if message is None:
        return ChoiceContent(
            notes=notes, growing_metadata=growing, finish_reason=choice.finish_reason, error=choice.error
        )
    if message.annotations or message.images or message.context or message.extra_content:
        growing |= MESSAGE_FIELDS.collect(message)
    deltas: list[Delta] = []
    # Outside of the content. Servers that fill several of the fields repeat it.
    reasoning = message.reasoning_content or message.reasoning
    if not reasoning and message.reasoning_details:
        reasoning = _join_details(message.reasoning_details)
    if reasoning:
        deltas.append(ReasoningDelta(reasoning))
    content = message.content
    if content:
        deltas += [TextDelta(content)] if isinstance(content, str) else _emit_pieces(content)
    if message.refusal:
        deltas.append(RefusalDelta(message.refusal))
    return ChoiceContent(
        deltas=deltas,
        fragments=read_fragments(message) if message.tool_calls or message.function_call else (),
        details=message.reasoning_details or (),
        executed=_list_records(message.executed_tools) if message.executed_tools else (),
        audio=message.audio if isinstance(message.audio, dict) else None,
        notes=notes,
        growing_metadata=growing,
        finish_reason=choice.finish_reason,
        error=choice.error,
    )


def _list_records(value: Json) -> list[Record]:
    """Return the records of a list, or a single record as a list."""
    return [record for record in (value if isinstance(value, list) else [value]) if isinstance(record, dict)]


def _decode_frame(frame: Frame) -> Json:
    value = decode_lenient_json(frame.data)
    return {} if isinstance(value, NotJson) else value


def _join_details(details: list[dict[str, Json]]) -> str:
    """Join the readable parts of OpenRouter's reasoning details, for responses without plain reasoning."""
    texts = (detail.get("text") or detail.get("summary") for detail in details)
    return "".join(text for text in texts if isinstance(text, str))


def _emit_pieces(content: list[ContentChunk]) -> list[Delta]:
    """Emit a list of text and thinking chunks, the content of Mistral models and of Databricks."""
    deltas: list[Delta] = []
    for chunk in content:
        if thought := _find_thought(chunk):
            deltas.append(ReasoningDelta(thought))
        elif chunk.refusal:
            deltas.append(RefusalDelta(chunk.refusal))
        elif chunk.text:
            deltas.append(TextDelta(chunk.text))
    return deltas


def read_fragments(message: ResponseMessage | ChunkDelta) -> list[Fragment]:
    """Read the calls, or fragments of calls, of a message or delta, including the legacy `function_call`."""
    fragments = [_read_fragment(call) for call in message.tool_calls or ()]
    if message.function_call is not None:
        call = message.function_call
        fragments.append(Fragment(name=call.name or "", arguments=call.arguments))
    return [fragment for fragment in fragments if not is_empty_fragment(fragment)]


def _read_fragment(call: ToolCall) -> Fragment:
    """Read a tool call; custom tools have text input in place of arguments."""
    extra = call.extra_content
    state: dict[str, Json] | None = {"extra_content": extra} if isinstance(extra, dict) else None
    if call.custom is not None and (call.custom.name or call.custom.input):
        return Fragment(index=call.index, id=call.id or "", name=call.custom.name or "", arguments=call.custom.input)
    function = call.function or FunctionCall()
    return Fragment(
        index=call.index, id=call.id or "", name=function.name or "", arguments=function.arguments, state=state
    )


def _find_thought(chunk: ContentChunk) -> str:
    thinking = chunk.thinking or chunk.summary or (chunk.text if chunk.type == "reasoning" else None) or ""
    return thinking if isinstance(thinking, str) else "".join(piece.text or "" for piece in thinking)


def read_usage(usage: Usage) -> UsageReported | None:
    """Return the counts; None if there are none. Unreported counts stay absent."""
    prompt_details = usage.prompt_tokens_details
    completion_details = usage.completion_tokens_details
    reasoning = None if completion_details is None else completion_details.reasoning_tokens
    written = cached = None
    if prompt_details is not None:
        written, cached = prompt_details.cache_write_tokens, prompt_details.cached_tokens
        if written is None:
            written = prompt_details.cache_creation_input_tokens
    if cached is None:
        cached = usage.cached_tokens if usage.prompt_cache_hit_tokens is None else usage.prompt_cache_hit_tokens
    prompt = usage.input_tokens if usage.prompt_tokens is None else usage.prompt_tokens
    completion = usage.output_tokens if usage.completion_tokens is None else usage.completion_tokens
    counts = {
        "prompt_tokens": prompt,
        "completion_tokens": _add_reasoning(completion, prompt, usage.total_tokens, reasoning)
        if reasoning
        else completion,
        "total_tokens": usage.total_tokens,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": cached,
        "reasoning_tokens": reasoning,
    }
    # Some servers write 1.0.
    reported = {name: int(count) for name, count in counts.items() if count is not None}
    return UsageReported(**reported) if reported else None


def _add_reasoning(
    completion: float | None, prompt: float | None, total: float | None, reasoning: float
) -> float | None:
    """Return completion tokens including reasoning. If the total shows that they are counted apart (xAI), add them."""
    if prompt is None or completion is None or total is None:
        return completion
    return completion + reasoning if total == prompt + completion + reasoning else completion
