"""A budget in a store, possibly shared with other processes: reserves before a call and settles after it."""

from __future__ import annotations

import asyncio
import logging
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.dialects.batches import BatchLimits
from victor_fp.core.faults import BudgetExceeded, DeadlineExceeded, Fault, InvalidRequest
from victor_fp.core.resilience import budget as machine
from victor_fp.core.resilience.budget import Amount, Budget, Shortage, Spending
from victor_fp.core.retrieval.embeddings import EmbeddingResponse, RerankResponse
from victor_fp.core.types import Message, ToolDefinition, Usage
from victor_fp.core.usage.cost import Price, PricedUsage, scale_price
from victor_fp.core.usage.token_estimates import ANSWER, estimate_text_tokens, estimate_tokens
from victor_fp.shell.engine.telemetry import to_log_line
from victor_fp.shell.runtime import LOGGER
from victor_fp.shell.store import Step, Store
from victor_fp.shell.store.packing import SPENDING

if TYPE_CHECKING:
    from victor_fp.core.batching.types import BatchItem
    from victor_fp.core.telemetry.stats import BudgetStats

E = TypeVar("E")
R = TypeVar("R")

MAX_WAIT = 60.0
"""Maximum seconds that a call without a deadline waits for calls in flight to release part of the budget."""


class BudgetKeeper:
    """One budget, as used by the engine and by jobs.

    `price_for` returns the prices of a server by its base URL; they are required for a budget in US dollars.
    """

    def __init__(self, budget: Budget, store: Store, price_for: Callable[[str | None], Price | None]) -> None:
        self._budget = budget
        self._store = store
        self._price_for = price_for
        self._cell = store.open_cell(f"budget:{budget.name}", Spending(budget=budget), SPENDING)
        self._waiting: list[asyncio.Future[None]] = []
        self._in_flight = 0

    async def reserve(
        self,
        provider: str,
        model: str,
        address: str | None,
        messages: Sequence[Message],
        tools: Sequence[ToolDefinition] | None,
        max_tokens: int | None,
        deadline: float | None = None,
        *,
        texts: Sequence[str] = (),
    ) -> Result[Amount, Fault]:
        """Reserve the estimated cost of a call; the returned amount must be settled.

        `texts` are those of a call that embeds or ranks, which has no messages and no output.
        If the budget is exhausted while calls of this process are in flight, waits for them until `deadline`, in the
        store's clock.
        """
        answer = 0 if texts else ANSWER if max_tokens is None else max_tokens
        prompt = estimate_text_tokens(texts) if texts else estimate_tokens(messages, tools, 0)
        price = self._find_price(address)
        estimate = machine.estimate_amount(self._budget, price, model, prompt, answer)
        if estimate is None:
            return Failure(_build_unpriced_fault(provider, model))
        return await self._reserve_estimate(estimate, provider, model, deadline)

    async def reserve_batch(
        self, provider: str, address: str | None, items: Iterable[BatchItem], limits: BatchLimits
    ) -> Result[Amount, Fault]:
        """Reserve the estimated cost of all requests of a batch together; the returned amount must be settled.

        `limits` have the discount of batches. Waits like `reserve`.
        """
        price = scale_price(self._find_price(address), limits.find_price_factor)
        estimates: list[Amount] = []
        model = ""
        for item in items:
            model = item.model
            estimate = machine.estimate_amount(self._budget, price, model, item.prompt_tokens, item.answer_tokens)
            if estimate is None:
                return Failure(_build_unpriced_fault(provider, model))
            estimates.append(estimate)
        return await self._reserve_estimate(machine.sum_amounts(estimates), provider, model, None)

    async def _reserve_estimate(
        self, estimate: Amount, provider: str, model: str, deadline: float | None
    ) -> Result[Amount, Fault]:
        end_time = self._store.now() + MAX_WAIT if deadline is None else deadline
        while True:
            try:
                async with asyncio.timeout(max(0.0, end_time - self._store.now())):
                    shortage = await self._try_to_reserve(estimate)
            except TimeoutError:
                message = "the deadline passed while the shared store was reserving the budget"
                return Failure(DeadlineExceeded(provider=provider, model=model, message=message))
            if (refusal := self._store.find_refusal()) is not None:
                if shortage is None:
                    self._give_back(estimate)
                return Failure(refusal)
            if shortage is None:
                return Success(estimate)
            remaining = end_time - self._store.now()
            is_alone = not self._in_flight and math.isinf(self._store.poll)
            if shortage.is_final or is_alone or remaining <= 0:
                return Failure(self._build_exceeded_fault(shortage, provider, model))
            await self._wait(remaining)

    def settle(
        self,
        estimate: Amount,
        *,
        fault: Fault | None,
        answer: object = None,
        usage: Usage | None = None,
        models: Sequence[str | None] = (),
        address: str | None = None,
    ) -> None:
        """Replace an estimate by the actual cost.

        A failed call that was not billed costs nothing. If it may have been billed and no usage was reported, the
        estimate is kept.
        """
        counts: Mapping[str, Any] | None = build_priced_usage(answer, usage)
        if fault is not None:
            counts = None if fault.partial is None else fault.partial.usage
            if counts is None and not fault.maybe_billed:
                self._give_back(estimate)
                return
        actual = estimate if counts is None else self._compute_actual(estimate, answer, counts, models, address)
        self._post(partial(_settle, actual), estimate)

    def build_stats(self) -> BudgetStats:
        """Return limit, spent and reserved, as last seen by this process."""
        return machine.describe_spending(msgspec.structs.replace(self._cell.state, budget=self._budget))

    def reset(self) -> None:
        """Set the spent amounts to zero; reservations of calls in flight are kept."""
        self._cell.post(_mark(_reset), None, _ignore)
        self._wake()

    async def _try_to_reserve(self, estimate: Amount) -> Shortage | None:
        """Reserve in one step of the cell. If the caller is cancelled meanwhile, the reservation is released."""
        answers: list[Shortage | None] = []
        self._in_flight += 1
        is_abandoned = False

        def on_shortage(shortage: Shortage | None) -> None:
            answers.append(shortage)
            if shortage is not None:
                self._in_flight -= 1
            elif is_abandoned:
                self._give_back(estimate)

        try:
            await self._cell.change(_mark(partial(_reserve, self._budget)), estimate, on_shortage)
        except BaseException:
            is_abandoned = True
            if answers and answers[0] is None:
                self._give_back(estimate)
            raise
        return answers[0]

    def _give_back(self, estimate: Amount) -> None:
        self._post(_release, estimate)

    def _post(self, step: Step[Spending, Amount, None], estimate: Amount) -> None:
        self._in_flight -= 1
        self._cell.post(_mark(step), estimate, lambda _: self._wake())

    async def _wait(self, seconds: float) -> None:
        """Wait until a call of this process has settled; a shared store is also polled every `poll` seconds."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            async with asyncio.timeout(min(seconds, self._store.poll)):
                await future
        except TimeoutError:
            pass
        finally:
            if future in self._waiting:
                self._waiting.remove(future)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def _build_exceeded_fault(self, shortage: Shortage, provider: str, model: str) -> Fault:
        limit = getattr(self._budget, shortage.bound)
        message = f"the call would exceed the budget of {limit:g} {shortage.bound}; nothing was sent"
        return BudgetExceeded(provider=provider, model=model, message=message)

    def _find_price(self, address: str | None) -> Price | None:
        price = None if self._budget.usd is None else self._price_for(address)
        return None if price is None else partial(apply_price, price)

    def _compute_actual(
        self,
        estimate: Amount,
        answer: object,
        usage: Mapping[str, Any],
        models: Sequence[str | None],
        address: str | None,
    ) -> Amount:
        counted = usage.get("prompt_tokens", 0) + usage.get("completion_tokens", 0)
        usd = estimate.usd
        if self._budget.usd is not None:
            cost = find_reported_cost(answer)
            price = None if cost is not None else self._find_price(address)
            if price is not None and {"prompt_tokens", "completion_tokens"} <= usage.keys():
                cost = price(PricedUsage(models=tuple(name for name in models if name), usage=usage))
            usd = usd if cost is None else cost
        tokens = usage.get("total_tokens") or counted
        return Amount(usd=usd, tokens=tokens if tokens > 0 else estimate.tokens)


def _build_unpriced_fault(provider: str, model: str) -> Fault:
    message = (
        f"the budget in US dollars cannot be enforced: no price is known for model {model!r}; "
        "pass price=, or limit tokens or requests"
    )
    return InvalidRequest(provider=provider, model=model, message=message)


def apply_price(price: Price, sale: PricedUsage) -> float | None:
    """Return the price of a usage in US dollars; None if it is unknown: the function fails, or returns no number of at least 0."""
    try:
        found = price(sale)
        return None if found is None else _check_dollars(float(found))
    except Exception as error:  # the caller's code; a response is paid, and must not be lost
        logging.getLogger(LOGGER).warning("the price of a call cannot be computed: %s", to_log_line(repr(error)))
        return None


def _check_dollars(amount: float) -> float | None:
    """Return a cost; None for NaN, infinity or less than zero: a sum with one of these would no longer limit anything."""
    return float(amount) if 0 <= amount <= sys.float_info.max else None


def build_priced_usage(answer: object, usage: Usage | None) -> Usage | None:
    """Return the usage that a price is applied to; embeddings and rankings have no completion tokens."""
    if usage is None or not isinstance(answer, EmbeddingResponse | RerankResponse):
        return usage
    return {"completion_tokens": 0, **usage}


def find_reported_cost(answer: object) -> float | None:
    """Return the cost in a response's metadata, in US dollars: as reported by the vendor or computed from prices."""
    metadata = getattr(answer, "metadata", None)
    found = metadata.get("cost") if isinstance(metadata, dict) else None
    if not isinstance(found, dict):
        return None
    amount = found.get("amount")
    return _check_dollars(amount) if isinstance(amount, int | float) else None


def _mark(step: Step[Spending, E, R]) -> Step[Spending, E, R]:
    """Let a step name the change that it makes, if it makes one."""
    mark = token_hex(8)  # also unique in processes that were forked

    def run(state: Spending, event: E, now: float) -> tuple[Spending, R]:
        after, answer = step(state, event, now)
        if (after.spent, after.reserved) == (state.spent, state.reserved):
            return after, answer
        return msgspec.structs.replace(after, mark=mark), answer

    return run


def _reserve(budget: Budget, state: Spending, estimate: Amount, _: float) -> tuple[Spending, Shortage | None]:
    return machine.reserve(msgspec.structs.replace(state, budget=budget), estimate)


def _settle(actual: Amount, state: Spending, estimate: Amount, _: float) -> tuple[Spending, None]:
    return machine.settle(state, estimate, actual), None


def _release(state: Spending, estimate: Amount, _: float) -> tuple[Spending, None]:
    return machine.release(state, estimate), None


def _reset(state: Spending, _: None, __: float) -> tuple[Spending, None]:
    return msgspec.structs.replace(state, spent=Amount(requests=0)), None


def _ignore(_: None) -> None:
    """Ignore the result of a step."""
