"""What stands between a protocol's deltas and the transcript: filters that read texts and make other deltas of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from victor_fp.core.deltas import Delta


class DeltaFilter(Protocol):
    """Where a filter stands in one response; an immutable value."""

    def feed(self, deltas: Sequence[Delta]) -> tuple[DeltaFilter, list[Delta]]:
        """The filter for what follows, and what these deltas become. What it holds back goes before what ends a text."""
        ...

    def finish(self) -> list[Delta]:
        """What is held back when the response is over."""
        ...


def run_filters(
    filters: tuple[DeltaFilter, ...], deltas: Sequence[Delta], *, last: bool
) -> tuple[tuple[DeltaFilter, ...], list[Delta]]:
    """The filters for what follows, and the deltas that come out behind the last of them."""
    after: list[DeltaFilter] = []
    passed = list(deltas)
    for one in filters:
        following, passed = one.feed(passed)
        after.append(following)
        if last:
            passed += following.finish()
    return tuple(after), passed
