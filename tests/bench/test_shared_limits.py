"""How the measurements of shared limits are read."""

from __future__ import annotations

import pytest

from tests.bench.shared_limits import Measured

START = 1_000_000.0


def build_measured(*flows: tuple[float, float, int]) -> Measured:
    """20 s of two processes; one sent nothing, the other evenly so many requests in a second from one time to another."""
    moments = [
        START + begin + (index + 0.5) / rate
        for begin, end, rate in flows
        for index in range(round((end - begin) * rate))
    ]
    return Measured(START, 20.0, [[(moment, 0) for moment in moments], []], [], 0)


@pytest.mark.parametrize(
    ("flows", "after"),
    [
        (((0, 20, 10),), 0.0),
        (((0, 20, 8),), None),
        (((0, 7, 10), (10, 20, 10)), 5.0),
        (((0, 7, 10), (10, 11, 10), (13, 20, 10)), 8.0),
        (((0, 7, 10), (15, 16, 10)), None),
    ],
    ids=["never short", "never full", "short once", "full for a second only between", "not full again"],
)
def test_recovery_is_counted_until_two_seconds_are_full(
    flows: tuple[tuple[float, float, int], ...], after: float | None
) -> None:
    assert build_measured(*flows).find_recovery(5.0, 20.0, 600) == after


def test_use_and_shares_are_those_of_all_processes() -> None:
    found = build_measured((0, 10, 10), (10, 20, 5))
    assert found.compute_used(600) == 0.75
    assert found.shares == [2.0, 0.0]
    assert found.count_by_second(18) == [5, 5]
