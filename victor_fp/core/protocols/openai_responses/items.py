"""Output items as deltas, and what of each goes back to the vendor on the next turn.

State of a block: a message's parts carry its id and phase, and their citations; reasoning and items of the vendor's own
tools carry themselves as they came, fields that nobody knows included; a call carries what it has beside its arguments.
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
from victor_fp.core.json import Json, JsonObject
from victor_fp.core.protocols.openai_responses.server_tools import note_server_tool
from victor_fp.core.tool_call_ids import make_id

ResponseCall: TypeAlias = FunctionToolCall | CustomToolCall
CUSTOM = "custom_tool_call"
PARAGRAPH = "\n\n"
"""Stands between the parts of a reasoning summary."""
_TOLD = {"type", "call_id", "name", "arguments", "input", "status"}
"""Fields of a call that its delta says, or that change while it is streamed."""


def emit_item(item: OutputItem, raw: JsonObject, place: int, seed: str) -> list[Delta]:
    """A whole item. Calls that the vendor answers itself are none of the caller's, but go back to it."""
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
            id_ = item.call_id or make_id(seed, place)
            return [start_call(item, raw, place, id_), *emit_arguments(item, place, id_)]
        case UnknownType():
            return [*note_server_tool(raw), StateReported(drop_nulls(raw), alone=True)]
        case _:
            assert_never(item)


def emit_part(part: OutputMessageContent) -> list[Delta]:
    """What a part of a message says."""
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
    """The end of a part's block; a part that says nothing has none."""
    says = (isinstance(part, OutputTextContent) and part.text) or (isinstance(part, RefusalContent) and part.refusal)
    return end_block(state) if says else []


def end_block(state: dict[str, Json]) -> list[Delta]:
    """State for the block that the deltas before are in, and its end."""
    return [*([StateReported(state)] if state else []), BlockEnded()]


def build_message_state(
    id_: str | None, phase: str | None, annotations: Sequence[Mapping[str, Json]]
) -> dict[str, Json]:
    """What a message's part goes back with."""
    state: dict[str, Json] = {}
    if id_:
        state["id"] = id_
    if phase:
        state["phase"] = phase
    if annotations:
        state["annotations"] = list(annotations)
    return state


def emit_message_metadata(item: OutputMessage) -> list[Delta]:
    """Citations and log probabilities of all parts."""
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
    """The summary, else the thinking itself: servers that fill both say the same in both."""
    for parts in (item.summary, item.content):
        if text := PARAGRAPH.join(part.text for part in parts or () if part.text):
            return text
    return ""


def read_reasoning_state(raw: JsonObject) -> dict[str, Json]:
    """A reasoning item as it came."""
    return {name: value for name, value in drop_nulls(raw).items() if name != "type"}


def start_call(item: ResponseCall, raw: JsonObject, place: int, id_: str) -> ToolCallStarted:
    """The head of a call."""
    return ToolCallStarted(index=place, id=id_, name=item.name or "", state=read_call_state(item, raw) or None)


def read_call_state(item: ResponseCall, raw: JsonObject) -> dict[str, Json]:
    """What a call has beside its head and its arguments; that it takes free text, where it does."""
    state = {name: value for name, value in drop_nulls(raw).items() if name not in _TOLD}
    return {"type": CUSTOM, **state} if isinstance(item, CustomToolCall) else state


def emit_arguments(item: ResponseCall, place: int, id_: str) -> list[Delta]:
    """The whole arguments, or a custom tool's whole input."""
    text = item.input if isinstance(item, CustomToolCall) else item.arguments
    return [ToolCallArguments(index=place, id=id_, text=text)] if text else []


def drop_nulls(raw: JsonObject) -> dict[str, Json]:
    """The fields that are not null."""
    return {name: value for name, value in raw.items() if value is not None}
