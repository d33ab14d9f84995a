"""The rate limit of one key as a table of values."""

from __future__ import annotations

import math

import pytest
from msgspec.structs import replace

from victor_fp.core.resilience.pool import RequestBlock
from victor_fp.core.resilience.rate_limit import (
    Adoption,
    Full,
    Left,
    Limiter,
    Limits,
    Loan,
    Permit,
    Slot,
    adopt,
    build_stats,
    compute_limits,
    find_mode,
    give_back,
    may_limit_tokens,
    take,
    withdraw,
)
from victor_fp.core.resilience.rate_limit_presets import PRESETS
from victor_fp.core.resilience.ratelimit_headers import Reported, ReportedBudget


def build_limiter(requests: int | None = None, tokens: int | None = None, concurrency: int | None = None) -> Limiter:
    return Limiter(limits=Limits(requests_per_minute=requests, tokens_per_minute=tokens, concurrency=concurrency))


def take_permit(state: Limiter, now: float, tokens: int = 0) -> tuple[Limiter, Permit]:
    state, answer = take(state, tokens, now)
    assert isinstance(answer, Permit)
    return state, answer


def expect_full(state: Limiter, now: float, tokens: int = 0) -> float | None:
    _, answer = take(state, tokens, now)
    assert isinstance(answer, Full)
    return answer.retry_after


def use_permits(state: Limiter, now: float, tokens: int = 0, times: int = 1) -> Limiter:
    for _ in range(times):
        state, permit = take_permit(state, now, tokens)
        state = give_back(state, permit, None)
    return state


def test_without_limits_everything_passes() -> None:
    state = use_permits(Limiter(), 0.0, tokens=10**9, times=100)
    assert build_stats(state, 0.0) == {
        "state": "free",
        "requests_per_minute": None,
        "tokens_per_minute": None,
        "concurrency": None,
        "requests_last_minute": 100,
        "tokens_last_minute": 10**11,
        "in_flight": 0,
        "total_requests": 100,
    }


def test_requests_of_the_last_minute_count() -> None:
    state = use_permits(build_limiter(requests=3), 1.0, times=3)
    wait = expect_full(state, 10.0)
    assert wait is not None
    assert wait == pytest.approx(53.0, abs=0.01)
    assert expect_full(state, 62.9) is not None
    take_permit(state, 10.0 + wait)


def test_capacity_is_freed_slot_by_slot() -> None:
    state = use_permits(use_permits(build_limiter(requests=2), 0.0), 30.0)
    state, _ = take_permit(state, 63.0)
    assert expect_full(state, 63.0) == pytest.approx(30.0, abs=0.01)


def test_tokens_are_charged_by_estimate_and_corrected_by_what_was_used() -> None:
    state, permit = take_permit(build_limiter(tokens=1000), 0.0, tokens=900)
    assert expect_full(state, 0.0, tokens=200) == pytest.approx(63.0, abs=0.01)
    state = give_back(state, permit, 300)
    take_permit(state, 5.0, tokens=700)
    assert expect_full(state, 5.0, tokens=701) is not None


def test_more_tokens_than_estimated_are_counted_too() -> None:
    state, permit = take_permit(build_limiter(tokens=1000), 0.0, tokens=100)
    state = give_back(state, permit, 950)
    assert expect_full(state, 5.0, tokens=100) is not None


def test_a_correction_that_comes_after_the_minute_is_forgotten() -> None:
    state, permit = take_permit(build_limiter(tokens=1000), 0.0, tokens=100)
    state = give_back(state, permit, 1000)
    take_permit(state, 70.0, tokens=1000)


def test_a_correction_goes_to_the_slot_of_its_request() -> None:
    state, first = take_permit(build_limiter(tokens=100), 0.0, tokens=50)
    state = use_permits(state, 4.0, tokens=10)
    corrected = give_back(state, first, 30)
    assert corrected.slots == (Slot(0, 1, 30), Slot(1, 1, 10))
    dropped, _ = take_permit(state, 64.0, tokens=10)
    assert give_back(dropped, first, 1000).slots == dropped.slots == (Slot(1, 1, 10), Slot(21, 1, 10))


