"""The fold of deltas into chunks and one completion; text, reasoning, calls and usage are assembled only here.

A `Transcript` is the response so far. `advance` applies a batch of deltas of a stream and returns the resulting chunks, `fold`
applies those of a complete body; `responses` builds the final chunk, or the fault of an incomplete response.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, assert_never

import msgspec
from msgspec.structs import asdict, replace

from victor_fp.core.conversation import Block, BlockKind
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
from victor_fp.core.json import Chain, Json, ObjectChain, merge_objects, unroll
from victor_fp.core.streaming.tool_call_drafts import ToolCallDraft, ToolCallDrafts
from victor_fp.core.types import StreamChunk

_MAX_COUNT = 2**53
"""Tokens; a larger count is invalid, and not exact as a double."""
MAX_CALLS = 1024
"""Maximum number of tool calls of one response: a call of ten bytes needs over a hundred times as much memory."""


class OpenBlock(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An incomplete block of the response."""

    kind: BlockKind
    pieces: Chain = None
    call: int = -1
    """Ordinal of the call, for a tool call's block; the call holds its state."""
    states: ObjectChain = None
    closed: bool = False

    @property
    def state(self) -> dict[str, Json] | None:
        """The vendor's opaque state of this block."""
        return None if self.states is None else merge_objects(unroll(self.states))


NO_CALLS = ToolCallDrafts()
OpenBlocks: TypeAlias = "tuple[OpenBlocks, OpenBlock] | None"
"""Blocks, newest first. Only the newest one is appended to."""
ChunkNotes: TypeAlias = tuple[dict[str, Any], ...]
"""The metadata of the chunks of one delta."""


