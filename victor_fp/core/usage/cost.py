"""The cost of a response: as reported by the vendor, else computed from a price table; absent if unknown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, TypeAlias

import msgspec

from victor_fp.core.json import Json

CostSource: TypeAlias = Literal["vendor", "genai-prices"]


class PricedUsage(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs of a price. The counts are those of `types.Usage`."""

    models: tuple[str, ...]
    """The model's names: that reported by the vendor before that of the request."""
    usage: Mapping[str, Any]
    service_tier: str | None = None


Price: TypeAlias = Callable[[PricedUsage], float | None]
"""Returns US dollars; None if the price is not known."""


def scale_price(price: Price | None, find_factor: Callable[[tuple[str, ...]], float]) -> Price | None:
    """Return a price that is multiplied by a factor, which depends on the names of the model."""
    return None if price is None else partial(_scale_price, price, find_factor)


def _scale_price(price: Price, find_factor: Callable[[tuple[str, ...]], float], sale: PricedUsage) -> float | None:
    dollars = price(sale)
    return None if dollars is None else float(dollars) * find_factor(sale.models)


def build_cost(dollars: float, source: CostSource = "vendor") -> dict[str, Json]:
    """Build the value of `metadata["cost"]`.

    >>> build_cost(0.25)
    {'amount': 0.25, 'currency': 'USD', 'source': 'vendor'}
    """
    return {"amount": float(dollars), "currency": "USD", "source": source}


def compute_cost(
    price: Price, models: Sequence[str | None], usage: Mapping[str, Any] | None, metadata: Mapping[str, Any]
) -> dict[str, Json] | None:
    """Compute the cost of a response; None if the vendor reported one, or if a token count is not known."""
    if "cost" in metadata or usage is None or not {"prompt_tokens", "completion_tokens"} <= usage.keys():
        return None
    names = tuple(dict.fromkeys(name for name in models if name))
    tier = metadata.get("service_tier")
    dollars = price(PricedUsage(models=names, usage=usage, service_tier=tier if isinstance(tier, str) else None))
    return None if dollars is None else build_cost(dollars, "genai-prices")