def test_a_slot_emptied_by_a_clock_set_back_is_not_corrected_below_zero() -> None:
    state, first = take_permit(build_limiter(tokens=100), 15.0, tokens=30)
    state, second = take_permit(state, 15.0, tokens=30)
    state, _ = take_permit(state, 6.0)
    state, _ = take_permit(state, 15.0, tokens=5)
    assert withdraw(withdraw(state, first), second).slots == (Slot(2, 3, 60), Slot(5, 0, 0))


def test_a_call_estimated_above_the_limit_passes_when_the_minute_is_empty() -> None:
    state, _ = take_permit(build_limiter(tokens=1000), 0.0, tokens=5000)
    assert expect_full(state, 0.0, tokens=1) is not None
    used_little = use_permits(build_limiter(tokens=1000), 0.0, tokens=1)
    assert expect_full(used_little, 1.0, tokens=5000) == pytest.approx(62.0, abs=0.01)


def test_concurrency_waits_for_a_permit_to_be_returned() -> None:
    state, permit = take_permit(build_limiter(concurrency=1), 0.0)
    assert expect_full(state, 1.0) is None
    take_permit(give_back(state, permit, None), 2.0)


def test_a_permit_is_returned_once() -> None:
    state, first = take_permit(build_limiter(tokens=1000, concurrency=2), 0.0, tokens=500)
    state, _ = take_permit(state, 0.0, tokens=100)
    state = give_back(state, first, 500)
    assert give_back(state, first, 0) == state
    assert withdraw(state, first) == state


def test_a_permit_of_a_killed_process_expires_after_its_lease() -> None:
    state, _ = take_permit(build_limiter(concurrency=1), 0.0)
    assert expect_full(state, 899.0) is None
    take_permit(state, 900.0)


def test_a_request_that_was_never_sent_uses_no_capacity() -> None:
    fresh = build_limiter(requests=1, tokens=10, concurrency=1)
    state, permit = take_permit(fresh, 0.0, tokens=10)
    take_permit(withdraw(state, permit), 1.0, tokens=10)


def test_withdrawing_one_of_several_frees_its_capacity_only() -> None:
    stated = Reported(
        requests=ReportedBudget(remaining=9, reset=50.0), tokens=ReportedBudget(remaining=900, reset=50.0)
    )
    before = adopt(use_permits(build_limiter(requests=10, tokens=1000), 0.0, tokens=100, times=2), None, stated, 0.0)
    state, permit = take_permit(before, 1.0, tokens=300)
    assert state.adopted is not None
    assert (state.adopted.requests_left, state.adopted.tokens_left) == (Left(8, 50.0), Left(600, 50.0))
    assert withdraw(state, permit) == replace(before, taken=3)


def test_tokens_are_estimated_if_limited_or_before_the_first_response() -> None:
    tokens, requests = ReportedBudget(limit=9, per_minute=True), ReportedBudget(remaining=9, reset=50.0)
    first, permit = take_permit(Limiter(), 0.0)
    silent = give_back(first, permit, None)
    assert [may_limit_tokens(one) for one in (Limiter(), first, silent, take_permit(silent, 1.0)[0])] == [
        True,
        True,
        False,
        False,
    ]
    assert may_limit_tokens(use_permits(build_limiter(tokens=10), 0.0))
    assert not may_limit_tokens(adopt(silent, None, Reported(requests=requests), 1.0))
    assert may_limit_tokens(adopt(silent, None, Reported(tokens=tokens), 1.0))
    assert may_limit_tokens(adopt(silent, None, Reported(tokens=ReportedBudget(remaining=9, reset=50.0)), 1.0))
    deaf = Limiter(limits=Limits(adopt="never"))
    assert [may_limit_tokens(one) for one in (deaf, adopt(deaf, None, Reported(tokens=tokens), 1.0))] == [False, False]
    assert may_limit_tokens(Limiter(limits=Limits(adopt="never", tokens_per_minute=10)))


