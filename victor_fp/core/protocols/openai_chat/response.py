"""A whole 200 body becomes deltas: in the order reasoning, text, refusal, calls, then what stands beside them."""

from __future__ import annotations

from collections.abc import Sequence

from victor_fp_wire.openai_chat.operations import CreateChatCompletion
from victor_fp_wire.openai_chat.response import ChatCompletion, Choice, ResponseMessage

from victor_fp.core.deltas import (
    Delta,
    ErrorReported,
    MetadataReported,
    ReasoningDelta,
    RefusalDelta,
    StateReported,
    StreamEnded,
)
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.json import Json, NotJson, decode_json_object
from victor_fp.core.protocols.openai_chat.errors import fault_from_error
from victor_fp.core.protocols.openai_chat.notes import answer_notes, choice_notes, logprobs_of, message_notes
from victor_fp.core.protocols.openai_chat.spoken import content_deltas, find_reasoning
from victor_fp.core.protocols.openai_chat.stop_reasons import BROKEN_OFF, FAILURE, build_stop
from victor_fp.core.protocols.openai_chat.tool_calls import (
    NO_CALLS,
    is_empty_piece,
    legacy_piece,
    piece_of,
    placed,
    released,
)
from victor_fp.core.protocols.openai_chat.usage import usage_notes, usage_reported
from victor_fp.core.protocols.operations import decoder_for
from victor_fp.core.requests import Endpoint
from victor_fp.core.wire_decoding import Undecodable

COMPLETIONS = decoder_for(CreateChatCompletion.RESPONSE)


def read(endpoint: Endpoint, dialect: ChatDialect, body: bytes) -> Sequence[Delta]:
    """The deltas of a completion, or `ErrorReported`: some vendors answer 200 with an error in the body."""
    answer = COMPLETIONS.decode(body)
    if isinstance(answer, Undecodable):
        return [ErrorReported(InvalidResponse(provider=endpoint.spec.name, message=f"no completion: {answer.reason}"))]
    if answer.error:
        return [ErrorReported(_fault_in(endpoint, dialect, body, answer.model))]
    choice = next((choice for choice in answer.choices or () if not choice.index), None)
    if choice is None:
        return [ErrorReported(_fault_from_empty_body(endpoint, dialect, body))]
    message = choice.message or ResponseMessage()
    deltas: list[Delta] = []
    if reasoning := find_reasoning(message):
        deltas.append(ReasoningDelta(reasoning))
    deltas += content_deltas(message.content)
    if message.refusal:
        deltas.append(RefusalDelta(message.refusal))
    deltas += _call_deltas(message, answer.id or (str(int(answer.created)) if answer.created else ""))
    if message.reasoning_details:
        deltas.append(StateReported({"reasoning_details": message.reasoning_details}, alone=True))
    deltas.append(MetadataReported(model=answer.model or None, metadata=_notes(answer, choice, message)))
    if (usage := usage_reported(answer.usage)) is not None:
        deltas.append(usage)
    if choice.finish_reason == FAILURE:
        error = choice.error or BROKEN_OFF
        return [*deltas, ErrorReported(fault_from_error(endpoint, dialect, {"error": error}, model=answer.model))]
    if choice.finish_reason:
        deltas.append(build_stop(dialect, choice.finish_reason))
    deltas.append(StreamEnded())
    return deltas


def _call_deltas(message: ResponseMessage, seed: str) -> list[Delta]:
    deltas: list[Delta] = []
    pieces = [piece_of(call) for call in message.tool_calls or ()]
    if message.function_call is not None:
        pieces.append(legacy_piece(message.function_call))
    calls = NO_CALLS
    for piece in pieces:
        if not is_empty_piece(piece):
            calls = placed(calls, piece, seed, deltas, whole=True)
    released(calls, deltas)
    return deltas


def _notes(answer: ChatCompletion, choice: Choice, message: ResponseMessage) -> dict[str, Json]:
    notes = answer_notes(answer) | usage_notes(answer.usage)
    notes |= choice_notes(choice) | message_notes(message) | logprobs_of(choice)
    if answer.metadata:
        notes["vendor_metadata"] = answer.metadata
    if message.executed_tools:
        notes["executed_tools"] = message.executed_tools
    if message.audio:
        notes["audio"] = message.audio
    return notes


def _fault_in(endpoint: Endpoint, dialect: ChatDialect, body: bytes, model: str | None = None) -> Fault:
    value = decode_json_object(body)
    return fault_from_error(endpoint, dialect, {} if isinstance(value, NotJson) else value, model=model)


def _fault_from_empty_body(endpoint: Endpoint, dialect: ChatDialect, body: bytes) -> Fault:
    """A body without a choice: older servers put an error's fields at the top of it."""
    value = decode_json_object(body)
    if not isinstance(value, NotJson) and (value.get("object") == "error" or {"message", "detail"} & value.keys()):
        return _fault_in(endpoint, dialect, body)
    return InvalidResponse(provider=endpoint.spec.name, message="the answer holds no choice")
