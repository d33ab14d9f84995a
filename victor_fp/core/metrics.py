"""What calls were like: one sample each, totals for ever, and percentiles over the last so many.

A sample says what happened to one operation, with all its tries at all targets. What the vendor did not report is
absent, never zero: tokens per second exist only where usage was reported and time passed between first and last piece.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import msgspec

from victor_fp.core.faults import Attempt
from victor_fp.core.stats import MetricsSummary, Spread

WINDOW = 1000
"""Samples that are remembered."""


class StreamTiming(msgspec.Struct, frozen=True, gc=False):
    """When the pieces of a stream came. Times are those of the `now` that was passed in."""

    first: float | None = None
    last: float = 0.0
    chunks: int = 0
    longest_gap: float = 0.0


NO_CHUNKS = StreamTiming()


def record_chunk(timing: StreamTiming, now: float) -> StreamTiming:
    """After one more piece."""
    if timing.first is None:
        return StreamTiming(now, now, 1, 0.0)
    gap = now - timing.last
    return StreamTiming(timing.first, now, timing.chunks + 1, max(timing.longest_gap, gap))


class Sample(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One operation. Times in seconds."""

    provider: str
    """Who answered, or failed last."""
    model: str | None = None
    streamed: bool = False
    outcome: str = "ok"
    """"ok", "left" (the caller left an answer that had begun), or the class name of the fault."""
    seconds: float
    """From the caller's first await to the end."""
    queued: float = 0.0
    """In line for leave to send."""
    retrying: float = 0.0
    """In tries that failed and in rests after them, time in line apart."""
    tries: int = 1
    fallbacks: int = 0
    first_piece: float | None = None
    """From sending the request that was answered to its first piece; streams only."""
    gap: float | None = None
    """Mean time between pieces."""
    longest_gap: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    tokens_per_second: float | None = None


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """The state: a bounded window and totals."""

    window: int = WINDOW
    older: tuple[Sample, ...] = ()
    latest: tuple[Sample, ...] = ()
    """The last few, kept apart so that one more is cheap to add to a large window."""
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
_NOT_FAILURES = frozenset({"ok", "left", "Cancelled"})
"""What is no failure of a provider's."""


def record_sample(metrics: Metrics, sample: Sample) -> Metrics:
    """The state with one more operation."""
    failed = sample.outcome not in _NOT_FAILURES
    older, latest = metrics.older, (*metrics.latest, sample)
    if len(latest) >= _LATEST_SIZE:
        older, latest = (older + latest)[-metrics.window :] if metrics.window > 0 else (), ()
    return Metrics(
        window=metrics.window,
        older=older,
        latest=latest,
        operations=metrics.operations + 1,
        failures=metrics.failures + failed,
        retries=metrics.retries + max(0, sample.tries - 1 - sample.fallbacks),
        fallbacks=metrics.fallbacks + sample.fallbacks,
        prompt_tokens=metrics.prompt_tokens + (sample.prompt_tokens or 0),
        completion_tokens=metrics.completion_tokens + (sample.completion_tokens or 0),
        outcomes={**metrics.outcomes, sample.outcome: metrics.outcomes.get(sample.outcome, 0) + 1},
    )


def build_sample(
    attempts: Sequence[Attempt],
    *,
    provider: str,
    model: str | None,
    streamed: bool,
    outcome: str,
    seconds: float,
    queued: float,
    sent: float | None,
    ended: float,
    timing: StreamTiming,
    usage: Mapping[str, int] | None,
) -> Sample:
    """The sample of an operation that is over. `sent` is when the last request went out, `ended` when it was over."""
    completion_tokens = None if usage is None else usage.get("completion_tokens")
    gaps = timing.chunks - 1
    # An answer in one piece tells nothing of how long it took to write but the whole time.
    since = timing.first if gaps > 0 else sent
    generating = None if since is None else ended - since
    return Sample(
        provider=provider,
        model=model,
        streamed=streamed,
        outcome=outcome,
        seconds=seconds,
        queued=queued,
        retrying=_measure_retrying(attempts, queued),
        tries=len(attempts),
        fallbacks=_count_fallbacks(attempts),
        first_piece=None if timing.first is None or sent is None else timing.first - sent,
        gap=(timing.last - (timing.first or 0.0)) / gaps if gaps > 0 else None,
        longest_gap=timing.longest_gap if gaps > 0 else None,
        prompt_tokens=None if usage is None else usage.get("prompt_tokens"),
        completion_tokens=completion_tokens,
        tokens_per_second=completion_tokens / generating if completion_tokens and generating else None,
    )


def _measure_retrying(attempts: Sequence[Attempt], queued: float) -> float:
    """Seconds in tries that failed and in rests, time in line apart."""
    if len(attempts) < 2:  # as nearly always
        return attempts[0].waited if attempts else 0.0
    failed = sum(attempt.seconds for attempt in attempts[:-1]) + sum(attempt.waited for attempt in attempts)
    return max(0.0, failed - queued)


def _count_fallbacks(attempts: Sequence[Attempt]) -> int:
    if len(attempts) < 2:
        return 0
    targets = [(attempt.provider, attempt.model) for attempt in attempts]
    return sum(one != other for one, other in pairwise(targets))


def compute_percentile(values: Sequence[float], percent: float) -> float | None:
    """The smallest of `values` (sorted) that at least `percent` of them do not exceed; None where there are none.

    >>> compute_percentile([1.0, 2.0, 3.0, 4.0], 50)
    2.0
    """
    if not values:
        return None
    return values[max(0, math.ceil(len(values) * percent / 100) - 1)]


def summarize(metrics: Metrics) -> MetricsSummary:
    """Totals, and the distribution of what the window holds."""
    samples = metrics.samples
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
    """Count, mean, least, most and percentiles of what is there; None where nothing is."""
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
