"""The ledger of a job: a SQLite file with the result of every finished row of the input."""

from __future__ import annotations

from victor_fp.shell.ledger.reading import LedgerEntry, read_entries, read_report, reopen_rows
from victor_fp.shell.ledger.sqlite import FinishedRow, Ledger

__all__ = ["FinishedRow", "Ledger", "LedgerEntry", "read_entries", "read_report", "reopen_rows"]