class Transcript(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The response so far."""

    open_blocks: OpenBlocks = None
    calls: ToolCallDrafts = NO_CALLS
    usage: UsageReported | None = None
    stopped: Stopped | None = None
    ended: bool = False
    fault: Fault | None = None
    model: str | None = None
    notes: ObjectChain = None
    """The reported metadata."""

    @property
    def blocks(self) -> list[OpenBlock]:
        """The blocks in order."""
        return unroll(self.open_blocks)

    @property
    def over(self) -> bool:
        """Whether later deltas are ignored."""
        return self.ended or self.fault is not None

    @property
    def has_output(self) -> bool:
        """Whether content has been delivered to the caller, so that the call is committed."""
        return self.open_blocks is not None


EMPTY = Transcript()


def fold(deltas: Iterable[Delta]) -> Transcript:
    """Apply the deltas of a complete body."""
    transcript = EMPTY
    for delta in deltas:
        if transcript.ended or transcript.fault is not None:
            break
        transcript, _ = _apply_delta(transcript, delta)
    return transcript


def advance(transcript: Transcript, deltas: Iterable[Delta]) -> tuple[Transcript, list[StreamChunk]]:
    """Apply deltas; return the transcript and the chunks, never a final one; see `responses.build_final_chunk`."""
    chunks: list[StreamChunk] = []
    # Validates as the constructor does, at three quarters of its cost.
    build_chunk: Callable[[object], StreamChunk] = StreamChunk.__pydantic_validator__.validate_python
    text_before: OpenBlocks = None
    text_block: OpenBlock | None = None
    pieces: Chain = None
    for delta in deltas:
        if type(delta) is TextDelta:
            blocks = transcript.open_blocks
            if (
                text_block is None
                and blocks is not None
                and blocks[1].kind == "text"
                and not (blocks[1].closed or transcript.ended or transcript.fault is not None)
            ):
                text_before, text_block = blocks
                pieces = text_block.pieces
            if text_block is not None:
                if text := delta.text:
                    pieces = (pieces, text)
                    chunks.append(build_chunk({"content": text}))
                continue
        if text_block is not None:
            transcript = replace(transcript, open_blocks=(text_before, replace(text_block, pieces=pieces)))
            text_block = None
        if transcript.ended or transcript.fault is not None:
            break
        transcript, notes = _apply_delta(transcript, delta)
        if type(delta) is TextDelta:
            if delta.text:
                chunks.append(build_chunk({"content": delta.text}))
        elif notes:
            chunks += [StreamChunk(metadata=note) for note in notes]
    if text_block is not None:
        transcript = replace(transcript, open_blocks=(text_before, replace(text_block, pieces=pieces)))
    return transcript, chunks


def _apply_delta(transcript: Transcript, delta: Delta) -> tuple[Transcript, ChunkNotes]:
    """Apply one delta; return the transcript and the metadata of the delta's chunks. The chunk of a text has none."""
    # By type and not by `match`, which takes several times as long: Structs have a metaclass, so each miss is a call.
    if type(delta) is TextDelta:
        return _append_text(transcript, "text", delta.text), ()
    if type(delta) is ToolCallArguments or type(delta) is ToolCallArgumentSet:
        return _append_arguments(transcript, delta)
    if type(delta) is ReasoningDelta:
        text = delta.text
        return _append_text(transcript, "reasoning", text), ({"reasoning_content": text},) if text else ()
    if type(delta) is MetadataReported:
        noted = replace(
            transcript,
            model=delta.model if delta.model is not None else transcript.model,
            notes=(transcript.notes, delta.metadata) if delta.metadata else transcript.notes,
        )
        return noted, ()
    if type(delta) is UsageReported:
        usage = delta if transcript.usage is None else _merge_usage(transcript.usage, delta)
        return replace(transcript, usage=usage), ()
    if type(delta) is Stopped:
        return replace(transcript, stopped=delta), ()
    if type(delta) is StreamEnded:
        return replace(transcript, ended=True), ()
    if type(delta) is ToolCallStarted:
        return _start_call(transcript, delta)
    if type(delta) is BlockEnded:
        if transcript.open_blocks is None:
            return transcript, ()
        before, last = transcript.open_blocks
        return replace(transcript, open_blocks=(before, replace(last, closed=True))), ()
    if type(delta) is RefusalDelta:
        text = delta.text
        return _append_text(transcript, "refusal", text), ({"refusal": text},) if text else ()
    if type(delta) is StateReported:
        return _attach_state(transcript, delta), ()
    if type(delta) is ErrorReported:
        return replace(transcript, fault=delta.fault), ()
    assert_never(delta)


def _append_text(transcript: Transcript, kind: BlockKind, text: str) -> Transcript:
    if transcript.open_blocks is not None:
        before, last = transcript.open_blocks
        if last.kind == kind and not last.closed:
            if not text:
                return transcript
            return replace(transcript, open_blocks=(before, replace(last, pieces=(last.pieces, text))))
    if not text and kind != "reasoning":
        return transcript
    block = OpenBlock(kind=kind, pieces=(None, text))
    return replace(transcript, open_blocks=(transcript.open_blocks, block))


def _append_block(transcript: Transcript, block: OpenBlock) -> Transcript:
    return replace(transcript, open_blocks=(transcript.open_blocks, block))


def _start_call(transcript: Transcript, delta: ToolCallStarted) -> tuple[Transcript, ChunkNotes]:
    ordinal = transcript.calls.find(delta.index, delta.id)
    if ordinal is None:
        ordinal = len(transcript.calls)
        if ordinal == MAX_CALLS:
            message = f"the response has more than {MAX_CALLS} tool calls"
            return replace(transcript, fault=InvalidResponse(message=message, maybe_billed=True)), ()
        call = ToolCallDraft(
            index=delta.index,
            id=delta.id or "",
            name=delta.name,
            whole=delta.arguments,
            ordinal=ordinal,
            states=None if delta.state is None else (None, delta.state),
        )
        calls = transcript.calls.with_appended(call)
        transcript = _append_block(transcript, OpenBlock(kind="tool_call", call=ordinal, closed=True))
    else:
        call = transcript.calls[ordinal]
        call = replace(
            call,
            id=call.id or delta.id or "",
            name=call.name or delta.name,
            whole=delta.arguments if delta.arguments is not None else call.whole,
            states=call.states if delta.state is None else (call.states, delta.state),
        )
        calls = transcript.calls.with_replaced(call)
    piece: dict[str, object] = {"index": ordinal, "id": call.id, "name": call.name}
    if delta.arguments is not None:
        piece["arguments"] = delta.arguments
    return replace(transcript, calls=calls), ({"tool_call_deltas": [piece]},)


def _append_arguments(
    transcript: Transcript, delta: ToolCallArguments | ToolCallArgumentSet
) -> tuple[Transcript, ChunkNotes]:
    ordinal = transcript.calls.find(delta.index, delta.id)
    if ordinal is None:
        transcript, begun = _start_call(transcript, ToolCallStarted(index=delta.index, id=delta.id))
        if transcript.fault is not None:
            return transcript, begun
        transcript, notes = _append_arguments(transcript, delta)
        return transcript, (*begun, *notes)
    call = transcript.calls[ordinal]
    piece: dict[str, object] = {"index": ordinal, "id": call.id}
    if isinstance(delta, ToolCallArguments):
        call = replace(call, pieces=(call.pieces, delta.text))
        piece["arguments"] = delta.text
    else:
        changed = call.with_value(delta.path, delta.value)
        if changed is None:
            message = "a tool call's argument has a path that is too long, or an index far beyond the end of its list"
            return replace(transcript, fault=InvalidResponse(message=message, maybe_billed=True)), ()
        call = changed
        piece |= {"path": list(delta.path), "value": delta.value}
    calls = transcript.calls.with_replaced(call)
    return replace(transcript, calls=calls), ({"tool_call_deltas": [piece]},)


def _attach_state(transcript: Transcript, delta: StateReported) -> Transcript:
    before, last = transcript.open_blocks or (None, None)
    if delta.alone or last is None or (last.closed and last.kind != "tool_call"):
        return _append_block(transcript, OpenBlock(kind="opaque", states=(None, delta.state), closed=delta.alone))
    if last.kind == "tool_call":
        call = transcript.calls[last.call]
        call = replace(call, states=(call.states, delta.state))
        return replace(transcript, calls=transcript.calls.with_replaced(call))
    last = replace(last, states=(last.states, delta.state))
    return replace(transcript, open_blocks=(before, last))


def _merge_usage(old: UsageReported, new: UsageReported) -> UsageReported:
    fields = {name: value for name in new.__struct_fields__ if (value := getattr(new, name)) is not None}
    return replace(old, **fields)


def build_blocks(transcript: Transcript) -> list[Block]:
    """Return the completed blocks in order."""
    out: list[Block] = []
    for block in transcript.blocks:
        if block.kind == "tool_call":
            draft = transcript.calls[block.call]
            call = draft.build_call()
            out.append(
                Block(
                    kind="tool_call",
                    id=call["id"],
                    name=call["name"],
                    arguments=call["arguments"],
                    state=draft.merge_state(),
                )
            )
        else:
            text, state = "".join(unroll(block.pieces)), block.state
            if text or state:
                out.append(Block(kind=block.kind, text=text, state=state))
    return out


def build_usage(reported: UsageReported | None) -> dict[str, Any] | None:
    """Convert reported usage to the standard dict; the total is the vendor's or the sum. Invalid counts are omitted."""
    if reported is None:
        return None
    counts = asdict(reported)
    usage = {name: value for name, value in counts.items() if value is not None and 0 <= value < _MAX_COUNT}
    if "total_tokens" not in usage and "prompt_tokens" in usage and "completion_tokens" in usage:
        usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]
    return usage or None
