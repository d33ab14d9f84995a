"""The line of tokens and cost below a response."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from typing import Any

import msgspec

from victor_fp.core.types import CompletionResponse
from victor_fp.core.usage.cost import compute_cost
from victor_fp.providers.base import BaseProvider


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """The usage of one or more responses. None means not reported; a sum with an unknown part is unknown."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    dollars: float | None = None
    responses: int = 1

    @property
    def line(self) -> str:
        """The line to show; empty if nothing is known."""
        tokens = []
        if self.prompt_tokens is not None:
            tokens.append(
                f"{self.prompt_tokens:,} in" + (f" ({self.cached_tokens:,} cached)" if self.cached_tokens else "")
            )
        if self.completion_tokens is not None:
            thought = f" ({self.reasoning_tokens:,} reasoning)" if self.reasoning_tokens else ""
            tokens.append(f"{self.completion_tokens:,} out{thought}")
        parts = [f"tokens: {', '.join(tokens)}"] if tokens else []
        parts += [] if self.dollars is None else [f"cost: ${self.dollars:.6f}".rstrip("0").rstrip(".")]
        parts += [f"{self.responses} requests"] if parts and self.responses > 1 else []
        return "; ".join(parts)


def measure_response(provider: BaseProvider, model: str, response: CompletionResponse, *, priced: bool) -> Spent:
    """Return the usage of a response. The cost is the vendor's or, with `priced`, computed from installed prices."""
    usage: Mapping[str, Any] = dict(response.usage or {})
    return Spent(
        prompt_tokens=usage.get("prompt_tokens"),
        completion_tokens=usage.get("completion_tokens"),
        cached_tokens=usage.get("cache_read_input_tokens") or 0,
        reasoning_tokens=usage.get("reasoning_tokens") or 0,
        dollars=_find_dollars(provider, model, response, priced=priced),
    )


def add_up(spent: Iterable[Spent]) -> Spent:
    """Return the sum.

    >>> add_up([Spent(prompt_tokens=1, completion_tokens=2), Spent(prompt_tokens=3)]).line
    'tokens: 4 in; 2 requests'
    """
    every = list(spent)
    return Spent(
        prompt_tokens=_sum([one.prompt_tokens for one in every]),
        completion_tokens=_sum([one.completion_tokens for one in every]),
        cached_tokens=sum(one.cached_tokens for one in every),
        reasoning_tokens=sum(one.reasoning_tokens for one in every),
        dollars=_sum_dollars([one.dollars for one in every]),
        responses=len(every),
    )


def _sum(values: list[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if values and len(known) == len(values) else None


def _sum_dollars(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if values and len(known) == len(values) else None


def _find_dollars(provider: BaseProvider, model: str, response: CompletionResponse, *, priced: bool) -> float | None:
    metadata = dict(response.metadata or {})
    cost: Any = metadata.get("cost")
    if cost is None and priced and provider.base_url and find_spec("genai_prices") is not None:
        from victor_fp.shell.prices import price_at

        cost = compute_cost(price_at(provider.base_url), (response.model, model), response.usage, metadata)
    amount = cost.get("amount") if isinstance(cost, Mapping) else None
    return float(amount) if isinstance(amount, int | float) else None
