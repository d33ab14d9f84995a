"""The fold: deltas -> chunks, and deltas -> one completion. Only here are text, reasoning, calls and usage assembled.

A `Transcript` is the answer so far. `advance` takes a batch of deltas and gives the chunks to hand out; `answers` says
what the end means: a final chunk, or the fault of an answer that broke off.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, assert_never

import msgspec

from victor_fp.core.chains import Chain, join_chain
from victor_fp.core.deltas import (
    BlockEnded,
    Delta,
    ErrorReported,
    MetadataReported,
    ReasoningDelta,
    RefusalDelta,
    StateReported,
    Stopped,
    StreamEnded,
    TextDelta,
    ToolCallArguments,
    ToolCallArgumentSet,
    ToolCallStarted,
    UsageReported,
)
from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.json import Json
from victor_fp.core.request_building.conversation import Block, BlockKind
from victor_fp.core.tool_call_drafts import ToolCallDraft, continues, grown
from victor_fp.core.types import StreamChunk

MAX_CALLS = 1024
"""Tool calls of one response. Finding the call that a piece belongs to takes time that grows with them."""


class OpenBlock(msgspec.Struct, frozen=True, kw_only=True):
    """A block of the answer while it grows."""

    kind: BlockKind
    pieces: Chain = None
    call: int = -1
    """Which of the transcript's calls, for a tool call's block."""
    state: dict[str, Json] | None = None
    closed: bool = False


class Transcript(msgspec.Struct, frozen=True, kw_only=True):
    """The answer so far."""

    blocks: tuple[OpenBlock, ...] = ()
    calls: tuple[ToolCallDraft, ...] = ()
    usage: UsageReported | None = None
    stopped: Stopped | None = None
    ended: bool = False
    fault: Fault | None = None
    model: str | None = None
    metadata: dict[str, Json] = {}

    @property
    def over(self) -> bool:
        """Nothing that follows counts."""
        return self.ended or self.fault is not None

    @property
    def spoken(self) -> bool:
        """Something of meaning has reached the caller: the commit point is passed."""
        return bool(self.blocks)


EMPTY = Transcript()


def advance(transcript: Transcript, deltas: Iterable[Delta]) -> tuple[Transcript, list[StreamChunk]]:
    """The transcript after these deltas, and the chunks they make; never a final one; see `answers.final_chunk`."""
    chunks: list[StreamChunk] = []
    kind: BlockKind | None = None
    pieces: Chain = None
    for delta in deltas:
        if type(delta) is TextDelta and kind == "text":
            if text := delta.text:
                pieces = (pieces, text)
                chunks.append(StreamChunk(content=text))
            continue
        if kind is not None:
            transcript = _with_last(transcript, pieces)
            kind = None
        if transcript.over:
            break
        transcript = _apply_delta(transcript, delta, chunks)
        if type(delta) is TextDelta and delta.text:
            kind, pieces = "text", transcript.blocks[-1].pieces
    if kind is not None:
        transcript = _with_last(transcript, pieces)
    return transcript, chunks


def _with_last(transcript: Transcript, pieces: Chain) -> Transcript:
    last = msgspec.structs.replace(transcript.blocks[-1], pieces=pieces)
    return msgspec.structs.replace(transcript, blocks=(*transcript.blocks[:-1], last))


def _apply_delta(transcript: Transcript, delta: Delta, chunks: list[StreamChunk]) -> Transcript:
    replace = msgspec.structs.replace
    match delta:
        case TextDelta(text):
            if text:
                chunks.append(StreamChunk(content=text))
            return _append_text(transcript, "text", text)
        case ReasoningDelta(text):
            if text:
                chunks.append(StreamChunk(metadata={"reasoning_content": text}))
            return _append_text(transcript, "reasoning", text)
        case RefusalDelta(text):
            if text:
                chunks.append(StreamChunk(metadata={"refusal": text}))
            return _append_text(transcript, "refusal", text)
        case BlockEnded():
            if not transcript.blocks:
                return transcript
            last = replace(transcript.blocks[-1], closed=True)
            return replace(transcript, blocks=(*transcript.blocks[:-1], last))
        case ToolCallStarted():
            return _start_call(transcript, delta, chunks)
        case ToolCallArguments() | ToolCallArgumentSet():
            return _append_arguments(transcript, delta, chunks)
        case StateReported():
            return _attach_state(transcript, delta)
        case UsageReported():
            return replace(transcript, usage=_merge_usage(transcript.usage, delta))
        case Stopped():
            return replace(transcript, stopped=delta)
        case MetadataReported(model=model, metadata=metadata):
            return replace(
                transcript,
                model=model if model is not None else transcript.model,
                metadata=merge_metadata(transcript.metadata, metadata) if metadata else transcript.metadata,
            )
        case ErrorReported(fault):
            return replace(transcript, fault=fault)
        case StreamEnded():
            return replace(transcript, ended=True)
        case _:
            assert_never(delta)


def _append_text(transcript: Transcript, kind: BlockKind, text: str) -> Transcript:
    blocks = transcript.blocks
    if blocks and blocks[-1].kind == kind and not blocks[-1].closed:
        return _with_last(transcript, (blocks[-1].pieces, text)) if text else transcript
    if not text and kind != "reasoning":
        return transcript
    return msgspec.structs.replace(transcript, blocks=(*blocks, OpenBlock(kind=kind, pieces=(None, text))))


def _start_call(transcript: Transcript, delta: ToolCallStarted, chunks: list[StreamChunk]) -> Transcript:
    place = continues(transcript.calls, delta.index, delta.id)
    if place is None:
        place = len(transcript.calls)
        if place == MAX_CALLS:
            message = f"the response has more than {MAX_CALLS} tool calls"
            return msgspec.structs.replace(transcript, fault=InvalidResponse(message=message, maybe_billed=True))
        call = ToolCallDraft(
            index=delta.index, id=delta.id or "", name=delta.name, whole=delta.arguments, ordinal=place
        )
        block = OpenBlock(kind="tool_call", call=place, state=delta.state, closed=True)
        blocks, calls = (*transcript.blocks, block), (*transcript.calls, call)
    else:
        call = transcript.calls[place]
        call = msgspec.structs.replace(
            call,
            id=call.id or delta.id or "",
            name=call.name or delta.name,
            whole=delta.arguments if delta.arguments is not None else call.whole,
        )
        calls = (*transcript.calls[:place], call, *transcript.calls[place + 1 :])
        blocks = _attach_call_state(transcript.blocks, place, delta.state)
    piece: dict[str, object] = {"index": place, "id": call.id, "name": call.name}
    if delta.arguments is not None:
        piece["arguments"] = delta.arguments
    chunks.append(StreamChunk(metadata={"tool_call_deltas": [piece]}))
    return msgspec.structs.replace(transcript, blocks=blocks, calls=calls)


def _attach_call_state(
    blocks: tuple[OpenBlock, ...], call: int, state: dict[str, Json] | None
) -> tuple[OpenBlock, ...]:
    if state is None:
        return blocks
    return tuple(
        msgspec.structs.replace(block, state=merge_metadata(block.state or {}, state)) if block.call == call else block
        for block in blocks
    )


def _append_arguments(
    transcript: Transcript, delta: ToolCallArguments | ToolCallArgumentSet, chunks: list[StreamChunk]
) -> Transcript:
    place = continues(transcript.calls, delta.index, delta.id)
    if place is None:
        started = ToolCallStarted(index=delta.index, id=delta.id)
        return _append_arguments(_start_call(transcript, started, chunks), delta, chunks)
    call = transcript.calls[place]
    piece: dict[str, object] = {"index": place, "id": call.id}
    if isinstance(delta, ToolCallArguments):
        call = msgspec.structs.replace(call, pieces=(call.pieces, delta.text))
        piece["arguments"] = delta.text
    else:
        call = msgspec.structs.replace(call, whole=grown(call.whole or {}, delta.path, delta.value))
        piece |= {"path": list(delta.path), "value": delta.value}
    chunks.append(StreamChunk(metadata={"tool_call_deltas": [piece]}))
    calls = (*transcript.calls[:place], call, *transcript.calls[place + 1 :])
    return msgspec.structs.replace(transcript, calls=calls)


def _attach_state(transcript: Transcript, delta: StateReported) -> Transcript:
    blocks = transcript.blocks
    last = blocks[-1] if blocks else None
    if delta.alone or last is None or (last.closed and last.kind != "tool_call"):
        alone = OpenBlock(kind="opaque", state=delta.state, closed=delta.alone)
        return msgspec.structs.replace(transcript, blocks=(*blocks, alone))
    last = msgspec.structs.replace(last, state=merge_metadata(last.state or {}, delta.state))
    return msgspec.structs.replace(transcript, blocks=(*blocks[:-1], last))


def merge_metadata(old: dict[str, Json], new: dict[str, Json]) -> dict[str, Json]:
    """Lists are extended, objects merged, everything else replaced."""
    out = dict(old)
    for key, value in new.items():
        match out.get(key), value:
            case list() as before, list() as after:
                out[key] = [*before, *after]
            case dict() as before, dict() as after:
                out[key] = merge_metadata(before, after)
            case _:
                out[key] = value
    return out


def _merge_usage(old: UsageReported | None, new: UsageReported) -> UsageReported:
    if old is None:
        return new
    fields = {name: value for name in new.__struct_fields__ if (value := getattr(new, name)) is not None}
    return msgspec.structs.replace(old, **fields)


def build_blocks(transcript: Transcript) -> list[Block]:
    """The answer's blocks in order, whole."""
    out: list[Block] = []
    for grown_block in transcript.blocks:
        if grown_block.kind == "tool_call":
            call = transcript.calls[grown_block.call].call()
            out.append(
                Block(
                    kind="tool_call",
                    id=call["id"],
                    name=call["name"],
                    arguments=call["arguments"],
                    state=grown_block.state,
                )
            )
        elif (text := join_chain(grown_block.pieces)) or grown_block.state:
            out.append(Block(kind=grown_block.kind, text=text, state=grown_block.state))
    return out


def build_usage(reported: UsageReported | None) -> dict[str, Any] | None:
    """What was reported as the standard dict; the total is the vendor's or the sum."""
    if reported is None:
        return None
    usage = {name: value for name in reported.__struct_fields__ if (value := getattr(reported, name)) is not None}
    if "total_tokens" not in usage and "prompt_tokens" in usage and "completion_tokens" in usage:
        usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]
    return usage or None
