"""Jobs: many rows, each processed once, with results in a persistent ledger.

async for done in run(rows, provider, model="gpt-5-mini", ledger="job.ledger"):
    print(done.key, done.result)
"""

from __future__ import annotations

from victor_fp.core.jobs.report import Report, format_report
from victor_fp.core.jobs.rows import Row, TextRow
from victor_fp.core.resilience.budget import Budget
from victor_fp.jobs.done import Done
from victor_fp.jobs.embedding import embed_rows
from victor_fp.jobs.export import export
from victor_fp.jobs.runner import JobRun, run
from victor_fp.jobs.sources import read_csv, read_jsonl, read_parquet, read_rows
from victor_fp.shell.ledger.reading import cancel_run, read_handles, read_report, reopen_rows
from victor_fp.shell.ledger.sqlite import Ledger

__all__ = [
    "Budget",
    "Done",
    "JobRun",
    "Ledger",
    "Report",
    "Row",
    "TextRow",
    "cancel_run",
    "embed_rows",
    "export",
    "format_report",
    "read_csv",
    "read_handles",
    "read_jsonl",
    "read_parquet",
    "read_report",
    "read_rows",
    "reopen_rows",
    "run",
]
