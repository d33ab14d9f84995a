"""Calls in the text of an answer, told apart from it as it streams: text deltas become text and tool call deltas.

Put between a protocol's deltas and the transcript, as `think_tags` is. Only text is searched, never reasoning. A call
comes whole, when its end is there. What was repaired in it, and what was meant as a call but stayed text, is noted in
`metadata["text_tool_calls"]`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain, count

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.deltas import (
    Delta,
    MetadataReported,
    TextDelta,
    ToolCallArguments,
    ToolCallStarted,
    UsageReported,
)
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.json import Json, encode_json
from victor_fp.core.text_tools.detector import Detector, Piece, Remark, look_for
from victor_fp.core.text_tools.detector import feed as fed
from victor_fp.core.text_tools.detector import flush as flushed
from victor_fp.core.text_tools.formats import FORMATS, TextFormat, formats_called
from victor_fp.core.text_tools.reading import TextCall
from victor_fp.core.text_tools.tools import Tools
from victor_fp.core.tool_call_ids import make_id

NOTES = "text_tool_calls"
"""The key of the notes in metadata."""


class TextCalls(msgspec.Struct, frozen=True, kw_only=True):
    """Where the search in one answer stands."""

    detector: Detector
    seed: str = ""
    taken: frozenset[str] = frozenset()
    """Ids of calls so far, in the conversation and in this answer."""


def start(
    tools: Tools, formats: Sequence[TextFormat] = FORMATS, *, seed: str = "", taken: Iterable[str] = ()
) -> TextCalls:
    """The state before an answer.

    Ids are made from the call and `seed`, so that a body and a stream have the same, and never one of `taken`, the ids
    that the conversation has already. What vendors note of an answer cannot serve: it may come behind the text.
    """
    return TextCalls(detector=look_for(tools, formats), seed=seed, taken=frozenset(taken))


def parse_formats(option: str, *, provider: str = "") -> Result[tuple[TextFormat, ...], Fault]:
    """The formats that the option `text_tool_calls` names."""
    formats = formats_called(option)
    if formats:
        return Success(formats)
    known = ", ".join(form.name for form in FORMATS)
    message = f"text_tool_calls: {option!r} names no format; the formats: {known}, or any"
    return Failure(InvalidRequest(provider=provider, message=message))


def feed(state: TextCalls, text: str) -> tuple[TextCalls, list[Delta]]:
    """Take the next piece of the answer's text."""
    found, pieces = fed(state.detector, text)
    return _emit_pieces(msgspec.structs.replace(state, detector=found), pieces)


def flush(state: TextCalls) -> tuple[TextCalls, list[Delta]]:
    """What was held back, where the text ends or something else begins."""
    found, pieces = flushed(state.detector)
    return _emit_pieces(msgspec.structs.replace(state, detector=found), pieces)


def split(state: TextCalls, deltas: Iterable[Delta]) -> tuple[TextCalls, list[Delta]]:
    """Text deltas become text and call deltas; what is held back goes out before anything that ends the text."""
    out: list[Delta] = []
    for delta in deltas:
        if type(delta) is TextDelta:
            state, told = feed(state, delta.text)
            out += told
            continue
        if not isinstance(delta, MetadataReported | UsageReported):
            state, told = flush(state)
            out += told
        out.append(delta)
    return state, out


def fold_text_calls(state: TextCalls, deltas: Iterable[Delta]) -> list[Delta]:
    """All deltas of a whole body."""
    state, out = split(state, deltas)
    return [*out, *flush(state)[1]]


def _emit_pieces(state: TextCalls, pieces: Iterable[Piece]) -> tuple[TextCalls, list[Delta]]:
    out: list[Delta] = []
    taken: set[str] | None = None  # copied once for all pieces
    for piece in pieces:
        if isinstance(piece, str):
            out.append(TextDelta(piece))
        elif isinstance(piece, Remark):
            note: dict[str, Json] = {"format": piece.format, "kept_as_text": piece.reason}
            out.append(_build_note(note if piece.name is None else {**note, "name": piece.name}))
        else:
            if taken is None:
                taken = set(state.taken)
            id_ = _id_of(piece, state.seed, taken)
            out += _emit_call(piece, id_)
            if piece.repairs:
                repairs = list(dict.fromkeys(piece.repairs))
                out.append(_build_note({"format": piece.format, "name": piece.name, "id": id_, "repairs": repairs}))
            taken.add(id_)
    return state if taken is None else msgspec.structs.replace(state, taken=frozenset(taken)), out


def _emit_call(call: TextCall, id_: str) -> list[Delta]:
    if isinstance(call.arguments, str):
        return [ToolCallStarted(id=id_, name=call.name), ToolCallArguments(id=id_, text=call.arguments)]
    return [ToolCallStarted(id=id_, name=call.name, arguments=call.arguments)]


def _id_of(call: TextCall, base: str, taken: AbstractSet[str]) -> str:
    """The first that is free; a call like an earlier one starts behind all ids, so that many equal calls stay linear."""
    seed = f"{base}\x00{call.name}{encode_json(call.arguments).decode()}"
    return next(id_ for place in chain((0,), count(len(taken) + 1)) if (id_ := make_id(seed, place)) not in taken)


def _build_note(note: dict[str, Json]) -> MetadataReported:
    return MetadataReported(metadata={NOTES: [note]})
