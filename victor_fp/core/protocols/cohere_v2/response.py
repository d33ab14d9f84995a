"""Decoding of a response body to deltas: plan, thinking and text in order, calls, then metadata."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from victor_fp_wire.cohere_v2 import response as wire
from victor_fp_wire.cohere_v2.operations import Chat

from victor_fp.core.deltas import (
    BlockEnded,
    Delta,
    ErrorReported,
    MetadataReported,
    ReasoningDelta,
    TextDelta,
    ToolCallArguments,
    ToolCallStarted,
)
from victor_fp.core.dialects.cohere import CohereDialect
from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.json import NotJson, Undecodable, decode_json_object
from victor_fp.core.protocols.cohere_v2.errors import fault_from_error
from victor_fp.core.protocols.cohere_v2.notes import emit_citations, emit_logprobs, emit_plan, emit_stop
from victor_fp.core.protocols.operations import build_decoder
from victor_fp.core.protocols.shared_events import is_error_body
from victor_fp.core.requests import Endpoint
from victor_fp.core.streaming.tool_call_drafts import encode_arguments, make_id

BODY = build_decoder(Chat.RESPONSE, keep_surrogates=True)


def read(endpoint: Endpoint, dialect: CohereDialect, body: bytes) -> Sequence[Delta]:
    """Decode a body to deltas; `ErrorReported` if it is an error or cannot be decoded."""
    response = BODY.decode(body)
    if isinstance(response, Undecodable):
        return [
            ErrorReported(
                InvalidResponse(
                    provider=endpoint.spec.name, message=f"the response cannot be decoded: {response.reason}"
                )
            )
        ]
    message = response.message
    if message is None and response.finish_reason is None:
        return [ErrorReported(_fault_from_empty_body(endpoint, dialect, body))]
    deltas: list[Delta] = [MetadataReported(metadata={"id": response.id})] if response.id else []
    if message is not None:
        deltas += emit_plan(message.tool_plan or "")
        for block in message.content or ():
            deltas += _emit_content(block)
        for ordinal, call in enumerate(message.tool_calls or ()):
            function = call.function or wire.FunctionCall()
            deltas += emit_call_start(ordinal, ordinal, call.id, function, response.id)
        deltas += emit_citations(message.citations or [])
    deltas += emit_logprobs(response.logprobs or [])
    return [*deltas, *emit_stop(endpoint, response.finish_reason, response.usage, None)]


def emit_call_start(
    ordinal: int, index: int | None, id_: str | None, function: wire.FunctionCall, seed: str | None
) -> list[Delta]:
    """Emit the start of a call and its first arguments. `ordinal` counts calls, `index` is the vendor's."""
    name, arguments = function.name or "", encode_arguments(function.arguments)
    call_id = id_ or make_id(seed or name + arguments, ordinal)
    head: list[Delta] = [ToolCallStarted(index=index, id=call_id, name=name)]
    return [*head, ToolCallArguments(index=index, id=call_id, text=arguments)] if arguments else head


def _emit_content(block: wire.AssistantContent) -> list[Delta]:
    match block:
        case wire.TextContent(text=text):
            return [TextDelta(text), BlockEnded()] if text else []
        case wire.ThinkingContent(thinking=thought):
            return [ReasoningDelta(thought), BlockEnded()] if thought else []
        case wire.UnknownType():
            return []
        case _:
            assert_never(block)


def _fault_from_empty_body(endpoint: Endpoint, dialect: CohereDialect, body: bytes) -> Fault:
    """Return the fault for a body without a message object; the `message` of an error is a string."""
    value = decode_json_object(body)
    if not isinstance(value, NotJson) and is_error_body(value):
        return fault_from_error(endpoint, dialect, value)
    return InvalidResponse(provider=endpoint.spec.name, message="the response contains no message")
