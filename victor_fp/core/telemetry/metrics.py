"""Metrics of operations: one sample each, totals, and percentiles over the most recent samples.

A sample describes one operation with all its attempts at all targets. Values that the vendor did not report are absent,
never zero: tokens per second exist only if usage was reported and time passed between the first and the last chunk.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from victor_fp.core.faults import Attempt

if TYPE_CHECKING:
    from victor_fp.core.telemetry.stats import MetricsSummary, Spread

WINDOW = 1000
"""Default number of samples that are kept."""


class Sample(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One operation. Times in seconds."""

    provider: str
    """The provider that responded, or failed last."""
    model: str | None = None
    streamed: bool = False
    outcome: str = "ok"
    """"ok", "left" (the caller left a stream after its first chunk and was not cancelled), or the class name of the fault."""
    seconds: float
    """From the caller's first await to the end."""
    queued: float = 0.0
    """In the queue of the rate limiter."""
    retrying: float = 0.0
    """In failed attempts and backoff, without time in the queue."""
    tries: int = 1
    """Number of attempts."""
    fallbacks: int = 0
    first_piece: float | None = None
    """Time to first chunk, from sending the successful request; streams only."""
    gap: float | None = None
    """Mean time between chunks."""
    longest_gap: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    tokens_per_second: float | None = None


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """The state: a bounded window and totals."""

    window: int = WINDOW
    older: tuple[Sample, ...] = ()
    latest: tuple[Sample, ...] = ()
    """The most recent samples, not yet added up, so that recording one is cheap."""
    operations: int = 0
    failures: int = 0
    retries: int = 0
    fallbacks: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    outcomes: Mapping[str, int] = {}

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The window, oldest first."""
        return (self.older + self.latest)[-self.window :] if self.window > 0 else ()


_LATEST_SIZE = 32
NOT_FAILURES = frozenset({"ok", "left", "Cancelled"})
"""Outcomes that are not failures of a provider; in spans, all but "ok" are recorded as an attribute."""


def record_sample(metrics: Metrics, sample: Sample) -> Metrics:
    """Add an operation."""
    metrics = replace(metrics, latest=(*metrics.latest, sample))
    return metrics if len(metrics.latest) < _LATEST_SIZE else add_up(metrics)


def add_up(metrics: Metrics) -> Metrics:
    """Add the latest samples to the window and the totals."""
    latest, outcomes = metrics.latest, dict(metrics.outcomes)
    for sample in latest:
        outcomes[sample.outcome] = outcomes.get(sample.outcome, 0) + 1
    return Metrics(
        window=metrics.window,
        older=(metrics.older + latest)[-metrics.window :] if metrics.window > 0 else (),
        operations=metrics.operations + len(latest),
        failures=metrics.failures + sum(sample.outcome not in NOT_FAILURES for sample in latest),
        retries=metrics.retries + sum(max(0, sample.tries - 1 - sample.fallbacks) for sample in latest),
        fallbacks=metrics.fallbacks + sum(sample.fallbacks for sample in latest),
        prompt_tokens=metrics.prompt_tokens + sum(sample.prompt_tokens or 0 for sample in latest),
        completion_tokens=metrics.completion_tokens + sum(sample.completion_tokens or 0 for sample in latest),
        outcomes=outcomes,
    )


def build_sample(
    attempts: Sequence[Attempt],
    *,
    provider: str,
    model: str | None,
    streamed: bool,
    outcome: str,
    began: float,
    queued: float,
    sent: float | None,
    ended: float,
    arrivals: Sequence[float],
    usage: Mapping[str, Any] | None,
) -> Sample:
    """Build the sample of a finished operation.

    Times are in the clock of `now`: `sent` is when the last request was sent, `arrivals` are those of the chunks.
    """
    prompt_tokens = None if usage is None else usage.get("prompt_tokens")
    completion_tokens = None if usage is None else usage.get("completion_tokens")
    gaps = [after - before for before, after in pairwise(arrivals)] if len(arrivals) > 1 else []
    # For a response in one chunk, the generation time is the whole time since sending.
    since = arrivals[0] if gaps else sent
    generating = None if since is None else ended - since
    tokens_per_second = completion_tokens / generating if completion_tokens and generating else None
    sample = Sample(
        provider=provider,
        model=model,
        streamed=streamed,
        outcome=outcome,
        seconds=ended - began,
        queued=queued,
        retrying=attempts[0].waited if attempts else 0.0,
        tries=len(attempts),
        first_piece=arrivals[0] - sent if arrivals and sent is not None else None,
        gap=(arrivals[-1] - arrivals[0]) / len(gaps) if gaps else None,
        longest_gap=max(gaps, default=None),
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        tokens_per_second=tokens_per_second,
    )
    return sample if len(attempts) < 2 else _add_attempts(sample, attempts)


def _add_attempts(sample: Sample, attempts: Sequence[Attempt]) -> Sample:
    """Add what is known of several attempts: the time in failed ones and backoff, and the changes of the target."""
    failed = sum(attempt.seconds for attempt in attempts[:-1]) + sum(attempt.waited for attempt in attempts)
    targets = [(attempt.provider, attempt.model) for attempt in attempts]
    fallbacks = sum(one != other for one, other in pairwise(targets))
    return replace(sample, retrying=max(0.0, failed - sample.queued), fallbacks=fallbacks)


def compute_percentile(values: Sequence[float], percent: float) -> float | None:
    """Return the smallest of `values` (sorted) that at least `percent` of them do not exceed; None if there are none.

    >>> compute_percentile([1.0, 2.0, 3.0, 4.0], 50)
    2.0
    """
    if not values:
        return None
    return values[max(0, math.ceil(len(values) * percent / 100) - 1)]


def summarize(metrics: Metrics) -> MetricsSummary:
    """Return the totals, and distributions over the window."""
    metrics = add_up(metrics)
    samples = metrics.older
    return {
        "total_requests": metrics.operations,
        "total_failures": metrics.failures,
        "success_rate": 1.0 - metrics.failures / metrics.operations if metrics.operations else None,
        "outcomes": dict(metrics.outcomes),
        "retries": metrics.retries,
        "fallbacks": metrics.fallbacks,
        "prompt_tokens": metrics.prompt_tokens,
        "completion_tokens": metrics.completion_tokens,
        "window": len(samples),
        "seconds": _describe_spread([one.seconds for one in samples]),
        "queue_seconds": _describe_spread([one.queued for one in samples]),
        "retry_seconds": _describe_spread([one.retrying for one in samples]),
        "time_to_first_token": _describe_spread([one.first_piece for one in samples]),
        "chunk_gap": _describe_spread([one.gap for one in samples]),
        "longest_chunk_gap": _describe_spread([one.longest_gap for one in samples]),
        "tokens_per_second": _describe_spread([one.tokens_per_second for one in samples]),
    }


def _describe_spread(values: Sequence[float | None]) -> Spread | None:
    """Return count, mean, minimum, maximum and percentiles of the values that are not None; None if there are none."""
    present = sorted(value for value in values if value is not None)
    if not present:
        return None
    return {
        "count": len(present),
        "mean": sum(present) / len(present),
        "min": present[0],
        "max": present[-1],
        "p50": compute_percentile(present, 50) or 0.0,
        "p90": compute_percentile(present, 90) or 0.0,
        "p95": compute_percentile(present, 95) or 0.0,
        "p99": compute_percentile(present, 99) or 0.0,
    }
