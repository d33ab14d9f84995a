"""What a pool has to tell of itself: figures for people and dashboards, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from time import time
from typing import Any

import msgspec

from victor_fp.core.metrics import summary
from victor_fp.core.resilience import breaker as circuit
from victor_fp.core.resilience.health import condition, latency, score
from victor_fp.shell.managed import Pool
from victor_fp.shell.managed_target import Target

RECENT = 20
"""Samples that are spelled out."""


def metrics_of(pool: Pool) -> dict[str, Any] | None:
    """Totals, percentiles over the window, and the last operations; None where nobody wanted any."""
    metrics = pool.metrics
    if metrics is None:
        return None
    recent = [msgspec.to_builtins(sample) for sample in metrics.samples[-RECENT:]]
    return {"summary": summary(metrics), "recent": recent, "history_size": len(metrics.samples)}


def resilience_of(pool: Pool) -> dict[str, Any] | None:
    """Breakers, health and who answered; None where there is no breaker and nowhere to fall back."""
    first, *others = pool.targets
    if first.breaker is None and not others:
        return None
    metrics = pool.metrics
    return {
        "total_requests": None if metrics is None else metrics.operations,
        "total_failures": None if metrics is None else metrics.failures,
        "retry_attempts": None if metrics is None else metrics.retries,
        "primary_successes": pool.answered.get(0, 0),
        "fallback_successes": sum(count for place, count in pool.answered.items() if place > 0),
        "primary_circuit": circuit_of(first),
        "fallback_circuits": {title_of(target): circuit_of(target) for target in others},
        "health": {title_of(target): health_of(target) for target in pool.targets},
    }


def limits_of(targets: Sequence[Target]) -> dict[str, Any] | None:
    """Limits, permits and lines by target and model, the first target's also at the top; None where nothing limits."""
    if all(target.limits is None for target in targets):
        return None
    by_target: dict[str, Any] = {}
    for target in targets:
        for model, place in target.places.items():
            if place.door is not None:
                by_target[f"{target.source.name}:{model}"] = place.door.stats()
    first: dict[str, Any] = by_target.get(title_of(targets[0]), {})
    return {**first, "targets": by_target}


def circuit_of(target: Target) -> dict[str, Any] | None:
    """A target's breaker, or None where it has none."""
    breaker = target.circuit()
    return None if breaker is None else circuit.stats(breaker, title_of(target), target.store.now(), time())


def health_of(target: Target) -> dict[str, Any]:
    """A target's health as its real traffic shows it; latency in seconds."""
    now = target.store.now()
    return {
        "condition": condition(target.health, now),
        "score": score(target.health, now),
        "latency": latency(target.health),
    }


def is_open(target: Target) -> bool:
    """Whether calls to a target fail fast right now."""
    breaker = target.circuit()
    return breaker is not None and circuit.is_open(breaker, target.store.now())


def is_healthy(target: Target) -> bool:
    """Whether a call made now is likely to be answered."""
    return not is_open(target) and condition(target.health, target.store.now()) != "unhealthy"


def title_of(target: Target) -> str:
    """Provider and model."""
    return f"{target.source.name}:{target.model}"
