"""Events of a streamed interaction as deltas; `interaction.completed` is the last event."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from victor_fp_wire.gemini_interactions.operations import CreateInteraction
from victor_fp_wire.gemini_interactions.response import (
    Interaction,
    InteractionCompletedEvent,
    InteractionCreatedEvent,
    InteractionErrorEvent,
    InteractionEvent,
    InteractionStatusEvent,
    StepDeltaEvent,
    StepStartEvent,
    StepStopEvent,
    UnknownEventType,
)

from victor_fp.core.deltas import Delta, ErrorReported
from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.framing import Frame
from victor_fp.core.json import Undecodable, encode_json
from victor_fp.core.protocols.gemini.errors import fault_from_error, find_status, is_error
from victor_fp.core.protocols.gemini_interactions.response import (
    describe_interaction,
    end_interaction,
    find_step_error,
    read_steps,
)
from victor_fp.core.protocols.gemini_interactions.steps_received import OpenStep, append_to_step, begin_step, end_step
from victor_fp.core.protocols.operations import build_decoder
from victor_fp.core.protocols.shared_events import FILLERS, read_error_text
from victor_fp.core.requests import Endpoint
from victor_fp.core.streaming.persistent import PersistentMap

EVENTS = build_decoder(CreateInteraction.EVENT)


class InteractionReader(msgspec.Struct, frozen=True, kw_only=True):
    """Reader of one stream."""

    endpoint: Endpoint
    interaction: Interaction = Interaction()
    """The interaction as described by the events so far."""
    steps: PersistentMap[int, OpenStep | None] = PersistentMap()
    """Started steps by index; None for ended ones."""
    has_steps: bool = False

    def read(self, frames: Sequence[Frame]) -> tuple[InteractionReader, list[Delta]]:
        """Return the reader for the next frames and the deltas of these."""
        reader, deltas = self, list[Delta]()
        for frame in frames:
            if frame.data.strip() in FILLERS:
                continue
            event = EVENTS.decode(frame.data)
            if isinstance(event, Undecodable):
                deltas.append(ErrorReported(reader._read_undecodable(frame, event.reason)))
                continue
            reader, found = reader._read_event(event, frame)
            deltas += found
        return reader, deltas

    def finish(self) -> list[Delta]:
        """Return no deltas: nothing is buffered."""
        return []

    def _read_undecodable(self, frame: Frame, reason: str) -> Fault:
        text = read_error_text(frame)
        if text is not None:
            return fault_from_error(self.endpoint, None, encode_json(text), model=self.interaction.model)
        message = f"an event of the stream cannot be decoded: {reason}"
        return InvalidResponse(provider=self.endpoint.spec.name, model=self.interaction.model, message=message)

    def _read_event(self, event: InteractionEvent, frame: Frame) -> tuple[InteractionReader, list[Delta]]:
        match event:
            case StepDeltaEvent():
                step = self.steps.get(event.index or 0)
                if step is None or event.delta is None:
                    return self, []
                step, deltas = append_to_step(step, event.delta)
                return self._with_step(step), deltas
            case StepStartEvent():
                if event.step is None:
                    return self, []
                begun, deltas = begin_step(event.index or 0, event.step, self.interaction.id or "")
                reader = msgspec.structs.replace(self._with_step(begun), has_steps=True)
                return reader, [*deltas, *find_step_error(self.endpoint, event.step)]
            case StepStopEvent():
                return self._end_step(event.index or 0)
            case InteractionCreatedEvent(interaction=created) if created is not None:
                return msgspec.structs.replace(self, interaction=created), describe_interaction(created)
            case InteractionCompletedEvent(interaction=completed):
                return self, self._complete(completed or Interaction())
            case InteractionErrorEvent():
                fault = fault_from_error(
                    self.endpoint, find_status(frame.data), frame.data, model=self.interaction.model
                )
                return self, [ErrorReported(fault)]
            case InteractionCreatedEvent() | InteractionStatusEvent():
                return self, []
            case UnknownEventType():
                error = find_status(frame.data)
                if error is None and frame.event != "error" and not is_error(frame.data):
                    return self, []
                fault = fault_from_error(self.endpoint, error, frame.data, model=self.interaction.model)
                return self, [ErrorReported(fault)]

    def _with_step(self, step: OpenStep) -> InteractionReader:
        if self.steps.get(step.index) is step:
            return self
        return msgspec.structs.replace(self, steps=self.steps.with_item(step.index, step))

    def _end_step(self, index: int) -> tuple[InteractionReader, list[Delta]]:
        step = self.steps.get(index)
        if step is None:
            return self, []
        return msgspec.structs.replace(self, steps=self.steps.with_item(index, None)), end_step(step)

    def _complete(self, completed: Interaction) -> list[Delta]:
        """Return the deltas of the last event, which also contains steps that had no events."""
        unfinished = [step for _, step in sorted(self.steps.to_dict().items()) if step is not None]
        deltas = [delta for step in unfinished for delta in end_step(step)]
        if not self.has_steps:
            deltas += read_steps(self.endpoint, completed)
        if completed.model != self.interaction.model or completed.created or completed.id != self.interaction.id:
            deltas += describe_interaction(completed)
        return [*deltas, *end_interaction(self.endpoint, completed)]


def begin_reading(endpoint: Endpoint) -> InteractionReader:
    """Return a reader for a new stream."""
    return InteractionReader(endpoint=endpoint)
