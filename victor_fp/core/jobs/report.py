"""What a job has come to, as figures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of a ledger. Money in US dollars, times in seconds."""

    read: int = 0
    """Rows of the input that were seen so far."""
    done: int = 0
    failed: int = 0
    """Failed for good."""
    retryable: int = 0
    """Failed in a way that another run may mend."""
    left: int = 0
    """Seen and not finished, the retryable ones included."""
    in_batches: int = 0
    """Rows in vendors' batches, or waiting to be asked again after one."""
    batches: int = 0
    """Batches whose results are not collected yet."""
    results_expire_at: float | None = None
    """When the first results of these batches vanish at the vendor, in seconds since 1970."""
    faults: Mapping[str, int] = {}
    """Failed rows by fault class."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = None
    """Sum of the costs that are known; None where none is."""
    unpriced: int = 0
    """Answered rows whose cost is not known."""
    seconds: float | None = None
    """From the first finished row to the last."""

    @property
    def rows_per_second(self) -> float | None:
        """Throughput over the whole ledger; None before there are two finished rows."""
        finished = self.done + self.failed + self.retryable
        return None if not self.seconds or finished < 2 else finished / self.seconds


def format_report(report: Report) -> str:
    """A few lines for people."""
    lines = [f"{report.done} done, {report.failed} failed, {report.left} left of {report.read} rows read"]
    if report.in_batches:
        lines.append(f"{report.in_batches} rows in {report.batches} open batches")
    if report.results_expire_at is not None:
        lines.append(f"the first results vanish at the vendor at {_format_time(report.results_expire_at)}")
    lines += [f"  {count} x {name}" for name, count in sorted(report.faults.items(), key=lambda item: -item[1])]
    lines.append(f"tokens: {report.prompt_tokens} in, {report.completion_tokens} out")
    if report.cost_usd is not None:
        unpriced = f" ({report.unpriced} answers without a known price)" if report.unpriced else ""
        lines.append(f"cost: ${report.cost_usd:.4f}{unpriced}")
    if report.rows_per_second is not None:
        lines.append(f"throughput: {report.rows_per_second:.1f} rows/s")
    return "\n".join(lines)


def _format_time(seconds: float) -> str:
    """Seconds since 1970 as a date in UTC."""
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds):%Y-%m-%d %H:%M} UTC"
