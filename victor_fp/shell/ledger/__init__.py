"""The ledger of a job: one SQLite file that knows every row of the input and how it ended."""

from __future__ import annotations

from victor_fp.shell.ledger.sqlite import FinishedRow, Ledger, LedgerEntry

__all__ = ["FinishedRow", "Ledger", "LedgerEntry"]
