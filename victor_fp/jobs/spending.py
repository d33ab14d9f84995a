"""A job's budget: an estimate is reserved before each row is asked, and settled by what the row took."""

from __future__ import annotations

from returns.result import Failure, Result, Success

from victor_fp.core.cost import Price, PricedUsage
from victor_fp.core.faults import BudgetExceeded, Fault, InvalidRequest
from victor_fp.core.jobs.rows import CheckedRow
from victor_fp.core.resilience.budget import Amount, Budget, Spending, release, reserve, settle
from victor_fp.core.result import outcome
from victor_fp.core.token_estimates import estimate_tokens
from victor_fp.core.types import CompletionResponse
from victor_fp.jobs.done import find_cost


class JobSpending:
    """What a job has spent and reserved of its budget."""

    def __init__(self, budget: Budget, price: Price | None, provider: str) -> None:
        self._spending = Spending(budget=budget)
        self._price = price
        self._provider = provider

    def reserve(self, row: CheckedRow) -> Result[Amount, Fault]:
        """Reserve what a row may take; the amount is to be settled. A budget in money needs a price for the row's model."""
        match outcome(self._estimate(row)):
            case Failure(fault):
                return Failure(fault)
            case Success(estimate):
                pass
        self._spending, bound = reserve(self._spending, estimate)
        if bound is None:
            return Success(estimate)
        limit = getattr(self._spending.budget, bound)
        message = f"the budget of {limit:g} {bound} is used up; the remaining rows were not sent"
        return Failure(BudgetExceeded(message=message))

    def settle(self, estimate: Amount, result: Result[CompletionResponse, Fault] | None) -> None:
        """Replace an estimate by what the row took. None is a row whose end is not known: it counts as billed."""
        response = None if result is None else result.value_or(None)
        if response is not None:
            usage = response.usage or {}
            cost = find_cost(response, self._price, None)
            actual = Amount(
                usd=estimate.usd if cost is None else cost, tokens=usage.get("total_tokens") or estimate.tokens
            )
            self._spending = settle(self._spending, estimate, actual)
        elif result is None or result.failure().maybe_billed:
            self._spending = settle(self._spending, estimate, estimate)
        else:
            self._spending = release(self._spending, estimate)

    def _estimate(self, row: CheckedRow) -> Result[Amount, Fault]:
        chosen = row.options.get("max_tokens")
        answer = chosen if isinstance(chosen, int) else None
        prompt = estimate_tokens(row.messages, row.tools, 0)
        total = estimate_tokens(row.messages, row.tools, answer)
        if self._spending.budget.usd is None:
            return Success(Amount(tokens=total))
        usage = {"prompt_tokens": prompt, "completion_tokens": total - prompt}
        usd = None if self._price is None else self._price(PricedUsage(models=(row.model,), usage=usage))
        if usd is None:
            message = (
                f"no price is known for model {row.model!r}, so a budget in US dollars cannot be kept; pass price="
            )
            return Failure(InvalidRequest(provider=self._provider, model=row.model, message=message))
        return Success(Amount(usd=usd, tokens=total))
