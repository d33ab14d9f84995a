"""Repair of invalid Unicode in a response: surrogate pairs split across deltas are joined, lone surrogates replaced.

A high surrogate at the end of a delta is held back until the next delta of the same text. Every lone surrogate becomes
U+FFFD; their number is reported in `metadata["replaced_characters"]`. Tool arguments, state and metadata are repaired
in the same way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias, TypeVar

import msgspec

from victor_fp.core.deltas import (
    Delta,
    MetadataReported,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallArguments,
    ToolCallArgumentSet,
    UsageReported,
)
from victor_fp.core.json import Json, NotJson, decode_flawed_json

NOTE = "replaced_characters"
"""The key in metadata."""

_SURROGATE = re.compile("[\ud800-\udfff]")
TextPiece: TypeAlias = TextDelta | ReasoningDelta | RefusalDelta | ToolCallArguments | ToolCallArgumentSet
_S = TypeVar("_S", bound=msgspec.Struct)


class UnicodeRepair(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the repair of one response."""

    held: TextPiece | None = None
    """The high surrogate at the end of the newest text, as a delta of its kind."""
    count: int = 0

    def feed(self, deltas: Sequence[Delta]) -> tuple[UnicodeRepair, list[Delta]]:
        """Emit complete characters; a high surrogate at the end is held back."""
        out: list[Delta] = []
        state = self
        for delta in deltas:
            if isinstance(delta, ToolCallArguments | ToolCallArgumentSet):
                delta = _with_clean_address(delta)  # noqa: PLW2901  the same delta
            match delta:
                case TextDelta() | ReasoningDelta() | RefusalDelta() | ToolCallArguments():
                    if state.held is None and (delta.text.isascii() or _SURROGATE.search(delta.text) is None):
                        out.append(delta)
                    else:
                        state, more = state.repair(delta, delta.text)
                        out += more
                case ToolCallArgumentSet(value=str() as value):
                    state, more = state.repair(delta, value)
                    out += more
                case MetadataReported() | UsageReported():
                    state, more = state.clean(delta)
                    out += more
                case _:
                    out += state.finish()
                    state, more = msgspec.structs.replace(state, held=None).clean(delta)
                    out += more
        return state, out

    def finish(self) -> list[Delta]:
        """Return the replacement of a held-back surrogate."""
        if self.held is None:
            return []
        return [_with_text(self.held, "\ufffd"), _note(self.count + 1)]

    def repair(self, delta: TextPiece, text: str) -> tuple[UnicodeRepair, list[Delta]]:
        """Join, replace or hold back the surrogates in a part of a text."""
        out: list[Delta] = []
        count = self.count
        if self.held is not None:
            if _with_text(self.held, "") == _with_text(delta, ""):
                text = _read_text(self.held) + text
            else:
                out, count = self.finish(), count + 1
        held = None
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, held = text[:-1], _with_text(delta, text[-1])
        repaired = _replace_surrogates(text)
        if repaired:
            out.append(_with_text(delta, repaired))
        if replaced := repaired.count("\ufffd") - text.count("\ufffd"):
            count += replaced
            out.append(_note(count))
        return UnicodeRepair(held=held, count=count), out

    def clean(self, delta: Delta) -> tuple[UnicodeRepair, list[Delta]]:
        """Replace all surrogates in a delta that is not part of a text."""
        try:
            msgspec.json.encode(delta)
        except UnicodeEncodeError:
            count = self.count + 1
            return msgspec.structs.replace(self, count=count), [_note(count), _clean_struct(delta)]
        return self, [delta]


def _note(count: int) -> MetadataReported:
    return MetadataReported(metadata={NOTE: count})


def _replace_surrogates(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _with_clean_address(delta: ToolCallArguments | ToolCallArgumentSet) -> ToolCallArguments | ToolCallArgumentSet:
    """Replace surrogates in the id and the path of a delta, as in the start of its call."""
    if delta.id is not None and not delta.id.isascii():
        delta = msgspec.structs.replace(delta, id=_replace_surrogates(delta.id))
    if isinstance(delta, ToolCallArgumentSet):
        path = tuple(_replace_surrogates(step) if isinstance(step, str) else step for step in delta.path)
        delta = msgspec.structs.replace(delta, path=path)
    return delta


def _read_text(delta: TextPiece) -> str:
    text = delta.value if isinstance(delta, ToolCallArgumentSet) else delta.text
    return text if isinstance(text, str) else ""


def _with_text(delta: TextPiece, text: str) -> TextPiece:
    if isinstance(delta, ToolCallArgumentSet):
        return msgspec.structs.replace(delta, value=text)
    return msgspec.structs.replace(delta, text=text)


def _clean_struct(struct: _S) -> _S:
    """Replace surrogates in the fields of a struct; a field that cannot be encoded as JSON is kept unchanged."""
    changed: dict[str, object] = {}
    for name in struct.__struct_fields__:
        value = getattr(struct, name)
        if isinstance(value, str):
            changed[name] = _replace_surrogates(value)
        elif isinstance(value, Mapping):
            changed[name] = _clean_json(value)
        elif isinstance(value, msgspec.Struct):
            changed[name] = _clean_struct(value)
    return msgspec.structs.replace(struct, **changed)


def _clean_json(value: Json) -> Json:
    # json writes surrogates as escapes, which the decoder replaces; both are limited only by the recursion limit.
    cleaned = decode_flawed_json(json.dumps(value))
    return value if isinstance(cleaned, NotJson) else cleaned
