"""Keys of JSON values: equal for the same value, different for any other, and absent where a key would cost much."""

from __future__ import annotations

import math
from copy import deepcopy
from datetime import date
from itertools import combinations
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor_fp.core.json.cache_keys import MAX_VALUES, build_cache_key, decode_cache_key

TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | TEXT
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20)


@given(JSON)
def test_a_key_is_the_value(value: Any) -> None:
    key = build_cache_key(value)
    assert key is not None
    assert key == build_cache_key(deepcopy(value))
    assert repr(decode_cache_key(key)) == repr(value)


def test_values_that_are_nearly_equal_have_different_keys() -> None:
    values = [1, 1.0, True, "1", [1], None, math.nan, math.inf, {}, [], {"a": 1, "b": 2}, {"b": 2, "a": 1}]
    for one, other in combinations(values, 2):
        assert build_cache_key(one) != build_cache_key(other)


@pytest.mark.parametrize(
    "value",
    [
        *((1,), {1}, date(2025, 1, 1), MappingProxyType({}), object(), b"1", 2**70, "\ud800", {"\ud800": 1}),
        *([0] * MAX_VALUES, "x" * 64 * MAX_VALUES, {"a": [(1,)]}),
    ],
    ids=lambda value: f"{value!r:.20}",
)
def test_other_and_large_values_have_no_key(value: object) -> None:
    assert build_cache_key(value) is None


def test_shared_and_circular_values_have_no_key() -> None:
    shared: list[Any] = []
    for _ in range(60):
        shared = [shared, shared]
    assert build_cache_key(shared) is None
    circular: dict[str, Any] = {}
    circular["a"] = circular
    assert build_cache_key(circular) is None


def test_a_decoded_value_is_a_copy() -> None:
    value: dict[str, Any] = {"a": {"b": 1}}
    key = build_cache_key(value)
    assert key is not None
    decode_cache_key(key)["a"]["b"] = 2
    assert decode_cache_key(key) == value == {"a": {"b": 1}}
