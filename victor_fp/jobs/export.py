"""Export of a ledger's results as JSONL."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, LedgerFailed
from victor_fp.core.jobs.records import decode_mismatch, decode_result
from victor_fp.core.result import outcome
from victor_fp.shell.ledger.connection import list_companions
from victor_fp.shell.ledger.reading import LedgerEntry, read_entries


def export(
    ledger: str | Path, path: str | Path, *, order: Literal["input", "completion"] = "input"
) -> Result[int, Fault]:
    """Write all finished rows to a JSONL file, and return their number.

    A line is `{"key", "status", "response"}` or `{"key", "status", "error": {"type", "message", ...}}`; that of a response
    that does not match the job's schema has both `response` and `error`. The file is created atomically when it is complete.
    LedgerFailed for a path that is the ledger or not a regular file, and if one of the two cannot be read or written.
    """
    target = Path(os.path.realpath(path))  # the file of a symbolic link is replaced, and not the link
    partial = target.parent / f".{target.name}.{os.getpid()}-{time.monotonic_ns()}.partial"
    count = 0
    try:
        if (problem := _find_problem(Path(ledger), target)) is not None:
            return Failure(LedgerFailed(message=f"{ledger} cannot be exported to {path}: {problem}"))
        with partial.open("wb") as file:
            for line in iterate_lines(ledger, order):
                file.write(line)
                count += 1
        os.replace(partial, target)
    except (sqlite3.Error, OSError) as error:
        with suppress(OSError):
            partial.unlink()
        return Failure(LedgerFailed(message=f"{ledger} cannot be exported to {path}: {error}"))
    return Success(count)


def export_lines(
    ledger: str | Path, write: Callable[[bytes], object], *, order: Literal["input", "completion"] = "input"
) -> Result[int, Fault]:
    """Pass the lines of `export` to a function, and return their number; its exceptions are raised. LedgerFailed as there."""
    count = 0
    lines = iterate_lines(ledger, order)
    while True:
        try:
            line = next(lines, None)
        except (sqlite3.Error, OSError) as error:
            return Failure(LedgerFailed(message=f"{ledger} cannot be exported: {error}"))
        if line is None:
            return Success(count)
        write(line)
        count += 1


def iterate_lines(ledger: str | Path, order: Literal["input", "completion"]) -> Iterator[bytes]:
    """Yield all finished rows as lines of JSONL. Raises sqlite3.Error."""
    for entry in read_entries(ledger, by_completion=order == "completion"):
        yield msgspec.json.encode(export_entry(entry), enc_hook=str) + b"\n"


def is_same_file(one: Path, other: Path) -> bool:
    """Return whether two paths are the same file, which may be missing. A file that may not be looked at counts as missing."""
    if os.path.exists(one) and os.path.exists(other):
        return os.path.samefile(one, other)
    return os.path.realpath(one) == os.path.realpath(other)


def is_companion(ledger: Path, path: Path) -> bool:
    """Return whether a path is that of a file of SQLite or of the lock, next to a ledger."""
    return any(is_same_file(file, path) for file in list_companions(ledger))


def _find_problem(ledger: Path, target: Path) -> str | None:
    """Return why results cannot be written to a path; None if they can."""
    if is_same_file(ledger, target):
        return "it is the ledger"
    if is_companion(ledger, target):
        return "it is a file of the ledger"
    return "it is not a regular file" if os.path.exists(target) and not os.path.isfile(target) else None


def export_entry(entry: LedgerEntry) -> dict[str, object]:
    """Convert one finished row to plain data."""
    line: dict[str, object] = {"key": entry.key, "status": entry.status}
    match outcome(decode_result(entry.body)):
        case Success(response):
            if (mismatch := decode_mismatch(entry.body)) is not None:
                line["error"] = _export_fault(mismatch)
            line["response"] = response.model_dump(mode="json", exclude_none=True)
        case Failure(fault):
            line["error"] = _export_fault(fault)
    if entry.cost is not None:
        line["cost_usd"] = entry.cost
    return line


def _export_fault(fault: Fault) -> dict[str, object]:
    fields = msgspec.to_builtins(fault, enc_hook=str)
    shown = {name: value for name, value in fields.items() if value not in (None, "", [], ())}
    return {"type": type(fault).__name__, **shown}
