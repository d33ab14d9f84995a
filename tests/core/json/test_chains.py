"""Chains and persistent collections: values that grow without being copied."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from victor_fp.core.json import merge_objects, unroll
from victor_fp.core.streaming.persistent import PersistentList, PersistentMap


def test_a_chain_gives_its_items_in_order() -> None:
    assert unroll((((None, "a"), "b"), "c")) == ["a", "b", "c"]
    assert "".join(unroll(None)) == ""


def test_merging_extends_lists_and_joins_objects() -> None:
    assert merge_objects([{"a": [1], "b": {"x": 1}, "c": 1}, {"a": [2], "b": {"y": 2}, "c": 3, "d": 4}]) == {
        "a": [1, 2],
        "b": {"x": 1, "y": 2},
        "c": 3,
        "d": 4,
    }


def test_a_value_of_another_kind_replaces_what_was_merged_before_it() -> None:
    assert merge_objects([{"a": [1]}, {"a": "x"}, {"a": [2]}, {"a": [3]}]) == {"a": [2, 3]}


def test_merging_does_not_change_its_inputs() -> None:
    first, second = {"a": [1]}, {"a": [2]}
    merge_objects([first, second])
    assert (first, second) == ({"a": [1]}, {"a": [2]})


@given(st.lists(st.tuples(st.integers(0, 5), st.integers())))
def test_a_persistent_map_holds_what_a_dict_would(items: list[tuple[int, int]]) -> None:
    versions = [(PersistentMap[int, int](), dict[int, int]())]
    for key, value in items:
        grown, plain = versions[-1]
        versions.append((grown.with_item(key, value), {**plain, key: value}))
    for grown, plain in versions:
        assert grown.to_dict() == plain
        assert [grown.get(key, -1) for key in range(7)] == [plain.get(key, -1) for key in range(7)]
        assert [key in grown for key in range(7)] == [key in plain for key in range(7)]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers())))
def test_a_persistent_list_holds_what_a_list_would(steps: list[tuple[bool, int, int]]) -> None:
    versions = [(PersistentList[int](), list[int]())]
    for append, index, value in steps:
        grown, plain = versions[-1]
        if append or index >= len(plain):
            versions.append((grown.with_appended(value), [*plain, value]))
        else:
            versions.append((grown.with_replaced(index, value), [*plain[:index], value, *plain[index + 1 :]]))
    for grown, plain in versions:
        assert list(grown) == plain
        assert len(grown) == len(plain)


def test_a_persistent_map_keeps_few_levels_that_each_outgrow_the_next() -> None:
    grown = PersistentMap[int, int]()
    for key in range(10_000):
        grown = grown.with_item(key, key)
    assert len(grown.levels) < 15
    assert all(len(older) > 2 * len(newer) for older, newer in zip(grown.levels, grown.levels[1:], strict=False))
