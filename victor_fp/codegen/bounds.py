"""Limits on the expansion of documents: YAML aliases are shared in memory, but multiply when they are traversed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

N = TypeVar("N")

MAX_NODES = 1_000_000
"""Maximum number of objects and arrays in a document with expanded aliases; the largest known vendor document has 60,000."""
MAX_CHAIN = 40
"""Maximum length of a chain of components, each a reference to, or a union, array or composition of, the next."""
MAX_SLICE_NODES = 100_000
"""Maximum number of objects and arrays in the schemas of the selected operations."""
MAX_STEPS = 100_000
"""Maximum number of schemas that one normalisation step produces; the largest vendor document needs about 5,000."""
MAX_DEPTH = 100
"""Maximum nesting; the deepest known vendor document has 23 levels."""


class CodegenFailed(Exception):
    """Error of the compiler; the message says what to do."""


class Work:
    """Counter of the schemas that a normalisation step produces, with a limit.

    Components with many references to each other have exponentially many expansions.
    """

    def __init__(self, limit: int = MAX_STEPS) -> None:
        self._left = self.limit = limit

    def spend(self, schemas: int = 1) -> None:
        """Count schemas; raises `CodegenFailed` beyond the limit."""
        self._left -= schemas
        if self._left < 0:
            raise CodegenFailed("the schemas of the document expand beyond the limit of the compiler")


def find_excess(root: N, children: Callable[[N], Iterable[N]], *, limit: int = MAX_NODES) -> str | None:
    """Return which limit a graph of nodes exceeds; None if it is within the limits.

    Shared nodes are visited once, so the check is linear in the number of nodes in memory.
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
            if sizes[key] > limit:
                return f"it has more than {limit} parts with expanded aliases"
            if depths[key] > MAX_DEPTH:
                return f"it is nested more than {MAX_DEPTH} levels deep"
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
