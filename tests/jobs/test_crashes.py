"""A job whose process is killed, whose disk is full, and whose ledger is read-only."""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from returns.pipeline import is_successful

from tests.batches.openai_vendor import OpenAIVendor
from tests.batches.vendor import Job
from tests.jobs.row_provider import RowProvider
from tests.loopback import serve_in_thread
from victor_fp.core.faults import LedgerFailed
from victor_fp.jobs import Row, export, read_report, run

ROOT = Path(__file__).parents[2]
CONCURRENCY = 16


def start(ledger: Path, calls: Path, rows: int) -> subprocess.Popen[bytes]:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "generated")])
    command = [sys.executable, "-m", "tests.jobs.killed_job", str(ledger), str(calls), str(rows)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": paths})


def kill_after(process: subprocess.Popen[bytes], calls: Path, lines: int) -> None:
    """Kill the process once the vendor has counted so many calls, or let it end."""
    while process.poll() is None:
        if calls.exists() and calls.read_bytes().count(b"\n") >= lines:
            process.kill()
            break
    process.wait()


def check_kills(tmp_path: Path, rows: int, kills: int) -> None:
    ledger, calls, luck = tmp_path / "job.ledger", tmp_path / "calls", random.Random(7)
    for _ in range(kills):
        before = calls.read_bytes().count(b"\n") if calls.exists() else 0
        kill_after(start(ledger, calls, rows), calls, before + luck.randrange(1, max(2, 2 * rows // kills)))
    assert start(ledger, calls, rows).wait() == 0
    report = read_report(ledger).unwrap()
    assert (report.done, report.left) == (rows, 0)
    assert export(ledger, tmp_path / "out.jsonl").unwrap() == rows
    counts = Counter(calls.read_text().splitlines())
    assert len(counts) == rows
    repeated = sum(counts.values()) - rows
    assert repeated <= kills * CONCURRENCY


def test_a_killed_job_loses_no_row_and_repeats_at_most_what_was_in_flight(tmp_path: Path) -> None:
    check_kills(tmp_path, rows=2000, kills=3)


@pytest.mark.slow
def test_twenty_kills_of_a_job_of_twenty_thousand_rows(tmp_path: Path) -> None:
    check_kills(tmp_path, rows=20_000, kills=20)


def draw_limits(count: int) -> list[int]:
    """Bytes from one page of SQLite to a quarter of the job's results, evenly on a logarithmic scale."""
    luck = random.Random(3)
    return [int(4096 * 1024 ** luck.random()) for _ in range(count)]


@pytest.mark.parametrize("limit", draw_limits(8))
async def test_unwritable_ledger_stops_the_job_with_pending_results(tmp_path: Path, limit: int) -> None:
    """A limit on file size simulates a full disk."""
    ledger = tmp_path / "job.ledger"
    provider = RowProvider(lambda prompt, _: prompt * 500)
    job = run((Row(str(number), f"text {number}") for number in range(3000)), provider, model="m", ledger=ledger)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    found = {}
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        async for done in job:
            found[done.key] = done
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert isinstance(job.stopped, LedgerFailed)
    assert str(ledger) in job.stopped.message
    unrecorded = [done for done in found.values() if done.response is not None and done.result.value_or(None) is None]
    assert bool(unrecorded) == bool(provider.asked)  # with the lowest limits the ledger cannot even be created
    answered = {prompt.removeprefix("text ") for prompt in provider.asked}
    assert answered <= {key for key, done in found.items() if done.response is not None} | {""}
    recorded = {f"text {key}" for key, done in found.items() if is_successful(done.result)}
    if recorded:
        report = read_report(ledger).unwrap()
        assert (report.done, report.left) == (len(recorded), report.read - len(recorded))
    again = RowProvider()
    rows = (Row(str(number), f"text {number}") for number in range(3000))
    assert len([1 async for _ in run(rows, again, model="m", ledger=ledger)]) == 3000
    assert not recorded & set(again.asked)
    assert max(again.asked.values()) == 1
    assert export(ledger, tmp_path / "out.jsonl").unwrap() == 3000


@pytest.mark.parametrize(
    ("what", "reason", "rows"),
    [("ledger", "the file is read-only", 1), ("folder", "unable to open", None), ("both", "the file is read-only", 1)],
)
def test_a_read_only_ledger_is_readable_and_refused_before_anything_is_sent(
    what: str, reason: str, rows: int | None
) -> None:
    # Not in `tmp_path`, which only its owner may enter.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        paths = os.pathsep.join([str(ROOT), str(ROOT / "generated")])
        command = [sys.executable, "-m", "tests.jobs.read_only_job", what, folder]
        environment = {**os.environ, "PYTHONPATH": paths}
        ended = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
        found = json.loads(ended.stdout)
        assert (found["fault"], found["asked"]) == ("LedgerFailed", 0)
        assert f"{folder}/closed/job.ledger: {reason}" in found["message"]
        assert (found["done"], found["exported"]) == (rows, rows)
        assert found["later"] is None


async def test_a_ledger_in_use_is_refused(tmp_path: Path) -> None:
    first = run((Row(str(number), "x") for number in range(500)), RowProvider(), model="m", ledger=tmp_path / "l")
    await anext(first)
    second = run([Row("a", "b")], provider := RowProvider(), model="m", ledger=tmp_path / "l")
    (only,) = [done async for done in second]
    assert "locked" in only.result.failure().message
    assert not provider.asked
    await first.aclose()


class PromptVendor(OpenAIVendor):
    """Has every batch answered by the second time that it is looked at."""

    def show(self, job: Job) -> dict[str, Any]:
        if job.state == "running":
            self.run(job)
            job.state = "completed"
        elif job.state == "pending" and self.received[-1].method == "GET":
            job.state = "running"
        return super().show(job)


def start_batches(ledger: Path, url: str, rows: int) -> subprocess.Popen[bytes]:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "generated")])
    command = [sys.executable, "-m", "tests.jobs.killed_batch_job", str(ledger), url, str(rows)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": paths})


@pytest.mark.slow
def test_a_killed_job_on_the_batch_route_loses_no_row_and_submits_none_twice(tmp_path: Path) -> None:
    vendor, rows, luck = PromptVendor(), 300, random.Random(11)
    ledger = tmp_path / "job.ledger"
    with serve_in_thread() as serve:
        url = f"{serve(vendor).url}/v1"
        for _ in range(8):
            until = len(vendor.received) + luck.randrange(2, 40)
            process = start_batches(ledger, url, rows)
            while process.poll() is None and len(vendor.received) < until:
                time.sleep(0.001)
            process.kill()
            process.wait()
        assert start_batches(ledger, url, rows).wait() == 0
    report = read_report(ledger).unwrap()
    assert (report.done, report.left, report.in_batches, report.batches) == (rows, 0, 0, 0)
    assert export(ledger, tmp_path / "out.jsonl").unwrap() == rows
    exported = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert {line["key"]: line["response"]["content"] for line in exported} == {
        str(number): f"TEXT {number}" for number in range(rows)
    }
    submitted = Counter(identifier for job in vendor.jobs.values() for identifier in job.requests)
    assert set(submitted.values()) == {1}
