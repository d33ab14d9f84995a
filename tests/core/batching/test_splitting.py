"""Batches never exceed their vendor's limits, and lose or repeat nothing."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st
from returns.result import Success

from victor_fp.core.batching.splitting import ENVELOPE, Splitter
from victor_fp.core.batching.types import BatchItem
from victor_fp.core.dialects.batches import BatchLimits
from victor_fp.core.result import outcome


def build_limits(count: int, size: int, *, mixes_models: bool = False) -> BatchLimits:
    return BatchLimits(
        max_requests=count, max_bytes=size, mixes_models=mixes_models, source="https://e.x", date="2026-01-01"
    )


def build_item(number: int, size: int = 10, model: str = "m", route: str = "r") -> BatchItem:
    return BatchItem(f"key {number}", f"id-{number}", model, route, b"x" * size)


def split(given: list[BatchItem], bounds: BatchLimits) -> list[tuple[BatchItem, ...]]:
    splitter = Splitter(bounds)
    batches = []
    for one in given:
        match outcome(splitter.add(one)):
            case Success(full):
                batches += [full] if full else []
            case _:
                pass
    return [*batches, *splitter.close()]


@given(st.integers(0, 2**32), st.integers(1, 9), st.integers(20, 200).map(ENVELOPE.__add__), st.booleans())
def test_every_item_is_in_one_batch_within_the_limits(seed: int, count: int, size: int, mixes_models: bool) -> None:
    luck = random.Random(seed)
    given_items = [
        build_item(number, luck.randrange(1, 60), luck.choice("ab"), luck.choice("rs")) for number in range(100)
    ]
    bounds = build_limits(count, size, mixes_models=mixes_models)
    batches = split(given_items, bounds)
    fitting = [one for one in given_items if ENVELOPE + len(one.line) + 1 <= size]
    assert sorted(one.key for batch in batches for one in batch) == sorted(one.key for one in fitting)
    for batch in batches:
        assert 0 < len(batch) <= count
        assert ENVELOPE + sum(len(one.line) + 1 for one in batch) <= size
        assert len({one.route for one in batch}) == 1
        assert mixes_models or len({one.model for one in batch}) == 1


def test_items_keep_their_order_inside_a_batch() -> None:
    batches = split([build_item(number) for number in range(5)], build_limits(2, 1000))
    assert [[one.key for one in batch] for batch in batches] == [["key 0", "key 1"], ["key 2", "key 3"], ["key 4"]]


def test_an_item_that_is_too_large_alone_is_refused_and_the_others_are_not() -> None:
    splitter = Splitter(build_limits(10, ENVELOPE + 50))
    assert splitter.add(build_item(1)) == Success(())
    fault = splitter.add(build_item(2, 50)).failure()
    assert fault.message == "row 'key 2': a batch with this request alone has 563 bytes; the maximum is 562"
    assert [one.key for one in splitter.close()[0]] == ["key 1"]
