"""The efforts of reasoning that a vendor knows, and which one stands for one that it does not know."""

from __future__ import annotations

from victor_fp.core.dialects.chat import EFFORTS


def find_nearest_effort(effort: str, known: tuple[str, ...]) -> str:
    """The known effort nearest to this one; of two, the lesser. Thinking is not switched off for being too little.

    >>> find_nearest_effort("minimal", ("none", "low", "high"))
    'low'
    """
    place = EFFORTS.index(effort)
    levels = tuple(word for word in known if word != "none") if effort != "none" else ()
    return min(levels or known, key=lambda word: (abs(EFFORTS.index(word) - place), EFFORTS.index(word)))
