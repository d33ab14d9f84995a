"""Jobs without `async`: the same results, rows read in the caller's thread, and an end that leaves the ledger free."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from returns.result import Failure, Success

from tests.jobs.row_provider import RowProvider
from tests.loopback import Received, Talk, serve_in_thread
from victor_fp.core.faults import BudgetExceeded, CredentialMissing, InvalidRequest, LedgerFailed
from victor_fp.core.types import CompletionResponse
from victor_fp.jobs import Budget, Row, export, read_report
from victor_fp.jobs.sync_run import SyncJobRun
from victor_fp.sync import SyncProvider, create, run, run_job


def build_rows(count: int) -> Iterator[Row]:
    return (Row(str(number), f"text {number}") for number in range(count))


def test_every_row_is_processed_once_and_a_second_run_sends_nothing(tmp_path: Path) -> None:
    provider, ledger = RowProvider(), tmp_path / "job.ledger"
    found = {done.key: done for done in run_job(build_rows(500), SyncProvider(provider), model="m", ledger=ledger)}
    assert len(found) == 500
    assert all(done.result.unwrap().content == f"TEXT {key}" for key, done in found.items())
    assert set(provider.asked.values()) == {1}
    again = RowProvider()
    second = list(run_job(build_rows(500), again, model="m", ledger=ledger))
    assert not again.asked
    assert {done.key: done.result for done in second} == {key: done.result for key, done in found.items()}
    assert all(done.is_resumed for done in second)


def test_rows_whose_key_belongs_to_another_are_counted(tmp_path: Path) -> None:
    provider, given = SyncProvider(RowProvider()), [Row("a", "one"), Row("a", "two"), Row("b", "three")]
    with run_job(given, provider, model="m", ledger=tmp_path / "l") as job:
        assert (job.conflicts, job.conflict) == (0, None)
        found = [done.result for done in job]
        assert [isinstance(result, Failure) for result in found].count(True) == 1
        assert job.conflicts == 1
        assert job.conflict is not None
        assert job.conflict.message == "key 'a' occurs twice in the input"


def test_rows_are_sent_over_http(tmp_path: Path) -> None:
    async def answer(talk: Talk, request: Received) -> None:
        asked: Any = request.json()
        text = asked["messages"][-1]["content"]
        message = {"role": "assistant", "content": text.upper()}
        await talk.answer({"model": "m", "choices": [{"index": 0, "finish_reason": "stop", "message": message}]})

    with serve_in_thread() as serve, create("openai", api_key="k", base_url=f"{serve(answer).url}/v1") as provider:
        found = {done.key: done.result for done in run_job(build_rows(40), provider, model="m", ledger=tmp_path / "l")}
    assert {key: result.unwrap().content for key, result in found.items()} == {
        str(number): f"TEXT {number}" for number in range(40)
    }


def _leave(job: SyncJobRun[CompletionResponse], way: str) -> None:
    match way:
        case "break":
            for _ in job:
                break
        case "raise":
            with pytest.raises(KeyError):
                for _ in job:
                    raise KeyError
        case "close":
            next(job)
            job.close()
        case _:
            with job:
                next(job)
    assert list(job) == []
    assert job.report().unwrap().done >= 1


@pytest.mark.parametrize("way", ["break", "raise", "close", "with", "drop"])
def test_leaving_a_job_stops_it_and_frees_the_ledger(tmp_path: Path, way: str) -> None:
    provider, ledger, closed = RowProvider(), tmp_path / "job.ledger", []

    def generate_rows() -> Iterator[Row]:
        try:
            yield from build_rows(5000)
        finally:
            closed.append(threading.get_ident())

    def begin() -> SyncJobRun[CompletionResponse]:
        return run_job(generate_rows(), provider, model="m", ledger=ledger, concurrency=8)

    if way == "drop":
        next(begin())
    else:
        _leave(begin(), way)
    assert closed == [threading.get_ident()]
    asked = sum(provider.asked.values())
    assert asked <= 100
    second = RowProvider()
    assert len(list(run_job(build_rows(200), second, model="m", ledger=ledger))) == 200
    assert sum(provider.asked.values()) == asked
    assert sum(provider.asked[prompt] for prompt in second.asked) <= 8


@pytest.mark.skipif(threading.current_thread() is not threading.main_thread(), reason="signals are the main thread's")
def test_interrupt_stops_the_job_and_the_next_run_continues(tmp_path: Path) -> None:
    ledger = tmp_path / "job.ledger"
    gate = asyncio.Event()

    def answer(prompt: str, _: int) -> str:
        if prompt == "text 20":  # the rows that follow hang, and so does the caller's thread
            provider.gate = gate
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return prompt.upper()

    provider = RowProvider(answer)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    seen = set()
    job = run_job(build_rows(100), provider, model="m", ledger=ledger, concurrency=8)
    try:
        with pytest.raises(KeyboardInterrupt):
            for done in job:
                seen.add(done.key)
    finally:
        signal.signal(signal.SIGINT, before)
    assert provider.in_flight == 0
    assert list(job) == []
    second = RowProvider()
    found = {done.key for done in run_job(build_rows(100), second, model="m", ledger=ledger)}
    assert found == {str(number) for number in range(100)}
    assert sum(provider.asked[prompt] for prompt in second.asked) <= 8
    assert not {f"text {key}" for key in seen} & second.asked.keys()


def test_rows_are_read_in_the_callers_thread_and_may_use_a_synchronous_provider(tmp_path: Path) -> None:
    threads = set()
    provider = SyncProvider(RowProvider())

    def generate_rows() -> Iterator[Row]:
        for row in build_rows(300):
            threads.add(threading.get_ident())
            if row.key == "150":
                yield Row(row.key, provider.chat("from another call", model="m").content)
            else:
                yield row

    found = {
        done.key: done.result.unwrap().content
        for done in run_job(generate_rows(), provider, model="m", ledger=tmp_path / "l")
    }
    assert threads == {threading.get_ident()}
    assert found["150"] == "FROM ANOTHER CALL"
    assert len(found) == 300


def test_rows_are_read_only_so_far_ahead(tmp_path: Path) -> None:
    provider, read = RowProvider(), []

    def generate_rows() -> Iterator[Row]:
        for row in build_rows(5000):
            read.append(row.key)
            yield row

    with run_job(generate_rows(), provider, model="m", ledger=tmp_path / "l", concurrency=20) as job:
        next(job)
        for _ in range(200):
            run(asyncio.sleep(0))
        assert len(read) <= 512
        assert sum(provider.asked.values()) <= 100
        assert provider.most_in_flight <= 20


def test_an_exception_in_the_source_is_raised_once_the_rows_before_it_are_answered(tmp_path: Path) -> None:
    def generate_rows() -> Iterator[Row]:
        yield from build_rows(200)
        raise OSError("the input broke")

    found = []
    with pytest.raises(OSError, match="the input broke"):
        for done in run_job(generate_rows(), RowProvider(), model="m", ledger=tmp_path / "l"):
            found += [done.key]
    assert read_report(tmp_path / "l").unwrap().done == len(found) == 200


@pytest.mark.parametrize("is_async", [False, True])
def test_a_source_that_exits_is_raised_once_the_rows_before_it_are_answered(is_async: bool, tmp_path: Path) -> None:
    def generate_rows() -> Iterator[Row]:
        yield from build_rows(200)
        raise SystemExit(3)

    async def generate_asynchronously() -> AsyncIterator[Row]:
        for row in generate_rows():
            yield row

    found = []
    with pytest.raises(SystemExit):
        for done in run_job(
            generate_asynchronously() if is_async else generate_rows(), RowProvider(), model="m", ledger=tmp_path / "l"
        ):
            found += [done.key]
    assert len(found) == 200
    assert len(list(run_job(build_rows(3), RowProvider(), model="m", ledger=tmp_path / "l"))) == 3  # the loop runs


def test_rows_may_come_from_an_async_iterable(tmp_path: Path) -> None:
    async def generate_rows() -> AsyncIterator[Row]:
        for row in build_rows(20):
            await asyncio.sleep(0)
            yield row

    assert len(list(run_job(generate_rows(), RowProvider(), model="m", ledger=tmp_path / "l"))) == 20


def test_stopping_fault_is_reported_and_no_more_rows_are_read(tmp_path: Path) -> None:
    read = []

    def generate_rows() -> Iterator[Row]:
        for row in build_rows(5000):
            read.append(row.key)
            yield row

    provider = RowProvider(lambda *_: CredentialMissing(message="no key"))
    job = run_job(generate_rows(), provider, model="m", ledger=tmp_path / "l", concurrency=4)
    assert 1 <= len(list(job)) <= 4
    assert isinstance(job.stopped, CredentialMissing)
    assert len(read) <= 256
    (tmp_path / "bad").write_text("this is not a database, and it is long enough to be looked at as one" * 50)
    refused = run_job(build_rows(3), RowProvider(), model="m", ledger=tmp_path / "bad")
    (only,) = refused
    assert isinstance(only.result.failure(), LedgerFailed)
    assert isinstance(refused.stopped, LedgerFailed)


def test_a_budget_bounds_the_run(tmp_path: Path) -> None:
    provider = RowProvider()
    job = run_job(
        build_rows(100), provider, model="m", ledger=tmp_path / "l", concurrency=16, budget=Budget(requests=30)
    )
    assert sum(isinstance(done.result, Success) for done in job) == 30
    assert isinstance(job.stopped, BudgetExceeded)
    assert sum(provider.asked.values()) == 30


class City(BaseModel):
    name: str


def test_export_of_a_running_job(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with run_job(build_rows(50), RowProvider(), model="m", ledger=tmp_path / "l", concurrency=2) as job:
        seen = {next(job).key for _ in range(10)}
        assert job.export(out, order="completion").unwrap() >= 10
    assert seen <= {json.loads(line)["key"] for line in out.read_text().splitlines()}


def test_structured_output_is_parsed(tmp_path: Path) -> None:
    provider = RowProvider(lambda *_: '{"name": "Paris"}')
    (done,) = run_job(build_rows(1), provider, model="m", ledger=tmp_path / "l", schema=City)
    assert done.result == Success(City(name="Paris"))


def test_inside_the_background_loop_the_job_is_a_failure_and_does_not_hang(tmp_path: Path) -> None:
    async def run_inside() -> None:
        job = run_job(build_rows(3), RowProvider(), model="m", ledger=tmp_path / "l")
        (only,) = job
        assert isinstance(only.result, Failure)
        assert isinstance(job.stopped, InvalidRequest)
        assert "inside the background event loop" in job.stopped.message

    run(run_inside())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_job_that_was_begun_before_a_fork_is_a_failure_in_the_child(tmp_path: Path) -> None:
    job = run_job(build_rows(50), RowProvider(), model="m", ledger=tmp_path / "l", concurrency=4)
    next(job)
    child = os.fork()
    if not child:
        status = 1
        with suppress(BaseException):
            for _ in range(100):  # what was at hand before the fork comes first
                if isinstance(next(job).result, Failure):
                    break
            stopped = job.stopped
            status = 0 if stopped is not None and "before this process was forked" in stopped.message else 2
        os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(list(job)) == 49


def test_unread_job_sends_nothing_and_creates_no_ledger(tmp_path: Path) -> None:
    provider = RowProvider()
    job = run_job(build_rows(3), provider, model="m", ledger=tmp_path / "l")
    job.close()
    assert list(job) == []
    assert not provider.asked
    assert not (tmp_path / "l").exists()


def test_an_export_does_not_replace_its_ledger(tmp_path: Path) -> None:
    ledger = tmp_path / "job.ledger"
    ledger.write_bytes(b"kept")
    assert isinstance(export(ledger, tmp_path / "." / "job.ledger").failure(), LedgerFailed)
    assert ledger.read_bytes() == b"kept"


def test_a_provider_that_exits_ends_the_run_and_loses_no_other_row(tmp_path: Path) -> None:
    class Leaving(RowProvider):
        async def chat_result(self, messages: Any, **options: Any) -> Any:
            if messages[-1].text == "text 1":
                raise SystemExit(3)
            return await super().chat_result(messages, **options)

    with pytest.raises(SystemExit):
        list(run_job(build_rows(4), Leaving(), model="m", ledger=tmp_path / "l"))
    report = read_report(tmp_path / "l").unwrap()
    assert (report.done, report.left) == (3, 1)
    again = RowProvider()
    assert len(list(run_job(build_rows(4), again, model="m", ledger=tmp_path / "l"))) == 4
    assert list(again.asked) == ["text 1"]
