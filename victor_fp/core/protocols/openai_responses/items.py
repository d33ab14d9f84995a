"""Output items as deltas, with the state that is sent back to the vendor on the next turn.

State of a block: message parts have the id and phase of the message and their citations; reasoning and server tool items are
kept as received, including unknown fields; calls have their fields other than the arguments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias, assert_never

from victor_fp_wire.openai_responses.response import (
    CustomToolCall,
    FunctionToolCall,
    OutputItem,
    OutputMessage,
    OutputMessageContent,
    OutputTextContent,
    ReasoningItem,
    RefusalContent,
    UnknownType,
)

from victor_fp.core.deltas import (
    BlockEnded,
    Delta,
    MetadataReported,
    ReasoningDelta,
    RefusalDelta,
    StateReported,
    TextDelta,
    ToolCallArguments,
    ToolCallStarted,
)
from victor_fp.core.json import Json, JsonObject, drop_nulls
from victor_fp.core.protocols.openai_responses.server_tools import note_server_tool
from victor_fp.core.streaming.tool_call_drafts import encode_arguments, make_id

ResponseCall: TypeAlias = FunctionToolCall | CustomToolCall
CUSTOM = "custom_tool_call"
PARAGRAPH = "\n\n"
"""Separator of the parts of a reasoning summary."""
_CALL_FIELDS = {"type", "call_id", "name", "arguments", "input", "status"}
"""Fields of a call that are in its delta, or change while it is streamed."""


def emit_item(item: OutputItem, raw: JsonObject, index: int, seed: str) -> list[Delta]:
    """Emit a complete item. Calls of server tools are kept as state to send back, not as calls for the caller."""
    match item:
        case OutputMessage():
            deltas: list[Delta] = []
            for part in item.content or ():
                deltas += emit_part(part)
                deltas += end_part(build_message_state(item.id, item.phase, _list_annotations(part)), part)
            return deltas + emit_message_metadata(item)
        case ReasoningItem():
            return [ReasoningDelta(join_reasoning(item)), StateReported(read_reasoning_state(raw)), BlockEnded()]
        case FunctionToolCall() | CustomToolCall():
            id_ = item.call_id or make_id(seed, index)
            return [start_call(item, raw, index, id_), *emit_arguments(item, index, id_)]
        case UnknownType():
            return [*note_server_tool(raw), StateReported(drop_nulls(raw), alone=True)]
        case _:
            assert_never(item)


def emit_part(part: OutputMessageContent) -> list[Delta]:
    """Emit the content of a message part."""
    match part:
        case OutputTextContent(text=text):
            return [TextDelta(text)] if text else []
        case RefusalContent(refusal=refusal):
            return [RefusalDelta(refusal)] if refusal else []
        case UnknownType(raw=raw):
            return [MetadataReported(metadata={"output_parts": [raw]})]
        case _:
            assert_never(part)


def end_part(state: dict[str, Json], part: OutputMessageContent) -> list[Delta]:
    """End the block of a part; nothing if the part is empty."""
    has_text = (isinstance(part, OutputTextContent) and part.text) or (
        isinstance(part, RefusalContent) and part.refusal
    )
    return end_block(state) if has_text else []


def end_block(state: dict[str, Json]) -> list[Delta]:
    """Emit the state of the current block and its end."""
    return [*([StateReported(state)] if state else []), BlockEnded()]


def build_message_state(
    id_: str | None, phase: str | None, annotations: Sequence[Mapping[str, Json]]
) -> dict[str, Json]:
    """Build the state of a message part."""
    state: dict[str, Json] = {}
    if id_:
        state["id"] = id_
    if phase:
        state["phase"] = phase
    if annotations:
        state["annotations"] = list(annotations)
    return state


def emit_message_metadata(item: OutputMessage) -> list[Delta]:
    """Emit citations and log probabilities of all parts."""
    texts = [part for part in item.content or () if isinstance(part, OutputTextContent)]
    notes: dict[str, Json] = {}
    if cited := [one for part in texts for one in part.annotations or ()]:
        notes["citations"] = cited
    if logprobs := [one for part in texts for one in part.logprobs or ()]:
        notes["logprobs"] = {"content": logprobs}
    return [MetadataReported(metadata=notes)] if notes else []


def _list_annotations(part: OutputMessageContent) -> Sequence[Mapping[str, Json]]:
    return part.annotations or () if isinstance(part, OutputTextContent) else ()


def join_reasoning(item: ReasoningItem) -> str:
    """Return the summary, else the reasoning text; servers that fill both repeat it."""
    for parts in (item.summary, item.content):
        if text := PARAGRAPH.join(part.text for part in parts or () if part.text):
            return text
    return ""


def read_reasoning_state(raw: JsonObject) -> dict[str, Json]:
    """Return a reasoning item as received."""
    return {name: value for name, value in drop_nulls(raw).items() if name != "type"}


def start_call(item: ResponseCall, raw: JsonObject, index: int, id_: str) -> ToolCallStarted:
    """Build the start of a call."""
    return ToolCallStarted(index=index, id=id_, name=item.name or "", state=read_call_state(item, raw) or None)


def read_call_state(item: ResponseCall, raw: JsonObject) -> dict[str, Json]:
    """Return the state of a call: its other fields, and the type of a custom tool call."""
    state = {name: value for name, value in drop_nulls(raw).items() if name not in _CALL_FIELDS}
    return {"type": CUSTOM, **state} if isinstance(item, CustomToolCall) else state


def emit_arguments(item: ResponseCall, index: int, id_: str) -> list[Delta]:
    """Emit the complete arguments, or a custom tool's complete input."""
    text = item.input if isinstance(item, CustomToolCall) else encode_arguments(item.arguments)
    return [ToolCallArguments(index=index, id=id_, text=text)] if text else []
