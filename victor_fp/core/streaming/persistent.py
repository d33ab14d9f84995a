"""Persistent maps and lists: immutable, with structural sharing, so that an update costs O(log n) amortised.

Both keep their items in a few dicts, each more than twice as large as the next; a later dict takes precedence. They
hold state that grows with a response: a tuple or a dict would be copied at every step.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar, overload

import msgspec

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
D = TypeVar("D")


class PersistentMap(msgspec.Struct, Generic[K, V], frozen=True, eq=False):
    """A mapping without deletion.

    >>> grown = PersistentMap().with_item("a", 1).with_item("b", 2)
    >>> grown.get("a"), grown.get("c"), grown.to_dict()
    (1, None, {'a': 1, 'b': 2})
    """

    levels: tuple[dict[K, V], ...] = ()
    """Never mutated."""

    def with_item(self, key: K, value: V) -> PersistentMap[K, V]:
        """Return a map with this item added or replaced."""
        kept, newest = len(self.levels), {key: value}
        while kept and len(self.levels[kept - 1]) <= 2 * len(newest):
            kept -= 1
            newest = {**self.levels[kept], **newest}
        return PersistentMap((*self.levels[:kept], newest))

    @overload
    def get(self, key: K) -> V | None: ...
    @overload
    def get(self, key: K, default: D) -> V | D: ...
    def get(self, key: K, default: object = None) -> object:
        """Return the value of a key."""
        for level in reversed(self.levels):
            if key in level:
                return level[key]
        return default

    def __contains__(self, key: K) -> bool:
        return any(key in level for level in self.levels)

    def __bool__(self) -> bool:
        return bool(self.levels)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PersistentMap) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(frozenset(self.to_dict()))

    def to_dict(self) -> dict[K, V]:
        """Return all items as a new dict, in insertion order of their keys."""
        return {key: value for level in self.levels for key, value in level.items()}


class PersistentList(msgspec.Struct, Generic[V], frozen=True, eq=False):
    """A list that supports append and replacement of items.

    >>> list(PersistentList().with_appended("a").with_appended("b").with_replaced(0, "c"))
    ['c', 'b']
    """

    items: PersistentMap[int, V] = PersistentMap()
    size: int = 0

    def with_appended(self, item: V) -> PersistentList[V]:
        """Return a list with this item appended."""
        return PersistentList(self.items.with_item(self.size, item), self.size + 1)

    def with_replaced(self, index: int, item: V) -> PersistentList[V]:
        """Return a list with the item at `index` replaced."""
        return PersistentList(self.items.with_item(index, item), self.size)

    def __getitem__(self, index: int) -> V:
        for level in reversed(self.items.levels):
            if index in level:
                return level[index]
        raise IndexError(index)

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[V]:
        found = self.items.to_dict()
        return (found[index] for index in range(self.size))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PersistentList) and list(self) == list(other)

    def __hash__(self) -> int:
        return hash(self.size)
