"""A job on a ledger that it may not write: `python -m tests.jobs.read_only_job ledger|folder|both FOLDER`.

The process gives up root, which may write everywhere. It prints as JSON what happened, and the fault of the same job when
the ledger is writable again.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from returns.result import Failure

from tests.jobs.row_provider import RowProvider
from victor_fp.jobs import Row, export, read_report, run

UNPRIVILEGED_USER = 65534


async def run_row(key: str, ledger: Path, provider: RowProvider) -> Any:
    """Return the fault of a job of one row; None if it is answered."""
    job = run([Row(key, "x")], provider, model="m", ledger=ledger)
    (only,) = [done async for done in job]
    return only.result.failure() if isinstance(only.result, Failure) else None


def main(what: str, folder: Path) -> None:
    closed, ledger, provider = folder / "closed", folder / "closed" / "job.ledger", RowProvider()
    closed.mkdir()
    # A process that gives up root may be unable to read the modules that a first job, report and export import.
    first = folder / "first.ledger" if what == "folder" else ledger
    assert asyncio.run(run_row("a", first, RowProvider())) is None
    assert read_report(first).unwrap().done == export(first, folder / "first.jsonl").unwrap()
    first.chmod(0o444)
    if os.geteuid() == 0:
        for path in (folder, closed, *closed.iterdir()):
            os.chown(path, UNPRIVILEGED_USER, UNPRIVILEGED_USER)
        os.setuid(UNPRIVILEGED_USER)
    if what != "ledger":
        closed.chmod(0o555)
    fault = asyncio.run(run_row("b", ledger, provider))
    found = {
        "fault": type(fault).__name__,
        "message": fault.message,
        "asked": sum(provider.asked.values()),
        "done": read_report(ledger).map(lambda report: report.done).value_or(None),
        "exported": export(ledger, folder / "out.jsonl").value_or(None),
    }
    closed.chmod(0o755)
    if ledger.exists():
        ledger.chmod(0o644)
    later = asyncio.run(run_row("b", ledger, provider))
    found["later"] = None if later is None else later.message
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
