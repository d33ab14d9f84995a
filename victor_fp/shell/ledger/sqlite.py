"""The ledger in SQLite: write-ahead log, one thread that writes, commits grouped over all rows that wait for one.

A row is finished in the ledger before its result leaves the job, so a killed run repeats at most the rows that were in
flight. With `durable=True` a commit also survives a power failure; without, it survives the end of the process.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import ParamSpec, TypeVar

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, LedgerFailed
from victor_fp.core.jobs.decisions import Decision, Entry, Refuse, Status, decide_row
from victor_fp.core.jobs.report import Report
from victor_fp.core.jobs.rows import CheckedRow, RejectedRow

P = ParamSpec("P")
R = TypeVar("R")

FORMAT = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rows (
    position INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    digest BLOB NOT NULL,
    run INTEGER NOT NULL,
    status TEXT,
    fault TEXT,
    body BLOB,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    cost REAL,
    attempts INTEGER,
    finished REAL
);
"""
_VARIABLES = 500
"""Placeholders in one statement; SQLite's oldest limit is 999."""


class FinishedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row's end, as it is written."""

    key: str
    status: Status
    body: bytes
    fault: str | None = None
    """Class name of the fault."""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost: float | None = None
    attempts: int = 1


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One row of an export."""

    key: str
    status: Status
    body: bytes
    cost: float | None


class Ledger:
    """One job's ledger. Opened by `Ledger.open`; used by one process at a time, which the file's lock enforces."""

    def __init__(self, path: Path, connection: sqlite3.Connection, run: int, next_position: int) -> None:
        self.path = path
        self.run = run
        """Number of this run, from 1."""
        self._connection = connection
        self._next_position = next_position
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="victor-fp-ledger")
        self._waiting: list[tuple[FinishedRow, asyncio.Future[Fault | None]]] = []
        self._writer: asyncio.Task[None] | None = None

    @classmethod
    def open(cls, path: str | Path, *, durable: bool = False) -> Result[Ledger, Fault]:
        """The ledger at a path, created where there is none. LedgerFailed where it cannot be read and written."""
        file = Path(path)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(file, timeout=5.0, isolation_level=None, check_same_thread=False)
        except (sqlite3.Error, OSError) as error:
            return Failure(_fault(file, error))
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.executescript(_SCHEMA)
            connection.execute("BEGIN IMMEDIATE")
            found = connection.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
            if found is not None and found[0] != str(FORMAT):
                connection.close()
                message = f"{file}: a ledger of format {found[0]}; this version reads format {FORMAT}"
                return Failure(LedgerFailed(message=message))
            last = connection.execute("SELECT value FROM meta WHERE name = 'run'").fetchone()
            run = (int(last[0]) if last else 0) + 1
            values = [("format", str(FORMAT)), ("run", str(run))]
            connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values)
            connection.execute("COMMIT")
            top = connection.execute("SELECT max(position) FROM rows").fetchone()[0]
        except (sqlite3.Error, ValueError) as error:
            connection.close()
            return Failure(_fault(file, error))
        return Success(cls(file, connection, run, 0 if top is None else top + 1))

    async def plan(
        self, rows: Sequence[CheckedRow | RejectedRow], *, retry_failed: bool = False
    ) -> Result[list[Decision], Fault]:
        """Enter rows of the input and decide what to do with each, in their order."""
        return await self._in_thread(self._plan, rows, retry_failed)

    async def finish(self, row: FinishedRow) -> Fault | None:
        """Write a row's end; returns once it is committed. Rows that finish meanwhile share the next commit."""
        future: asyncio.Future[Fault | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((row, future))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        return await asyncio.shield(future)

    async def aclose(self) -> None:
        """Write what waits, and close the file."""
        while self._writer is not None:
            await asyncio.wait([self._writer])
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown(wait=False)

    async def report(self) -> Result[Report, Fault]:
        """Counts, tokens, cost and throughput so far."""
        return await self._in_thread(_count, self._connection)

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                result = await self._in_thread(self._finish, [row for row, _ in batch])
                fault = result.failure() if isinstance(result, Failure) else None
                for _, future in batch:
                    if not future.done():
                        future.set_result(fault)
        finally:
            self._writer = None

    async def _in_thread(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Result[R, Fault]:
        def run() -> Result[R, Fault]:
            try:
                return Success(function(*args, **kwargs))
            except (sqlite3.Error, OSError) as error:
                return Failure(_fault(self.path, error))

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)

    def _plan(self, rows: Sequence[CheckedRow | RejectedRow], retry_failed: bool) -> list[Decision]:  # noqa: FBT001
        known = self._entries([row.key for row in rows])
        decisions: list[Decision] = []
        entered: list[tuple[int, str, bytes, int]] = []
        seen: list[tuple[int, str]] = []
        for row in rows:
            entry = known.get(row.key)
            if isinstance(row, RejectedRow):
                duplicate = entry is not None
                decisions.append(Refuse(row.key, row.fault, row.digest, is_recorded=not duplicate))
            else:
                decisions.append(decide_row(row, entry, self.run, retry_failed=retry_failed))
            if entry is None:
                entered.append((self._next_position, row.key, row.digest, self.run))
                self._next_position += 1
                known[row.key] = Entry(row.digest, self.run)
            elif entry.run != self.run:
                seen.append((self.run, row.key))
                known[row.key] = Entry(entry.digest, self.run, entry.status, entry.body)
        with self._transaction():
            self._connection.executemany("INSERT INTO rows (position, key, digest, run) VALUES (?, ?, ?, ?)", entered)
            self._connection.executemany("UPDATE rows SET run = ? WHERE key = ?", seen)
        return decisions

    def _entries(self, keys: Sequence[str]) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for start in range(0, len(keys), _VARIABLES):
            part = keys[start : start + _VARIABLES]
            marks = ",".join("?" * len(part))
            query = f"SELECT key, digest, run, status, body FROM rows WHERE key IN ({marks})"  # noqa: S608  marks only
            for key, digest, run, status, body in self._connection.execute(query, part):
                found[key] = Entry(digest, run, status, body or b"")
        return found

    def _finish(self, rows: Sequence[FinishedRow]) -> None:
        now = time.time()
        values = [
            (
                row.status,
                row.fault,
                row.body,
                row.prompt_tokens,
                row.completion_tokens,
                row.cost,
                row.attempts,
                now,
                row.key,
            )
            for row in rows
        ]
        with self._transaction():
            self._connection.executemany(
                "UPDATE rows SET status = ?, fault = ?, body = ?, prompt_tokens = ?, completion_tokens = ?, cost = ?,"
                " attempts = coalesce(attempts, 0) + ?, finished = ? WHERE key = ?",
                values,
            )

    def _transaction(self) -> _Transaction:
        return _Transaction(self._connection)


class _Transaction:
    """BEGIN on entry; COMMIT on a normal exit, ROLLBACK on an exception."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            try:
                self._connection.execute("COMMIT")
                return
            except sqlite3.Error:
                self._roll_back()
                raise
        self._roll_back()

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def read_report(path: str | Path) -> Result[Report, Fault]:
    """The report of a ledger that no run has open."""
    return _read(Path(path), _count)


def read_entries(path: str | Path, *, by_completion: bool = False) -> Iterator[LedgerEntry]:
    """Finished rows in the order of the input, or in the order in which they finished. Raises sqlite3.Error."""
    order = "finished, position" if by_completion else "position"
    with closing(_connect_read_only(Path(path))) as connection:
        query = f"SELECT key, status, body, cost FROM rows WHERE status IS NOT NULL ORDER BY {order}"  # noqa: S608
        for key, status, body, cost in connection.execute(query):
            yield LedgerEntry(key=key, status=status, body=body, cost=cost)


def reopen_rows(path: str | Path, statuses: Iterable[Status]) -> Result[int, Fault]:
    """Forget the results of rows with these statuses, so that the next run asks them again; how many there were."""

    def forget(connection: sqlite3.Connection) -> int:
        chosen = tuple(statuses)
        marks = ",".join("?" * len(chosen))
        query = f"UPDATE rows SET status = NULL, fault = NULL, body = NULL WHERE status IN ({marks})"  # noqa: S608
        return connection.execute(query, chosen).rowcount

    return _read(Path(path), forget, read_only=False)


def _read(path: Path, function: Callable[[sqlite3.Connection], R], *, read_only: bool = True) -> Result[R, Fault]:
    try:
        connection = _connect_read_only(path) if read_only else sqlite3.connect(path, isolation_level=None)
        with closing(connection):
            return Success(function(connection))
    except (sqlite3.Error, OSError) as error:
        return Failure(_fault(path, error))


def _connect_read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)


def _count(connection: sqlite3.Connection) -> Report:
    read, first, last = connection.execute("SELECT count(*), min(finished), max(finished) FROM rows").fetchone()
    statuses = dict(connection.execute("SELECT status, count(*) FROM rows GROUP BY status").fetchall())
    faults = dict(connection.execute("SELECT fault, count(*) FROM rows WHERE fault IS NOT NULL GROUP BY fault"))
    prompt, completion, cost, priced = connection.execute(
        "SELECT total(prompt_tokens), total(completion_tokens), sum(cost), count(cost) FROM rows WHERE status = 'done'"
    ).fetchone()
    done = statuses.get("done", 0)
    failed = statuses.get("failed", 0)
    return Report(
        read=read,
        done=done,
        failed=failed,
        retryable=statuses.get("retryable", 0),
        left=read - done - failed,
        faults=faults,
        prompt_tokens=int(prompt),
        completion_tokens=int(completion),
        cost_usd=cost,
        unpriced=done - priced,
        seconds=None if first is None else last - first,
    )


def _fault(path: Path, error: BaseException) -> LedgerFailed:
    return LedgerFailed(message=f"ledger {path}: {error}")
