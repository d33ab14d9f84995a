"""Conversion of completions to deltas, and the usage and records in them; a non-streaming body is a single chunk.

Rules: a chunk with only text, as nearly all are, becomes one text delta and does not change the state. Metadata are
accumulated and reported once, before the end, because later chunks repeat and complete them. A stream ends with [DONE]; an
error chunk, or the finish reason "error", fails it at any point. Calls and records of a body are complete: none continues
another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec

from victor_fp.core.deltas import (
    Delta,
    ErrorReported,
    MetadataReported,
    ReasoningDelta,
    StateReported,
    Stopped,
    StreamEnded,
    TextDelta,
    UsageReported,
)
from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.framing import Frame
from victor_fp.core.json import Json, Undecodable, unroll
from victor_fp.core.protocols.openai_family.errors import Cut, ErrorDialect, fault_from_error, interpret_frame
from victor_fp.core.protocols.openai_family.tool_calls import (
    NO_CALLS,
    Fragment,
    OpenCalls,
    add_fragment,
    release_held,
)
from victor_fp.core.protocols.shared_events import DONE
from victor_fp.core.requests import Endpoint
from victor_fp.core.usage.cost import build_cost

C = TypeVar("C")
B = TypeVar("B")

NOTHING: Mapping[str, Json] = MappingProxyType({})
FAILURE = "error"
"""Finish reason of a failed generation, as sent by OpenRouter."""
UNSPECIFIED_ERROR = "the vendor reported an error without details"
"""Message of a failed generation if the vendor sends none."""
TICKS_PER_DOLLAR = 10_000_000_000
"""Unit of xAI's cost."""
STANDARD = {"prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens"}
STANDARD_DETAILS = {"cached_tokens", "cache_write_tokens", "reasoning_tokens"}
CONCATENATED = frozenset({"text", "summary", "data", "transcript"})
"""Fields whose texts are concatenated; other fields are replaced by later values that are not null."""

Record: TypeAlias = dict[str, Json]
_Chain: TypeAlias = "tuple[_Chain, Record] | None"
_Records: TypeAlias = "tuple[_Records, OpenRecord] | None"


class ChoiceContent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Content of the first choice of a chunk."""

    deltas: Sequence[Delta] = ()
    """Reasoning, text and refusal, in this order."""
    fragments: Sequence[Fragment] = ()
    details: Sequence[Record] = ()
    """Reasoning details."""
    executed: Sequence[Record] = ()
    """Server tools that the vendor executed."""
    audio: Record | None = None
    notes: Mapping[str, Json] = NOTHING
    """Metadata that later chunks replace."""
    growing_metadata: Mapping[str, Json] = NOTHING
    """Metadata whose lists accumulate, such as log probabilities; reported immediately."""
    finish_reason: str | None = None
    error: Json = None


class ChunkContent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Content of a stream chunk or of a body."""

    choice: ChoiceContent | None = None
    usage: UsageReported | None = None
    identity: Mapping[str, Json] = NOTHING
    """Its `id` and `created`; the first values count."""
    model: str | None = None
    notes: Mapping[str, Json] = NOTHING
    """Metadata that later chunks replace."""
    error: Json = None
    """The error that the chunk contains or is."""


class CompletionFormat(msgspec.Struct, Generic[C, B], frozen=True, kw_only=True):
    """The functions that read the completions of a protocol."""

    decode_chunk: Callable[[bytes], C | Undecodable]
    decode_body: Callable[[bytes], B | Undecodable]
    read_plain_text: Callable[[C], TextDelta | ReasoningDelta | None]
    """Returns the delta of a chunk that has only text or reasoning, else None."""
    read_chunk: Callable[[C, Frame, bool], ChunkContent]
    """Reads a chunk with its frame; the flag is whether it is the first, whose metadata are always read."""
    read_body: Callable[[B, Frame], ChunkContent]
    stop_reasons: Mapping[str, str]
    """Standard stop reasons by the vendor's; others are passed through unchanged."""
    done_is_stop: bool = False
    """Whether `[DONE]` without a finish reason is a normal end; otherwise such a stream is truncated."""


class OpenRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One record with the fragments received so far."""

    fragments: _Chain = None
    key: tuple[Json, Json] = (None, None)
    """Its type and index."""
    id: Json = None

    def with_fragment(self, fragment: Record) -> OpenRecord:
        """Return the record with one more fragment."""
        id_ = self.id if fragment.get("id") is None else _to_scalar(fragment["id"])
        return OpenRecord(fragments=(self.fragments, fragment), key=_make_key(fragment), id=id_)

    def merge(self) -> Record:
        """Merge the fragments.

        >>> OpenRecord().with_fragment({"index": 0, "text": "a"}).with_fragment({"index": 0, "text": "b"}).merge()
        {'index': 0, 'text': 'ab'}
        """
        values: dict[str, list[Json]] = {}
        for fragment in unroll(self.fragments):
            for name, value in fragment.items():
                values.setdefault(name, []).append(value)
        return {name: _merge_values(name, found) for name, found in values.items()}


class OpenRecords(msgspec.Struct, frozen=True):
    """The records of a stream; fragments continue only the newest."""

    newest: _Records = None

    def with_fragments(self, fragments: Iterable[Record], *, is_complete: bool = False) -> OpenRecords:
        """Add fragments: each continues the newest record if type, index and id match, or starts a new one.

        A `is_complete` fragment always starts a new one.
        """
        records = self.newest
        for fragment in fragments:
            if not is_complete and records is not None and _is_continuation(records[1], fragment):
                records = (records[0], records[1].with_fragment(fragment))
            else:
                records = (records, OpenRecord().with_fragment(fragment))
        return self if records is self.newest else OpenRecords(records)

    def merge(self) -> list[Record]:
        """Return the merged records, in order."""
        return [record.merge() for record in unroll(self.newest)]


class Accumulator(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Accumulated state of a stream."""

    seed: str = ""
    """The completion's id, else its creation time; missing call ids are derived from it."""
    model: str | None = None
    notes: Mapping[str, Json] = {}
    details: OpenRecords = OpenRecords()
    """Reasoning details that have not been emitted."""
    executed: OpenRecords = OpenRecords()
    audio: OpenRecord | None = None
    calls: OpenCalls = NO_CALLS
    begun: bool = False
    stopped: bool = False
    """Whether a finish reason has been received."""
    cut: Fault | None = None
    """See `errors.Cut`."""


class CompletionEvents(msgspec.Struct, Generic[C, B], frozen=True, gc=False):
    """Reader of one stream, or of a complete body."""

    endpoint: Endpoint
    dialect: ErrorDialect
    format: CompletionFormat[C, B]
    state: Accumulator = Accumulator()

    def read(self, frames: Sequence[Frame]) -> tuple[CompletionEvents[C, B], list[Delta]]:
        """Return the reader for the next frames and the deltas of these."""
        deltas: list[Delta] = []
        before = state = self.state
        if before.cut is not None and frames:
            return self, [ErrorReported(before.cut)]
        decode, read_plain_text = self.format.decode_chunk, self.format.read_plain_text
        for frame in frames:
            if frame.data.strip() == DONE:
                deltas += _finish(state)
                if self.format.done_is_stop and not state.stopped:
                    deltas.append(Stopped("stop"))
                deltas.append(StreamEnded())
                continue
            chunk = decode(frame.data)
            if type(chunk) is Undecodable:
                state, more = self._on_undecodable(state, frame, chunk.reason, last=frame is frames[-1])
                deltas += more
            elif state.begun and (delta := read_plain_text(chunk)) is not None:
                deltas.append(delta)
            else:
                state, more = self._add_chunk(state, self.format.read_chunk(chunk, frame, not state.begun))
                deltas += more
        if state is before:
            return self, deltas
        return CompletionEvents(self.endpoint, self.dialect, self.format, state), deltas

    def finish(self) -> list[Delta]:
        """Return buffered deltas, for streams that end without [DONE]."""
        return _finish(self.state)

    def _on_undecodable(
        self, state: Accumulator, frame: Frame, reason: str, *, last: bool
    ) -> tuple[Accumulator, list[Delta]]:
        """Handle a frame that does not decode as a chunk: cut off, an error, or invalid."""
        interpreted = interpret_frame(self.endpoint, self.dialect, frame, reason, state.model, last=last)
        if isinstance(interpreted, Cut):
            return msgspec.structs.replace(state, cut=interpreted.fault), []
        return state, [] if interpreted is None else [interpreted]

    def read_body(self, body: bytes) -> Sequence[Delta]:
        """Decode a 200 body to deltas. An error in it, or a body that is not a completion, is `ErrorReported`."""
        provider = self.endpoint.spec.name
        completion = self.format.decode_body(body)
        if isinstance(completion, Undecodable):
            message = f"the response cannot be decoded: {completion.reason}"
            return [ErrorReported(InvalidResponse(provider=provider, message=message))]
        chunk = self.format.read_body(completion, Frame(body))
        if chunk.choice is None and chunk.error is None:
            return [ErrorReported(InvalidResponse(provider=provider, message="the response contains no choice"))]
        state, deltas = self._add_chunk(self.state, chunk, is_complete=True)
        return [*deltas, *_finish(state), StreamEnded()]

    def _add_chunk(
        self, state: Accumulator, chunk: ChunkContent, *, is_complete: bool = False
    ) -> tuple[Accumulator, list[Delta]]:
        """Add a chunk: return the state and its deltas. `is_complete`: it is a body, with complete calls and records."""
        choice, error = chunk.choice, chunk.error
        if not state.begun or chunk.identity or chunk.notes or choice is None or choice.notes:
            state = msgspec.structs.replace(
                state,
                begun=True,
                seed=state.seed or str(chunk.identity.get("id") or chunk.identity.get("created") or ""),
                model=state.model or chunk.model,
                notes={**chunk.identity, **state.notes, **chunk.notes, **({} if choice is None else choice.notes)},
            )
        deltas = list[Delta]() if choice is None else [*choice.deltas]
        if choice is not None:
            if choice.fragments:
                calls = state.calls
                for fragment in choice.fragments:
                    calls, more = add_fragment(calls, fragment, state.seed, is_complete=is_complete)
                    deltas += more
                if calls is not state.calls:
                    state = msgspec.structs.replace(state, calls=calls)
            if choice.details or choice.executed or choice.audio:
                state = _add_records(state, choice, is_complete=is_complete)
            if choice.growing_metadata:
                deltas.append(MetadataReported(metadata=dict(choice.growing_metadata)))
            if choice.finish_reason == FAILURE and error is None:
                error = {"error": choice.error or UNSPECIFIED_ERROR}
        if chunk.usage is not None:
            deltas.append(chunk.usage)
        if error is not None:
            deltas.append(ErrorReported(fault_from_error(self.endpoint, self.dialect, error, model=state.model)))
        elif choice is not None and choice.finish_reason:
            if state.calls is not NO_CALLS or state.details.newest is not None:
                state, released = _release(state)
                deltas += released
            state = msgspec.structs.replace(state, stopped=True)
            reason = choice.finish_reason
            deltas.append(Stopped(self.format.stop_reasons.get(reason, reason), reason))
        return state, deltas


