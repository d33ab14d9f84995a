"""Text that grows piece by piece and stays a value: pieces hang in a chain of pairs and are joined once."""

from __future__ import annotations

from typing import TypeAlias

Chain: TypeAlias = "tuple[Chain, str] | None"
"""Pieces of text, newest first."""


def join_chain(chain: Chain) -> str:
    """The pieces of a chain as one text.

    >>> joined(((None, "a"), "b"))
    'ab'
    """
    pieces: list[str] = []
    while chain is not None:
        chain, piece = chain
        pieces.append(piece)
    pieces.reverse()
    return "".join(pieces)
