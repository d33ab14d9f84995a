"""Rate limits that vendors publish for their lower tiers, as data. A preset applies only if a caller selects it.

Published figures change and differ by model. These are the figures for a widely used model of each vendor, with
`adopt="replace"`: the limits in the vendor's response headers replace them from the first response on.
"""

from __future__ import annotations

from collections.abc import Mapping

from victor_fp.core.resilience.rate_limit import Limits


def _build_limits(requests: int | None, tokens: int | None = None, concurrency: int | None = None) -> Limits:
    return Limits(requests_per_minute=requests, tokens_per_minute=tokens, concurrency=concurrency, adopt="replace")


UNLIMITED = Limits(adopt="replace")
"""No configured limits; only those that the vendor reports apply."""

PRESETS: Mapping[str, Limits] = {
    "unlimited": UNLIMITED,
    # platform.openai.com/docs/guides/rate-limits, the limits pages of the models
    "openai-tier-1": _build_limits(500, 30_000),
    "openai-tier-2": _build_limits(5_000, 450_000),
    "openai-tier-3": _build_limits(5_000, 800_000),
    "openai-tier-4": _build_limits(10_000, 2_000_000),
    "openai-tier-5": _build_limits(10_000, 30_000_000),
    # docs.anthropic.com/en/api/rate-limits; tokens are input and output together
    "anthropic-tier-1": _build_limits(50, 38_000),
    "anthropic-tier-2": _build_limits(1_000, 540_000),
    "anthropic-tier-3": _build_limits(2_000, 960_000),
    "anthropic-tier-4": _build_limits(4_000, 2_400_000),
    # ai.google.dev/gemini-api/docs/rate-limits
    "google-free": _build_limits(10, 250_000),
    "google-tier-1": _build_limits(1_000, 1_000_000),
    # console.groq.com/docs/rate-limits
    "groq-free": _build_limits(30, 6_000),
    # docs.mistral.ai: one request a second on the free tier
    "mistral-free": _build_limits(60, 500_000),
    # openrouter.ai/docs/api-reference/limits: models whose name ends in ":free"
    "openrouter-free": _build_limits(20),
    # A local server has no limit per minute, only a number of parallel slots.
    "local": Limits(concurrency=4, adopt="replace"),
}
