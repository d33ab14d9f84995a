"""A stream's events as deltas.

Most events mean one delta and no memory. Remembered are the counts, which message_delta only adds to, and blocks that
have to be whole before they mean anything: what the vendor's own tools say, and the citations of a text.
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
from victor_fp.core.json import Json, NotJson, decode_json, encode_json
from victor_fp.core.protocols.anthropic_messages.errors import BODY, fault_from_error
from victor_fp.core.protocols.anthropic_messages.response import (
    build_call_start,
    describe_management,
    emit_citations,
    emit_signature,
    emit_start,
    emit_stop,
    to_opaque,
)
from victor_fp.core.protocols.anthropic_messages.usage import describe_usage, merge_usage, report_usage
from victor_fp.core.protocols.operations import decoder_for
from victor_fp.core.protocols.stream_end import is_done
from victor_fp.core.requests import Endpoint
from victor_fp.core.wire_decoding import Undecodable

EVENT = decoder_for(CreateMessage.EVENT)


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A block that means something only when it is whole."""

    block: dict[str, Json] = {}
    """As it started; empty for a text that is only cited."""
    pieces: tuple[str, ...] = ()
    """JSON text of its input."""
    citations: tuple[dict[str, Json], ...] = ()

    def whole(self) -> list[Delta]:
        """What the block means now that it has ended."""
        if not self.block:
            return [*emit_citations("text", self.citations), BlockEnded()]
        text = "".join(self.pieces)
        if not text.strip():
            return [StateReported(self.block, alone=True)]
        parsed = decode_json(text)
        return [StateReported({**self.block, "input": text if isinstance(parsed, NotJson) else parsed}, alone=True)]


