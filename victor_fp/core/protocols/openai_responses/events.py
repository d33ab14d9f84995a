"""The events of a stream become the same deltas as a whole response.

The last event holds the whole response: what no event told is told from there. `error` is often followed by
`response.failed`; the first of the two whose code says what went wrong decides.
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
from victor_fp.core.json import Json, JsonObject, NotJson, decode_json_object
from victor_fp.core.protocols.openai_responses import unfolding
from victor_fp.core.protocols.openai_responses.errors import fault_from_error, has_known_code
from victor_fp.core.protocols.openai_responses.open_items import OpenItems
from victor_fp.core.protocols.openai_responses.response import emit_end, items_in, with_status
from victor_fp.core.protocols.openai_responses.server_tools import find_custom_tools, separate_item
from victor_fp.core.protocols.operations import decoder_for
from victor_fp.core.protocols.stream_end import is_done
from victor_fp.core.requests import Endpoint
from victor_fp.core.wire_decoding import Undecodable

EVENTS = decoder_for(CreateResponse.EVENT)
"""Gateways end with the sign of chats."""
Spot: TypeAlias = tuple[int | None, str | None, int | None]
"""Where the newest text went: index and id of the item, index of the part."""


class ResponseEvents(msgspec.Struct, frozen=True, kw_only=True):
    """Where the reading of one stream stands."""

    endpoint: Endpoint
    dialect: ResponsesDialect
    id: str = ""
    """The response's."""
    model: str | None = None
    items: OpenItems = OpenItems()
    spot: Spot | None = None
    offered: frozenset[str] | None = None
    """Custom tools of the caller's, where the vendor calls others itself."""
    error: Fault | None = None
    """An error whose code says little, held until the next event says more."""

    def read(self, frames: Sequence[Frame]) -> tuple[ResponseEvents, list[Delta]]:
        """The reader for what follows, and what these frames mean."""
        deltas: list[Delta] = []
        reader = self
        for frame in frames:
            if not frame.data or is_done(frame.data):
                continue
            event = EVENTS.decode(frame.data)
            if type(event) is ResponseTextDeltaEvent and reader.spot == _spot(event):
                # As nearly all events are.
                deltas.append(TextDelta(event.delta or ""))
            elif not isinstance(event, Undecodable):
                reader = reader._after(event, frame, deltas)
            elif frame.data.strip():
                deltas.append(ErrorReported(reader.error or self._undecodable(event)))
        return reader, deltas

    def finish(self) -> list[Delta]:
        """An error that nothing followed."""
        return [] if self.error is None else [ErrorReported(self.error)]

    def _undecodable(self, event: Undecodable) -> InvalidResponse:
        message = f"a frame of the stream is no event: {event.reason}"
        return InvalidResponse(provider=self.endpoint.spec.name, model=self.model, message=message)

    def _fault(self, error: Json) -> Fault:
        return fault_from_error(self.endpoint, self.dialect, error, model=self.model)

    def _after(self, event: ResponseStreamEvent, frame: Frame, deltas: list[Delta]) -> ResponseEvents:
        if self.error is not None and not isinstance(event, ResponseFailedEvent):
            deltas.append(ErrorReported(self.error))
            return self
        match event:
            case ResponseTextDeltaEvent(delta=text):
                items = self._speaking(event, deltas)
                deltas.append(TextDelta(text or ""))
                return msgspec.structs.replace(self, items=items, spot=_spot(event))
            case ResponseCreatedEvent(response=response) | ResponseInProgressEvent(response=response):
                if response is None:
                    return self
                offered = find_custom_tools(self.dialect, _response_in(frame))
                return msgspec.structs.replace(
                    self,
                    id=response.id or self.id,
                    model=response.model or self.model,
                    offered=self.offered if offered is None else offered,
                )
            case ResponseCompletedEvent() | ResponseIncompleteEvent():
                self._ended(event, frame, deltas)
                return self
            case ResponseFailedEvent():
                deltas.append(ErrorReported(self._failed(frame)))
                return self
            case ResponseErrorEvent():
                return self._erred(_object(frame), deltas)
            case UnknownType(raw=raw) if raw.get("error") or frame.event == "error":
                return self._erred(raw, deltas)
            case _:
                items = self._unfolded(event, frame, deltas)
                return self if items is self.items else msgspec.structs.replace(self, items=items, spot=None)

    def _unfolded(self, event: ResponseStreamEvent, frame: Frame, deltas: list[Delta]) -> OpenItems:
        """The items after an event that is about one of them; what no event tells of is left to the item's end."""
        items = self.items
        match event:
            case ResponseFunctionCallArgumentsDeltaEvent() | ResponseCustomToolCallInputDeltaEvent():
                return unfolding.arguing(items, event.output_index, event.item_id, event.delta or "", deltas)
            case ResponseReasoningSummaryTextDeltaEvent(summary_index=part, delta=text):
                index, id_ = event.output_index, event.item_id
                return unfolding.thinking(items, index, id_, "summary", part or 0, text or "", deltas)
            case ResponseReasoningTextDeltaEvent(content_index=part, delta=text):
                index, id_ = event.output_index, event.item_id
                return unfolding.thinking(items, index, id_, "content", part or 0, text or "", deltas)
            case ResponseRefusalDeltaEvent(delta=text):
                items = self._speaking(event, deltas)
                deltas.append(RefusalDelta(text or ""))
                return items
            case ResponseOutputTextAnnotationAddedEvent(annotation=annotation) if annotation is not None:
                return unfolding.cited(items, event.output_index, event.item_id, [annotation], whole=False)
            case ResponseContentPartDoneEvent(part=OutputTextContent(annotations=list() as cited)) if cited:
                return unfolding.cited(items, event.output_index, event.item_id, cited, whole=True)
            case ResponseOutputItemAddedEvent(item=item) if item is not None:
                raw = _item_in(frame)
                item = separate_item(item, raw, self.offered)
                return unfolding.added(items, event.output_index, item, raw, deltas)
            case ResponseOutputItemDoneEvent(item=item) if item is not None:
                raw = _item_in(frame)
                item = separate_item(item, raw, self.offered)
                return unfolding.done(items, event.output_index, item, raw, self.id, deltas)
            case _:
                return items

    def _speaking(self, event: ResponseTextDeltaEvent | ResponseRefusalDeltaEvent, deltas: list[Delta]) -> OpenItems:
        return unfolding.speaking(self.items, event.output_index, event.item_id, event.content_index, deltas)

    def _ended(
        self, event: ResponseCompletedEvent | ResponseIncompleteEvent, frame: Frame, deltas: list[Delta]
    ) -> None:
        raw = _object(frame).get("response")
        if event.response is None or not isinstance(raw, dict):
            deltas += [Stopped("stop"), StreamEnded()]
            return
        status = "completed" if isinstance(event, ResponseCompletedEvent) else "incomplete"
        response = with_status(event.response, status)
        came = items_in(raw)
        pairs = zip(response.output or (), came, strict=False)
        output = [separate_item(item, given, self.offered) for item, given in pairs]
        unfolding.completed(self.items, output, came, self.id, deltas)
        deltas += emit_end(response, raw if event.timings is None else {**raw, "timings": event.timings})

    def _erred(self, event: JsonObject, deltas: list[Delta]) -> ResponseEvents:
        error: Json = event.get("error") or {name: value for name, value in event.items() if name != "type"}
        fault = self._fault(error)
        if not has_known_code(self.dialect, error):
            return msgspec.structs.replace(self, error=fault)
        deltas.append(ErrorReported(fault))
        return self

    def _failed(self, frame: Frame) -> Fault:
        error = _response_in(frame).get("error")
        if self.error is not None and not has_known_code(self.dialect, error):
            return self.error
        return self._fault(error or {"message": "the response failed"})


def _spot(event: ResponseTextDeltaEvent) -> Spot:
    return (event.output_index, event.item_id, event.content_index)


def _object(frame: Frame) -> JsonObject:
    value = decode_json_object(frame.data)
    return {} if isinstance(value, NotJson) else value


def _response_in(frame: Frame) -> JsonObject:
    """The response of an event as it came."""
    response = _object(frame).get("response")
    return response if isinstance(response, dict) else {}


def _item_in(frame: Frame) -> JsonObject:
    """The item of an event as it came."""
    item = _object(frame).get("item")
    return item if isinstance(item, dict) else {}
