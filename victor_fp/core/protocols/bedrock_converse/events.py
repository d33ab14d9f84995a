"""Frames of a stream as deltas.

The frame's name is the type of its event. Only calls have a start event; text and reasoning begin with their first delta.
The state holds open blocks, for the citations of a text and for blocks that are emitted only when complete: calls and
results of server tools, and others that are sent back as received.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence

import msgspec
from victor_fp_wire.bedrock_converse.response import (
    ContentBlockDelta,
    ContentBlockDeltaEvent,
    ContentBlockStartEvent,
    ContentBlockStopEvent,
    ConverseStreamMetadataEvent,
    MessageStopEvent,
    ReasoningContentBlockDelta,
)

from victor_fp.core.deltas import (
    BlockEnded,
    Delta,
    ErrorReported,
    ReasoningDelta,
    StateReported,
    StreamEnded,
    TextDelta,
    ToolCallArguments,
)
from victor_fp.core.faults import InvalidResponse
from victor_fp.core.framing import Frame
from victor_fp.core.json import (
    Json,
    NotJson,
    ObjectChain,
    Undecodable,
    WireDecoder,
    concatenate_objects,
    decode_json_object,
    decode_lenient_json,
    unroll,
)
from victor_fp.core.protocols.bedrock_converse.errors import fault_from_exception, is_exception
from victor_fp.core.protocols.bedrock_converse.response import (
    SERVER_SIDE,
    build_call_started,
    emit_stop,
)
from victor_fp.core.protocols.bedrock_converse.usage import emit_usage
from victor_fp.core.protocols.shared_events import emit_citations, emit_signature
from victor_fp.core.requests import Endpoint
from victor_fp.core.streaming.persistent import PersistentMap

_START: WireDecoder[ContentBlockStartEvent] = WireDecoder(ContentBlockStartEvent, keep_surrogates=True)
_DELTA: WireDecoder[ContentBlockDeltaEvent] = WireDecoder(ContentBlockDeltaEvent, keep_surrogates=True)
_STOP: WireDecoder[ContentBlockStopEvent] = WireDecoder(ContentBlockStopEvent, keep_surrogates=True)
_MESSAGE_STOP: WireDecoder[MessageStopEvent] = WireDecoder(MessageStopEvent, keep_surrogates=True)
_METADATA: WireDecoder[ConverseStreamMetadataEvent] = WireDecoder(ConverseStreamMetadataEvent, keep_surrogates=True)


class OpenConverseBlock(msgspec.Struct, frozen=True, kw_only=True):
    """A block that has not ended."""

    has_text: bool = False
    """Whether any text has been received."""
    citations: ObjectChain = None
    kind: str = ""
    """Name of the union field of an opaque block; empty for other blocks."""
    held: ObjectChain = None
    """Received pieces of an opaque block."""

    def finish(self) -> list[Delta]:
        """Return the deltas of the ended block."""
        if not self.kind:
            return [*emit_citations(unroll(self.citations), has_text=self.has_text), BlockEnded()]
        pieces = unroll(self.held)
        content = concatenate_objects(pieces)
        if _BLOB in content:
            content = {**content, _BLOB: _join_blobs([piece[_BLOB] for piece in pieces if _BLOB in piece])}
        if self.kind == "toolUse" and isinstance(text := content.get("input"), str):
            parsed = decode_lenient_json(text) if text.strip() else {}
            content = {**content, "input": text if isinstance(parsed, NotJson) else parsed}
        return [StateReported({self.kind: content}, alone=True)]


_BLOB = "redactedContent"
_EMPTY, _WITH_TEXT = OpenConverseBlock(), OpenConverseBlock(has_text=True)


class ConverseEvents(msgspec.Struct, frozen=True, kw_only=True):
    """Reader of the frames of one stream."""

    endpoint: Endpoint
    blocks: PersistentMap[int | None, OpenConverseBlock | None] = PersistentMap()
    """Started blocks by index; None for ended ones."""
    current: int | None = None
    begun: bool = False
    stopped: bool = False

    def read(self, frames: Sequence[Frame]) -> tuple[ConverseEvents, list[Delta]]:
        """Return the reader for the next frames and the deltas of these."""
        deltas: list[Delta] = []
        reader = self
        for frame in frames:
            reader, more = reader._on_frame(frame)
            deltas += more
        return reader, deltas

    def finish(self) -> list[Delta]:
        """Return the deltas of blocks without an end event."""
        return [delta for block in self.blocks.to_dict().values() if block is not None for delta in block.finish()]

    def _on_frame(self, frame: Frame) -> tuple[ConverseEvents, list[Delta]]:
        match frame.event:
            case "contentBlockDelta":
                delta = _DELTA.decode(frame.data)
                return (
                    self._report_undecodable(delta) if isinstance(delta, Undecodable) else self._on_delta(delta, frame)
                )
            case "contentBlockStart":
                start = _START.decode(frame.data)
                return (
                    self._report_undecodable(start) if isinstance(start, Undecodable) else self._on_start(start, frame)
                )
            case "contentBlockStop":
                stop = _STOP.decode(frame.data)
                return self._report_undecodable(stop) if isinstance(stop, Undecodable) else self._on_stop(stop)
            case "messageStart":
                return msgspec.structs.replace(self, begun=True), []
            case "messageStop":
                ending = _MESSAGE_STOP.decode(frame.data)
                if isinstance(ending, Undecodable):
                    return self._report_undecodable(ending)
                stopped = msgspec.structs.replace(self, blocks=PersistentMap(), stopped=True)
                return stopped, [*self.finish(), *emit_stop(ending)]
            case "metadata":
                metadata = _METADATA.decode(frame.data)
                if isinstance(metadata, Undecodable):
                    return self._report_undecodable(metadata)
                # The last event: in the service model, metadata follows messageStop.
                return self, [*emit_usage(metadata), *([StreamEnded()] if self.stopped else [])]
            case name if frame.kind in ("exception", "error") or is_exception(name):
                fault = fault_from_exception(self.endpoint, name, frame.data, maybe_billed=self.begun)
                return self, [ErrorReported(fault)]
            case _:
                return self, []

    def _report_undecodable(self, event: Undecodable) -> tuple[ConverseEvents, list[Delta]]:
        return self, [ErrorReported(InvalidResponse(provider=self.endpoint.spec.name, message=event.reason))]

    def _on_start(self, event: ContentBlockStartEvent, frame: Frame) -> tuple[ConverseEvents, list[Delta]]:
        index = event.content_block_index
        use = None if event.start is None else event.start.tool_use
        if use is not None and use.type != SERVER_SIDE:
            return self._with(index, OpenConverseBlock()), [build_call_started(use, index or 0)]
        kind, fields = _find_only_field(frame.data, "start")
        return self._with(index, OpenConverseBlock(kind=kind, held=(None, fields))), []

    def _on_delta(self, event: ContentBlockDeltaEvent, frame: Frame) -> tuple[ConverseEvents, list[Delta]]:
        index, delta = event.content_block_index, event.delta or ContentBlockDelta()
        deltas: list[Delta] = []
        block = self.blocks.get(index) or _EMPTY
        thought = delta.reasoning_content
        if block.kind and (delta.text is not None or (thought is not None and thought.text is not None)):
            block = _EMPTY  # an unknown kind of start, but the content is text
        if block.kind:
            held = (block.held, _read_piece(block.kind, frame.data))
            return self._with(index, msgspec.structs.replace(block, held=held)), deltas
        if index != self.current and (open_before := self.blocks.get(self.current)) and not open_before.kind:
            # Blocks may end without an event.
            deltas.append(BlockEnded())
        if delta.text is not None:
            if delta.text:
                deltas.append(TextDelta(delta.text))
                if not block.has_text:
                    block = _WITH_TEXT if block is _EMPTY else msgspec.structs.replace(block, has_text=True)
        elif delta.tool_use is not None:
            if delta.tool_use.input:
                deltas.append(ToolCallArguments(index=index or 0, text=delta.tool_use.input))
        elif thought is not None:
            block, more = _read_reasoning(block, thought)
            deltas += more
        elif delta.citation is not None:
            block = msgspec.structs.replace(block, citations=(block.citations, delta.citation))
        return self._with(index, block), deltas

    def _with(self, index: int | None, block: OpenConverseBlock) -> ConverseEvents:
        if self.current == index and self.blocks.get(index) is block:
            return self
        return msgspec.structs.replace(self, blocks=self.blocks.with_item(index, block), current=index, begun=True)

    def _on_stop(self, event: ContentBlockStopEvent) -> tuple[ConverseEvents, list[Delta]]:
        index = event.content_block_index
        deltas = (self.blocks.get(index) or _EMPTY).finish()
        return msgspec.structs.replace(self, blocks=self.blocks.with_item(index, None)), deltas


def _read_reasoning(
    block: OpenConverseBlock, thought: ReasoningContentBlockDelta
) -> tuple[OpenConverseBlock, list[Delta]]:
    if thought.redacted_content is not None:
        fields: dict[str, Json] = {_BLOB: thought.redacted_content}
        return msgspec.structs.replace(block, kind="reasoningContent", held=(None, fields)), []
    deltas: list[Delta] = [ReasoningDelta(thought.text)] if thought.text else []
    if thought.signature:
        # The empty delta opens the block if the vendor omits its reasoning.
        deltas += [ReasoningDelta(""), *emit_signature(thought.signature)]
    return block, deltas


def _find_only_field(payload: bytes, name: str) -> tuple[str, Mapping[str, Json]]:
    """Return name and value of the set field of the union `name`, including unknown fields."""
    event = decode_json_object(payload)
    union = {} if isinstance(event, NotJson) else event.get(name)
    if not isinstance(union, Mapping):
        return "", {}
    return next(((name, value) for name, value in union.items() if isinstance(value, Mapping)), ("", {}))


def _read_piece(kind: str, payload: bytes) -> Mapping[str, Json]:
    """Decode one more piece of an opaque block."""
    event = decode_json_object(payload)
    union = {} if isinstance(event, NotJson) else event.get("delta")
    piece = union.get(kind) if isinstance(union, Mapping) else None
    if isinstance(piece, list):
        # A result's deltas are lists of content items.
        return {"content": piece}
    return piece if isinstance(piece, Mapping) else {}


def _join_blobs(blobs: Sequence[Json]) -> Json:
    """Join base64 strings to one by decoding them; concatenate them if one is not valid base64."""
    texts = [blob for blob in blobs if isinstance(blob, str)]
    if len(texts) < 2:
        return blobs[-1]
    try:
        return b64encode(b"".join(b64decode(text, validate=True) for text in texts)).decode()
    except ValueError:
        return "".join(texts)
