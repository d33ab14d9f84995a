"""Statistics of a pool of targets, as plain dicts."""

from __future__ import annotations

from collections.abc import Sequence
from time import time

import msgspec

from victor_fp.core.faults import Fault
from victor_fp.core.resilience import breaker as circuit
from victor_fp.core.resilience.breaker import judge_fault
from victor_fp.core.resilience.health import Health, classify_health, compute_latency, observe, score
from victor_fp.core.telemetry.metrics import add_up, summarize
from victor_fp.core.telemetry.stats import (
    CircuitBreakerStats,
    HealthStats,
    OperationSample,
    ProviderMetrics,
    QueueStats,
    RateLimitStats,
    ResilienceStats,
)
from victor_fp.shell.engine.target import Target, TargetPool

RECENT = 20
"""Number of operations that are listed individually."""


class HealthGauge:
    """The health of a target, measured from its attempts."""

    __slots__ = ("health",)

    def __init__(self) -> None:
        self.health = Health()

    def observe(self, fault: Fault | None, seconds: float, now: float) -> None:
        """Record an attempt."""
        self.health = observe(self.health, judge_fault(fault), seconds, now)


def collect_metrics(pool: TargetPool) -> ProviderMetrics | None:
    """Return totals, percentiles over the window, and recent operations; None if metrics are disabled."""
    metrics = pool.metrics
    if metrics is None:
        return None
    recent: list[OperationSample] = [msgspec.to_builtins(sample) for sample in metrics.samples[-RECENT:]]
    return {"summary": summarize(metrics), "recent": recent, "history_size": len(metrics.samples)}


def collect_resilience(pool: TargetPool) -> ResilienceStats | None:
    """Return breakers, health and successes by target; None if there is neither a breaker nor a fallback."""
    first, *others = pool.targets
    if first.breaker is None and not others:
        return None
    metrics = None if pool.metrics is None else add_up(pool.metrics)
    return {
        "total_requests": None if metrics is None else metrics.operations,
        "total_failures": None if metrics is None else metrics.failures,
        "retry_attempts": None if metrics is None else metrics.retries,
        "primary_successes": pool.answered.get(0, 0),
        "fallback_successes": sum(count for index, count in pool.answered.items() if index > 0),
        "primary_circuit": describe_breaker(first, pool),
        "fallback_circuits": {format_title(target): describe_breaker(target, pool) for target in others},
        "health": {format_title(target): describe_health(target, pool) for target in pool.targets},
    }


def collect_limits(targets: Sequence[Target]) -> RateLimitStats | None:
    """Return limits and queues by target and model, the first target's also at the top level; None without limits."""
    if all(target.limits is None for target in targets):
        return None
    by_target: dict[str, QueueStats] = {}
    for target in targets:
        for model, state in target.states.items():
            if state.limiter is not None:
                by_target[f"{target.backend.name}:{model}"] = state.limiter.build_stats()
    first = by_target.get(format_title(targets[0]))
    return {"targets": by_target} if first is None else {**first, "targets": by_target}


def describe_breaker(target: Target, pool: TargetPool) -> CircuitBreakerStats | None:
    """Return the statistics of a target's breaker; None if it has none."""
    breaker = target.read_breaker()
    return None if breaker is None else circuit.build_stats(breaker, format_title(target), pool.store.now(), time())


def describe_health(target: Target, pool: TargetPool) -> HealthStats:
    """Return a target's health, measured from its traffic; latency in seconds."""
    now, health = pool.store.now(), Health() if target.health is None else target.health.health
    return {
        "condition": classify_health(health, now),
        "score": score(health, now),
        "latency": compute_latency(health),
    }


def is_open(target: Target, pool: TargetPool) -> bool:
    """Return whether the target's circuit breaker is open."""
    breaker = target.read_breaker()
    return breaker is not None and circuit.is_open(breaker, pool.store.now())


def is_healthy(target: Target, pool: TargetPool) -> bool:
    """Return whether a call is currently likely to succeed."""
    return not is_open(target, pool) and describe_health(target, pool)["condition"] != "unhealthy"


def format_title(target: Target) -> str:
    """Return `provider:model`."""
    return f"{target.backend.name}:{target.model}"
