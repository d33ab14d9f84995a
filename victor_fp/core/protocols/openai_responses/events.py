"""Events of a stream as deltas.

The last event contains the complete response; content that had no events is emitted from it. `error` is often followed by
`response.failed`; the first of the two with a known code determines the fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec
from victor_fp_wire.openai_responses.operations import CreateResponse
from victor_fp_wire.openai_responses.response import (
    OutputTextContent,
    ResponseCompletedEvent,
    ResponseContentPartDoneEvent,
    ResponseCreatedEvent,
    ResponseCustomToolCallInputDeltaEvent,
    ResponseErrorEvent,
    ResponseFailedEvent,
    ResponseFunctionCallArgumentsDeltaEvent,
    ResponseIncompleteEvent,
    ResponseInProgressEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseOutputTextAnnotationAddedEvent,
    ResponseReasoningSummaryTextDeltaEvent,
    ResponseReasoningTextDeltaEvent,
    ResponseRefusalDeltaEvent,
    ResponseStreamEvent,
    ResponseTextDeltaEvent,
    UnknownType,
)

from victor_fp.core.deltas import Delta, ErrorReported, RefusalDelta, Stopped, StreamEnded, TextDelta
from victor_fp.core.dialects.responses import ResponsesDialect
from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.framing import Frame
from victor_fp.core.json import Json, JsonObject, NotJson, Undecodable, decode_json_object
from victor_fp.core.protocols.openai_family.errors import fault_from_error, has_known_code
from victor_fp.core.protocols.openai_responses import item_state
from victor_fp.core.protocols.openai_responses.item_state import OpenItems
from victor_fp.core.protocols.openai_responses.response import build_cancelled, emit_end, list_items, with_status
from victor_fp.core.protocols.openai_responses.server_tools import find_custom_tools, separate_item, separate_items
from victor_fp.core.protocols.operations import build_decoder
from victor_fp.core.protocols.shared_events import FILLERS, is_error_object, read_error_text
from victor_fp.core.requests import Endpoint

EVENTS = build_decoder(CreateResponse.EVENT, keep_surrogates=True)
TextPosition: TypeAlias = tuple[int | None, str | None, int | None]
"""Position of the newest text: index and id of the item, index of the part."""


class ResponseEvents(msgspec.Struct, frozen=True, kw_only=True):
    """Reader of one stream."""

    endpoint: Endpoint
    dialect: ResponsesDialect
    id: str = ""
    """ID of the response."""
    model: str | None = None
    items: OpenItems = OpenItems()
    position: TextPosition | None = None
    offered: frozenset[str] | None = None
    """Names of the caller's custom tools, if the vendor also reports its own calls as custom tool calls; else None."""
    error: Fault | None = None
    """An error without a known code, buffered until the next event."""

    def read(self, frames: Sequence[Frame]) -> tuple[ResponseEvents, list[Delta]]:
        """Return the reader for the next frames and the deltas of these."""
        deltas: list[Delta] = []
        reader = self
        for frame in frames:
            if frame.data.strip() in FILLERS:
                continue
            event = EVENTS.decode(frame.data)
            if type(event) is ResponseTextDeltaEvent and reader.position == _find_position(event):
                # Fast path for nearly all events.
                deltas.append(TextDelta(event.delta or ""))
            elif not isinstance(event, Undecodable):
                reader, more = reader._on_event(event, frame)
                deltas += more
            else:
                deltas.append(ErrorReported(_read_undecodable(reader, event, frame)))
        return reader, deltas

    def finish(self) -> list[Delta]:
        """Return the buffered error."""
        return [] if self.error is None else [ErrorReported(self.error)]

    def _build_fault(self, error: Json) -> Fault:
        return fault_from_error(self.endpoint, self.dialect, {"error": error}, model=self.model)

    def _on_event(self, event: ResponseStreamEvent, frame: Frame) -> tuple[ResponseEvents, list[Delta]]:
        if self.error is not None and not isinstance(event, ResponseFailedEvent):
            return self, [ErrorReported(self.error)]
        match event:
            case ResponseTextDeltaEvent(delta=text):
                items, deltas = self._append_text(event)
                reader = msgspec.structs.replace(self, items=items, position=_find_position(event))
                return reader, [*deltas, TextDelta(text or "")]
            case ResponseCreatedEvent(response=response) | ResponseInProgressEvent(response=response):
                if response is None:
                    return self, []
                offered = find_custom_tools(self.dialect, _read_response(frame))
                reader = msgspec.structs.replace(
                    self,
                    id=response.id or self.id,
                    model=response.model or self.model,
                    offered=self.offered if offered is None else offered,
                )
                return reader, []
            case ResponseCompletedEvent() | ResponseIncompleteEvent():
                return self, self._finish(event, frame)
            case ResponseFailedEvent():
                return self, [ErrorReported(self._build_failed_fault(frame))]
            case ResponseErrorEvent():
                return self._on_error(_decode_object(frame))
            case UnknownType(raw=raw) if is_error_object(raw) or frame.event == "error":
                return self._on_error(raw)
            case _:
                items, deltas = self._on_item_event(event, frame)
                reader = self if items is self.items else msgspec.structs.replace(self, items=items, position=None)
                return reader, deltas

    def _on_item_event(self, event: ResponseStreamEvent, frame: Frame) -> tuple[OpenItems, list[Delta]]:
        """Handle an event of an item; content without events is emitted when the item is done."""
        items = self.items
        match event:
            case ResponseFunctionCallArgumentsDeltaEvent() | ResponseCustomToolCallInputDeltaEvent():
                return item_state.append_arguments(items, event.output_index, event.item_id, event.delta or "")
            case ResponseReasoningSummaryTextDeltaEvent(summary_index=part, delta=text):
                index, id_ = event.output_index, event.item_id
                return item_state.append_reasoning(items, index, id_, "summary", part or 0, text or "")
            case ResponseReasoningTextDeltaEvent(content_index=part, delta=text):
                index, id_ = event.output_index, event.item_id
                return item_state.append_reasoning(items, index, id_, "content", part or 0, text or "")
            case ResponseRefusalDeltaEvent(delta=text):
                items, deltas = self._append_text(event)
                return items, [*deltas, RefusalDelta(text or "")]
            case ResponseOutputTextAnnotationAddedEvent(annotation=annotation) if annotation is not None:
                index, id_ = event.output_index, event.item_id
                return item_state.add_annotations(items, index, id_, [annotation], replace=False), []
            case ResponseContentPartDoneEvent(part=OutputTextContent(annotations=list() as cited)) if cited:
                return item_state.add_annotations(items, event.output_index, event.item_id, cited, replace=True), []
            case ResponseOutputItemAddedEvent(item=item) if item is not None:
                raw = _find_item(frame)
                item = separate_item(item, raw, self.offered)
                return item_state.add_item(items, event.output_index, item, raw)
            case ResponseOutputItemDoneEvent(item=item) if item is not None:
                raw = _find_item(frame)
                item = separate_item(item, raw, self.offered)
                return item_state.finish_item(items, event.output_index, item, raw, self.id)
            case _:
                return items, []

    def _append_text(self, event: ResponseTextDeltaEvent | ResponseRefusalDeltaEvent) -> tuple[OpenItems, list[Delta]]:
        return item_state.append_text(self.items, event.output_index, event.item_id, event.content_index)

    def _finish(self, event: ResponseCompletedEvent | ResponseIncompleteEvent, frame: Frame) -> list[Delta]:
        raw = _decode_object(frame).get("response")
        if event.response is None or not isinstance(raw, dict):
            return [Stopped("stop"), StreamEnded()]
        if raw.get("error") or event.response.status == "failed":
            return [ErrorReported(self._build_failed_fault(frame))]
        if event.response.status == "cancelled":
            return [ErrorReported(build_cancelled(self.endpoint, event.response))]
        status = "completed" if isinstance(event, ResponseCompletedEvent) else "incomplete"
        response = with_status(event.response, status)
        raw_items = list_items(raw)
        output = separate_items(response.output or (), raw_items, self.offered)
        _, deltas = item_state.finish_response(self.items, output, raw_items, self.id)
        return [*deltas, *emit_end(response, raw if event.timings is None else {**raw, "timings": event.timings})]

    def _on_error(self, event: JsonObject) -> tuple[ResponseEvents, list[Delta]]:
        error: Json = event.get("error") or {name: value for name, value in event.items() if name != "type"}
        fault = self._build_fault(error)
        if not has_known_code(self.dialect, error):
            return msgspec.structs.replace(self, error=fault), []
        return self, [ErrorReported(fault)]

    def _build_failed_fault(self, frame: Frame) -> Fault:
        error = _read_response(frame).get("error")
        if self.error is not None and not has_known_code(self.dialect, error):
            return self.error
        return self._build_fault(error or {"message": "the response failed"})


def _read_undecodable(reader: ResponseEvents, event: Undecodable, frame: Frame) -> Fault:
    """Return the fault for a frame that cannot be decoded: the buffered error, or the text of this frame."""
    if reader.error is not None:
        return reader.error
    if (text := read_error_text(frame)) is not None:
        return fault_from_error(reader.endpoint, reader.dialect, {"error": text}, model=reader.model)
    message = f"a frame of the stream cannot be decoded: {event.reason}"
    return InvalidResponse(provider=reader.endpoint.spec.name, model=reader.model, message=message)


def _find_position(event: ResponseTextDeltaEvent) -> TextPosition:
    return (event.output_index, event.item_id, event.content_index)


def _decode_object(frame: Frame) -> JsonObject:
    value = decode_json_object(frame.data)
    return {} if isinstance(value, NotJson) else value


def _read_response(frame: Frame) -> JsonObject:
    """Return the raw response of an event."""
    response = _decode_object(frame).get("response")
    return response if isinstance(response, dict) else {}


def _find_item(frame: Frame) -> JsonObject:
    """Return the raw item of an event."""
    item = _decode_object(frame).get("item")
    return item if isinstance(item, dict) else {}
