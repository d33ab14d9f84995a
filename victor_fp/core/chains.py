"""Immutable sequences with O(1) append: linked lists whose items are joined or merged once, at the end.

A chain is `(previous, newest)` or None. Appending to a tuple would copy it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias, TypeVar

from victor_fp.core.json import Json

T = TypeVar("T")

Chain: TypeAlias = "tuple[Chain, str] | None"
"""Pieces of text, newest first."""
ObjectChain: TypeAlias = "tuple[ObjectChain, Mapping[str, Json]] | None"
"""JSON objects to merge, newest first."""

_MAX_MERGE_DEPTH = 64
"""Levels of objects that are merged; deeper objects replace each other."""


def unroll(chain: tuple[Any, T] | None) -> list[T]:
    """Return the items of a chain, oldest first.

    >>> unroll(((None, "a"), "b"))
    ['a', 'b']
    """
    items: list[T] = []
    while chain is not None:
        chain, item = chain
        items.append(item)
    items.reverse()
    return items


def join_chain(chain: Chain) -> str:
    """Join the pieces of a chain.

    >>> join_chain(((None, "a"), "b"))
    'ab'
    """
    return "".join(unroll(chain))


def merge_objects(objects: Iterable[Mapping[str, Json]], depth: int = _MAX_MERGE_DEPTH) -> dict[str, Json]:
    """Merge objects in order: lists are extended, objects merged, any other value is replaced by a later one.

    >>> merge_objects([{"a": [1], "b": 1}, {"a": [2], "b": 2}])
    {'a': [1, 2], 'b': 2}
    """
    values: dict[str, list[Json]] = {}
    for one in objects:
        for key, value in one.items():
            values.setdefault(key, []).append(value)
    return {key: found[0] if len(found) == 1 else _merge_values(found, depth) for key, found in values.items()}


def concatenate_objects(objects: Iterable[Mapping[str, Json]]) -> dict[str, Json]:
    """Merge objects that each continue the one before: strings and lists are appended to, other values are replaced.

    >>> concatenate_objects([{"a": "x", "b": 1}, {"a": "y", "b": 2}])
    {'a': 'xy', 'b': 2}
    """
    values: dict[str, list[Json]] = {}
    for one in objects:
        for key, value in one.items():
            values.setdefault(key, []).append(value)
    return {key: found[0] if len(found) == 1 else _concatenate(found) for key, found in values.items()}


def _concatenate(values: list[Json]) -> Json:
    last = values[-1]
    run = values[_find_run_start(values) :]
    if isinstance(last, str):
        return "".join(value for value in run if isinstance(value, str))
    if isinstance(last, list):
        return [item for value in run if isinstance(value, list) for item in value]
    return last


def _find_run_start(values: list[Json]) -> int:
    """Return the start of the run of values that have the type of the last one."""
    start = len(values) - 1
    while start and type(values[start - 1]) is type(values[-1]):
        start -= 1
    return start


def _merge_values(values: list[Json], depth: int) -> Json:
    last = values[-1]
    if depth == 0 or not isinstance(last, list | dict):
        return last
    run = values[_find_run_start(values) :]
    if isinstance(last, list):
        return [item for value in run if isinstance(value, list) for item in value]
    return merge_objects((value for value in run if isinstance(value, dict)), depth - 1)
