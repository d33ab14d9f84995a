"""What an answer cost: as its vendor says, else as somebody who knows the prices works out; unknown is absent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from victor_fp.core.json import Json

CostSource: TypeAlias = Literal["vendor", "genai-prices"]


class PricedUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What a price depends on. The counts are those of `types.Usage`."""

    models: tuple[str, ...]
    """The model's names, the vendor's own before the caller's."""
    usage: Mapping[str, Any]
    service_tier: str | None = None


Price: TypeAlias = Callable[[PricedUsage], float | None]
"""US dollars; None where a price is not known."""


def build_cost(dollars: float, source: CostSource = "vendor") -> dict[str, Json]:
    """A cost as it stands in `metadata["cost"]`.

    >>> build_cost(0.25)
    {'amount': 0.25, 'currency': 'USD', 'source': 'vendor'}
    """
    return {"amount": float(dollars), "currency": "USD", "source": source}


def compute_cost(
    price: Price, models: Sequence[str | None], usage: Mapping[str, Any] | None, metadata: Mapping[str, Any]
) -> dict[str, Json] | None:
    """The cost of an answer by these prices, where its vendor named none and both of its counts are known."""
    if "cost" in metadata or usage is None or not {"prompt_tokens", "completion_tokens"} <= usage.keys():
        return None
    names = tuple(dict.fromkeys(name for name in models if name))
    tier = metadata.get("service_tier")
    dollars = price(PricedUsage(models=names, usage=usage, service_tier=tier if isinstance(tier, str) else None))
    return None if dollars is None else build_cost(dollars, "genai-prices")
