"""Progress of a job on a terminal: a bar with rows, rate, failures, cost and remaining time."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Any, Protocol, Self

from returns.result import Failure

from victor_fp.cli.terminal import Terminal
from victor_fp.core.faults import Fault
from victor_fp.jobs import Done, JobRun

WATCH_SECONDS = 2.0
"""Seconds between two looks at why rows wait."""


class Tally:
    """Counts of the finished rows of a run."""

    def __init__(self) -> None:
        self.finished = 0
        self.resumed = 0
        self.failed = 0
        self.cost: float | None = None
        """Sum of the known costs of this run, in US dollars; None if none is known."""
        self.first_fault: Fault | None = None
        """Fault of the first failed row."""
        self.unpriced = 0
        """Responses of this run of unknown cost."""
        self._began = time.monotonic()

    def add(self, done: Done[Any]) -> None:
        """Count a row."""
        self.finished += 1
        self.resumed += done.is_resumed
        if isinstance(done.result, Failure):
            self.failed += 1
            self.first_fault = self.first_fault or done.result.failure()
        if done.is_resumed:
            return
        if done.cost_usd is not None:
            self.cost = (self.cost or 0.0) + done.cost_usd
        elif done.response is not None:
            self.unpriced += 1

    @property
    def rate(self) -> float:
        """Rows per second of this run."""
        seconds = time.monotonic() - self._began
        return (self.finished - self.resumed) / seconds if seconds > 0 else 0.0

    def describe(self) -> str:
        """Return rate, failures and cost as text."""
        parts = [f"{self.rate:.1f} rows/s" if self.rate < 100 else f"{self.rate:.0f} rows/s", f"{self.failed} failed"]
        if self.cost is not None:
            parts.append(f"${self.cost:.4f}")
        if self.unpriced:
            parts.append("cost unknown" if self.cost is None else f"{self.unpriced} of unknown price")
        return ", ".join(parts)


class BatchProgress(Protocol):
    """Shows the progress of a job, as a context manager."""

    def show(self, tally: Tally) -> None:
        """Show these counts."""
        ...

    def note(self, text: str) -> None:
        """Write a line."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class NoProgress:
    """Shows no counts: standard error is not a terminal."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def show(self, tally: Tally) -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Write a line to standard error."""
        self._terminal.write_hint(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class ProgressBar:
    """A bar on standard error."""

    def __init__(self, terminal: Terminal, total: int | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._bar = RichProgress(
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[counts]}"),
            TimeRemainingColumn(),
            console=Console(file=terminal.err),
            redirect_stdout=False,
            redirect_stderr=False,
            transient=True,
        )
        self._task = self._bar.add_task("rows", total=total, counts="")

    def show(self, tally: Tally) -> None:
        """Update the bar, which is drawn at most ten times per second."""
        self._bar.update(self._task, completed=tally.finished, counts=tally.describe())

    def note(self, text: str) -> None:
        """Write a line above the bar."""
        self._bar.console.print(text, markup=False, highlight=False)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


def create_progress(terminal: Terminal, total: int | None) -> BatchProgress:
    """Return a bar if standard error is a terminal."""
    return ProgressBar(terminal, total) if terminal.watched else NoProgress(terminal)


async def watch_waiting(job: JobRun[Any], progress: BatchProgress) -> None:
    """Tell why rows wait, once for each type of fault, until this is cancelled: a server that is down gives no row to show."""
    shown: type[Fault] | None = None
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        fault = job.waiting
        if fault is not None and type(fault) is not shown:
            progress.note(f"victor: rows wait to be sent again, {type(fault).__name__}: {fault.message}")
        shown = None if fault is None else type(fault)
