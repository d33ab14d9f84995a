"""Connections to a ledger's files, the lock that keeps other runs out, and transactions."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from victor_fp.core.faults import LedgerFailed

LOCKED = "locked"
"""Code of the fault for a ledger that another run has open."""


class LedgerLocked(sqlite3.OperationalError):
    """Another run has the ledger open."""


def connect(file: Path) -> sqlite3.Connection:
    """A connection for reading and writing; the file is created where there is none. Raises sqlite3.Error."""
    return sqlite3.connect(file, timeout=5.0, isolation_level=None, check_same_thread=False)


def connect_to_read(file: Path) -> sqlite3.Connection:
    """A connection that changes nothing. Raises sqlite3.Error where there is no file.

    It is opened for writing where that is allowed: the last connection then removes the files of the write-ahead log.
    """
    for mode in ("rw", "ro"):
        connection = sqlite3.connect(
            f"{file.resolve().as_uri()}?mode={mode}", uri=True, timeout=5.0, isolation_level=None
        )
        try:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("SELECT 1 FROM meta").fetchone()
        except sqlite3.Error:
            connection.close()
            if mode == "ro":
                raise
        else:
            return connection
    raise AssertionError("one of the modes returns or raises")


def lock_ledger(file: Path) -> sqlite3.Connection:
    """Keep other runs out until the connection is closed or the process ends; readers are let in.

    The lock is the exclusive transaction of an empty database beside the ledger, which works on every system that SQLite
    does. Raises LedgerLocked where another run has it.
    """
    lock = sqlite3.connect(_lock_file(file), timeout=1.0, isolation_level=None, check_same_thread=False)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        lock.close()
        if _is_busy(error):
            raise LedgerLocked("locked by another run; wait for its end or stop it") from error
        raise
    return lock


def is_locked(file: Path) -> bool:
    """Whether a run has the ledger open. Raises sqlite3.Error."""
    if not _lock_file(file).exists():
        return False
    with closing(sqlite3.connect(_lock_file(file), timeout=0.0, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if _is_busy(error):
                return True
            raise
    return False


def _is_busy(error: sqlite3.Error) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _lock_file(file: Path) -> Path:
    return file.with_name(f"{file.name}-lock")


class Transaction:
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


def build_ledger_fault(path: Path, error: BaseException) -> LedgerFailed:
    """The fault for a ledger that cannot be used; its code is `locked` where another run has it."""
    return LedgerFailed(message=f"ledger {path}: {error}", code=LOCKED if isinstance(error, LedgerLocked) else None)
