"""The ledger of a job over a provider in memory: reports, exports, several runs, and files that are not ledgers."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest
from returns.result import Failure, Result, Success

from tests.jobs.row_provider import RowProvider, build_rows
from victor_fp.core.faults import (
    CredentialMissing,
    Fault,
    LedgerFailed,
    ServerFailed,
)
from victor_fp.jobs import Row, cancel_run, export, read_report, reopen_rows, run
from victor_fp.jobs.runner import Route
from victor_fp.shell.engine.batches import BatchClient
from victor_fp.shell.ledger.sqlite import FinishedRow, Ledger


async def test_report_and_export_of_a_running_job(tmp_path: Path) -> None:
    async with run(build_rows(100), RowProvider(), model="m", ledger=tmp_path / "l", concurrency=2) as job:
        seen = {(await anext(job)).key for _ in range(20)}
        count = (await job.export(tmp_path / "out.jsonl", order="completion")).unwrap()
        lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
        assert len(lines) == count
        assert seen <= {line["key"] for line in lines}
        assert isinstance(await job.export(tmp_path / "no" / "out.jsonl"), Failure)
    with_ledger = Ledger.open(tmp_path / "l").unwrap()
    async with run(build_rows(100), RowProvider(), model="m", ledger=with_ledger) as job:
        assert len([done async for done in job]) == 100
        assert (await job.export(tmp_path / "out.jsonl")).unwrap() == 100
    await with_ledger.aclose()


async def test_an_open_ledger_has_several_runs_one_at_a_time(tmp_path: Path) -> None:
    ledger, provider = Ledger.open(tmp_path / "l").unwrap(), RowProvider()
    async with run(build_rows(100), provider, model="m", ledger=ledger, concurrency=2) as first:
        assert (await anext(first)).key
        second = run(build_rows(3), provider, model="m", ledger=ledger)
        (only,) = [done async for done in second]
        assert isinstance(only.result.failure(), LedgerFailed)
        assert "another job uses it" in only.result.failure().message
    for is_second in (False, True):
        job = run(build_rows(100), provider, model="m", ledger=ledger)
        found = [done async for done in job]
        assert [type(done.result) for done in found] == [Success] * 100
        assert job.conflicts == 0
        for report in ((await job.report()).unwrap(), (await ledger.report()).unwrap()):
            assert (report.read, report.done, report.left) == (100, 100, 0)
        assert not is_second or all(done.is_resumed for done in found)
    refused = run(build_rows(3), provider, model="m", ledger=ledger, route="batch")
    assert len([done async for done in refused]) == 1
    assert len([done async for done in run(build_rows(100), provider, model="m", ledger=ledger)]) == 100
    await ledger.aclose()


class BrokenProvider(RowProvider):
    async def open_batches(self) -> Result[BatchClient, Fault]:
        raise RuntimeError("no batches today")


@pytest.mark.parametrize("is_open", [False, True])
async def test_a_job_that_cannot_begin_leaves_no_ledger_in_use(is_open: bool, tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "l").unwrap() if is_open else tmp_path / "l"
    broken = run(build_rows(3), BrokenProvider(), model="m", ledger=ledger, route="auto")
    with pytest.raises(RuntimeError, match="no batches today"):
        await anext(broken)
    found = [done async for done in run(build_rows(3), RowProvider(), model="m", ledger=ledger)]
    assert [type(done.result) for done in found] == [Success] * 3
    if isinstance(ledger, Ledger):
        await ledger.aclose()


async def test_a_job_that_is_cancelled_while_it_begins_leaves_the_ledger_to_others(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "l").unwrap()
    first = asyncio.create_task(anext(run(build_rows(3), RowProvider(), model="m", ledger=ledger)))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    assert first.cancelled()
    found = [done async for done in run(build_rows(3), RowProvider(), model="m", ledger=ledger)]
    assert [type(done.result) for done in found] == [Success] * 3
    await ledger.aclose()


async def test_a_ledger_that_cannot_be_opened_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "l").write_text("this is not a database, and it is long enough to be looked at as one" * 50)
    job = run(build_rows(3), RowProvider(), model="m", ledger=tmp_path / "l")
    (only,) = [done async for done in job]
    assert isinstance(only.result.failure(), LedgerFailed)
    assert isinstance(job.stopped, LedgerFailed)


LEDGER_1 = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO meta VALUES ('format', '1'), ('run', '1');
CREATE TABLE rows (key TEXT PRIMARY KEY, digest BLOB, body BLOB);
CREATE TABLE submitted (key TEXT PRIMARY KEY);
"""


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("CREATE TABLE users (name TEXT);", "it is the database of another program"),
        ("CREATE TABLE rows (a, b);", "it is the database of another program"),
        ("CREATE TABLE meta (a, b);", "it is the database of another program"),
        ("CREATE TABLE meta (name, value); INSERT INTO meta VALUES ('a', 'b');", "the database of another program"),
        (LEDGER_1, "its format is version 1; this release reads version 2"),
        (LEDGER_1.replace("'1'), ('run'", "'9'), ('run'"), "its format is version 9; this release reads version 2"),
    ],
)
async def test_the_database_of_another_program_or_version_is_refused_and_not_changed(
    tmp_path: Path, script: str, said: str
) -> None:
    path = tmp_path / "l"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    before, provider = path.read_bytes(), RowProvider()
    job = run(build_rows(3), provider, model="m", ledger=path)
    assert len([done async for done in job]) == 1
    faults = [
        job.stopped,
        read_report(path).failure(),
        reopen_rows(path, ["failed"]).failure(),
        cancel_run(path).failure(),
        export(path, tmp_path / "out.jsonl").failure(),
    ]
    for fault in faults:
        assert isinstance(fault, LedgerFailed)
        assert said in fault.message
    assert provider.asked.total() == 0
    assert path.read_bytes() == before
    assert not (tmp_path / "out.jsonl").exists()


