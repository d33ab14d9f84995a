"""A batch job: rows of a CSV file, each asked once, with a budget and a ledger that survives the process."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from returns.result import Failure, Success
from stand_in import build_options

from victor_fp import create, describe, outcome
from victor_fp.jobs import Budget, export, format_report, read_report, read_rows, run
from victor_fp.testing import Turn

REVIEWS = "id,text\na,The tent leaks.\nb,Light and dry.\nc,Broke on day one.\n"


async def main(folder: Path) -> None:
    """Classify reviews. Kill the program and run it again with the same folder: it asks only what is not finished."""
    source, ledger = folder / "reviews.csv", folder / "reviews.ledger"
    if not source.exists():
        source.write_text(REVIEWS, encoding="utf-8")
    rows = read_rows(source, template="Positive or negative? One word. Review: {text}", key="id")
    async with create("openai", **build_options(Turn(text="negative"))) as provider:
        job = run(rows, provider, model="gpt-5-mini", ledger=ledger, concurrency=16, budget=Budget(requests=1000))
        async for done in job:
            match outcome(done.result):
                case Success(response):
                    print(done.key, response.content)
                case Failure(fault):
                    print(done.key, describe(fault))
    print(export(ledger, folder / "reviews.jsonl").unwrap(), "rows exported")
    print(read_report(ledger).map(format_report).unwrap())


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(main(Path(sys.argv[1])))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            asyncio.run(main(Path(temporary)))
