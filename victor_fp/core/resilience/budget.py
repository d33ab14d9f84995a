"""A budget of money, tokens and requests: reserve before a call, settle after it.

Rules of the machine.

`reserve` takes an estimate out of what is left, or says which bound is in the way. `settle` replaces the estimate by
what the call really took; `release` gives the estimate back where nothing was billed. What is reserved counts as spent
until then, so that calls in flight together cannot spend more than the budget, whatever their number; only the
difference between an estimate and its real figure can go beyond it, once per call. A shortage is final where the
estimate would not fit even if nothing were reserved; else calls in flight may still give room back.

A budget is shared by sharing the cell that holds its state. What a process that died had reserved stays reserved, and
so counts as spent: the vendor may have billed it.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from victor_fp.core.cost import Price, PricedUsage

Bound: TypeAlias = Literal["usd", "tokens", "requests"]


class Budget(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What may be spent in all; None is no bound. Money in US dollars."""

    usd: float | None = None
    tokens: int | None = None
    requests: int | None = None
    name: str = "default"
    """Whoever has a budget of this name in the same store spends from it together."""


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


class Shortage(msgspec.Struct, frozen=True, gc=False):
    """Why an estimate was not reserved."""

    bound: Bound
    is_final: bool
    """Whether it would not fit even if everything that is reserved came back."""


def reserve(state: Spending, estimate: Amount) -> tuple[Spending, Shortage | None]:
    """The state with the estimate reserved; or the state as it was, and the bound that is in the way."""
    after = _add(state.reserved, estimate)
    bound = _find_exceeded(state.budget, _add(state.spent, after))
    if bound is None:
        return replace(state, reserved=after), None
    final = _find_exceeded(state.budget, _add(state.spent, estimate))
    return state, Shortage(final or bound, final is not None)


def settle(state: Spending, estimate: Amount, actual: Amount) -> Spending:
    """The state after a call that was reserved with `estimate` and took `actual`."""
    return replace(state, reserved=_subtract(state.reserved, estimate), spent=_add(state.spent, actual))


def release(state: Spending, estimate: Amount) -> Spending:
    """The state after a call that was reserved and not billed."""
    return replace(state, reserved=_subtract(state.reserved, estimate))


def estimate_amount(
    budget: Budget, price: Price | None, model: str, prompt_tokens: int, answer_tokens: int
) -> Amount | None:
    """What a call may take; None where the budget is in money and no price is known for the model."""
    tokens = prompt_tokens + answer_tokens
    if budget.usd is None:
        return Amount(tokens=tokens)
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": answer_tokens}
    usd = None if price is None else price(PricedUsage(models=(model,), usage=usage))
    return None if usd is None else Amount(usd=usd, tokens=tokens)


def describe_spending(state: Spending) -> dict[str, dict[str, float | None]]:
    """Limit, spent and reserved of each measure, for people and dashboards."""
    return {
        bound: {
            "limit": getattr(state.budget, bound),
            "spent": getattr(state.spent, bound),
            "reserved": getattr(state.reserved, bound),
        }
        for bound in ("usd", "tokens", "requests")
    }


def _find_exceeded(budget: Budget, total: Amount) -> Bound | None:
    if budget.usd is not None and total.usd > budget.usd:
        return "usd"
    if budget.tokens is not None and total.tokens > budget.tokens:
        return "tokens"
    if budget.requests is not None and total.requests > budget.requests:
        return "requests"
    return None


def _add(one: Amount, other: Amount) -> Amount:
    return Amount(usd=one.usd + other.usd, tokens=one.tokens + other.tokens, requests=one.requests + other.requests)


def _subtract(one: Amount, other: Amount) -> Amount:
    return Amount(
        usd=max(0.0, one.usd - other.usd),
        tokens=max(0, one.tokens - other.tokens),
        requests=max(0, one.requests - other.requests),
    )
