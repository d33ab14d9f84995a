"""A budget of money, tokens and requests: reserve before a call, settle after it.

Rules of the machine.

`reserve` reserves an estimate, or returns the bound that it exceeds. `settle` replaces the estimate with the actual
usage of the call; `release` returns the estimate if nothing was billed. Reserved amounts count as spent until then, so
concurrent calls cannot exceed the budget, except by the difference between an estimate and the actual usage of each
call. A shortage is final if the estimate would not fit even with nothing reserved; otherwise calls in flight may still
free part of the budget.

A budget is shared by sharing the cell that holds its state. `merge_changes` adds what a process spent while it could not reach
the shared state, as one difference, so that nothing spent is forgotten. The reservations of a process that died remain and count
as spent, because the vendor may have billed them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from victor_fp.core.usage.cost import Price, PricedUsage

if TYPE_CHECKING:
    from victor_fp.core.telemetry.stats import BudgetStats

Bound: TypeAlias = Literal["usd", "tokens", "requests"]


class Budget(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Bounds on the total spending; None is unlimited. Money in US dollars. Raises ValueError for a bound below zero or NaN."""

    usd: float | None = None
    tokens: int | None = None
    requests: int | None = None
    name: str = "default"
    """All processes with a budget of this name in the same store share it."""

    def __post_init__(self) -> None:
        for name, bound in (("usd", self.usd), ("tokens", self.tokens), ("requests", self.requests)):
            if bound is not None and not bound >= 0:
                raise ValueError(f"budget: {name} must be a number of at least 0, not {bound!r}")


class Amount(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The usage of one call, estimated or actual."""

    usd: float = 0.0
    tokens: int = 0
    requests: int = 1


class Spending(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state: the amounts spent, and those reserved by calls in flight."""

    budget: Budget
    spent: Amount = Amount(requests=0)
    reserved: Amount = Amount(requests=0)
    mark: str = ""
    """Unique name of the last change: states with equal amounts but different changes differ."""


class Shortage(msgspec.Struct, frozen=True, gc=False):
    """The bound that an estimate exceeds."""

    bound: Bound
    is_final: bool
    """Whether the estimate would not fit even if all reservations were released."""


def reserve(state: Spending, estimate: Amount) -> tuple[Spending, Shortage | None]:
    """Reserve the estimate; or return the state unchanged, with the bound that the estimate exceeds."""
    after = _add(state.reserved, estimate)
    bound = _find_exceeded(state.budget, _add(state.spent, after))
    if bound is None:
        return replace(state, reserved=after), None
    final = _find_exceeded(state.budget, _add(state.spent, estimate))
    return state, Shortage(final or bound, final is not None)


def settle(state: Spending, estimate: Amount, actual: Amount) -> Spending:
    """Record a call that was reserved with `estimate` and used `actual`."""
    return replace(state, reserved=_subtract(state.reserved, estimate), spent=_add(state.spent, actual))


def release(state: Spending, estimate: Amount) -> Spending:
    """Release the reservation of a call that was not billed."""
    return replace(state, reserved=_subtract(state.reserved, estimate))


def merge_changes(shared: Spending, base: Spending, mine: Spending) -> Spending:
    """Add the changes from `base` to `mine` to a state that others have changed meanwhile; no amount is below zero.

    >>> base = Spending(budget=Budget(), spent=Amount(requests=3))
    >>> shared, mine = replace(base, spent=Amount(requests=5)), replace(base, spent=Amount(requests=4))
    >>> merge_changes(shared, base, mine).spent.requests
    6
    """
    return replace(
        shared,
        spent=_add_difference(shared.spent, base.spent, mine.spent),
        reserved=_add_difference(shared.reserved, base.reserved, mine.reserved),
        mark=shared.mark if mine.mark == base.mark else mine.mark,
    )


def estimate_amount(
    budget: Budget, price: Price | None, model: str, prompt_tokens: int, answer_tokens: int
) -> Amount | None:
    """Estimate the usage of a call; None if the budget limits money and the model has no known price."""
    tokens = prompt_tokens + answer_tokens
    if budget.usd is None:
        return Amount(tokens=tokens)
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": answer_tokens}
    usd = None if price is None else price(PricedUsage(models=(model,), usage=usage))
    return None if usd is None else Amount(usd=usd, tokens=tokens)


def sum_amounts(amounts: Iterable[Amount]) -> Amount:
    """Return the usage of several calls together.

    >>> sum_amounts([Amount(usd=2.0, tokens=5), Amount(usd=1.0, tokens=1)])
    Amount(usd=3.0, tokens=6, requests=2)
    """
    total = Amount(requests=0)
    for amount in amounts:
        total = _add(total, amount)
    return total


def describe_spending(state: Spending) -> BudgetStats:
    """Return the limit, the amount spent and the amount reserved of each bound, for display."""
    budget, spent, reserved = state.budget, state.spent, state.reserved
    return {
        "usd": {"limit": budget.usd, "spent": spent.usd, "reserved": reserved.usd},
        "tokens": {"limit": budget.tokens, "spent": spent.tokens, "reserved": reserved.tokens},
        "requests": {"limit": budget.requests, "spent": spent.requests, "reserved": reserved.requests},
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


def _add_difference(amount: Amount, before: Amount, after: Amount) -> Amount:
    return Amount(
        usd=max(0.0, amount.usd + (after.usd - before.usd)),
        tokens=max(0, amount.tokens + (after.tokens - before.tokens)),
        requests=max(0, amount.requests + (after.requests - before.requests)),
    )


def _subtract(one: Amount, other: Amount) -> Amount:
    return Amount(
        usd=max(0.0, one.usd - other.usd),
        tokens=max(0, one.tokens - other.tokens),
        requests=max(0, one.requests - other.requests),
    )
