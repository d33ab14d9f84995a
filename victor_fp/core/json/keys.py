"""Keys of the objects in options: JSON has strings only, but programs also use integers, such as token ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import UnionType
from typing import cast

from victor_fp.core.json import MAX_DEPTH, Json, measure_depth

_STRINGS_ONLY = frozenset({"extra_headers"})


def convert_keys(options: Mapping[str, object]) -> dict[str, object] | str:
    """Return options with integer keys as strings, at any depth, or an error message for the first other key.

    >>> convert_keys({"logit_bias": {50: 1}})
    {'logit_bias': {'50': 1}}
    >>> convert_keys({"logit_bias": {None: 1}})
    'logit_bias: keys must be strings, got None'
    """
    converted = dict(options)
    for name, value in options.items():
        if not isinstance(value, Mapping | list | tuple) or find_key_problem(name, value) is None:
            continue
        problem = find_key_problem(name, value, accepted=str if name in _STRINGS_ONLY else str | int)
        if problem is not None:
            return problem
        if measure_depth(cast("Json", value), MAX_DEPTH) <= MAX_DEPTH:  # otherwise it is rejected when it is encoded
            converted[name] = _convert(value)
    return converted


def find_key_problem(name: str, value: object, *, accepted: type | UnionType = str) -> str | None:
    """Return an error message for the first key of another type in a value, at any depth; None if there is none."""
    for key in _list_keys(value):
        if isinstance(key, bool) or not isinstance(key, accepted):
            return f"{name}: keys must be strings, got {key!r:.40}"
    return None


def _list_keys(value: object) -> Iterator[object]:
    """Yield the keys of all objects in a value, possibly cyclic."""
    pending, seen = [value], {id(value)}
    while pending:
        children: Iterable[object] = ()
        match pending.pop():
            case Mapping() as fields:
                yield from fields
                children = fields.values()
            case list() | tuple() as items:
                children = items
            case _:
                pass
        for item in children:
            if id(item) not in seen:
                seen.add(id(item))
                pending.append(item)


def _convert(value: object) -> object:
    match value:
        case Mapping():
            return {str(key): _convert(item) for key, item in value.items()}
        case list() | tuple():
            return [_convert(item) for item in value]
        case _:
            return value
