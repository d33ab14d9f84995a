"""Calls in the text of an answer, told apart from it as it streams: text deltas become text and tool call deltas.

A filter between a protocol's deltas and the transcript. Only text is searched, never reasoning. A call comes whole, when
its end is there. What was repaired in it, and what was meant as a call but stayed text, is noted in
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
from victor_fp.core.persistent import PersistentMap
from victor_fp.core.text_tools import detector
from victor_fp.core.text_tools.detector import DetectedPiece, Detector, Remark, start_detector
from victor_fp.core.text_tools.formats import FORMATS, TextFormat
from victor_fp.core.text_tools.readings import TextCall
from victor_fp.core.text_tools.tools import Tools
from victor_fp.core.tool_call_ids import make_id

NOTES = "text_tool_calls"
"""The key of the notes in metadata."""


class TextCalls(msgspec.Struct, frozen=True, kw_only=True):
    """Where the search in one answer stands."""

    detector: Detector
    seed: str = ""
    taken: PersistentMap[str, bool] = PersistentMap()
    """Ids of calls so far, in the conversation and in this answer."""
    calls: int = 0
    """How many ids were taken or made."""

    def feed(self, deltas: Sequence[Delta]) -> tuple[TextCalls, list[Delta]]:
        """Text deltas become text and call deltas; what is held back goes out before anything that ends the text."""
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
        """What is held back when the response is over."""
        return flush(self)[1]


def start(
    tools: Tools, formats: Sequence[TextFormat] = FORMATS, *, seed: str = "", taken: Iterable[str] = ()
) -> TextCalls:
    """The state before an answer.

    Ids are made from the call and `seed`, so that a body and a stream have the same, and never one of `taken`, the ids
    that the conversation has already. What vendors report of an answer cannot serve: it may come behind the text.
    """
    known = dict.fromkeys(taken, True)
    return TextCalls(
        detector=start_detector(tools, formats),
        seed=seed,
        taken=PersistentMap((known,) if known else ()),
        calls=len(known),
    )


def feed(state: TextCalls, text: str) -> tuple[TextCalls, list[Delta]]:
    """Take the next piece of the answer's text."""
    found, pieces = detector.feed(state.detector, text)
    return _emit(msgspec.structs.replace(state, detector=found), pieces)


def flush(state: TextCalls) -> tuple[TextCalls, list[Delta]]:
    """What was held back, where the text ends or something else begins."""
    found, pieces = detector.flush(state.detector)
    return _emit(msgspec.structs.replace(state, detector=found), pieces)


def _emit(state: TextCalls, pieces: Iterable[DetectedPiece]) -> tuple[TextCalls, list[Delta]]:
    out: list[Delta] = []
    taken, calls = state.taken, state.calls
    for piece in pieces:
        if isinstance(piece, str):
            out.append(TextDelta(piece))
        elif isinstance(piece, Remark):
            note: dict[str, Json] = {"format": piece.format, "kept_as_text": piece.reason}
            out.append(_note(note if piece.name is None else {**note, "name": piece.name}))
        else:
            id_ = _make_id(piece, state.seed, taken, calls)
            out += _build_call_deltas(piece, id_)
            if piece.repairs:
                repairs = list(dict.fromkeys(piece.repairs))
                out.append(_note({"format": piece.format, "name": piece.name, "id": id_, "repairs": repairs}))
            taken, calls = taken.with_item(id_, True), calls + 1  # noqa: FBT003  a set
    return state if calls == state.calls else msgspec.structs.replace(state, taken=taken, calls=calls), out


def _build_call_deltas(call: TextCall, id_: str) -> list[Delta]:
    if isinstance(call.arguments, str):
        return [ToolCallStarted(id=id_, name=call.name), ToolCallArguments(id=id_, text=call.arguments)]
    return [ToolCallStarted(id=id_, name=call.name, arguments=call.arguments)]


def _make_id(call: TextCall, base: str, taken: PersistentMap[str, bool], calls: int) -> str:
    """The first that is free; a call like an earlier one starts behind all ids, so that many equal calls stay linear."""
    seed = f"{base}\x00{call.name}{encode_json(call.arguments).decode()}"
    return next(id_ for place in chain((0,), count(calls + 1)) if (id_ := make_id(seed, place)) not in taken)


def _note(note: dict[str, Json]) -> MetadataReported:
    return MetadataReported(metadata={NOTES: [note]})