class MessageEvents(msgspec.Struct, frozen=True, kw_only=True):
    """Reads the events of one stream."""

    endpoint: Endpoint
    id: str = ""
    """The message's."""
    usage: Usage | None = None
    pending: dict[int | None, Pending] = {}
    """By the block's index."""

    def read(self, frames: Sequence[Frame]) -> tuple[MessageEvents, list[Delta]]:
        """The reader for what follows, and what these frames mean."""
        deltas: list[Delta] = []
        reader = self
        for frame in frames:
            if is_done(frame.data):  # from gateways, after message_stop
                continue
            event = EVENT.decode(frame.data)
            if not isinstance(event, Undecodable):
                reader = reader._after(event, frame, deltas)
            else:
                deltas.append(ErrorReported(InvalidResponse(provider=self.endpoint.spec.name, message=event.reason)))
        return reader, deltas

    def finish(self) -> list[Delta]:
        """The counts, where no message_stop came."""
        return self._counts()

    def _counts(self) -> list[Delta]:
        facts = {} if self.usage is None else describe_usage(self.usage)
        return [MetadataReported(metadata=facts)] if facts else []

    def _after(self, event: MessageStreamEvent, frame: Frame, deltas: list[Delta]) -> MessageEvents:
        match event:
            case ContentBlockDeltaEvent():
                return self._grown(event, deltas)
            case ContentBlockStartEvent(index=index, content_block=block):
                return self if block is None else self._started(index, block, deltas)
            case ContentBlockStopEvent(index=index):
                return self._stopped(index, deltas)
            case MessageStartEvent(message=message):
                if message is None:
                    return self
                if self.id and message.id and message.id != self.id:
                    # Two responses on one connection: neither may be given for the other.
                    text = f"a second message began inside an open stream: {message.id} after {self.id}"
                    deltas.append(ErrorReported(InvalidResponse(provider=self.endpoint.spec.name, message=text)))
                    return self
                deltas += emit_start(message)
                # A repeated start replaces the first one's counts.
                return self._counting(message.usage, deltas, id_=message.id or self.id, afresh=True)
            case MessageDeltaEvent(delta=delta, usage=usage):
                if delta is not None:
                    deltas += emit_stop(delta)
                if facts := describe_management(event.context_management):
                    deltas.append(MetadataReported(metadata=facts))
                return self._counting(usage, deltas)
            case MessageStopEvent():
                deltas += [*self._counts(), StreamEnded()]
                return self
            case ErrorEvent(error=error, request_id=request_id):
                billed = bool(self.id)
                fault = fault_from_error(self.endpoint, error, frame.data, request_id=request_id, maybe_billed=billed)
                deltas.append(ErrorReported(fault))
                return self
            case UnknownType(raw=raw):
                deltas += self._untyped(raw, frame)
                return self
            case PingEvent():
                return self
            case _:
                assert_never(event)

    def _grown(self, event: ContentBlockDeltaEvent, deltas: list[Delta]) -> MessageEvents:
        match event.delta:
            case TextContentBlockDelta(text=text):
                if text:
                    deltas.append(TextDelta(text))
            case ThinkingContentBlockDelta(thinking=thinking):
                if thinking:
                    deltas.append(ReasoningDelta(thinking))
            case InputJsonContentBlockDelta(partial_json=text):
                if (pending := self.pending.get(event.index)) is not None:
                    grown = msgspec.structs.replace(pending, pieces=(*pending.pieces, text or ""))
                    return self._with(event.index, grown)
                if text:
                    deltas.append(ToolCallArguments(index=event.index, text=text))
            case SignatureContentBlockDelta(signature=signature):
                # The empty delta opens the block where its thinking is kept from us.
                deltas += [ReasoningDelta(""), *emit_signature(signature)]
            case CitationsDelta(citation=citation):
                if citation is not None:
                    held = self.pending.get(event.index, Pending())
                    return self._with(event.index, msgspec.structs.replace(held, citations=(*held.citations, citation)))
            case UnknownType(raw=raw):
                if (pending := self.pending.get(event.index)) is not None and pending.block:
                    return self._with(event.index, msgspec.structs.replace(pending, block=_patched(pending.block, raw)))
            case None:
                pass
            case _:
                assert_never(event.delta)
        return self

    def _started(self, index: int | None, block: ContentBlock, deltas: list[Delta]) -> MessageEvents:
        match block:
            case ResponseTextBlock(text=text, citations=citations):
                if text:
                    deltas.append(TextDelta(text))
                return self._with(index, Pending(citations=tuple(citations))) if citations else self
            case ResponseThinkingBlock(thinking=thinking, signature=signature):
                if thinking or signature:
                    deltas += [ReasoningDelta(thinking or ""), *emit_signature(signature)]
                return self
            case ResponseToolUseBlock():
                started = build_call_start(block, index or 0, self.id)
                deltas.append(msgspec.structs.replace(started, index=index))
                return self
            case _:
                return self._with(index, Pending(block=to_opaque(block)))

    def _stopped(self, index: int | None, deltas: list[Delta]) -> MessageEvents:
        pending = self.pending.get(index)
        if pending is None:
            deltas.append(BlockEnded())
            return self
        deltas += pending.whole()
        rest = {place: other for place, other in self.pending.items() if place != index}
        return msgspec.structs.replace(self, pending=rest)

    def _with(self, index: int | None, pending: Pending) -> MessageEvents:
        return msgspec.structs.replace(self, pending={**self.pending, index: pending})

    def _counting(
        self, usage: Usage | None, deltas: list[Delta], *, id_: str | None = None, afresh: bool = False
    ) -> MessageEvents:
        id_ = self.id if id_ is None else id_
        if usage is None:
            return msgspec.structs.replace(self, id=id_)
        counts = usage if afresh else merge_usage(self.usage, usage)
        deltas.append(report_usage(counts))
        return msgspec.structs.replace(self, id=id_, usage=counts)

    def _untyped(self, raw: Mapping[str, Json], frame: Frame) -> list[Delta]:
        """Events nobody knows mean nothing, unless they hold or are an error."""
        if raw.get("error") is None and frame.event != "error":
            return []
        answer = BODY.decode(encode_json(raw))
        error = None if isinstance(answer, Undecodable) else answer.error
        return [ErrorReported(fault_from_error(self.endpoint, error, frame.data, maybe_billed=bool(self.id)))]


def _patched(block: Mapping[str, Json], delta: Mapping[str, Json]) -> dict[str, Json]:
    """A block of a kind nobody knows after a delta of a kind nobody knows: texts and lists grow, the rest is replaced."""
    out = dict(block)
    for name, value in delta.items():
        match out.get(name), value:
            case _ if name == "type":
                pass
            case str() as before, str() as more:
                out[name] = before + more
            case list() as items, list() as others:
                out[name] = [*items, *others]
            case _:
                out[name] = value
    return out
