"""Events of a stream as deltas.

Each piece of text, thinking or arguments becomes a delta. The state holds the response id, from which missing call ids are
derived, the number of calls, and the tool plan, which is emitted when complete.
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
from victor_fp.core.json import Chain, Json, Undecodable, unroll
from victor_fp.core.protocols.cohere_v2.errors import fault_from_error
from victor_fp.core.protocols.cohere_v2.notes import emit_citations, emit_logprobs, emit_plan, emit_stop
from victor_fp.core.protocols.cohere_v2.response import emit_call_start
from victor_fp.core.protocols.operations import build_decoder
from victor_fp.core.protocols.shared_events import FILLERS, is_error_object, read_error_text
from victor_fp.core.requests import Endpoint
from victor_fp.core.streaming.tool_call_drafts import encode_arguments

EVENT = build_decoder(Chat.EVENT, keep_surrogates=True)
EMPTY_MESSAGE = wire.MessageDelta()


class ChatEvents(msgspec.Struct, frozen=True, kw_only=True):
    """Reader of one stream."""

    endpoint: Endpoint
    dialect: CohereDialect
    id: str = ""
    plan: Chain = None
    """Pieces of the tool plan that have not been emitted."""
    calls: int = 0

    def read(self, frames: Sequence[Frame]) -> tuple[ChatEvents, list[Delta]]:
        """Return the reader for the next frames and the deltas of these."""
        reader, deltas = self, list[Delta]()
        for frame in frames:
            if frame.data.strip() in FILLERS:
                continue
            event = EVENT.decode(frame.data)
            if isinstance(event, Undecodable):
                deltas.append(reader._read_undecodable(frame, event.reason))
            else:
                reader, more = reader._on_event(event, frame)
                deltas += more
        return reader, deltas

    def finish(self) -> list[Delta]:
        """Return the tool plan if the stream ended within it."""
        return emit_plan("".join(unroll(self.plan)))

    def _on_event(self, event: wire.ChatEvent, frame: Frame) -> tuple[ChatEvents, list[Delta]]:
        match event:
            case wire.ContentDeltaEvent(delta=delta, logprobs=logprobs):
                return self, [
                    *_emit_content(_read_message(delta)),
                    *([] if logprobs is None else emit_logprobs([logprobs])),
                ]
            case wire.ContentStartEvent(delta=delta):
                reader, plan = self._release_plan()
                return reader, [*plan, *_emit_content(_read_message(delta))]
            case wire.ContentEndEvent():
                return self, [BlockEnded()]
            case wire.ToolPlanDeltaEvent(delta=delta):
                piece = _read_message(delta).tool_plan
                return replace(self, plan=(self.plan, piece)) if piece else self, []
            case wire.ToolCallStartEvent(index=index, delta=delta):
                call = _read_message(delta).tool_calls or wire.ToolCallDelta()
                reader, plan = self._release_plan()
                head = emit_call_start(self.calls, index, call.id, call.function or wire.FunctionCall(), self.id)
                return replace(reader, calls=self.calls + 1), [*plan, *head]
            case wire.ToolCallDeltaEvent(index=index, delta=delta):
                call = _read_message(delta).tool_calls or wire.ToolCallDelta()
                if call.function is None or not call.function.arguments:
                    return self, []
                return self, [ToolCallArguments(index=index, text=encode_arguments(call.function.arguments))]
            case wire.CitationStartEvent(delta=delta):
                citation = _read_message(delta).citations
                return self, [] if citation is None else emit_citations([citation])
            case wire.MessageStartEvent(id=id_):
                return replace(self, id=id_ or self.id), [MetadataReported(metadata={"id": id_})] if id_ else []
            case wire.MessageEndEvent(id=id_, delta=end):
                reader, deltas = self._release_plan()
                if id_ and not self.id:
                    deltas.append(MetadataReported(metadata={"id": id_}))
                end = end or wire.MessageEnd()
                return reader, [*deltas, *emit_stop(self.endpoint, end.finish_reason, end.usage, end.error)]
            case wire.UnknownType(raw=raw):
                return self, self._read_unknown(raw, frame)
            case wire.ToolCallEndEvent() | wire.CitationEndEvent():
                return self, []
            case _:
                assert_never(event)

    def _release_plan(self) -> tuple[ChatEvents, list[Delta]]:
        """Emit the buffered tool plan."""
        if self.plan is None:
            return self, []
        return replace(self, plan=None), emit_plan("".join(unroll(self.plan)))

    def _read_undecodable(self, frame: Frame, reason: str) -> ErrorReported:
        text = read_error_text(frame)
        if text is None:
            message = f"a frame of the stream cannot be decoded: {reason}"
            return ErrorReported(InvalidResponse(provider=self.endpoint.spec.name, message=message))
        return ErrorReported(fault_from_error(self.endpoint, self.dialect, text, maybe_billed=bool(self.id)))

    def _read_unknown(self, raw: Mapping[str, Json], frame: Frame) -> list[Delta]:
        """Skip events of an unknown type, unless they are an error, whose `message` is a string."""
        if is_error_object(raw) or isinstance(raw.get("message"), str) or frame.event == "error":
            return [ErrorReported(fault_from_error(self.endpoint, self.dialect, raw, maybe_billed=bool(self.id)))]
        return []


def _read_message(delta: wire.EventDelta | None) -> wire.MessageDelta:
    return EMPTY_MESSAGE if delta is None or delta.message is None else delta.message


def _emit_content(message: wire.MessageDelta) -> list[Delta]:
    content = message.content
    if content is None:
        return []
    deltas: list[Delta] = [TextDelta(content.text)] if content.text else []
    return [*deltas, ReasoningDelta(content.thinking)] if content.thinking else deltas