async def test_an_empty_file_is_a_new_ledger_and_has_nothing_to_read(tmp_path: Path) -> None:
    path = tmp_path / "l"
    path.touch()
    assert "it is not a ledger" in read_report(path).failure().message
    assert len([done async for done in run(build_rows(3), RowProvider(), model="m", ledger=path)]) == 3


@pytest.mark.skipif(os.name != "posix", reason="links and pipes")
async def test_an_export_replaces_no_ledger(tmp_path: Path) -> None:
    path = tmp_path / "l"
    (tmp_path / "link").symlink_to(path)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    assert len([done async for done in run(build_rows(3), RowProvider(), model="m", ledger=path)]) == 3
    before = path.read_bytes()
    for out, said in (
        (path, "is the ledger"),
        (tmp_path / "folder" / ".." / "l", "is the ledger"),
        (tmp_path / "l-wal", "is a file of the ledger"),
        (tmp_path / "l-lock", "is a file of the ledger"),
        (tmp_path / "folder", "is not a regular file"),
        (tmp_path / "pipe", "is not a regular file"),
        (path / "out.jsonl", "Not a directory"),
    ):
        fault = export(path, out).failure()
        assert isinstance(fault, LedgerFailed), out
        assert said in fault.message
    assert path.read_bytes() == before
    assert export(tmp_path / "link", tmp_path / "out.jsonl").unwrap() == 3


async def test_a_defect_of_the_ledger_is_raised_and_leaves_no_row_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("victor_fp.shell.ledger.sqlite.Ledger._finish", break_down)
    async with asyncio.timeout(10):
        with pytest.raises(RuntimeError, match="a defect"):
            [done async for done in run(build_rows(20), RowProvider(), model="m", ledger=tmp_path / "l")]


async def test_export_in_input_order_and_in_order_of_completion(tmp_path: Path) -> None:
    ledger = tmp_path / "l"
    async for _ in run(build_rows(30), RowProvider(), model="m", ledger=ledger):
        pass
    assert export(ledger, tmp_path / "out.jsonl").unwrap() == 30
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["key"] for line in lines] == [str(number) for number in range(30)]
    assert lines[7]["response"]["content"] == "TEXT 7"
    assert export(ledger, tmp_path / "by_time.jsonl", order="completion").unwrap() == 30


async def test_export_is_in_the_order_of_the_last_input(tmp_path: Path) -> None:
    ledger, out = tmp_path / "l", tmp_path / "out.jsonl"
    for keys in ("abcd", "xdyba", "xdybaz"):
        given = [Row(key, key) for key in keys]
        assert len([done async for done in run(given, RowProvider(), model="m", ledger=ledger)]) == len(keys)
    assert export(ledger, out).unwrap() == 7
    order = [json.loads(line)["key"] for line in out.read_text().splitlines()]
    assert [key for key in order if key != "c"] == list("xdybaz")  # "c" is in no later input


