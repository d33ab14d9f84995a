"""A whole 200 body becomes deltas: the content's pieces in their order, calls, then what stands beside them."""

from __future__ import annotations

from collections.abc import Sequence

from victor_fp_wire.mistral.operations import CreateChatCompletion
from victor_fp_wire.mistral.response import ResponseMessage

from victor_fp.core.deltas import Delta, ErrorReported, MetadataReported, StreamEnded
from victor_fp.core.dialects.mistral import MistralDialect
from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.json import NotJson, decode_json_object
from victor_fp.core.protocols.mistral.notes import build_stop, choose_seed, identity, logprobs_of, report_usage
from victor_fp.core.protocols.mistral.spoken import call_piece, content_deltas
from victor_fp.core.protocols.openai_chat.errors import fault_from_error
from victor_fp.core.protocols.openai_chat.stop_reasons import BROKEN_OFF, FAILURE
from victor_fp.core.protocols.openai_chat.tool_calls import NO_CALLS, placed, released
from victor_fp.core.protocols.openai_chat.usage import counts_noted
from victor_fp.core.protocols.operations import decoder_for
from victor_fp.core.requests import Endpoint
from victor_fp.core.wire_decoding import Undecodable

COMPLETIONS = decoder_for(CreateChatCompletion.RESPONSE)
ERRORS = frozenset({"error", "message", "detail"})
"""Where the three forms of an error have their words, and gateways theirs."""


def read(endpoint: Endpoint, dialect: MistralDialect, body: bytes) -> Sequence[Delta]:
    """The deltas of a completion, or `ErrorReported` where the body is an error or none at all."""
    answer = COMPLETIONS.decode(body)
    if isinstance(answer, Undecodable):
        return [ErrorReported(InvalidResponse(provider=endpoint.spec.name, message=f"no completion: {answer.reason}"))]
    choice = next((choice for choice in answer.choices or () if not choice.index), None)
    if choice is None or answer.error:
        return [ErrorReported(_fault_from_empty_body(endpoint, dialect, body, answer.model))]
    message = choice.message or ResponseMessage()
    deltas = content_deltas(message.content)
    calls = NO_CALLS
    for call in message.tool_calls or ():
        calls = placed(calls, call_piece(call), choose_seed(answer), deltas, whole=True)
    released(calls, deltas)
    notes = identity(answer) | counts_noted(answer.usage) | logprobs_of(choice)
    deltas.append(MetadataReported(model=answer.model or None, metadata=notes))
    if (usage := report_usage(answer.usage)) is not None:
        deltas.append(usage)
    if choice.finish_reason == FAILURE:
        return [*deltas, ErrorReported(fault_from_error(endpoint, dialect, {"error": BROKEN_OFF}, model=answer.model))]
    if choice.finish_reason:
        deltas.append(build_stop(choice.finish_reason))
    deltas.append(StreamEnded())
    return deltas


def _fault_from_empty_body(endpoint: Endpoint, dialect: MistralDialect, body: bytes, model: str | None) -> Fault:
    value = decode_json_object(body)
    if not isinstance(value, NotJson) and ERRORS & value.keys():
        return fault_from_error(endpoint, dialect, value, model=model)
    return InvalidResponse(provider=endpoint.spec.name, message="the answer holds no choice")
