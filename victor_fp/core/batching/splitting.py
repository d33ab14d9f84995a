"""Splitting of items into batches within a vendor's limits: by count, size, operation and model.

Rules: one batch is filled per operation and, if models must not be mixed, per model. `add` returns the batch that had to be
closed to make room, `close` the remaining batches. An item that is too large is rejected without changing the state.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.batching.types import BatchItem
from victor_fp.core.dialects.batches import BatchLimits
from victor_fp.core.faults import Fault, InvalidRequest

Group: TypeAlias = tuple[str, str]
"""Operation and model; the latter is empty if models may be mixed."""

NEWLINE = 1
"""Size of the separator of two lines, or of two list items, in bytes."""
ENVELOPE = 512
"""Maximum size of what a body has around its items, in bytes."""


class OpenBatch(msgspec.Struct, frozen=True):
    """A batch that is being filled."""

    items: list[BatchItem]
    size: int = ENVELOPE


class Splitter:
    """The batches of one submission that are being filled; owned by the submitter."""

    __slots__ = ("_limits", "_open")

    def __init__(self, limits: BatchLimits) -> None:
        self._limits = limits
        self._open: dict[Group, OpenBatch] = {}

    def add(self, item: BatchItem) -> Result[tuple[BatchItem, ...], Fault]:
        """Add an item to its batch; return the items of the batch that was full, or none."""
        limits, size = self._limits, len(item.line) + NEWLINE
        if ENVELOPE + size > limits.max_bytes:
            message = (
                f"row {item.key!r}: a batch with this request alone has {ENVELOPE + size} bytes; "
                f"the maximum is {limits.max_bytes}"
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
        """Return the items of the remaining batches."""
        remaining = tuple(tuple(batch.items) for batch in self._open.values())
        self._open.clear()
        return remaining
