"""Filters between a protocol's deltas and the transcript, such as the one that splits reasoning from text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from victor_fp.core.deltas import Delta


class DeltaFilter(Protocol):
    """The state of a filter within one response; an immutable value."""

    def feed(self, deltas: Sequence[Delta]) -> tuple[DeltaFilter, list[Delta]]:
        """Return the next state and the filtered deltas. Text that is held back precedes a delta that ends the text."""
        ...

    def finish(self) -> list[Delta]:
        """Return what is still held back at the end of the response."""
        ...


def run_filters(
    filters: tuple[DeltaFilter, ...], deltas: Sequence[Delta], *, last: bool
) -> tuple[tuple[DeltaFilter, ...], list[Delta]]:
    """Run deltas through all filters; return the next states and the deltas after the last filter."""
    after: list[DeltaFilter] = []
    passed = list(deltas)
    for one in filters:
        following, passed = one.feed(passed)
        after.append(following)
        if last:
            passed += following.finish()
    return tuple(after), passed
