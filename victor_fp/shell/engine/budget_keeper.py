"""A budget in a store: reserves before a call and settles after it, alone or together with other processes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.cost import Price, PricedUsage
from victor_fp.core.faults import BudgetExceeded, DeadlineExceeded, Fault, InvalidRequest
from victor_fp.core.resilience import budget as machine
from victor_fp.core.resilience.budget import Amount, Budget, Shortage, Spending
from victor_fp.core.token_estimates import ANSWER, estimate_tokens
from victor_fp.core.types import Message, ToolDefinition, Usage
from victor_fp.shell.store import Store
from victor_fp.shell.store.packing import SPENDING

LONGEST_WAIT = 60.0
"""Seconds for which a call without a deadline waits for room that calls in flight may give back."""


class BudgetKeeper:
    """One budget, as the engine and jobs use it.

    `price_for` gives the prices of a server by its base URL; a budget in US dollars needs them.
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
    ) -> Result[Amount, Fault]:
        """Reserve what a call may take; the amount is to be settled.

        While calls of this process in flight may give room back, the call waits, until `deadline` by the store's clock.
        """
        answer = ANSWER if max_tokens is None else max_tokens
        prompt = estimate_tokens(messages, tools, 0)
        price = None if self._budget.usd is None else self._price_for(address)
        estimate = machine.estimate_amount(self._budget, price, model, prompt, answer)
        if estimate is None:
            message = (
                f"a budget in US dollars cannot be kept: no price is known for model {model!r}; "
                "pass price=, or bound tokens or requests"
            )
            return Failure(InvalidRequest(provider=provider, model=model, message=message))
        until = self._store.now() + LONGEST_WAIT if deadline is None else deadline
        while True:
            try:
                async with asyncio.timeout(max(0.0, until - self._store.now())):
                    shortage = await self._try_to_reserve(estimate)
            except TimeoutError:
                message = "the deadline passed while the shared store was asked for the budget"
                return Failure(DeadlineExceeded(provider=provider, model=model, message=message))
            if (refusal := self._store.find_refusal()) is not None:
                if shortage is None:
                    self._give_back(estimate)
                return Failure(refusal)
            if shortage is None:
                return Success(estimate)
            left = until - self._store.now()
            is_alone = not self._in_flight and math.isinf(self._store.poll)
            if shortage.is_final or is_alone or left <= 0:
                return Failure(self._build_exceeded_fault(shortage, provider, model))
            await self._wait(left)

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
        """Replace an estimate by what the call took.

        What failed without being billed takes nothing. Where the vendor may have billed and reported no usage, the
        estimate stands.
        """
        counts: Mapping[str, Any] | None = usage
        if fault is not None:
            counts = None if fault.partial is None else fault.partial.usage
            if counts is None and not fault.maybe_billed:
                self._give_back(estimate)
                return
        actual = estimate if counts is None else self._compute_actual(estimate, answer, counts, models, address)
        self._post(partial(_settle, estimate, actual))

    def build_stats(self) -> dict[str, dict[str, float | None]]:
        """Limit, spent and reserved, as this process last saw them."""
        return machine.describe_spending(msgspec.structs.replace(self._cell.state, budget=self._budget))

    def reset(self) -> None:
        """Begin again with nothing spent; calls in flight stay reserved."""
        self._cell.post(_reset, _ignore)
        self._wake()

    async def _try_to_reserve(self, estimate: Amount) -> Shortage | None:
        """One step of the cell. Where the caller is cancelled meanwhile, what was reserved is given back."""
        answers: list[Shortage | None] = []
        self._in_flight += 1
        is_abandoned = False

        def hear(shortage: Shortage | None) -> None:
            answers.append(shortage)
            if shortage is not None:
                self._in_flight -= 1
            elif is_abandoned:
                self._give_back(estimate)

        try:
            await self._cell.change(partial(_reserve, self._budget, estimate), hear)
        except BaseException:
            is_abandoned = True
            if answers and answers[0] is None:
                self._give_back(estimate)
            raise
        return answers[0]

    def _give_back(self, estimate: Amount) -> None:
        self._post(partial(_release, estimate))

    def _post(self, step: Callable[[Spending, float], tuple[Spending, None]]) -> None:
        self._in_flight -= 1
        self._cell.post(step, lambda _: self._wake())

    async def _wait(self, seconds: float) -> None:
        """Wait until a call of this process has settled; a shared store is looked at each `poll` seconds besides."""
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
        message = f"the budget of {limit:g} {shortage.bound} has no room for the call; nothing was sent"
        return BudgetExceeded(provider=provider, model=model, message=message)

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
            price = None if cost is not None else self._price_for(address)
            if price is not None and {"prompt_tokens", "completion_tokens"} <= usage.keys():
                cost = price(PricedUsage(models=tuple(name for name in models if name), usage=usage))
            usd = usd if cost is None else cost
        return Amount(usd=usd, tokens=usage.get("total_tokens") or counted or estimate.tokens)


def find_reported_cost(answer: object) -> float | None:
    """US dollars in an answer's metadata: as the vendor or the provider's own prices say."""
    metadata = getattr(answer, "metadata", None)
    found = metadata.get("cost") if isinstance(metadata, dict) else None
    amount = found.get("amount") if isinstance(found, dict) else None
    return float(amount) if isinstance(amount, int | float) else None


def _reserve(budget: Budget, estimate: Amount, state: Spending, _: float) -> tuple[Spending, Shortage | None]:
    return machine.reserve(msgspec.structs.replace(state, budget=budget), estimate)


def _settle(estimate: Amount, actual: Amount, state: Spending, _: float) -> tuple[Spending, None]:
    return machine.settle(state, estimate, actual), None


def _release(estimate: Amount, state: Spending, _: float) -> tuple[Spending, None]:
    return machine.release(state, estimate), None


def _reset(state: Spending, _: float) -> tuple[Spending, None]:
    return msgspec.structs.replace(state, spent=Amount(requests=0)), None


def _ignore(_: None) -> None:
    """Nobody waits for it."""
