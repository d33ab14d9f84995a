"""A stream's typed events as deltas.

Pieces of text, thinking and arguments mean a delta each. Remembered are the answer's id, of which ids for calls without
one are made, the calls that are open, and the plan, which means something when it is whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import assert_never

import msgspec
from msgspec.structs import replace
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
)
from victor_fp.core.dialects.cohere import CohereDialect
from victor_fp.core.faults import InvalidResponse
from victor_fp.core.framing import Frame
from victor_fp.core.json import Json
from victor_fp.core.protocols.cohere_v2.errors import fault_from_error
from victor_fp.core.protocols.cohere_v2.notes import emit_citations, emit_logprobs, emit_plan, emit_stop
from victor_fp.core.protocols.cohere_v2.response import emit_call_start
from victor_fp.core.protocols.operations import decoder_for
from victor_fp.core.protocols.stream_end import is_done
from victor_fp.core.requests import Endpoint
from victor_fp.core.wire_decoding import Undecodable

EVENT = decoder_for(Chat.EVENT)
NOTHING = wire.MessageDelta()


class ChatEvents(msgspec.Struct, frozen=True, kw_only=True):
    """Where the reading of one stream stands."""

    endpoint: Endpoint
    dialect: CohereDialect
    id: str = ""
    plan: tuple[str, ...] = ()
    """Pieces that have not been told."""
    calls: int = 0

    def read(self, frames: Sequence[Frame]) -> tuple[ChatEvents, list[Delta]]:
        """The reader for what follows, and what these frames mean."""
        reader, deltas = self, list[Delta]()
        for frame in frames:
            if is_done(frame.data):  # behind message-end
                continue
            event = EVENT.decode(frame.data)
            if not isinstance(event, Undecodable):
                reader = reader._after(event, frame, deltas)
            else:
                reason = f"a frame of the stream is no event: {event.reason}"
                deltas.append(ErrorReported(InvalidResponse(provider=self.endpoint.spec.name, message=reason)))
        return reader, deltas

    def finish(self) -> list[Delta]:
        """The plan, where the stream broke off in it."""
        return emit_plan("".join(self.plan))

    def _after(self, event: wire.ChatEvent, frame: Frame, deltas: list[Delta]) -> ChatEvents:
        match event:
            case wire.ContentDeltaEvent(delta=delta, logprobs=logprobs):
                _spoken(_message(delta), deltas)
                if logprobs is not None:
                    deltas += emit_logprobs([logprobs])
                return self
            case wire.ContentStartEvent(delta=delta):
                reader = self._planned(deltas)
                _spoken(_message(delta), deltas)
                return reader
            case wire.ContentEndEvent():
                deltas.append(BlockEnded())
                return self
            case wire.ToolPlanDeltaEvent(delta=delta):
                piece = _message(delta).tool_plan
                return replace(self, plan=(*self.plan, piece)) if piece else self
            case wire.ToolCallStartEvent(index=index, delta=delta):
                call = _message(delta).tool_calls or wire.ToolCallDelta()
                reader = self._planned(deltas)
                deltas += emit_call_start(self.calls, index, call.id, call.function or wire.FunctionCall(), self.id)
                return replace(reader, calls=self.calls + 1)
            case wire.ToolCallDeltaEvent(index=index, delta=delta):
                call = _message(delta).tool_calls or wire.ToolCallDelta()
                if call.function is not None and call.function.arguments:
                    deltas.append(ToolCallArguments(index=index, text=call.function.arguments))
                return self
            case wire.CitationStartEvent(delta=delta):
                citation = _message(delta).citations
                if citation is not None:
                    deltas += emit_citations([citation])
                return self
            case wire.MessageStartEvent(id=id_):
                if id_:
                    deltas.append(MetadataReported(metadata={"id": id_}))
                return replace(self, id=id_ or self.id)
            case wire.MessageEndEvent(id=id_, delta=end):
                reader = self._planned(deltas)
                if id_ and not self.id:
                    deltas.append(MetadataReported(metadata={"id": id_}))
                end = end or wire.MessageEnd()
                deltas += emit_stop(self.endpoint, end.finish_reason, end.usage, end.error)
                return reader
            case wire.UnknownType(raw=raw):
                deltas += self._untyped(raw, frame)
                return self
            case wire.ToolCallEndEvent() | wire.CitationEndEvent():
                return self
            case _:
                assert_never(event)

    def _planned(self, deltas: list[Delta]) -> ChatEvents:
        """The plan, told before what follows it."""
        if not self.plan:
            return self
        deltas += emit_plan("".join(self.plan))
        return replace(self, plan=())

    def _untyped(self, raw: Mapping[str, Json], frame: Frame) -> list[Delta]:
        """Events nobody knows mean nothing, unless they are an error: its text stands where others have a message."""
        if raw.get("error") or isinstance(raw.get("message"), str) or frame.event == "error":
            return [ErrorReported(fault_from_error(self.endpoint, self.dialect, raw, maybe_billed=bool(self.id)))]
        return []


def _message(delta: wire.EventDelta | None) -> wire.MessageDelta:
    return NOTHING if delta is None or delta.message is None else delta.message


def _spoken(message: wire.MessageDelta, deltas: list[Delta]) -> None:
    content = message.content
    if content is None:
        return
    if content.text:
        deltas.append(TextDelta(content.text))
    if content.thinking:
        deltas.append(ReasoningDelta(content.thinking))
