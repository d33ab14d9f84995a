"""Connections to the files of a ledger, the lock that excludes other runs, and transactions."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from victor_fp.core.faults import LedgerFailed

FORMAT = 2
"""Version of the tables of a ledger."""
LOCKED = "locked"
"""Code of the fault for a ledger that is open in another run."""


class LedgerLocked(sqlite3.OperationalError):
    """Another run has the ledger open."""


class NotALedger(sqlite3.DatabaseError):
    """The file is not a ledger, or it is a ledger of another version."""


def connect(file: Path) -> sqlite3.Connection:
    """Open a connection for reading and writing; a missing file is created. Raises sqlite3.Error."""
    # Only a relative path can be `:memory:` or a URI.
    return sqlite3.connect(file.absolute(), timeout=5.0, isolation_level=None, check_same_thread=False)


def connect_to_read(file: Path) -> sqlite3.Connection:
    """Open a connection for reading. Raises sqlite3.Error if there is no file, NotALedger if it is not a ledger.

    The file is opened for writing if that is permitted, so that the last connection removes the write-ahead log. A file that
    is read-only and has no log is complete: it is read as it is, because a log of this connection's would stay.
    """
    is_complete = _is_read_only(file) and not _find_companion(file, "-wal").exists()
    for mode in ("ro&immutable=1",) if is_complete else ("rw", "ro"):
        connection = sqlite3.connect(
            f"{file.resolve().as_uri()}?mode={mode}", uri=True, timeout=5.0, isolation_level=None
        )
        try:
            connection.execute("PRAGMA query_only = ON")
            if not check_format(connection):
                raise NotALedger("it is not a ledger: the file is empty")
        except sqlite3.Error:
            connection.close()
            if mode != "rw":
                raise
        else:
            return connection
    raise AssertionError("one of the modes returns or raises")


def check_format(connection: sqlite3.Connection) -> bool:
    """Return whether the file is a ledger, False if it is empty. Raises NotALedger for another version or program."""
    if connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None:
        return False
    columns = [column[1] for column in connection.execute("PRAGMA table_info(meta)")]
    meta = dict(connection.execute("SELECT name, value FROM meta").fetchall()) if columns == ["name", "value"] else {}
    if "format" not in meta:
        raise NotALedger("it is the database of another program")
    if meta["format"] != str(FORMAT):
        raise NotALedger(f"its format is version {meta['format']}; this release reads version {FORMAT}")
    return True


def lock_ledger(file: Path) -> sqlite3.Connection:
    """Exclude other runs until the connection is closed or the process ends; readers are not excluded.

    The lock is an exclusive transaction on an empty database next to the ledger, which works on every platform of
    SQLite. Raises LedgerLocked if another run holds it, OperationalError if the ledger is read-only.
    """
    if _is_read_only(file):
        # SQLite would create a write-ahead log that is read-only as well, and which stays when the file becomes writable.
        raise sqlite3.OperationalError("the file is read-only")
    lock = sqlite3.connect(_find_companion(file, "-lock"), timeout=1.0, isolation_level=None, check_same_thread=False)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        lock.close()
        if _is_busy(error):
            raise LedgerLocked("locked by another run; wait until it ends, or stop it") from error
        raise
    return lock


def is_locked(file: Path) -> bool:
    """Return whether a run has the ledger open. Raises sqlite3.Error."""
    lock_file = _find_companion(file, "-lock")
    if not lock_file.exists():
        return False
    with closing(sqlite3.connect(lock_file, timeout=0.0, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if _is_busy(error):
                return True
            raise
    return False


def _is_read_only(file: Path) -> bool:
    return file.exists() and not os.access(file, os.W_OK)


def _is_busy(error: sqlite3.Error) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def list_companions(file: Path) -> tuple[Path, ...]:
    """Return the paths of the files of SQLite and of the lock, next to a ledger."""
    return tuple(_find_companion(file, suffix) for suffix in ("-wal", "-shm", "-journal", "-lock"))


def _find_companion(file: Path, suffix: str) -> Path:
    """Return the path of a file next to a ledger: of its target, if the path is a symbolic link."""
    return Path(f"{os.path.realpath(file)}{suffix}")


class Transaction:
    """BEGIN on entry; COMMIT on a normal exit, ROLLBACK on an exception."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *details: object) -> None:
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
    """Build the fault for a ledger that cannot be used; its code is `locked` if another run has it open."""
    return LedgerFailed(message=f"ledger {path}: {error}", code=LOCKED if isinstance(error, LedgerLocked) else None)
