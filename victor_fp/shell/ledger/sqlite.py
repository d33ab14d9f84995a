"""The ledger in SQLite: a write-ahead log, one writer thread, and one commit for all rows that wait for it.

A row is committed before its result is returned from the job, so that a killed run repeats at most the rows that were in
flight. With `durable=True` a commit also survives a power failure; otherwise it survives the end of the process.

A group of rows is written by one statement with many rows of values: the sqlite3 module releases the GIL around each
step of a statement, and a busy event loop would otherwise delay the thread once per row.
"""

from __future__ import annotations

import asyncio
import math
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, LedgerFailed
from victor_fp.core.jobs.decisions import RowRecord, Status
from victor_fp.core.jobs.report import Report
from victor_fp.core.result import outcome
from victor_fp.shell.ledger.batches import SCHEMA
from victor_fp.shell.ledger.connection import (
    FORMAT,
    LOCKED,
    Transaction,
    build_ledger_fault,
    check_format,
    connect,
    lock_ledger,
)
from victor_fp.shell.ledger.reading import count_rows

P = ParamSpec("P")
R = TypeVar("R")

GATHERING = 0.002
"""Seconds for which a commit waits for more rows. A commit costs as much as 40 rows in it, and requests take far longer."""
MAX_GATHERING = 0.1
"""Maximum seconds for which a commit waits for its share of the rows in flight."""
_SHARE = 16
"""One of so many rows in flight is the share of a commit: rows then wait 3 % of the time of a request on average."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rows (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    position INTEGER NOT NULL,
    digest BLOB NOT NULL,
    run INTEGER NOT NULL,
    status TEXT,
    fault TEXT,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    cost REAL,
    attempts INTEGER,
    finished REAL,
    body BLOB
);
"""
_LOG_PAGES = 4000
"""Pages in the write-ahead log before they are copied to the file. A page that changes often is copied less often."""
_VARIABLES = 500
"""Placeholders in one statement; SQLite's oldest limit is 999."""
_COLUMNS = "run, finished, key, position, digest, status, body, fault, prompt_tokens, completion_tokens, cost, attempts"
"""The run and time of a commit, which are the same for all rows of a group; then the fields of `FinishedRow`."""
_UPDATE = (
    " ON CONFLICT (key) DO UPDATE SET position = excluded.position, digest = excluded.digest, run = excluded.run,"
    " status = excluded.status, fault = excluded.fault, prompt_tokens = excluded.prompt_tokens,"
    " completion_tokens = excluded.completion_tokens, cost = excluded.cost,"
    " attempts = coalesce(attempts, 0) + excluded.attempts, finished = excluded.finished, body = excluded.body"
)
NULL = math.nan
"""SQLite binds it as NULL. The sqlite3 module searches for an adapter of None and of bytes, 1 us for each value; not of this."""
_GROUP = 96
"""Rows in one statement; their placeholders stay below SQLite's oldest limit."""


class FinishedRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The result of a row, with fields in the order of the columns."""

    key: str
    position: int
    """Position of the row in the input of this run."""
    digest: bytes
    status: Status
    body: bytes
    fault: str | None = None
    """Class name of the fault."""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost: float | None = None
    attempts: int = 1


class _Commit:
    """A group of rows that share a commit, with an outcome for each."""

    __slots__ = ("end", "outcomes", "rows")

    def __init__(self, end: asyncio.Future[None]) -> None:
        self.rows: list[FinishedRow] = []
        self.outcomes: list[Any] = []
        self.end = end
        """Done after the commit. Cancelling one row's wait cancels all: only the end of a job cancels rows."""


