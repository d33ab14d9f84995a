"""The budget as a table of values, and its bound as a law."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor_fp.core.resilience.budget import (
    Amount,
    Budget,
    Shortage,
    Spending,
    describe_spending,
    estimate_amount,
    merge_changes,
    release,
    reserve,
    settle,
    sum_amounts,
)
from victor_fp.core.usage.cost import PricedUsage

ONE = Amount(usd=1.0, tokens=100)


def test_reserved_amounts_count_as_spent() -> None:
    state, first = reserve(Spending(budget=Budget(tokens=150)), ONE)
    assert first is None
    assert reserve(state, ONE) == (state, Shortage("tokens", is_final=False))


def test_a_budget_can_be_used_up_exactly() -> None:
    for budget in (Budget(usd=1.0), Budget(tokens=100), Budget(requests=1)):
        state, shortage = reserve(Spending(budget=budget), ONE)
        assert shortage is None
        assert reserve(state, Amount(usd=0.01, tokens=1))[1] is not None


def test_shortage_is_final_if_released_reservations_would_not_help() -> None:
    spent = settle(reserve(Spending(budget=Budget(usd=1.5)), ONE)[0], ONE, ONE)
    assert reserve(spent, ONE)[1] == Shortage("usd", is_final=True)
    assert reserve(Spending(budget=Budget(requests=0)), ONE)[1] == Shortage("requests", is_final=True)


def test_settle_replaces_and_release_returns_the_estimate() -> None:
    state, _ = reserve(Spending(budget=Budget(usd=2.0)), ONE)
    assert describe_spending(state)["usd"] == {"limit": 2.0, "spent": 0.0, "reserved": 1.0}
    settled = settle(state, ONE, Amount(usd=0.25, tokens=9))
    assert describe_spending(settled) == {
        "usd": {"limit": 2.0, "spent": 0.25, "reserved": 0.0},
        "tokens": {"limit": None, "spent": 9, "reserved": 0},
        "requests": {"limit": None, "spent": 1, "reserved": 0},
    }
    assert release(state, ONE) == Spending(budget=Budget(usd=2.0))


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["reserve", "settle", "release"]), st.integers(0, 50))))
def test_changes_of_two_processes_apart_are_those_of_one_after_the_other(
    steps: list[tuple[bool, str, int]],
) -> None:
    """Each process ends only calls that it began, some of them before it lost the shared state."""
    begun = [Amount(tokens=tokens) for tokens in range(10)]
    base = Spending(budget=Budget(), spent=Amount(tokens=7, requests=3))
    for amount in begun * 2:
        base, _ = reserve(base, amount)
    together, apart = base, [base, base]
    in_flight = [list(begun), list(begun)]
    for is_other, kind, tokens in steps:
        mine = in_flight[is_other]
        if kind == "reserve":
            mine.append(Amount(tokens=tokens))
            together, _ = reserve(together, mine[-1])
            apart[is_other], _ = reserve(apart[is_other], mine[-1])
        elif mine:
            estimate = mine.pop(tokens % len(mine))
            actual = Amount(tokens=tokens) if kind == "settle" else Amount(requests=0)
            together = settle(together, estimate, actual)
            apart[is_other] = settle(apart[is_other], estimate, actual)
    assert merge_changes(apart[1], base, apart[0]) == together
    assert merge_changes(apart[0], base, base) == apart[0]


def test_a_budget_without_bounds_refuses_nothing() -> None:
    state = Spending(budget=Budget())
    for _ in range(100):
        state, shortage = reserve(state, ONE)
        assert shortage is None


def test_changes_are_added_to_what_others_changed_and_the_mark_is_that_of_the_last_change() -> None:
    budget = Budget()
    base = Spending(budget=budget, spent=Amount(usd=4.0, tokens=40, requests=4), mark="base")
    shared = Spending(budget=budget, spent=Amount(usd=5.0, tokens=50, requests=5), mark="shared")
    mine = Spending(budget=budget, spent=Amount(usd=6.5, tokens=47, requests=6), mark="mine")
    assert merge_changes(shared, base, mine) == Spending(
        budget=budget, spent=Amount(usd=7.5, tokens=57, requests=7), mark="mine"
    )
    assert merge_changes(shared, base, base) == shared


def test_amounts_that_are_taken_back_twice_are_not_negative() -> None:
    budget = Budget()
    base = Spending(budget=budget, reserved=Amount(usd=2.0, tokens=20, requests=2))
    empty = Spending(budget=budget)
    assert merge_changes(empty, base, empty).reserved == Amount(usd=0.0, tokens=0, requests=0)


def test_amounts_of_several_calls_are_summed() -> None:
    total = sum_amounts([Amount(usd=2.0, tokens=5, requests=3), Amount(usd=1.0, tokens=1)])
    assert total == Amount(usd=3.0, tokens=6, requests=4)
    assert sum_amounts([Amount(usd=2.0)]) == Amount(usd=2.0)
    assert sum_amounts([]) == Amount(requests=0)


def test_a_budget_in_money_needs_a_price() -> None:
    def compute_price(sale: PricedUsage) -> float | None:
        usage = sale.usage
        return 0.5 * usage["prompt_tokens"] + 0.25 * usage["completion_tokens"] if "known" in sale.models else None

    dollars = Budget(usd=1.0)
    assert estimate_amount(dollars, compute_price, "known", 10, 200) == Amount(usd=55.0, tokens=210)
    assert estimate_amount(dollars, compute_price, "other", 10, 200) is None
    assert estimate_amount(dollars, None, "known", 10, 200) is None
    assert estimate_amount(Budget(tokens=5), None, "known", 10, 200) == Amount(tokens=210)


@given(st.integers(0, 2**32), st.integers(1, 5000), st.integers(1, 60))
def test_a_budget_is_never_exceeded_where_estimates_are_upper_bounds(seed: int, tokens: int, requests: int) -> None:
    """Calls that begin and end in any order, and take at most their estimate."""
    luck = random.Random(seed)
    state = Spending(budget=Budget(tokens=tokens, requests=requests))
    in_flight: list[Amount] = []
    for _ in range(200):
        if in_flight and luck.random() < 0.5:
            estimate = in_flight.pop(luck.randrange(len(in_flight)))
            if luck.random() < 0.3:
                state = release(state, estimate)
            else:
                state = settle(state, estimate, Amount(tokens=luck.randint(0, estimate.tokens)))
        else:
            estimate = Amount(tokens=luck.randint(0, 200))
            state, shortage = reserve(state, estimate)
            if shortage is None:
                in_flight.append(estimate)
        assert state.spent.tokens + state.reserved.tokens <= tokens
        assert state.spent.requests + state.reserved.requests <= requests
        assert state.reserved == Amount(tokens=sum(one.tokens for one in in_flight), requests=len(in_flight))


@pytest.mark.parametrize("bound", ["usd", "tokens", "requests"])
@pytest.mark.parametrize("value", [-1, math.nan])
def test_a_bound_that_limits_nothing_or_everything_is_rejected(bound: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"budget: {bound} must be a number of at least 0"):
        Budget(**{bound: value})
