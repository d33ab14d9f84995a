"""Events of a stream as deltas.

Most events become one delta and do not change the state. The state holds the usage, which message_delta only updates, and
blocks that must be complete before they are emitted: calls and results of server tools, and the citations of a text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import assert_never

import msgspec
from victor_fp_wire.anthropic_messages.operations import CreateMessage
from victor_fp_wire.anthropic_messages.response import (
    CitationsDelta,
    ContentBlock,
    ContentBlockDeltaEvent,
    ContentBlockStartEvent,
    ContentBlockStopEvent,
    ErrorEvent,
    InputJsonContentBlockDelta,
    MessageDeltaEvent,
    MessageStartEvent,
    MessageStopEvent,
    MessageStreamEvent,
    PingEvent,
    ResponseTextBlock,
    ResponseThinkingBlock,
    ResponseToolUseBlock,
    SignatureContentBlockDelta,
    TextContentBlockDelta,
    ThinkingContentBlockDelta,
    UnknownType,
    Usage,
)

from victor_fp.core.deltas import (
    BlockEnded,
    Delta,
    ErrorReported,
    MetadataReported,
    ReasoningDelta,
    StateReported,
    StreamEnded,
    TextDelta,
    ToolCallArguments,
)
from victor_fp.core.faults import InvalidResponse
from victor_fp.core.framing import Frame
from victor_fp.core.json import (
    Chain,
    Json,
    NotJson,
    ObjectChain,
    Undecodable,
    concatenate_objects,
    decode_lenient_json,
    encode_flawed_json,
    encode_json,
    unroll,
)
from victor_fp.core.protocols.anthropic_messages.errors import BODY, fault_from_error
from victor_fp.core.protocols.anthropic_messages.response import (
    build_call_start,
    describe_management,
    emit_start,
    emit_stop,
    to_opaque,
)
from victor_fp.core.protocols.anthropic_messages.usage import describe_usage, merge_usage, report_usage
from victor_fp.core.protocols.operations import build_decoder
from victor_fp.core.protocols.shared_events import (
    FILLERS,
    emit_citations,
    emit_signature,
    is_error_object,
    read_error_text,
)
from victor_fp.core.requests import Endpoint
from victor_fp.core.streaming.persistent import PersistentMap

EVENT = build_decoder(CreateMessage.EVENT, keep_surrogates=True)


class PendingBlock(msgspec.Struct, frozen=True, kw_only=True):
    """Block that is emitted only when it is complete."""

    objects: ObjectChain = None
    """The block as started, and deltas of unknown types; None for a text block with citations."""
    input: Chain = None
    """JSON text."""
    citations: ObjectChain = None

    def finish(self) -> list[Delta]:
        """Return the deltas of the ended block."""
        if self.objects is None:
            return [*emit_citations(unroll(self.citations), has_text=True), BlockEnded()]
        block = concatenate_objects(unroll(self.objects))
        text = "".join(unroll(self.input))
        if not text.strip():
            return [StateReported(block, alone=True)]
        parsed = decode_lenient_json(text)
        return [StateReported({**block, "input": text if isinstance(parsed, NotJson) else parsed}, alone=True)]


class MessageEvents(msgspec.Struct, frozen=True, kw_only=True):
    """Reader of the events of one stream."""

    endpoint: Endpoint
    id: str = ""
    """ID of the message."""
    usage: Usage | None = None
    pending: PersistentMap[int | None, PendingBlock | None] = PersistentMap()
    """Pending blocks by index; None for ended ones."""

    def read(self, frames: Sequence[Frame]) -> tuple[MessageEvents, list[Delta]]:
        """Return the reader for the next frames and the deltas of these."""
        deltas: list[Delta] = []
        reader = self
        for frame in frames:
            if frame.data.strip() in FILLERS:
                continue
            event = EVENT.decode(frame.data)
            if isinstance(event, Undecodable):
                deltas.append(reader._read_undecodable(frame, event.reason))
            elif type(event) is ContentBlockDeltaEvent and type(event.delta) is TextContentBlockDelta:
                if event.delta.text:
                    deltas.append(TextDelta(event.delta.text))
            else:
                reader, more = reader._on_event(event, frame)
                deltas += more
        return reader, deltas

    def finish(self) -> list[Delta]:
        """Return the usage if message_stop is missing."""
        return self._report_counts()

    def _report_counts(self) -> list[Delta]:
        facts = {} if self.usage is None else describe_usage(self.usage)
        return [MetadataReported(metadata=facts)] if facts else []

    def _on_event(self, event: MessageStreamEvent, frame: Frame) -> tuple[MessageEvents, list[Delta]]:
        match event:
            case ContentBlockDeltaEvent():
                return self._on_delta(event)
            case ContentBlockStartEvent(index=index, content_block=block):
                return (self, []) if block is None else self._on_start(index, block)
            case ContentBlockStopEvent(index=index):
                pending = self.pending.get(index)
                return (self, [BlockEnded()]) if pending is None else (self._with(index, None), pending.finish())
            case MessageStartEvent(message=message):
                if message is None:
                    return self, []
                if self.id and message.id and message.id != self.id:
                    # Two responses on one connection must not be mixed.
                    text = f"a second message began inside an open stream: {message.id} after {self.id}"
                    return self, [ErrorReported(InvalidResponse(provider=self.endpoint.spec.name, message=text))]
                # A repeated message_start replaces the usage of the first.
                reader, counts = self._with_usage(message.usage, id_=message.id or self.id, reset=True)
                return reader, [*emit_start(message), *counts]
            case MessageDeltaEvent(delta=delta, usage=usage):
                facts = describe_management(event.context_management)
                reader, counts = self._with_usage(usage)
                return reader, [
                    *([] if delta is None else emit_stop(delta)),
                    *([MetadataReported(metadata=facts)] if facts else []),
                    *counts,
                ]
            case MessageStopEvent():
                return self, [*self._report_counts(), StreamEnded()]
            case ErrorEvent(error=error, request_id=request_id):
                billed = bool(self.id)
                fault = fault_from_error(self.endpoint, error, frame.data, request_id=request_id, maybe_billed=billed)
                return self, [ErrorReported(fault)]
            case UnknownType(raw=raw):
                return self, self._read_unknown(raw, frame)
            case PingEvent():
                return self, []
            case _:
                assert_never(event)

    def _on_delta(self, event: ContentBlockDeltaEvent) -> tuple[MessageEvents, list[Delta]]:
        match event.delta:
            case TextContentBlockDelta(text=text):
                return self, [TextDelta(text)] if text else []
            case ThinkingContentBlockDelta(thinking=thinking):
                return self, [ReasoningDelta(thinking)] if thinking else []
            case InputJsonContentBlockDelta(partial_json=text):
                if (pending := self.pending.get(event.index)) is not None:
                    grown = msgspec.structs.replace(pending, input=(pending.input, text or ""))
                    return self._with(event.index, grown), []
                return self, [ToolCallArguments(index=event.index, text=text)] if text else []
            case SignatureContentBlockDelta(signature=signature):
                # The empty delta opens the block if the vendor omits its thinking.
                return self, [ReasoningDelta(""), *emit_signature(signature)]
            case CitationsDelta(citation=citation):
                if citation is None:
                    return self, []
                pending = self.pending.get(event.index) or PendingBlock()
                grown = msgspec.structs.replace(pending, citations=(pending.citations, citation))
                return self._with(event.index, grown), []
            case UnknownType(raw=raw):
                if (pending := self.pending.get(event.index)) is not None and pending.objects is not None:
                    fields = {name: value for name, value in raw.items() if name != "type"}
                    grown = msgspec.structs.replace(pending, objects=(pending.objects, fields))
                    return self._with(event.index, grown), []
                return self, []
            case None:
                return self, []
            case _:
                assert_never(event.delta)

    def _on_start(self, index: int | None, block: ContentBlock) -> tuple[MessageEvents, list[Delta]]:
        match block:
            case ResponseTextBlock(text=text, citations=citations):
                deltas: list[Delta] = [TextDelta(text)] if text else []
                chain: ObjectChain = None
                for citation in citations or ():
                    chain = (chain, citation)
                return (self if chain is None else self._with(index, PendingBlock(citations=chain))), deltas
            case ResponseThinkingBlock(thinking=thinking, signature=signature):
                if thinking or signature:
                    return self, [ReasoningDelta(thinking or ""), *emit_signature(signature)]
                return self, []
            case ResponseToolUseBlock():
                started = build_call_start(block, index or 0, self.id)
                return self, [msgspec.structs.replace(started, index=index)]
            case _:
                return self._with(index, PendingBlock(objects=(None, to_opaque(block)))), []

    def _with(self, index: int | None, pending: PendingBlock | None) -> MessageEvents:
        return msgspec.structs.replace(self, pending=self.pending.with_item(index, pending))

    def _with_usage(
        self, usage: Usage | None, *, id_: str | None = None, reset: bool = False
    ) -> tuple[MessageEvents, list[Delta]]:
        id_ = self.id if id_ is None else id_
        if usage is None:
            return msgspec.structs.replace(self, id=id_), []
        counts = usage if reset else merge_usage(self.usage, usage)
        return msgspec.structs.replace(self, id=id_, usage=counts), [report_usage(counts)]

    def _read_undecodable(self, frame: Frame, reason: str) -> ErrorReported:
        error_text = read_error_text(frame)
        if error_text is None:
            return ErrorReported(InvalidResponse(provider=self.endpoint.spec.name, message=reason))
        return ErrorReported(fault_from_error(self.endpoint, None, encode_json(error_text), maybe_billed=bool(self.id)))

    def _read_unknown(self, raw: Mapping[str, Json], frame: Frame) -> list[Delta]:
        """Skip events of an unknown type, unless they contain or are an error."""
        if not is_error_object(raw) and raw.get("error") is None and frame.event != "error":
            return []
        answer = BODY.decode(encode_flawed_json(raw))
        error = None if isinstance(answer, Undecodable) else answer.error
        return [ErrorReported(fault_from_error(self.endpoint, error, frame.data, maybe_billed=bool(self.id)))]