def test_a_loan_covers_its_last_token_and_its_first_moment_and_not_its_end() -> None:
    loan = Loan(
        blocks=(RequestBlock(5.0, 1, 1.0),), tokens=10, second=3, tokens_until=6.0, permits=1, until=6.0, members=1
    )
    lent = replace(build_limiter(requests=60, tokens=1000, concurrency=9), loan=loan)
    state, permit = take_permit(lent, 5.0, tokens=10)
    assert (permit.second, state.loan) == (3, replace(loan, blocks=(RequestBlock(6.0, 0, 1.0),), tokens=0))
    assert expect_full(lent, 5.0, tokens=11) is None
    assert expect_full(lent, 4.0) == pytest.approx(1.0, abs=1e-3)
    endless = replace(loan, blocks=None)
    assert expect_full(replace(lent, loan=replace(endless, until=99.0)), 6.0) is None
    assert expect_full(replace(lent, loan=replace(endless, tokens_until=99.0)), 6.0) is None
    take_permit(replace(lent, loan=replace(endless, until=99.0, tokens_until=99.0)), 6.0)


def test_a_clock_set_back_blocks_for_at_most_a_minute() -> None:
    state = use_permits(build_limiter(requests=2), 1000.0, times=2)
    wait = expect_full(state, 10.0)
    assert wait is not None
    assert wait <= 66.0
    state, _ = take(state, 0, 10.0)
    take_permit(state, 76.0)


def test_permits_in_the_future_after_a_clock_reset_count_as_granted_now() -> None:
    state = use_permits(use_permits(build_limiter(requests=9), 3.0, tokens=10), 30.0, tokens=20, times=2)
    assert take(state, 5, 6.0)[0].slots == (Slot(1, 1, 10), Slot(2, 3, 45))


def test_a_limit_of_zero_never_admits() -> None:
    assert expect_full(build_limiter(requests=0), 0.0) == math.inf


def test_the_reported_remainder_is_used_until_its_reset() -> None:
    state, permit = take_permit(Limiter(), 0.0)
    stated = Reported(requests=ReportedBudget(limit=100, remaining=1, reset=20.0))
    state = give_back(adopt(state, permit, stated, 1.0), permit, None)
    state = use_permits(state, 2.0)
    assert expect_full(state, 3.0) == pytest.approx(18.0, abs=0.01)
    take_permit(state, 21.1)


def test_calls_in_flight_are_subtracted_from_the_reported_remainder() -> None:
    state, first = take_permit(Limiter(), 0.0, tokens=50)
    state, _ = take_permit(state, 0.0, tokens=60)
    stated = Reported(requests=ReportedBudget(remaining=5, reset=9.0), tokens=ReportedBudget(remaining=100, reset=9.0))
    state = adopt(state, first, stated, 1.0)
    take_permit(state, 1.0, tokens=40)
    assert expect_full(state, 1.0, tokens=41) == pytest.approx(9.0, abs=0.01)


def test_an_exhausted_partial_budget_blocks_all_calls() -> None:
    stated = Reported(
        others=(ReportedBudget(limit=8000, remaining=0, reset=12.0), ReportedBudget(limit=9, remaining=3, reset=99.0))
    )
    state = adopt(Limiter(), None, stated, 0.0)
    assert expect_full(state, 0.0) == pytest.approx(12.0, abs=0.01)
    assert find_mode(state, 0.0) == "held"
    assert find_mode(state, 12.1) == "free"


