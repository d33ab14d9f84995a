"""Prices from the table of the genai-prices package; no network access."""

from __future__ import annotations

import re
from functools import partial
from urllib.parse import urlsplit

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.requests import Endpoint
from victor_fp.core.usage.cost import Price, PricedUsage

ORDINARY_TIERS = frozenset({"auto", "default", "on_demand", "standard"})
"""Tiers billed at the standard price; for other tiers the table must have a price."""


def with_prices(endpoint: Endpoint) -> Result[Endpoint, Fault]:
    """Return the endpoint with prices. The first call loads the table, which takes about 0.3 s."""
    try:
        import genai_prices  # noqa: F401
    except ImportError:
        name = endpoint.spec.name
        message = "prices=True requires the extra: pip install 'victor-fp[prices]'"
        return Failure(InvalidRequest(provider=name, message=message))
    return Success(msgspec.structs.replace(endpoint, price=price_at(endpoint.base_url)))


def price_at(base_url: str) -> Price:
    """Return the prices of the provider at this base URL; None for models and URLs that are not in the table."""
    return partial(_compute_price, _normalise_address(base_url))


def _compute_price(base_url: str, sale: PricedUsage) -> float | None:
    dollars = (_compute_model_price(base_url, model, sale) for model in sale.models)
    return next((amount for amount in dollars if amount is not None), None)


def _compute_model_price(base_url: str, model: str, sale: PricedUsage) -> float | None:
    from genai_prices import Usage, calc_price

    usage, tier = sale.usage, sale.service_tier
    try:
        found = calc_price(
            Usage(
                input_tokens=usage["prompt_tokens"],
                output_tokens=usage["completion_tokens"],
                cache_read_tokens=usage.get("cache_read_input_tokens"),
                cache_write_tokens=usage.get("cache_creation_input_tokens"),
                output_reasoning_tokens=usage.get("reasoning_tokens"),
            ),
            model,
            provider_api_url=base_url,
            price_context=None if tier is None else {"service_tier": tier},
        )
    except (LookupError, ValueError):  # unknown provider or model, or invalid counts
        return None
    if not is_seller(found.provider.api_pattern, base_url):
        return None
    known = {variant.when.get("service_tier") for variant in found.model.price_variants or ()}
    if tier is not None and tier not in ORDINARY_TIERS and tier not in known:
        return None
    return float(found.total_price)


def is_seller(pattern: str, base_url: str) -> bool:
    """Return whether a pattern of the table matches the complete host of an address, and not only a prefix of it.

    The patterns of the table match prefixes, so that `https://api\\.openai\\.com` also matches
    `https://api.openai.com.example`, and some match across slashes.
    """
    parts = urlsplit(base_url)
    origin = f"{parts.scheme}://{parts.netloc}"
    if "/" in pattern.partition("://")[2].replace("[^/]", "").replace("(?:/|$)", "").replace("(/|$)", ""):
        origin = base_url  # the path also identifies the seller
    match = re.match(pattern, f"{origin}/")
    if match is None:
        return False
    rest = origin[match.end() : len(f"{parts.scheme}://{parts.netloc}")].partition(":")[0]
    return not rest or (match[0].endswith(".") and "." not in rest)


def _normalise_address(base_url: str) -> str:
    """Return the address without user info and with its host in lower case, as in the table."""
    try:
        parts = urlsplit(base_url)
        host = (parts.hostname or "") + ("" if parts.port is None else f":{parts.port}")
    except ValueError:
        return base_url
    return parts._replace(netloc=host).geturl()
