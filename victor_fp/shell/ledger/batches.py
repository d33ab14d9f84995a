"""The batches of a ledger: records submitted batches, so that a later run collects them and submits no row twice.

A batch is inserted with its rows before it is submitted, and gets its handle afterwards. Queued rows, which have to be
sent again, belong to no batch until they are resubmitted. All functions run in the thread of the ledger, on its
connection.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

import msgspec

SCHEMA = """
CREATE TABLE IF NOT EXISTS batches (
    number INTEGER PRIMARY KEY,
    token TEXT NOT NULL,
    created REAL NOT NULL,
    handle TEXT,
    results_expire REAL
);
CREATE TABLE IF NOT EXISTS submitted (
    key TEXT PRIMARY KEY,
    batch INTEGER,
    position INTEGER NOT NULL,
    digest BLOB NOT NULL,
    tries INTEGER NOT NULL,
    row BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS submitted_by_batch ON submitted (batch, position);
"""
_COLUMNS = "key, position, digest, tries, row"
_UNFINISHED = "NOT EXISTS (SELECT 1 FROM rows WHERE rows.key = submitted.key AND rows.status IN ('done', 'failed'))"


class SubmittedRow(msgspec.Struct, frozen=True, gc=False):
    """A row that is in a batch or queued for one."""

    key: str
    position: int
    digest: bytes
    tries: int
    """Number of times it was submitted."""
    row: bytes
    """The encoded request, to send it again."""


class StoredBatch(msgspec.Struct, frozen=True, gc=False):
    """A batch whose results have not been read."""

    number: int
    token: str
    created: float
    handle: str | None
    """JSON; None if the run ended during the submission."""
    results_expire: float | None


def add_batch(connection: sqlite3.Connection, token: str, created: float, rows: Iterable[SubmittedRow]) -> int:
    """Insert a batch that is about to be submitted, and return its number.

    Earlier results of failed rows are discarded: a row with a final result would not be collected.
    """
    cursor = connection.execute("INSERT INTO batches (token, created) VALUES (?, ?)", (token, created))
    number = cursor.lastrowid or 0
    connection.executemany(
        f"INSERT INTO submitted ({_COLUMNS}, batch) VALUES (?, ?, ?, 1, ?, ?)"  # noqa: S608
        " ON CONFLICT (key) DO UPDATE SET batch = excluded.batch, position = excluded.position, row = excluded.row,"
        " tries = CASE digest WHEN excluded.digest THEN tries + 1 ELSE 1 END, digest = excluded.digest",
        ((row.key, row.position, row.digest, row.row, number) for row in rows),
    )
    connection.execute(
        "UPDATE rows SET status = NULL, fault = NULL, body = NULL"
        " WHERE status = 'failed' AND key IN (SELECT key FROM submitted WHERE batch = ?)",
        (number,),
    )
    return number


def set_handle(connection: sqlite3.Connection, number: int, handle: str, results_expire: float | None) -> None:
    """Store the handle of a batch, and the time at which its results expire."""
    values = (handle, results_expire, number)
    connection.execute("UPDATE batches SET handle = ?, results_expire = ? WHERE number = ?", values)


def open_batches(connection: sqlite3.Connection) -> list[StoredBatch]:
    """Return the batches whose results have not been read, by the time at which they expire."""
    query = "SELECT number, token, created, handle, results_expire FROM batches ORDER BY results_expire IS NULL, results_expire"
    return [StoredBatch(*found) for found in connection.execute(query)]


def list_unread_rows(connection: sqlite3.Connection, number: int) -> list[SubmittedRow]:
    """Return the rows of a batch without a final result, in the order of the input."""
    query = f"SELECT {_COLUMNS} FROM submitted WHERE batch = ? AND {_UNFINISHED} ORDER BY position"  # noqa: S608
    return [SubmittedRow(*found) for found in connection.execute(query, (number,))]


def list_batch_rows(connection: sqlite3.Connection, number: int) -> tuple[list[SubmittedRow], list[str]]:
    """Return the rows of a batch without a final result, and the keys of its other rows."""
    query = f"SELECT key FROM submitted WHERE batch = ? AND NOT ({_UNFINISHED})"  # noqa: S608
    return list_unread_rows(connection, number), [key for (key,) in connection.execute(query, (number,))]


def close_batch(connection: sqlite3.Connection, number: int, queued: Sequence[str]) -> None:
    """Delete a batch whose results are recorded, with its rows; those to send again, by their keys, are queued."""
    connection.executemany("UPDATE submitted SET batch = NULL WHERE key = ?", ((key,) for key in queued))
    connection.execute("DELETE FROM submitted WHERE batch = ?", (number,))
    connection.execute("DELETE FROM batches WHERE number = ?", (number,))


def withdraw_batch(connection: sqlite3.Connection, number: int) -> None:
    """Delete a batch that was not created. Its rows are sent again, and this submission does not count."""
    connection.execute("UPDATE submitted SET batch = NULL, tries = tries - 1 WHERE batch = ?", (number,))
    connection.execute("DELETE FROM batches WHERE number = ?", (number,))


def list_queued_rows(connection: sqlite3.Connection, after: tuple[int, str], limit: int) -> list[SubmittedRow]:
    """Return queued rows after a position and key, in the order of the input.

    The key is needed because rows of several inputs may have the same position.
    """
    query = (
        f"SELECT {_COLUMNS} FROM submitted WHERE batch IS NULL AND (position, key) > (?, ?) AND {_UNFINISHED}"  # noqa: S608
        " ORDER BY position, key LIMIT ?"
    )
    return [SubmittedRow(*found) for found in connection.execute(query, (*after, limit))]


def drop_finished_rows(connection: sqlite3.Connection) -> None:
    """Delete queued rows that have a result now."""
    connection.execute(f"DELETE FROM submitted WHERE batch IS NULL AND NOT ({_UNFINISHED})")  # noqa: S608


def count_submitted(connection: sqlite3.Connection) -> tuple[int, int, float | None]:
    """Return the number of open batches, the number of rows in them or queued, and the earliest expiry of results."""
    batches, expire = connection.execute("SELECT count(*), min(results_expire) FROM batches").fetchone()
    (rows,) = connection.execute("SELECT count(*) FROM submitted").fetchone()
    return batches, rows, expire
