"""A job's budget: the estimated cost of each row is reserved before, and settled after it is processed."""

from __future__ import annotations

from returns.result import Failure, Result, Success

from victor_fp.core.dialects.batches import BatchLimits
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.jobs.records import RowAnswer
from victor_fp.core.jobs.rows import CheckedRow
from victor_fp.core.resilience.budget import Amount, Budget
from victor_fp.core.result import outcome
from victor_fp.core.types import DEFAULT_MAX_TOKENS, Message
from victor_fp.core.usage.cost import Price, PricedUsage, scale_price
from victor_fp.shell.engine.budget_keeper import BudgetKeeper
from victor_fp.shell.store import Store

MAX_WAIT = 600.0
"""Maximum seconds that a row waits for rows in flight to release part of the budget."""


class JobSpending:
    """The spending of a job."""

    def __init__(self, budget: Budget, price: Price | None, provider: str, store: Store) -> None:
        self.limits: BatchLimits | None = None
        """Those of batches, with their discount; None for the live route."""
        self._price = price
        self._keeper = BudgetKeeper(budget, store, lambda _: None if price is None else self._scale)
        self._store = store
        self._provider = provider

    async def reserve(self, row: CheckedRow, max_wait: float = MAX_WAIT) -> Result[Amount, Fault]:
        """Reserve the estimated cost of a row; the amount must be settled. `max_wait` is in seconds."""
        chosen = 0 if row.texts else row.options.get("max_tokens", DEFAULT_MAX_TOKENS)
        messages = row.messages or [Message(role="user", content=text) for text in row.texts]
        max_tokens = chosen if isinstance(chosen, int) else None
        deadline = self._store.now() + max_wait
        return await self._keeper.reserve(self._provider, row.model, None, messages, row.tools, max_tokens, deadline)

    def settle(self, estimate: Amount, model: str, result: Result[RowAnswer, Fault] | None) -> None:
        """Replace an estimate by the actual cost. None is a row of unknown outcome: it counts as billed."""
        if result is None:
            self._keeper.settle(estimate, fault=InvalidRequest(maybe_billed=True))
            return
        match outcome(result):
            case Success(response):
                models = (response.model, model)
                self._keeper.settle(estimate, fault=None, answer=response, usage=response.usage, models=models)
            case Failure(fault):
                self._keeper.settle(estimate, fault=fault)

    def _scale(self, sale: PricedUsage) -> float | None:
        price = self._price if self.limits is None else scale_price(self._price, self.limits.find_price_factor)
        return None if price is None else price(sale)