@pytest.mark.parametrize(
    ("adoption", "ours", "stated", "holds"),
    [
        ("replace", 10, 1000, 1000),
        ("replace", None, 1000, 1000),
        ("tighten", 10, 1000, 10),
        ("tighten", 1000, 10, 10),
        ("tighten", None, 10, 10),
        ("never", 1000, 10, 1000),
        ("never", None, 10, None),
    ],
)
def test_the_reported_limit_replaces_or_tightens_the_configured_one(
    adoption: Adoption, ours: int | None, stated: int, holds: int | None
) -> None:
    state = Limiter(limits=Limits(requests_per_minute=ours, tokens_per_minute=ours, adopt=adoption))
    budget = ReportedBudget(limit=stated, per_minute=True)
    assert compute_limits(adopt(state, None, Reported(requests=budget, tokens=budget), 0.0)) == (holds, holds)


def test_a_limit_of_an_unknown_window_is_not_used_as_a_limit_per_minute() -> None:
    stated = Reported(requests=ReportedBudget(limit=14400, remaining=14399, reset=6.0))
    assert compute_limits(adopt(build_limiter(requests=30), None, stated, 0.0)) == (30, None)


def test_missing_headers_do_not_clear_reported_limits() -> None:
    said = Reported(tokens=ReportedBudget(limit=500, remaining=0, reset=30.0, per_minute=True))
    state = adopt(adopt(Limiter(), None, said, 0.0), None, Reported(), 1.0)
    assert compute_limits(state) == (None, 500)
    assert expect_full(state, 1.0, tokens=5) == pytest.approx(29.0, abs=0.01)


def test_modes_of_the_limiter() -> None:
    assert find_mode(use_permits(build_limiter(tokens=10), 0.0, tokens=10), 1.0) == "full"
    nothing_left = Reported(tokens=ReportedBudget(remaining=0, reset=9.0))
    assert [find_mode(adopt(Limiter(), None, nothing_left, 0.0), now) for now in (0.0, 8.5, 9.0)] == [
        "held",
        "held",
        "free",
    ]
    one_left = Reported(requests=ReportedBudget(remaining=1, reset=9.0))
    busy = adopt(take_permit(build_limiter(concurrency=1), 0.0)[0], None, one_left, 0.0)
    assert find_mode(busy, 1.0) == "held"
    assert find_mode(adopt(build_limiter(requests=0), None, one_left, 0.0), 1.0) == "full"
    more_than_guessed, permit = take_permit(build_limiter(tokens=10), 0.0, tokens=1)
    assert find_mode(give_back(more_than_guessed, permit, 10), 0.0) == "full"
    assert find_mode(Limiter(), 0.0) == "free"
    state = use_permits(build_limiter(requests=1), 0.0)
    assert find_mode(state, 1.0) == "full"
    assert find_mode(state, 63.0) == "free"


def test_presets_are_replaced_by_reported_limits() -> None:
    assert {limits.adopt for limits in PRESETS.values()} == {"replace"}
    assert all((limits.requests_per_minute or 1) > 0 for limits in PRESETS.values())


@pytest.mark.parametrize("reset", [1e15, 9_999_999 * 86_400.0])
def test_a_reset_is_waited_for_a_day_at_most(reset: float) -> None:
    limiter, permit = take(Limiter(), 1, 0.0)
    assert isinstance(permit, Permit)
    for reported in (
        Reported(requests=ReportedBudget(remaining=0, reset=reset)),
        Reported(tokens=ReportedBudget(remaining=0, reset=reset)),
        Reported(others=(ReportedBudget(remaining=0, reset=reset),)),
    ):
        stated = adopt(limiter, permit, reported, 0.0)
        assert isinstance(take(stated, 1, 86_399.0)[1], Full)
        assert isinstance(take(stated, 1, 86_401.0)[1], Permit)


def test_permits_issued_in_a_far_future_do_not_count() -> None:
    damaged = Limiter(limits=Limits(concurrency=1), under_way=(Permit(0, 1e300, 0, 0),))
    assert isinstance(take(damaged, 1, 100.0)[1], Permit)
