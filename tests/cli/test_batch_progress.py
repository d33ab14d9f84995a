"""The counts that the progress bar and the last line of a run show."""

from __future__ import annotations

from typing import Any

import pytest
from returns.result import Failure, Success

from victor_fp.cli.batch_progress import Tally
from victor_fp.core.faults import InvalidRequest
from victor_fp.core.types import CompletionResponse
from victor_fp.jobs import Done

RESPONSE = CompletionResponse(content="Hi")


def build_done(cost: float | None, *, is_resumed: bool = False) -> Done[Any]:
    return Done(key="1", result=Success(RESPONSE), response=RESPONSE, cost_usd=cost, is_resumed=is_resumed)


@pytest.mark.parametrize(
    ("ends", "shown"),
    [
        ([], "0 failed"),
        ([build_done(0.5), build_done(0.25)], "0 failed, $0.7500"),
        ([build_done(0.5), build_done(None)], "0 failed, $0.5000, 1 of unknown price"),
        ([build_done(None)], "0 failed, cost unknown"),
        ([build_done(0.5, is_resumed=True), build_done(None, is_resumed=True)], "0 failed"),
        ([Done(key="1", result=Failure(InvalidRequest()))], "1 failed"),
    ],
)
def test_responses_of_unknown_price_are_named(ends: list[Done[Any]], shown: str) -> None:
    tally = Tally()
    for done in ends:
        tally.add(done)
    assert tally.describe().partition(" rows/s, ")[2] == shown
