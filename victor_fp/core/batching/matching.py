"""Results find their rows by id only: what came twice, was not asked for or did not come is reported.

Rules of the machine.

`match` takes the id of one result in. The first result of an id counts; a further one is `doubled`, and an id that was not
submitted is `unknown`. `missing` ends it: every submitted id without a result, in the order of submission. Where the
submitted ids are not known, nothing is unknown or missing.
"""

from __future__ import annotations

from collections.abc import Iterable

from victor_fp.core.batching.types import Problem, make_item_id


class ResultMatching:
    """The ids of one batch that have come so far. It belongs to whoever reads the results."""

    __slots__ = ("_expected", "_seen")

    def __init__(self, keys: Iterable[str] | None) -> None:
        self._expected = None if keys is None else {make_item_id(key): key for key in keys}
        self._seen: set[str] = set()

    def match(self, identifier: str) -> tuple[str, Problem | None]:
        """The key of a result with this id, and what is wrong with it."""
        key = identifier if self._expected is None else self._expected.get(identifier)
        if key is None:
            return identifier, "unknown"
        if identifier in self._seen:
            return key, "doubled"
        self._seen.add(identifier)
        return key, None

    def list_missing(self) -> tuple[str, ...]:
        """Keys that were submitted and have no result."""
        return tuple(key for identifier, key in (self._expected or {}).items() if identifier not in self._seen)
