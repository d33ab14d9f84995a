"""Statistics of a job."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Statistics of a ledger. Costs in US dollars, times in seconds."""

    read: int = 0
    """Rows of the input that the last run has read so far. A run that records no result keeps this count and `left` of an
    earlier one that read more."""
    done: int = 0
    failed: int = 0
    """Failed permanently, including responses that do not match the schema."""
    retryable: int = 0
    """Failed, and retryable in another run."""
    left: int = 0
    """Read and not finished, including retryable ones."""
    in_batches: int = 0
    """Rows in vendors' batches, or queued for a retry after one."""
    batches: int = 0
    """Batches whose results have not been collected."""
    results_expire_at: float | None = None
    """Unix time at which the first results of these batches expire at the vendor."""
    faults: Mapping[str, int] = {}
    """Failed rows by fault class."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = None
    """Sum of the known costs; None if none is known."""
    unpriced: int = 0
    """Responses of unknown cost."""
    seconds: float | None = None
    """From the first to the last finished row."""

    @property
    def rows_per_second(self) -> float | None:
        """Throughput over the whole ledger; None with fewer than two finished rows."""
        finished = self.done + self.failed + self.retryable
        return None if not self.seconds or finished < 2 else finished / self.seconds


def format_report(report: Report) -> str:
    """Format a report as a few lines of text."""
    lines = [f"{report.done} done, {report.failed} failed, {report.left} left of {report.read} rows read"]
    if report.in_batches:
        lines.append(f"{report.in_batches} rows in {report.batches} open batches")
    if report.results_expire_at is not None:
        lines.append(f"the first results expire at the vendor at {_format_time(report.results_expire_at)}")
    lines += [f"  {count} x {name}" for name, count in sorted(report.faults.items(), key=lambda item: -item[1])]
    lines.append(f"tokens: {report.prompt_tokens} in, {report.completion_tokens} out")
    if report.cost_usd is not None or report.unpriced:
        known = "unknown" if report.cost_usd is None else f"${report.cost_usd:.4f}"
        unpriced = f" ({report.unpriced} responses of unknown price)" if report.unpriced else ""
        lines.append(f"cost: {known}{unpriced}")
    if report.rows_per_second is not None:
        lines.append(f"throughput: {report.rows_per_second:.1f} rows/s")
    return "\n".join(lines)


def _format_time(seconds: float) -> str:
    """Format Unix time as a date in UTC."""
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds):%Y-%m-%d %H:%M} UTC"
