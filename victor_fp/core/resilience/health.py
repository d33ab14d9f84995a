"""The health of one target, measured from its traffic.

Rules of the machine.

Each attempt with the verdict succeeded or failed has a weight of 1 that decays with a half-life. The score is the
weighted share of successes, with one extra success added, so that a target without traffic is healthy and a single
failure makes it at most degraded. Latency is the decayed mean of successful attempts. Without traffic the score returns
to its initial value over time, so that a target that failed long ago is called again.

A target is healthy with a score of at least 0.8, degraded from 0.5, and unhealthy below that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from victor_fp.core.resilience.breaker import BreakerVerdict

Condition: TypeAlias = Literal["healthy", "degraded", "unhealthy"]


class HealthPolicy(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The decay, and the thresholds of the score."""

    half_life: float = 60.0
    """Seconds in which the weight of an attempt halves."""
    healthy: float = 0.8
    degraded: float = 0.5


class Health(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state: decayed weights at the time `at`."""

    policy: HealthPolicy = HealthPolicy()
    at: float = 0.0
    successes: float = 0.0
    failures: float = 0.0
    seconds: float = 0.0
    """Decayed sum of the durations of the successes."""
    last_failure: float | None = None


def observe(health: Health, verdict: BreakerVerdict, seconds: float, now: float) -> Health:
    """Record an attempt of `seconds`. The verdicts ignored and cancelled change nothing."""
    if verdict not in ("succeeded", "failed"):
        return health
    well = verdict == "succeeded"
    fade = _fade(health, now)
    return Health(
        policy=health.policy,
        at=max(now, health.at),
        successes=health.successes * fade + well,
        failures=health.failures * fade + (not well),
        seconds=health.seconds * fade + (seconds if well else 0.0),
        last_failure=health.last_failure if well else now,
    )


def score(health: Health, now: float) -> float:
    """Return the score, from 0 (all attempts failed) to 1 (all succeeded, or there were none)."""
    fade = _fade(health, now)
    return (1.0 + health.successes * fade) / (1.0 + (health.successes + health.failures) * fade)


def compute_latency(health: Health) -> float | None:
    """Return the mean seconds of a successful attempt; None if there was none."""
    return health.seconds / health.successes if health.successes > 0 else None


def classify_health(health: Health, now: float) -> Condition:
    """Return the condition for the score at `now`."""
    value = score(health, now)
    if value >= health.policy.healthy:
        return "healthy"
    return "degraded" if value >= health.policy.degraded else "unhealthy"


def sort_by_preference(targets: Mapping[str, Health], now: float) -> list[str]:
    """Return the names of the targets that are not unhealthy: healthy ones before degraded ones, each by latency.

    A target without a latency comes after those with one; ties keep the given order.
    """
    usable = {name: health for name, health in targets.items() if classify_health(health, now) != "unhealthy"}
    return sorted(usable, key=lambda name: _make_sort_key(usable[name], now))


def _make_sort_key(health: Health, now: float) -> tuple[bool, float]:
    seconds = compute_latency(health)
    return classify_health(health, now) != "healthy", math.inf if seconds is None else seconds


def _fade(health: Health, now: float) -> float:
    return math.exp2(-max(0.0, now - health.at) / health.policy.half_life)
