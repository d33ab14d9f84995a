"""TypedDicts returned by `get_metrics`, `get_info` and the `..._stats` methods.

Times are in seconds; values that were not reported are None.
"""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict


class CircuitBreakerStats(TypedDict):
    """One circuit breaker."""

    name: str
    state: Literal["closed", "open", "half_open"]
    """An open breaker whose recovery timeout has passed is reported as `half_open`."""
    total_calls: int
    total_failures: int
    total_rejected: int
    failure_count: int
    success_count: int
    last_failure_time: float | None
    """Unix time."""
    state_changes: int


class LimiterStats(TypedDict):
    """The rate limiter of one target and model."""

    state: str
    requests_per_minute: int | None
    tokens_per_minute: int | None
    concurrency: int | None
    requests_last_minute: int
    tokens_last_minute: int
    in_flight: int
    total_requests: int


class QueueStats(LimiterStats):
    """A rate limiter with its queue."""

    waiting: int
    """Calls in the queue."""
    cooldown: float
    """Seconds until the next request may be sent."""


class RateLimitStats(TypedDict):
    """Returned by `get_rate_limit_stats`: statistics of the first target with its model, and of all targets."""

    state: NotRequired[str]
    requests_per_minute: NotRequired[int | None]
    tokens_per_minute: NotRequired[int | None]
    concurrency: NotRequired[int | None]
    requests_last_minute: NotRequired[int]
    tokens_last_minute: NotRequired[int]
    in_flight: NotRequired[int]
    total_requests: NotRequired[int]
    waiting: NotRequired[int]
    cooldown: NotRequired[float]
    targets: dict[str, QueueStats]
    """By `provider:model`."""


class BoundStats(TypedDict):
    """One bound of a budget: US dollars, or a number of tokens or requests."""

    limit: float | None
    """None is unlimited."""
    spent: float
    reserved: float
    """Reserved by calls in flight; counts as spent until they end."""


class BudgetStats(TypedDict):
    """Returned by `get_budget_stats`, as last seen by this process."""

    usd: BoundStats
    tokens: BoundStats
    requests: BoundStats


class HealthStats(TypedDict):
    """A target's health, measured from its traffic."""

    condition: Literal["healthy", "degraded", "unhealthy"]
    score: float
    """From 0 (all attempts failed) to 1."""
    latency: float | None


class ResilienceStats(TypedDict):
    """Returned by `get_resilience_stats`. Counts are None if metrics are disabled."""

    total_requests: int | None
    total_failures: int | None
    retry_attempts: int | None
    primary_successes: int
    fallback_successes: int
    primary_circuit: CircuitBreakerStats | None
    fallback_circuits: dict[str, CircuitBreakerStats | None]
    """By `provider:model`."""
    health: dict[str, HealthStats]
    """By `provider:model`."""


class Spread(TypedDict):
    """The distribution of a metric over the window."""

    count: int
    mean: float
    min: float
    max: float
    p50: float
    p90: float
    p95: float
    p99: float


class MetricsSummary(TypedDict):
    """Totals since the start, and distributions over the window."""

    total_requests: int
    total_failures: int
    success_rate: float | None
    outcomes: dict[str, int]
    """Operations by `ok`, `left` or the class name of the fault."""
    retries: int
    fallbacks: int
    prompt_tokens: int
    completion_tokens: int
    window: int
    """Number of operations in the distributions."""
    seconds: Spread | None
    queue_seconds: Spread | None
    retry_seconds: Spread | None
    time_to_first_token: Spread | None
    chunk_gap: Spread | None
    longest_chunk_gap: Spread | None
    tokens_per_second: Spread | None


class OperationSample(TypedDict):
    """One operation; see `victor_fp.core.telemetry.metrics.Sample`."""

    provider: str
    model: str | None
    streamed: bool
    outcome: str
    seconds: float
    queued: float
    retrying: float
    tries: int
    fallbacks: int
    first_piece: float | None
    gap: float | None
    longest_gap: float | None
    prompt_tokens: int | None
    completion_tokens: int | None
    tokens_per_second: float | None


class ProviderMetrics(TypedDict):
    """Returned by `get_metrics`."""

    summary: MetricsSummary
    recent: list[OperationSample]
    """The most recent operations, oldest first."""
    history_size: int
    """Number of operations in the window."""


class ProviderInfo(TypedDict):
    """Returned by `get_info`; without a provider only the first two keys, both None."""

    provider: str | None
    model: str | None
    supports_tools: NotRequired[bool]
    supports_streaming: NotRequired[bool]
    native_tool_calls: NotRequired[bool]
    streaming_tool_calls: NotRequired[bool]
    parallel_tool_calls: NotRequired[bool]
    thinking_mode: NotRequired[bool]
    context_window: NotRequired[int]
    max_output_tokens: NotRequired[int | None]
    capabilities_source: NotRequired[str]
    """`discovered` or `config`."""
    is_cloud: NotRequired[bool]
    is_local: NotRequired[bool]
    is_healthy: NotRequired[bool]
    circuit_open: NotRequired[bool]
    in_flight: NotRequired[int]
    """Operations in flight."""
    last_error: NotRequired[str | None]
    switch_count: NotRequired[int]
