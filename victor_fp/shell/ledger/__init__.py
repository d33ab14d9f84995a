"""The ledger of a job: one SQLite file that knows how every finished row of the input ended."""

from __future__ import annotations

from victor_fp.shell.ledger.reading import LedgerEntry, read_entries, read_report, reopen_rows
from victor_fp.shell.ledger.sqlite import FinishedRow, Ledger

__all__ = ["FinishedRow", "Ledger", "LedgerEntry", "read_entries", "read_report", "reopen_rows"]
