"""A job in a process of its own, for tests that kill it: `python -m tests.jobs.killed_job LEDGER CALLS ROWS`.

Every request is written to the CALLS file before it is answered, as a vendor would count it.
"""

from __future__ import annotations

import asyncio
import os
import sys

from tests.jobs.row_provider import RowProvider
from victor_fp.jobs import Row, run


async def main(ledger: str, calls: str, count: int) -> None:
    descriptor = os.open(calls, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def answer(prompt: str, _: int) -> str:
        os.write(descriptor, f"{prompt}\n".encode())
        return prompt.upper()

    rows = (Row(str(number), f"text {number}") for number in range(count))
    async for _ in run(rows, RowProvider(answer), model="m", ledger=ledger, concurrency=16):
        pass


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
