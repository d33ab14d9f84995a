"""Mapping of reasoning efforts to those that a vendor accepts."""

from __future__ import annotations

from victor_fp.core.dialects.chat import EFFORTS


def find_nearest_effort(effort: str, known: tuple[str, ...]) -> str:
    """Return the nearest accepted effort, of two the lower. An effort other than "none" is never mapped to "none".

    >>> find_nearest_effort("minimal", ("none", "low", "high"))
    'low'
    """
    rank = EFFORTS.index(effort)
    levels = tuple(level for level in known if level != "none") if effort != "none" else ()
    return min(levels or known, key=lambda level: (abs(EFFORTS.index(level) - rank), EFFORTS.index(level)))
