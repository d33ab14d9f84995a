"""Records that a stream sends in fragments (OpenRouter's reasoning details, Groq's executed tools, sound), made whole."""

from __future__ import annotations

from collections.abc import Iterable

from victor_fp.core.json import Json

GROWING = frozenset({"text", "summary", "data", "transcript"})
"""Texts that follow each other; every other field is replaced by a later one that is not null."""

Record = dict[str, Json]


def whole(records: tuple[Record, ...], fragments: Iterable[Record]) -> tuple[Record, ...]:
    """The records so far, with these fragments: a fragment grows the last record where type, index and id agree.

    >>> whole(({"type": "reasoning.text", "index": 0, "text": "a"},), [{"type": "reasoning.text", "index": 0, "text": "b"}])
    ({'type': 'reasoning.text', 'index': 0, 'text': 'ab'},)
    """
    out = list(records)
    for fragment in fragments:
        if out and _continues(out[-1], fragment):
            out[-1] = grown(out[-1], fragment)
        else:
            out.append(fragment)
    return tuple(out)


def _continues(record: Record, fragment: Record) -> bool:
    if "index" not in fragment or fragment.get("type") == "reasoning.encrypted":
        return False
    same = all(record.get(key) == fragment.get(key) for key in ("type", "index"))
    return same and (not fragment.get("id") or not record.get("id") or record["id"] == fragment["id"])


def grown(record: Record, fragment: Record) -> Record:
    """One record with one more fragment."""
    out = dict(record)
    for key, value in fragment.items():
        before = out.get(key)
        if key in GROWING and isinstance(before, str) and isinstance(value, str):
            out[key] = before + value
        elif value is not None or key not in out:
            out[key] = value
    return out
