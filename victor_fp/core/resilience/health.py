"""The health of one target, as its real traffic shows it.

Rules of the machine.

Each try that says something about the server (its verdict is succeeded or failed) weighs 1 and fades with a half-life;
the score is the share of successes among what is remembered, with one imagined success so that a target nobody has tried
is healthy and a single failure makes it no worse than degraded. Latency is the faded mean of successful tries. With time and without
traffic a target drifts back to its beginnings, so that one that failed long ago is tried again.

A target is healthy from 0.8 up, degraded from 0.5 up, else unhealthy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from victor_fp.core.resilience.breaker import Verdict

Condition: TypeAlias = Literal["healthy", "degraded", "unhealthy"]


class HealthPolicy(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How fast to forget, in seconds, and where the conditions part."""

    half_life: float = 60.0
    healthy: float = 0.8
    degraded: float = 0.5


class Health(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state: faded weights as of `at`."""

    policy: HealthPolicy = HealthPolicy()
    at: float = 0.0
    successes: float = 0.0
    failures: float = 0.0
    seconds: float = 0.0
    """Sum of the seconds of the successes, faded alike."""
    last_failure: float | None = None


def observe(health: Health, verdict: Verdict, seconds: float, now: float) -> Health:
    """The state after a try that took `seconds`. Verdicts about the caller say nothing about the target."""
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
    """0 (nothing works) to 1 (everything does, or nothing is known)."""
    fade = _fade(health, now)
    return (1.0 + health.successes * fade) / (1.0 + (health.successes + health.failures) * fade)


def compute_latency(health: Health) -> float | None:
    """Mean seconds of a successful try; None where there was none."""
    return health.seconds / health.successes if health.successes > 0 else None


def classify_health(health: Health, now: float) -> Condition:
    """The score in a word."""
    value = score(health, now)
    if value >= health.policy.healthy:
        return "healthy"
    return "degraded" if value >= health.policy.degraded else "unhealthy"


def sort_by_preference(targets: Mapping[str, Health], now: float) -> list[str]:
    """Names of the targets that are not unhealthy: the healthy ones before the degraded ones, each from the fastest on.

    A target without a latency comes after those with one; names in the order given where nothing else decides.
    """
    usable = {name: health for name, health in targets.items() if classify_health(health, now) != "unhealthy"}
    return sorted(usable, key=lambda name: _make_sort_key(usable[name], now))


def _make_sort_key(health: Health, now: float) -> tuple[bool, float]:
    seconds = compute_latency(health)
    return classify_health(health, now) != "healthy", math.inf if seconds is None else seconds


def _fade(health: Health, now: float) -> float:
    return math.exp2(-max(0.0, now - health.at) / health.policy.half_life)
