"""Export of a ledger's results as JSONL."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Literal

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, LedgerFailed
from victor_fp.core.jobs.records import decode_mismatch, decode_result
from victor_fp.core.result import outcome
from victor_fp.shell.ledger.reading import LedgerEntry, read_entries


def export(
    ledger: str | Path, path: str | Path, *, order: Literal["input", "completion"] = "input"
) -> Result[int, Fault]:
    """Write all finished rows to a JSONL file, and return their number.

    A line is `{"key", "status", "response"}` or `{"key", "status", "error": {"type", "message", ...}}`; that of a response
    that does not match the job's schema has both `response` and `error`. The file is created atomically when it is complete.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.partial")
    if target.resolve() == Path(ledger).resolve():
        return Failure(LedgerFailed(message=f"export of {ledger}: the results cannot replace their ledger"))
    count = 0
    try:
        with partial.open("wb") as file:
            for entry in read_entries(ledger, by_completion=order == "completion"):
                file.write(msgspec.json.encode(export_entry(entry), enc_hook=str) + b"\n")
                count += 1
        os.replace(partial, target)
    except (sqlite3.Error, OSError) as error:
        partial.unlink(missing_ok=True)
        return Failure(LedgerFailed(message=f"export of {ledger} to {path}: {error}"))
    return Success(count)


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