class Ledger:
    """The ledger of a job, opened by `Ledger.open`. A lock ensures that only one process uses it at a time."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: sqlite3.Connection, run: int) -> None:
        self.path = path
        self.run = run
        """Number of this run, from 1."""
        self.read = 0
        """Number of rows that this run has read from the input; written with the next commit."""
        self.finished = 0
        """Number of these rows with a final result, from this run or an earlier one."""
        self._has_results = False
        """Whether this run has written the result of a row."""
        self.on_commit: Callable[[Sequence[Any], Fault | None], None] = _ignore
        """Called after each commit with the outcomes of its rows, and with the fault if it failed."""
        self.is_cancelled = False
        """Whether `cancel_run` was called for this run; updated with each commit."""
        self._file = os.path.abspath(path)
        self._is_in_use = False
        """Whether a job uses it that was given the open ledger."""
        self._connection = connection
        self._lock = lock
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="victor-fp-ledger")
        self._next: _Commit | None = None
        """The commit of rows that finish now."""
        self._writer: asyncio.Task[None] | None = None
        self._gathered: asyncio.Future[None] | None = None
        """Ends the wait for more rows."""
        self._open_rows = sys.maxsize
        """Rows in flight; this number if it is not known."""
        self._wanted_rows = 0
        """Rows of a commit that end its wait."""

    @classmethod
    def open(cls, path: str | Path, *, durable: bool = False) -> Result[Ledger, Fault]:
        """Open the ledger at a path, and create it if it is missing. LedgerFailed if it cannot be read or written."""
        file = Path(path)
        opened: list[sqlite3.Connection] = []
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            opened.append(lock := lock_ledger(file))
            opened.append(connection := connect(file))
            is_new = not check_format(connection)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            if is_new:  # in one transaction: a creation that is interrupted leaves an empty file
                format_row = f"INSERT INTO meta VALUES ('format', '{FORMAT}');"  # noqa: S608  a constant
                connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} {SCHEMA} {format_row} COMMIT;")
            with Transaction(connection):
                run = _begin_run(connection)
        except (sqlite3.Error, OSError, ValueError) as error:
            for each in opened:
                each.close()
            return Failure(build_ledger_fault(file, error))
        return Success(cls(file, connection, lock, run))

    async def begin_run(self) -> Result[None, Fault]:
        """Start another run with this open ledger. LedgerFailed if another job uses it, until that job's `end_run`."""
        if self._is_in_use:
            return Failure(LedgerFailed(message=f"ledger {self.path}: another job uses it", code=LOCKED))
        self._is_in_use = True
        try:
            await self._write_pending()
            begun = await self.call(_begin_run)
        except BaseException:  # cancelled
            self._is_in_use = False
            raise
        match outcome(begun):
            case Failure(fault):
                self._is_in_use = False
                return Failure(fault)
            case Success(number):
                self.run, self.read, self.finished, self.is_cancelled = number, 0, 0, False
                self._has_results = False
                return Success(None)

    async def end_run(self) -> None:
        """Write pending rows and the counts of the run, and let another job use this open ledger."""
        try:
            await self._write_pending()
            await self._run_in_thread(self._save_progress)
        finally:
            self.on_commit, self._is_in_use = _ignore, False

    async def look_up(self, keys: Sequence[str]) -> Result[dict[str, RowRecord], Fault]:
        """Return the records of these keys; keys without a record are absent."""
        return await self._run_in_thread(self._read_entries, keys)

    def finish(self, row: FinishedRow, done: object) -> asyncio.Future[None]:
        """Write the result of a row. Rows that finish meanwhile share a commit, after which `on_commit` gets their outcomes.

        The future is done after that. It is that of the group: every object that waits for a commit costs the garbage collector
        time.
        """
        commit = self._next
        if commit is None:
            commit = self._next = _Commit(asyncio.get_running_loop().create_future())
            self._start_writer()
        commit.rows.append(row)
        commit.outcomes.append(done)
        if self._gathered is not None and len(commit.rows) >= self._wanted_rows:
            _end_wait(self._gathered)
        return commit.end

    def set_open_rows(self, count: int) -> None:
        """Set the number of rows in flight, each of which waits for its commit: a commit of so many waits for no more."""
        self._open_rows = count
        self._wanted_rows = min(self._wanted_rows, count)
        if self._gathered is not None and self._next is not None and len(self._next.rows) >= count:
            _end_wait(self._gathered)

    async def aclose(self) -> None:
        """Write pending rows and close the file."""
        await self._write_pending()
        await self._run_in_thread(self._close)
        self._thread.shutdown(wait=False)

    async def _write_pending(self) -> None:
        while self._next is not None or self._writer is not None:
            await asyncio.wait([self._start_writer()])

    def _start_writer(self) -> asyncio.Task[None]:
        # The end of the loop cancels all tasks: one that had not begun is done and has written nothing.
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write())
        return self._writer

    async def call(
        self, function: Callable[Concatenate[sqlite3.Connection, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> Result[R, Fault]:
        """Run a function with the connection in the thread of the ledger, as one transaction."""

        def run() -> R:
            with Transaction(self._connection):
                return function(self._connection, *args, **kwargs)

        return await self._run_in_thread(run)

    async def report(self) -> Result[Report, Fault]:
        """Return the counts, tokens, cost and throughput so far."""
        return await self._run_in_thread(self._count)

    async def _write(self) -> None:
        try:
            while (commit := self._next) is not None:
                await self._gather(commit)
                self._next = None
                try:
                    result = await self._run_in_thread(self._finish, commit.rows)
                    self.on_commit(commit.outcomes, result.failure() if isinstance(result, Failure) else None)
                except Exception as error:  # a defect, which must not leave the rows waiting
                    if not commit.end.done():
                        commit.end.set_exception(error)
                    continue
                _end_wait(commit.end)
        finally:
            self._writer = None

    async def _gather(self, commit: _Commit) -> None:
        """Wait for more rows, unless no other is in flight; longer while the commit does not have its share of them."""
        if len(commit.rows) < self._open_rows:
            await self._wait_for_rows(self._open_rows, GATHERING)
        share = 0 if self._open_rows == sys.maxsize else math.ceil(self._open_rows / _SHARE)
        if len(commit.rows) < share:
            await self._wait_for_rows(share, MAX_GATHERING)

    async def _wait_for_rows(self, count: int, seconds: float) -> None:
        """Wait until the next commit has that many rows, or for some seconds."""
        loop = asyncio.get_running_loop()
        self._wanted_rows, self._gathered = count, loop.create_future()
        timer = loop.call_later(seconds, _end_wait, self._gathered)
        await self._gathered
        timer.cancel()
        self._gathered = None

    async def _run_in_thread(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Result[R, Fault]:
        def run() -> Result[R, Fault]:
            try:
                return Success(function(*args, **kwargs))
            except (sqlite3.Error, OSError) as error:
                return Failure(build_ledger_fault(self.path, error))

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)

    def _read_entries(self, keys: Sequence[str]) -> dict[str, RowRecord]:
        found: dict[str, RowRecord] = {}
        has_batches = self._connection.execute("SELECT 1 FROM submitted LIMIT 1").fetchone() is not None
        for start in range(0, len(keys), _VARIABLES):
            part = keys[start : start + _VARIABLES]
            marks = ",".join("?" * len(part))
            query = f"SELECT key, id, digest, run, status, body, cost, position FROM rows WHERE key IN ({marks})"  # noqa: S608  marks only
            for key, number, digest, run, status, body, cost, position in self._connection.execute(query, part):
                found[key] = RowRecord(number, digest, run, status, body or b"", cost=cost, position=position)
            if not has_batches:
                continue
            query = f"SELECT key, digest FROM submitted WHERE key IN ({marks})"  # noqa: S608  marks only
            for key, digest in self._connection.execute(query, part):
                known = found.get(key)
                if known is None or known.status not in ("done", "failed"):
                    found[key] = RowRecord(-1, digest, 0, is_submitted=True)
        return found

    def _finish(self, rows: Sequence[FinishedRow]) -> None:
        if not os.path.exists(self._file):  # SQLite would write to it until it is closed
            raise sqlite3.OperationalError("the file was removed or renamed")
        shared = (self.run, time.time())
        count = sum(row.status != "retryable" for row in rows)
        with Transaction(self._connection):
            for start in range(0, len(rows), _GROUP):
                group = rows[start : start + _GROUP]
                values = [
                    NULL if value is None else bytearray(value) if type(value) is bytes else value
                    for row in group
                    for value in msgspec.structs.astuple(row)
                ]
                self._connection.execute(_insert_statement(len(group)), [*shared, *values])
            self._save_progress(count, has_results=True)
            cancelled = self._connection.execute("SELECT value FROM meta WHERE name = 'cancelled'").fetchone()
            self.is_cancelled = cancelled is not None and cancelled[0] == str(self.run)
        self.finished += count
        self._has_results = True

    def _save_progress(self, more: int = 0, *, has_results: bool = False) -> None:
        """Write the counts; `more` rows are finished by this transaction.

        Without the result of a row, the counts of an earlier run that read more rows stay: this run may be refused or stopped.
        """
        if not (has_results or self._has_results):
            query = "SELECT 1 FROM meta WHERE name = 'read' AND CAST(value AS INTEGER) > ?"
            if self._connection.execute(query, (self.read,)).fetchone() is not None:
                return
        values = (str(self.read), str(self.finished + more))
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES ('read', ?), ('finished', ?)", values)

    def _close(self) -> None:
        try:
            self._save_progress()
        finally:
            self._connection.close()
            self._lock.close()

    def _count(self) -> Report:
        self._save_progress()
        return count_rows(self._connection)


def move_rows(connection: sqlite3.Connection, positions: Sequence[tuple[int, int]]) -> None:
    """Store the positions of rows in the input of this run, each with the number of the row."""
    connection.executemany("UPDATE rows SET position = ? WHERE id = ?", positions)


def _end_wait(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _ignore(outcomes: Sequence[Any], fault: Fault | None) -> None:
    """Do nothing."""


def _begin_run(connection: sqlite3.Connection) -> int:
    """Start a run and return its number."""
    found = connection.execute("SELECT value FROM meta WHERE name = 'run'").fetchone()
    run = 1 if found is None else int(found[0]) + 1
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('run', ?)", (str(run),))
    return run


@cache
def _insert_statement(count: int) -> str:
    marks = ", ".join("?" * len(FinishedRow.__struct_fields__))
    rows = "), (".join([marks] * count)
    # Without a condition, SQLite would parse ON CONFLICT as part of a join.
    return f"INSERT INTO rows ({_COLUMNS}) SELECT ?, ?, * FROM (VALUES ({rows})) WHERE true{_UPDATE}"  # noqa: S608  placeholders only
