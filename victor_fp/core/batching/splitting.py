"""Splitting items into batches that a vendor accepts: by count, by bytes, and by what a batch may not mix.

Rules of the machine.

Batches are filled one after another, one for each operation and, where models must not be mixed, for each model. `add_item`
gives the batch that had to be closed to make room; `close_all` what is left at the end. An item that is too large
alone is refused, and nothing changes.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.batching.types import BatchItem
from victor_fp.core.dialects.batches import BatchLimits
from victor_fp.core.faults import Fault, InvalidRequest

Group: TypeAlias = tuple[str, str]
"""Operation and model, the latter empty where models may be mixed."""

NEWLINE = 1
"""Bytes between two lines; a comma costs as much."""


class OpenBatch(msgspec.Struct, frozen=True):
    """A batch that is being filled."""

    items: list[BatchItem]
    size: int = 0


class Splitter:
    """The batches of one submission that are being filled. It belongs to whoever submits."""

    __slots__ = ("_limits", "_open")

    def __init__(self, limits: BatchLimits) -> None:
        self._limits = limits
        self._open: dict[Group, OpenBatch] = {}

    def add(self, item: BatchItem) -> Result[tuple[BatchItem, ...], Fault]:
        """Put an item into its batch; the batch that is full without it, or nothing."""
        limits, size = self._limits, len(item.line) + NEWLINE
        if size > limits.max_bytes:
            message = (
                f"row {item.key!r}: its request of {size} bytes is larger than a batch may be ({limits.max_bytes})"
            )
            return Failure(InvalidRequest(message=message))
        group = (item.route, "" if limits.mixes_models else item.model)
        batch = self._open.get(group)
        full: tuple[BatchItem, ...] = ()
        if batch is not None and (len(batch.items) >= limits.max_requests or batch.size + size > limits.max_bytes):
            full, batch = tuple(batch.items), None
        if batch is None:
            batch = OpenBatch([])
        batch.items.append(item)
        self._open[group] = OpenBatch(batch.items, batch.size + size)
        return Success(full)

    def close(self) -> tuple[tuple[BatchItem, ...], ...]:
        """The batches that are not full."""
        rest = tuple(tuple(batch.items) for batch in self._open.values())
        self._open.clear()
        return rest
