"""Bounds on what a document may expand to: aliases of YAML are shared in memory and multiply when they are walked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

N = TypeVar("N")

MAX_NODES = 1_000_000
"""Objects and arrays in a whole document with every alias written out; the largest vendor document known has 60,000."""
DEEPEST_CHAIN = 40
"""Components that are references to, unions, arrays or compositions of each other, one of the next."""
MAX_SLICE_NODES = 100_000
"""Objects and arrays in the schemas that the chosen operations reach."""
MAX_STEPS = 100_000
"""Schemas that one step of normalisation writes out; the operations of the largest vendor document need some 5,000."""
DEEPEST = 100
"""Levels of nesting; the deepest vendor document known has 23."""


class CodegenFailed(Exception):
    """The compiler cannot go on; the message says what to do about it."""


class Work:
    """Counts the schemas that a step of normalisation writes out, and ends it beyond a bound.

    Components that refer to each other on many ways have exponentially many expansions.
    """

    def __init__(self, most: int = MAX_STEPS) -> None:
        self._left = self.most = most

    def spend(self, schemas: int = 1) -> None:
        """Count more schemas; raises `CodegenFailed` beyond the bound."""
        self._left -= schemas
        if self._left < 0:
            raise CodegenFailed("the schemas of the document expand to more than the compiler writes out")


def find_excess(root: N, children: Callable[[N], Iterable[N]], *, most: int = MAX_NODES) -> str | None:
    """Say what is wrong with the size of a graph of nodes; None where it is within the bounds.

    Shared nodes are visited once, so the check takes time linear in the nodes that are held in memory.
    """
    sizes: dict[int, int] = {}
    depths: dict[int, int] = {}
    entered: set[int] = set()
    stack: list[tuple[N, bool]] = [(root, False)]
    while stack:
        node, complete = stack.pop()
        key = id(node)
        if complete:
            inner = [id(child) for child in children(node)]
            sizes[key] = 1 + sum(sizes[child] for child in inner)
            depths[key] = 1 + max((depths[child] for child in inner), default=0)
            entered.discard(key)
            if sizes[key] > most:
                return f"it has more than {most} parts with every alias written out"
            if depths[key] > DEEPEST:
                return f"it is nested more than {DEEPEST} levels deep"
        elif key in entered:
            return "a part of it contains itself"
        elif key not in sizes:
            entered.add(key)
            stack.append((node, True))
            stack.extend((child, False) for child in children(node))
    return None


def list_json_children(value: object) -> list[object]:
    """Return the objects and arrays directly inside a JSON value."""
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return [item for item in inner if isinstance(item, dict | list)]
