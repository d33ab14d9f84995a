"""Bounds of limits that many processes share over a real redis-server: requests are counted where the vendor would."""

from __future__ import annotations

import pytest

from tests.bench.shared_limits import (
    FAULTS,
    FULL,
    PER_MINUTE,
    TOKENS_PER_MINUTE,
    Measured,
    measure_binding,
    measure_faults,
    measure_free,
    measure_tokens,
)
from tests.core.resilience.simulation.shared_limit import compute_allowance, count_most_requests, count_most_tokens
from tests.shell.store.redis_process import find_redis

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("redis_server")]

PROCESSES, TASKS = 6, 10
SECONDS = 65.0
"""Longer than the minute that the limit counts."""
BETWEEN = 11.0
"""Seconds between two faults; in them the flow must be full again."""


@pytest.fixture
def redis_server() -> None:
    find_redis()


def check_limit(measured: Measured) -> None:
    """Neither a minute nor any part of it has more requests than the pool lends."""
    assert count_most_requests(measured.requests, 60) <= PER_MINUTE
    for seconds in (1, 5, 20):
        assert count_most_requests(measured.requests, seconds) <= compute_allowance(PER_MINUTE, seconds)


def check_callers(measured: Measured, ended: int = PROCESSES) -> None:
    """Check that this many processes ended and that none of their calls failed: a call does not fail if the store is unreachable."""
    assert len(measured.found) == ended
    assert not measured.faults


def test_a_limit_that_binds_is_used_evenly_and_divided_fairly() -> None:
    measured = measure_binding(PROCESSES, TASKS, SECONDS)
    check_limit(measured)
    assert measured.compute_used(PER_MINUTE) >= 0.95
    assert max(measured.count_by_second(5)) <= 2 * PER_MINUTE / 60
    assert min(measured.shares) >= 0.5  # the process that is further from Redis among them
    check_callers(measured)


def test_a_limit_of_tokens_that_binds_is_kept_and_used_though_estimates_are_wrong() -> None:
    measured = measure_tokens(PROCESSES, TASKS, (0.5, 2.0), SECONDS)
    assert count_most_tokens(measured.tokens, 60) <= TOKENS_PER_MINUTE
    assert sum(tokens for _, tokens in measured.tokens) >= 0.9 * TOKENS_PER_MINUTE * SECONDS / 60
    assert min(measured.shares) >= 0.5
    check_callers(measured)


def test_a_limit_that_does_not_bind_costs_few_scripts_and_no_swaps() -> None:
    measured = measure_free("Redis", PROCESSES, TASKS, 4.0)
    assert 0 < measured.scripts <= 0.05 * len(measured.requests)
    assert measured.swaps == 0  # healthy calls change no breaker, so that none can be lost
    check_callers(measured)


def test_the_limit_holds_through_faults_and_is_in_full_use_again_soon_after() -> None:
    measured, moments = measure_faults(PROCESSES, TASKS, BETWEEN)
    check_limit(measured)
    assert list(moments) == list(FAULTS)
    for name, (begin, end) in moments.items():
        back = measured.find_recovery(begin, end, PER_MINUTE)
        assert back is not None, name
        assert back <= 10.0, name
        assert measured.count(end - 1.5, end) >= 1.5 * FULL * PER_MINUTE / 60, name  # and stays so
    check_callers(measured, PROCESSES - 1)
