"""Keys of JSON values in caches: the same bytes for the same value, also after the value was changed and changed back."""

from __future__ import annotations

from types import NoneType
from typing import Any

import msgspec

MAX_VALUES = 2_000
"""Maximum number of values in a value with a key."""
_SCALARS = frozenset({int, float, bool, NoneType})


def build_cache_key(value: object) -> bytes | None:
    """Return the key of a value, which `decode_cache_key` decodes; None for a large value, and for one that is not JSON.

    Values that are equal in Python but not in JSON, such as 1 and true, have different keys.
    """
    if not _is_small_json(value):
        return None
    try:
        return msgspec.msgpack.encode(value)
    except (TypeError, ValueError, OverflowError):  # invalid Unicode, and integers and keys that JSON does not have
        return None


def decode_cache_key(key: bytes) -> Any:
    """Return the value of a key, which shares nothing with the value that the caller may change.

    >>> decode_cache_key(build_cache_key({"a": [1, None]}))
    {'a': [1, None]}
    """
    return msgspec.msgpack.decode(key)


def _is_small_json(value: Any) -> bool:
    """Return whether a value is JSON of a limited size; a value that occurs several times counts as often."""
    pending, rest = [value], MAX_VALUES
    while pending:
        one = pending.pop()
        rest -= 1
        kind = type(one)
        if kind is str:
            rest -= len(one) // 64
        elif kind is dict:
            pending += one.values()
        elif kind is list:
            pending += one
        elif kind not in _SCALARS:
            return False
        if rest < 0:
            return False
    return True
