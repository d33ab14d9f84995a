"""Functions that read a ledger, also while a run has it open, and reopen rows of one that is not open."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.batching.types import BatchHandle, decode_handle
from victor_fp.core.faults import Fault
from victor_fp.core.jobs.decisions import Status
from victor_fp.core.jobs.report import Report
from victor_fp.shell.ledger.batches import count_submitted, open_batches
from victor_fp.shell.ledger.connection import (
    Transaction,
    build_ledger_fault,
    connect,
    connect_to_read,
    is_locked,
    lock_ledger,
)

R = TypeVar("R")

_SUMS = """
SELECT total(prompt_tokens), total(completion_tokens), sum(cost),
    count(CASE WHEN cost IS NULL AND (status = 'done' OR prompt_tokens IS NOT NULL) THEN 1 END)
FROM rows WHERE status IS NOT NULL
"""
"""Tokens, cost and the responses of unknown cost. A failed row has tokens if its response does not match the schema."""


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One finished row."""

    key: str
    status: Status
    body: bytes
    cost: float | None


def read_report(path: str | Path) -> Result[Report, Fault]:
    """Return the report of a ledger; while a run has it open, the report covers the rows committed so far."""
    return _read(Path(path), count_rows)


def read_entries(path: str | Path, *, by_completion: bool = False) -> Iterator[LedgerEntry]:
    """Yield finished rows in the order of the input, or in the order in which they finished. Raises sqlite3.Error."""
    # Only numbers are sorted: sorting whole rows would copy every body into a temporary file.
    order = "finished, id" if by_completion else "position, run, id"
    numbers = f"SELECT id FROM rows WHERE status IS NOT NULL ORDER BY {order}"  # noqa: S608
    with closing(connect_to_read(Path(path))) as connection:
        for (number,) in connection.execute(numbers):
            query = "SELECT key, status, body, cost FROM rows WHERE id = ?"
            key, status, body, cost = connection.execute(query, (number,)).fetchone()
            yield LedgerEntry(key=key, status=status, body=body, cost=cost)


def reopen_rows(path: str | Path, statuses: Iterable[Status]) -> Result[int, Fault]:
    """Discard the results of rows with these statuses, so that the next run sends them again; return their number."""

    file, chosen = Path(path), tuple(statuses)
    marks = ",".join("?" * len(chosen))
    final = f"SELECT count(*) FROM rows WHERE status IN ({marks}) AND status != 'retryable'"  # noqa: S608  marks only
    forget = f"UPDATE rows SET status = NULL, fault = NULL, body = NULL WHERE status IN ({marks})"  # noqa: S608
    try:
        connect_to_read(file).close()  # a path without a ledger is not given one
        with closing(lock_ledger(file)), closing(connect(file)) as connection, Transaction(connection):
            counted = connection.execute(final, chosen).fetchone()
            connection.execute("UPDATE meta SET value = value - ? WHERE name = 'finished'", counted)
            return Success(connection.execute(forget, chosen).rowcount)
    except (sqlite3.Error, OSError) as error:
        return Failure(build_ledger_fault(file, error))


def cancel_run(path: str | Path) -> Result[bool, Fault]:
    """Stop the run that has the ledger open: it starts no more rows after its next commit.

    Returns False if no run has it open.
    """
    file = Path(path)
    try:
        connect_to_read(file).close()  # a path without a ledger is not given one
        is_running = is_locked(file)
        if is_running:
            with closing(connect(file)) as connection:
                connection.execute("INSERT OR REPLACE INTO meta SELECT 'cancelled', value FROM meta WHERE name = 'run'")
        return Success(is_running)
    except (sqlite3.Error, OSError) as error:
        return Failure(build_ledger_fault(file, error))


def read_handles(path: str | Path) -> Result[list[BatchHandle], Fault]:
    """Return the handles of batches whose results have not been collected."""

    def read(connection: sqlite3.Connection) -> list[BatchHandle]:
        found = (decode_handle(batch.handle).value_or(None) for batch in open_batches(connection) if batch.handle)
        return [handle for handle in found if handle is not None]

    return _read(Path(path), read)


def count_rows(connection: sqlite3.Connection) -> Report:
    """Compute the report of an open ledger. It reads every row."""
    statuses = dict(connection.execute("SELECT status, count(*) FROM rows GROUP BY status").fetchall())
    faults = dict(connection.execute("SELECT fault, count(*) FROM rows WHERE fault IS NOT NULL GROUP BY fault"))
    first, last = connection.execute("SELECT min(finished), max(finished) FROM rows").fetchone()
    prompt, completion, cost, unpriced = connection.execute(_SUMS).fetchone()
    counters = dict(connection.execute("SELECT name, value FROM meta WHERE name IN ('read', 'finished')"))
    read = int(counters.get("read", 0))
    batches, in_batches, results_expire_at = count_submitted(connection)
    return Report(
        read=read,
        done=statuses.get("done", 0),
        failed=statuses.get("failed", 0),
        retryable=statuses.get("retryable", 0),
        left=max(0, read - int(counters.get("finished", 0))),
        in_batches=in_batches,
        batches=batches,
        results_expire_at=results_expire_at,
        faults=faults,
        prompt_tokens=int(prompt),
        completion_tokens=int(completion),
        cost_usd=cost,
        unpriced=unpriced,
        seconds=None if first is None else last - first,
    )


def _read(path: Path, function: Callable[[sqlite3.Connection], R]) -> Result[R, Fault]:
    try:
        with closing(connect_to_read(path)) as connection:
            return Success(function(connection))
    except (sqlite3.Error, OSError) as error:
        return Failure(build_ledger_fault(path, error))