def _add_records(state: Accumulator, choice: ChoiceContent, *, is_complete: bool) -> Accumulator:
    return msgspec.structs.replace(
        state,
        details=state.details.with_fragments(choice.details, is_complete=is_complete),
        executed=state.executed.with_fragments(choice.executed, is_complete=is_complete),
        audio=(state.audio or OpenRecord()).with_fragment(choice.audio) if choice.audio else state.audio,
    )


def _release(state: Accumulator) -> tuple[Accumulator, list[Delta]]:
    """Emit calls and reasoning details that were buffered until complete."""
    calls, deltas = (NO_CALLS, list[Delta]()) if state.calls is NO_CALLS else release_held(state.calls)
    if state.details.newest is not None:
        deltas.append(StateReported({"reasoning_details": state.details.merge()}, alone=True))
    return msgspec.structs.replace(state, calls=calls, details=OpenRecords()), deltas


def _finish(state: Accumulator) -> list[Delta]:
    """Return what is buffered at the end, and the accumulated metadata."""
    deltas: list[Delta] = []
    if state.calls is not NO_CALLS or state.details.newest is not None:
        _, deltas = _release(state)
    notes = dict(state.notes)
    if state.executed.newest is not None:
        notes["executed_tools"] = state.executed.merge()
    if state.audio is not None:
        notes["audio"] = state.audio.merge()
    if notes or state.model:
        deltas.append(MetadataReported(model=state.model, metadata=notes))
    return deltas


def _make_key(fragment: Record) -> tuple[Json, Json]:
    return _to_scalar(fragment.get("type")), _to_scalar(fragment.get("index"))


def _to_scalar(value: Json) -> Json:
    """Return a scalar; None for nested values, whose comparison could recurse deeply."""
    return value if isinstance(value, str | int | float) else None


def _is_continuation(record: OpenRecord, fragment: Record) -> bool:
    if "index" not in fragment or fragment.get("type") == "reasoning.encrypted":
        return False
    id_ = _to_scalar(fragment.get("id"))
    return record.key == _make_key(fragment) and (not id_ or not record.id or record.id == id_)


def _merge_values(name: str, values: list[Json]) -> Json:
    merged = values[0]
    text = [merged] if isinstance(merged, str) else None
    for value in values[1:]:
        if name in CONCATENATED and text is not None and isinstance(value, str):
            text.append(value)
        elif value is not None:
            merged, text = value, [value] if isinstance(value, str) else None
    return merged if text is None else "".join(text)


def read_cost(cost: float | Mapping[str, Json] | None, ticks: float | None) -> dict[str, Json]:
    """Return the cost if the vendor reports it, in US dollars or in xAI's ticks; Perplexity's is an object with the total."""
    if isinstance(cost, Mapping):
        total = cost.get("total_cost")
        return {"cost": build_cost(total)} if isinstance(total, int | float) and not isinstance(total, bool) else {}
    if cost is not None:
        return {"cost": build_cost(cost)}
    return {} if ticks is None else {"cost": build_cost(ticks / TICKS_PER_DOLLAR)}


def read_raw_counts(usage: msgspec.Struct | None) -> dict[str, Json]:
    """Return the raw counts if there are more than the standard ones."""
    if usage is None:
        return {}
    given = {name: value for name, value in msgspec.to_builtins(usage).items() if value is not None}
    if given.keys() <= STANDARD:
        return {}
    raw = to_plain(given)
    for name, value in raw.items():
        if name not in STANDARD and not STANDARD_DETAILS.issuperset(value if isinstance(value, dict) else (name,)):
            return {"usage_raw": raw}
    return {}


def to_plain(value: dict[str, Any]) -> dict[str, Any]:
    """Return a copy without None values, with integral floats as int."""
    return {
        name: to_plain(item) if type(item) is dict else int(item) if type(item) is float and item.is_integer() else item
        for name, item in value.items()
        if item is not None
    }
