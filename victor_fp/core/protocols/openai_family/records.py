"""Records streamed in fragments: OpenRouter's reasoning details, Groq's executed tools, audio."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from victor_fp.core.chains import unroll
from victor_fp.core.json import Json

CONCATENATED = frozenset({"text", "summary", "data", "transcript"})
"""Fields whose texts are concatenated; other fields are replaced by later values that are not null."""

Record: TypeAlias = dict[str, Json]
_Chain: TypeAlias = "tuple[_Chain, Record] | None"
_Records: TypeAlias = "tuple[_Records, OpenRecord] | None"


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
