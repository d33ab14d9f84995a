"""A budget of money, tokens and requests: reserve before a call, settle after it.

Rules of the machine.

`reserve` takes an estimate out of what is left, or refuses. `settle` replaces the estimate by what the call really took;
`release` gives the estimate back where nothing was billed. What is reserved counts as spent until then, so that calls in
flight together cannot spend more than the budget, whatever their number; only the difference between an estimate and its
real figure can go beyond it, once per call. A budget is shared by sharing the cell that holds its state.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace


class Budget(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What may be spent in all; None is no bound. Money in US dollars."""

    usd: float | None = None
    tokens: int | None = None
    requests: int | None = None


class Amount(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one call takes, estimated or real."""

    usd: float = 0.0
    tokens: int = 0
    requests: int = 1


class Spending(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state: what was spent, and what calls in flight have reserved."""

    budget: Budget
    spent: Amount = Amount(requests=0)
    reserved: Amount = Amount(requests=0)


def reserve(state: Spending, estimate: Amount) -> tuple[Spending, str | None]:
    """The state with the estimate reserved; or the state as it was, and the name of the bound that is reached."""
    after = _add(state.reserved, estimate)
    budget = state.budget
    if budget.usd is not None and state.spent.usd + after.usd > budget.usd:
        return state, "usd"
    if budget.tokens is not None and state.spent.tokens + after.tokens > budget.tokens:
        return state, "tokens"
    if budget.requests is not None and state.spent.requests + after.requests > budget.requests:
        return state, "requests"
    return replace(state, reserved=after), None


def settle(state: Spending, estimate: Amount, actual: Amount) -> Spending:
    """The state after a call that was reserved with `estimate` and took `actual`."""
    return replace(state, reserved=_subtract(state.reserved, estimate), spent=_add(state.spent, actual))


def release(state: Spending, estimate: Amount) -> Spending:
    """The state after a call that was reserved and not billed."""
    return replace(state, reserved=_subtract(state.reserved, estimate))


def _add(one: Amount, other: Amount) -> Amount:
    return Amount(usd=one.usd + other.usd, tokens=one.tokens + other.tokens, requests=one.requests + other.requests)


def _subtract(one: Amount, other: Amount) -> Amount:
    return Amount(
        usd=max(0.0, one.usd - other.usd),
        tokens=max(0, one.tokens - other.tokens),
        requests=max(0, one.requests - other.requests),
    )
