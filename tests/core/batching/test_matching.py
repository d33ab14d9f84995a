"""Results find their rows by id: any order, doubled, unknown and missing ones."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from victor_fp.core.batching.matching import ResultMatching
from victor_fp.core.batching.types import BatchHandle, decode_handle, encode_handle, make_item_id

KEYS = st.text(min_size=1, max_size=100)


@given(st.sets(KEYS, max_size=20), st.lists(KEYS, max_size=20), st.randoms())
def test_results_and_missing_rows_are_all_submitted_rows(keys: set[str], others: list[str], luck: object) -> None:
    matching = ResultMatching(keys)
    arrived = [key for position, key in enumerate(sorted(keys)) if position % 3]
    seen = [matching.match(make_item_id(key)) for key in arrived]
    assert seen == [(key, None) for key in arrived]
    assert [matching.match(make_item_id(key)) for key in arrived] == [(key, "doubled") for key in arrived]
    strangers = [key for key in others if key not in keys]
    assert all(matching.match(make_item_id(key))[1] == "unknown" for key in strangers)
    assert sorted(matching.list_missing()) == sorted(keys - set(arrived))


def test_without_known_keys_nothing_is_unknown_or_missing() -> None:
    matching = ResultMatching(None)
    assert matching.match("a") == ("a", None)
    assert matching.match("a") == ("a", "doubled")
    assert matching.list_missing() == ()


@given(KEYS)
def test_ids_are_what_the_strictest_vendor_accepts(key: str) -> None:
    identifier = make_item_id(key)
    assert 1 <= len(identifier) <= 64
    assert all(sign.isascii() and (sign.isalnum() or sign in "_-") for sign in identifier)
    assert make_item_id(key) == identifier


def test_keys_that_are_accepted_stay_as_they_are_and_others_stay_apart() -> None:
    assert make_item_id("row_7-b") == "row_7-b"
    different = ["a b", "a  b", "a\tb", "x" * 65, "x" * 66, "\ud800", "?"]
    assert len({make_item_id(key) for key in different}) >= len(different) - 1  # the last two have no UTF-8 apart


def test_a_handle_is_json_and_back() -> None:
    handle = BatchHandle(provider="openai", id="batch_1", model="m", count=3, token="t", input_id="file-1")
    assert decode_handle(encode_handle(handle)).unwrap() == handle
    assert decode_handle({"provider": "openai", "id": "batch_1"}).unwrap().count == 0
    for wrong in ("", "{", "[]", '{"id": 7}', "\ud800"):
        assert "cannot be decoded" in decode_handle(wrong).failure().message
