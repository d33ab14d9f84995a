"""How one vendor speaks a family of batch APIs, and what its batches may hold, as data."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec


class BatchLimits(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one batch may hold, with the place that says so and the day on which it was read."""

    max_requests: int
    max_bytes: int
    mixes_models: bool = False
    """Whether requests of one batch may be for several models."""
    window_hours: int = 24
    """After so many hours the vendor gives up on what is not answered."""
    results_hours: int | None = None
    """How long results are kept after the batch was created; None is not said."""
    price_factor: float | None = None
    """Of the price of live calls; None is not said."""
    source: str
    date: str
    """YYYY-MM-DD."""


class OpenAIBatches(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A file of lines is uploaded, a batch names it, and results are files again."""

    family: Literal["openai"] = "openai"
    purpose: str = "batch"
    upload: Literal["files", "files/upload"] = "files"
    route_prefix: str = "/v1"
    """What stands before the operation's path in lines and batches."""
    lines_have_url: bool = True
    window: str = "24h"
    takes_metadata: bool = True


class AnthropicBatches(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Requests are sent in the body, and results are a stream of lines."""

    family: Literal["anthropic"] = "anthropic"


class GeminiBatches(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Requests are sent in the body of a long-running operation, whose answer holds the results."""

    family: Literal["gemini"] = "gemini"


class MistralBatches(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A job names uploaded files, its model and its operation; results are files."""

    family: Literal["mistral"] = "mistral"


class XAIBatches(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An empty batch is created, requests are added in several calls, and results come in pages."""

    family: Literal["xai"] = "xai"
    max_bytes_per_call: int = 25_000_000


class OpenRouterBatches(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Requests are sent in the body, and the finished batch holds the results."""

    family: Literal["openrouter"] = "openrouter"


BatchDialect: TypeAlias = (
    OpenAIBatches | AnthropicBatches | GeminiBatches | MistralBatches | XAIBatches | OpenRouterBatches
)


class BatchSupport(msgspec.Struct, frozen=True, kw_only=True):
    """A vendor's batch API: how it is spoken, and its limits."""

    dialect: BatchDialect
    limits: BatchLimits
