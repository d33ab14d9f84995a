"""A tool call while its arguments still arrive, and which call a piece belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from victor_fp.core.chains import Chain, join_chain
from victor_fp.core.json import Json, JsonScalar, NotJson, decode_json_object
from victor_fp.core.types import ToolCall


class ToolCallDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A call as far as it has come."""

    index: int | None
    id: str
    name: str
    ordinal: int
    """Its place among the answer's calls."""
    pieces: Chain = None
    """JSON text."""
    whole: dict[str, Json] | None = None
    """Arguments that came as an object."""

    def call(self) -> ToolCall:
        """The call with its arguments parsed, or as the original text where they are no JSON object.

        No arguments at all, or null, are an empty object. An object and text together: the text wins where there is any.
        """
        text = join_chain(self.pieces)
        arguments: dict[str, Any] | str
        if text.strip() not in ("", "null"):
            parsed = decode_json_object(text)
            arguments = text if isinstance(parsed, NotJson) else parsed
        else:
            arguments = self.whole or {}
        return ToolCall(id=self.id or f"call_{self.ordinal}", name=self.name, arguments=arguments)


def continues(calls: Sequence[ToolCallDraft], index: int | None, id_: str | None) -> int | None:
    """Which call a piece continues, by index *and* id: None where it opens a new one.

    The newest call with this index is meant unless the piece has another id. Without an index it is the call with
    this id; with neither, the newest call.
    """
    for place in range(len(calls) - 1, -1, -1):
        call = calls[place]
        if index is not None and call.index is not None and call.index != index:
            continue
        if not id_ or not call.id or call.id == id_:
            return place
        if index is not None and call.index == index:
            continue
    return None


def grown(arguments: dict[str, Json], path: tuple[str | int, ...], value: JsonScalar) -> dict[str, Json]:
    """`arguments` with `value` at `path`: a text there grows, anything else is set. The original is unchanged."""
    result = _grown(arguments, path, value)
    return result if isinstance(result, dict) else arguments


def _grown(place: Json, path: tuple[str | int, ...], value: JsonScalar) -> Json:
    if not path:
        return place + value if isinstance(place, str) and isinstance(value, str) else value
    key, *rest = path
    if isinstance(key, int):
        items: list[Json] = list(place) if isinstance(place, list) else []
        items += [None] * (key + 1 - len(items))
        items[key] = _grown(items[key], tuple(rest), value)
        return items
    fields: dict[str, Json] = dict(place) if isinstance(place, dict) else {}
    fields[key] = _grown(fields.get(key), tuple(rest), value)
    return fields