@pytest.mark.skipif(os.name != "posix", reason="links")
async def test_a_ledger_is_locked_under_every_link_to_it(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "l")
    async with run(build_rows(100), RowProvider(), model="m", ledger=tmp_path / "l", concurrency=2) as job:
        await anext(job)
        (only,) = [done async for done in run(build_rows(3), RowProvider(), model="m", ledger=tmp_path / "link")]
        assert "locked by another run" in only.result.failure().message
        assert isinstance(reopen_rows(tmp_path / "link", ["done"]), Failure)
        assert cancel_run(tmp_path / "link").unwrap()


@pytest.mark.parametrize("name", [":memory:", "file:x?mode=memory"])
async def test_every_path_is_that_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert len([done async for done in run(build_rows(3), RowProvider(), model="m", ledger=name)]) == 3
    assert read_report(name).unwrap().done == 3


@pytest.mark.skipif(os.name != "posix", reason="links")
async def test_an_export_writes_the_file_of_a_link(tmp_path: Path) -> None:
    assert len([done async for done in run(build_rows(3), RowProvider(), model="m", ledger=tmp_path / "l")]) == 3
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert export(tmp_path / "l", tmp_path / "link").unwrap() == 3
    assert (tmp_path / "link").is_symlink()
    assert len((tmp_path / "file").read_text().splitlines()) == 3


async def test_exports_to_one_path_do_not_mix(tmp_path: Path) -> None:
    assert len([done async for done in run(build_rows(500), RowProvider(), model="m", ledger=tmp_path / "l")]) == 500
    exports = (asyncio.to_thread(export, tmp_path / "l", tmp_path / "out.jsonl") for _ in range(8))
    assert [written.unwrap() for written in await asyncio.gather(*exports)] == [500] * 8
    keys = [json.loads(line)["key"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert keys == [str(number) for number in range(500)]


def test_the_end_of_the_loop_does_not_hang_and_loses_no_result(tmp_path: Path) -> None:
    """The writer of the ledger is cancelled before its first step, as by `asyncio.run` after an exception."""

    async def stop_writer() -> None:
        ledger = Ledger.open(tmp_path / "l").unwrap()
        row = FinishedRow(key="a", position=0, digest=b"", status="done", body=b"a")
        committed = ledger.finish(row, None)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        async with asyncio.timeout(60):
            await ledger.aclose()
        assert committed.done()

    asyncio.run(stop_writer())
    assert read_report(tmp_path / "l").unwrap().done == 1


@pytest.mark.skipif(os.name != "posix", reason="an open file can be removed")
async def test_a_job_whose_ledger_is_removed_stops(tmp_path: Path) -> None:
    provider = RowProvider()
    job = run(build_rows(500), provider, model="m", ledger=tmp_path / "l", concurrency=2)
    async for _ in job:
        (tmp_path / "l").unlink(missing_ok=True)
    assert isinstance(job.stopped, LedgerFailed)
    assert "the file was removed or renamed" in job.stopped.message
    assert sum(provider.asked.values()) < 100


@pytest.mark.parametrize("is_open", [False, True])
@pytest.mark.parametrize("why", ["locked", "no batches", "no key", "bad route", "empty input"])
async def test_a_run_without_results_keeps_the_counts_of_the_run_before(
    is_open: bool, why: str, tmp_path: Path
) -> None:
    path = tmp_path / "l"
    failing = RowProvider(lambda prompt, _: ServerFailed(message="busy") if prompt.endswith("9") else prompt)
    async with run(build_rows(200), failing, model="m", ledger=path, max_tries=1) as job:
        assert len([done async for done in job]) == 200
    before = read_report(path).unwrap()
    assert (before.read, before.left) == (200, 20)
    ledger = Ledger.open(path).unwrap() if is_open else path
    keyless = RowProvider(lambda _, __: CredentialMissing(message="no key"))
    rows = [] if why == "empty input" else build_rows(200)
    route: Route = "batch" if why == "no batches" else cast("Route", "no") if why == "bad route" else "live"
    holder = run(build_rows(200), failing, model="m", ledger=ledger, max_tries=1)
    if why == "locked":
        await anext(holder)
    refused = run(rows, keyless, model="m", ledger=ledger, route=route, skip_finished=True)
    assert len([done async for done in refused]) <= 1 or why == "no key"
    assert (refused.stopped is not None) == (why != "empty input")
    await holder.aclose()
    if isinstance(ledger, Ledger):
        await ledger.aclose()
    after = read_report(path).unwrap()
    assert (after.read, after.left) == (200, 20)
