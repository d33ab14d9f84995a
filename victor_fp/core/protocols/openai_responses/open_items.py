"""The output items of a stream while they are under way: which one an event means, and what of it has been told."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from victor_fp.core.json import Json

ItemKind: TypeAlias = Literal["message", "reasoning", "call", "other"]


class OpenItem(msgspec.Struct, frozen=True, kw_only=True):
    """One output item as far as its events have come."""

    place: int
    """Its index in the output; its turn of coming where a server sends no indexes."""
    kind: ItemKind
    id: str = ""
    call_id: str = ""
    phase: str | None = None
    told: frozenset[int] = frozenset()
    """Parts that were told by deltas; a call has one part."""
    numbered: bool = True
    """Its deltas say which part they belong to."""
    aspect: Literal["", "summary", "content"] = ""
    """Which of the two forms of reasoning is told: servers that stream both say the same in both."""
    part: int = -1
    """The part whose block is open; -1 where none is."""
    closed: int = -1
    """The last part whose block has ended."""
    annotations: tuple[dict[str, Json], ...] = ()
    """Of the open part, as far as they have come."""
    state: dict[str, Json] = {}
    """What a call was begun with."""
    interrupted: bool = False
    """Another item has been told since, so that its block cannot be added to."""
    done: bool = False


class OpenItems(msgspec.Struct, frozen=True):
    """All items of one stream, in the order in which they came."""

    items: tuple[OpenItem, ...] = ()

    def find(self, index: int | None, id_: str | None) -> OpenItem | None:
        """The item of an event: by its index, else by its id, else the newest one that is not done.

        Indexes come first because some gateways write another id into every event; where two items have one index, ids
        tell them apart. llama.cpp sends ids only, and for calls the call's.
        """
        newest = self.items[::-1]
        if index is not None:
            newest = tuple(item for item in newest if item.place == index)
        if id_:
            named = next((item for item in newest if id_ in (item.id, item.call_id)), None)
            if named is not None or index is None:
                return named
        return next((item for item in newest if index is not None or not item.done), None)

    def put(self, item: OpenItem) -> OpenItems:
        """With this item in its place, or as the newest."""
        for position, other in enumerate(self.items):
            if (other.place, other.id, other.call_id) == (item.place, item.id, item.call_id):
                return OpenItems((*self.items[:position], item, *self.items[position + 1 :]))
        return OpenItems((*self.items, item))

    @property
    def next_place(self) -> int:
        """The place of an item that has no index."""
        return max((item.place for item in self.items), default=-1) + 1
