"""Delta filter that detects calls in text: text deltas become text and tool call deltas.

It is applied between a protocol's deltas and the transcript. Only text is searched, never reasoning. A call is emitted when it
is complete. Repairs, and text that looks like a call but was not parsed as one, are reported in
`metadata["text_tool_calls"]`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, count

import msgspec

from victor_fp.core.deltas import (
    Delta,
    MetadataReported,
    TextDelta,
    ToolCallArguments,
    ToolCallStarted,
    UsageReported,
)
from victor_fp.core.json import Json, encode_json
from victor_fp.core.streaming.persistent import PersistentMap
from victor_fp.core.streaming.tool_call_drafts import make_id
from victor_fp.core.text_tools import detector
from victor_fp.core.text_tools.detector import DetectedPiece, Detector, Remark, start_detector
from victor_fp.core.text_tools.formats import FORMATS, TextFormat
from victor_fp.core.text_tools.readings import TextCall
from victor_fp.core.text_tools.tools import Tools

NOTES = "text_tool_calls"
"""Metadata key of the notes."""


class TextCalls(msgspec.Struct, frozen=True, kw_only=True):
    """State of the search in one response."""

    detector: Detector
    seed: str = ""
    used_ids: PersistentMap[str, bool] = PersistentMap()
    """Call ids used so far, in the conversation and in this response."""
    calls: int = 0
    """Number of used ids."""

    def feed(self, deltas: Sequence[Delta]) -> tuple[TextCalls, list[Delta]]:
        """Convert text deltas to text and call deltas; buffered text is flushed before any delta that ends the text."""
        out: list[Delta] = []
        state = self
        for delta in deltas:
            if type(delta) is TextDelta:
                state, more = feed(state, delta.text)
                out += more
                continue
            if not isinstance(delta, MetadataReported | UsageReported):
                state, more = flush(state)
                out += more
            out.append(delta)
        return state, out

    def finish(self) -> list[Delta]:
        """Return the buffered deltas at the end of the response."""
        return flush(self)[1]


def start(
    tools: Tools, formats: Sequence[TextFormat] = FORMATS, *, seed: str = "", used_ids: Iterable[str] = ()
) -> TextCalls:
    """Return the state for a new response.

    Call ids are derived from the call and `seed`, so that they are the same for streaming and not, and distinct from
    `used_ids`, the ids of the conversation. Vendor metadata are not used, since they may arrive after the text.
    """
    known = dict.fromkeys(used_ids, True)
    return TextCalls(
        detector=start_detector(tools, formats),
        seed=seed,
        used_ids=PersistentMap((known,) if known else ()),
        calls=len(known),
    )


def feed(state: TextCalls, text: str) -> tuple[TextCalls, list[Delta]]:
    """Process the next piece of text."""
    found, pieces = detector.feed(state.detector, text)
    return _emit(msgspec.structs.replace(state, detector=found), pieces)


def flush(state: TextCalls) -> tuple[TextCalls, list[Delta]]:
    """Flush the buffered text, at its end or before another delta."""
    found, pieces = detector.flush(state.detector)
    return _emit(msgspec.structs.replace(state, detector=found), pieces)


def _emit(state: TextCalls, pieces: Iterable[DetectedPiece]) -> tuple[TextCalls, list[Delta]]:
    out: list[Delta] = []
    used_ids, calls = state.used_ids, state.calls
    for piece in pieces:
        if isinstance(piece, str):
            out.append(TextDelta(piece))
        elif isinstance(piece, Remark):
            note: dict[str, Json] = {"format": piece.format, "kept_as_text": piece.reason}
            out.append(_note(note if piece.name is None else {**note, "name": piece.name}))
        else:
            id_ = _make_id(piece, state.seed, used_ids, calls)
            out += _build_call_deltas(piece, id_)
            if piece.repairs:
                repairs = list(dict.fromkeys(piece.repairs))
                out.append(_note({"format": piece.format, "name": piece.name, "id": id_, "repairs": repairs}))
            used_ids, calls = used_ids.with_item(id_, True), calls + 1  # noqa: FBT003  a set
    return state if calls == state.calls else msgspec.structs.replace(state, used_ids=used_ids, calls=calls), out


def _build_call_deltas(call: TextCall, id_: str) -> list[Delta]:
    if isinstance(call.arguments, str):
        return [ToolCallStarted(id=id_, name=call.name), ToolCallArguments(id=id_, text=call.arguments)]
    return [ToolCallStarted(id=id_, name=call.name, arguments=call.arguments)]


def _make_id(call: TextCall, base: str, used_ids: PersistentMap[str, bool], calls: int) -> str:
    """Derive an unused id. Repeated equal calls continue after all used ids, which keeps the work linear."""
    seed = f"{base}\x00{call.name}{encode_json(call.arguments).decode()}"
    return next(id_ for number in chain((0,), count(calls + 1)) if (id_ := make_id(seed, number)) not in used_ids)


def _note(note: dict[str, Json]) -> MetadataReported:
    return MetadataReported(metadata={NOTES: [note]})
