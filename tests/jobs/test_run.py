"""Jobs over a provider in memory: every row exactly once, resumed runs, budgets, and what stops a job."""

from __future__ import annotations

import asyncio
import gc
import json
import math
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any, TypedDict, cast

import pytest
from returns.result import Failure, Success

from tests.fake_runtime import FakeRuntime
from tests.jobs.row_provider import Answer, RowProvider, build_rows
from victor_fp import create
from victor_fp.core.faults import (
    BudgetExceeded,
    CircuitOpen,
    ConnectionFailed,
    ContentRefused,
    CredentialMissing,
    Fault,
    InvalidRequest,
    RateLimited,
    ServerFailed,
)
from victor_fp.core.jobs.rows import RowInput, parse_row
from victor_fp.core.types import CompletionResponse
from victor_fp.core.usage.cost import PricedUsage
from victor_fp.jobs import Budget, Row, export, read_report, reopen_rows, run
from victor_fp.shell.ledger.sqlite import FinishedRow, Ledger
from victor_fp.sync import run_job


async def test_every_row_is_answered_once(tmp_path: Path) -> None:
    provider = RowProvider()
    found = {done.key: done async for done in run(build_rows(500), provider, model="m", ledger=tmp_path / "job.ledger")}
    assert len(found) == 500
    assert all(done.result.unwrap().content == f"TEXT {key}" for key, done in found.items())
    assert set(provider.asked.values()) == {1}
    report = read_report(tmp_path / "job.ledger").unwrap()
    assert (report.read, report.done, report.left) == (500, 500, 0)
    assert (report.prompt_tokens, report.completion_tokens) == (5000, 2500)


async def test_commit_does_not_wait_for_rows_that_cannot_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("victor_fp.shell.ledger.sqlite.GATHERING", 600.0)
    async with asyncio.timeout(60):
        found = [
            done async for done in run(build_rows(101), RowProvider(), model="m", ledger=tmp_path / "l", concurrency=16)
        ]
    assert len(found) == 101


async def test_commit_waits_for_its_share_of_the_rows_in_flight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("victor_fp.shell.ledger.sqlite.GATHERING", 0.0)
    monkeypatch.setattr("victor_fp.shell.ledger.sqlite.MAX_GATHERING", 600.0)
    ledger = Ledger.open(tmp_path / "l").unwrap()
    sizes: list[int] = []
    ledger.on_commit = lambda outcomes, _: sizes.append(len(outcomes))
    ledger.set_open_rows(64)
    names = iter(range(100))

    def finish() -> asyncio.Future[None]:
        name = next(names)
        return ledger.finish(FinishedRow(key=str(name), position=name, digest=b"", status="done", body=b"a"), None)

    async with asyncio.timeout(60):
        waiting = finish()
        for _ in range(2):
            for _ in range(100):
                await asyncio.sleep(0)
            assert not waiting.done()
            finish()
        await finish()  # 64 rows in flight: the fourth ends the wait
        assert sizes == [4]
        waiting = finish()
        for _ in range(100):
            await asyncio.sleep(0)
        ledger.set_open_rows(1)  # the others have ended otherwise
        await waiting
        assert sizes == [4, 1]
    await ledger.aclose()
    assert read_report(tmp_path / "l").unwrap().done == 5


async def test_missing_fields_of_a_row_are_null_in_the_ledger(tmp_path: Path) -> None:
    provider = RowProvider(lambda prompt, _: CompletionResponse(content=prompt) if prompt == "text 0" else "A")
    [_ async for _ in run(build_rows(2), provider, model="m", ledger=tmp_path / "l")]
    query = (
        "SELECT typeof(fault), typeof(prompt_tokens), typeof(cost), typeof(digest), typeof(body) FROM rows ORDER BY key"
    )
    with closing(sqlite3.connect(tmp_path / "l")) as connection:
        assert connection.execute(query).fetchall() == [
            ("null", "null", "null", "blob", "blob"),
            ("null", "integer", "null", "blob", "blob"),
        ]


@pytest.mark.parametrize(("size", "most"), [(10, 1024), (256 * 1024, 128 + 2 * 32)])
async def test_fewer_large_rows_are_read_ahead(tmp_path: Path, size: int, most: int) -> None:
    read = 0

    def generate_rows() -> Iterator[Row]:
        nonlocal read
        for number in range(5000):
            read += 1
            yield Row(str(number), "x" * size)

    finished = 0
    async with run(generate_rows(), RowProvider(), model="m", ledger=tmp_path / "l", concurrency=256) as job:
        async for _ in job:
            finished += 1
            assert read <= finished + 2 * 256 + most
            if finished == 300:
                break


async def test_second_run_sends_nothing_and_yields_recorded_results(tmp_path: Path) -> None:
    ledger = tmp_path / "job.ledger"
    first = {
        done.key: done.result.unwrap() async for done in run(build_rows(50), RowProvider(), model="m", ledger=ledger)
    }
    again = RowProvider()
    second = [done async for done in run(build_rows(50), again, model="m", ledger=ledger)]
    assert not again.asked
    assert all(done.is_resumed for done in second)
    assert {done.key: done.result.unwrap() for done in second} == first
    assert [done async for done in run(build_rows(50), again, model="m", ledger=ledger, skip_finished=True)] == []


async def test_next_run_repeats_only_rows_in_flight(tmp_path: Path) -> None:
    ledger, first = tmp_path / "job.ledger", RowProvider()
    seen = set()
    async with run(build_rows(300), first, model="m", ledger=ledger, concurrency=8) as job:
        async for done in job:
            seen.add(done.key)
            if len(seen) == 100:
                break
    recorded = read_report(ledger).unwrap().done
    second = RowProvider()
    found = {done.key async for done in run(build_rows(300), second, model="m", ledger=ledger)}
    assert found == {str(number) for number in range(300)}
    repeated = sum(first.asked[prompt] for prompt in second.asked)
    assert seen <= found
    assert recorded >= 100
    assert repeated <= 8


async def test_one_bad_row_stops_nothing(tmp_path: Path) -> None:
    def answer(prompt: str, _: int) -> str | ContentRefused:
        return ContentRefused(message="declined") if prompt == "text 3" else prompt

    provider = RowProvider(answer)
    job = run(build_rows(10), provider, model="m", ledger=tmp_path / "job.ledger")
    found = {done.key: done.result async for done in job}
    assert isinstance(found["3"], Failure)
    assert sum(isinstance(result, Success) for result in found.values()) == 9
    assert job.stopped is None
    assert (await job.report()).unwrap().faults == {"ContentRefused": 1}


async def test_temporary_failures_are_retried_and_permanent_ones_are_not(tmp_path: Path) -> None:
    def answer(prompt: str, before: int) -> str | ServerFailed | InvalidRequest:
        if prompt == "text 0" and before < 2:
            return ServerFailed(status=500)
        return InvalidRequest(status=400) if prompt == "text 1" else prompt

    provider, runtime = RowProvider(answer), FakeRuntime()
    ledger = tmp_path / "job.ledger"
    found = {
        done.key: done.result async for done in run(build_rows(2), provider, model="m", ledger=ledger, runtime=runtime)
    }
    assert isinstance(found["0"], Success)
    assert isinstance(found["1"], Failure)
    assert provider.asked == {"text 0": 3, "text 1": 1}
    assert len(runtime.slept) == 2
    again = RowProvider(answer)
    assert [done.is_resumed async for done in run(build_rows(2), again, model="m", ledger=ledger)] == [True, True]
    assert reopen_rows(ledger, ["failed"]).unwrap() == 1
    assert {done.key async for done in run(build_rows(2), again, model="m", ledger=ledger, skip_finished=True)} == {"1"}


async def test_row_with_exhausted_attempts_is_retried_by_the_next_run(tmp_path: Path) -> None:
    ledger, runtime = tmp_path / "job.ledger", FakeRuntime()
    down = RowProvider(lambda *_: ServerFailed(status=500))
    first = [done.result async for done in run(build_rows(3), down, model="m", ledger=ledger, runtime=runtime)]
    assert all(isinstance(result, Failure) for result in first)
    report = read_report(ledger).unwrap()
    assert (report.retryable, report.left) == (3, 3)
    up = RowProvider()
    assert all([isinstance(done.result, Success) async for done in run(build_rows(3), up, model="m", ledger=ledger)])


async def test_an_open_circuit_makes_rows_wait(tmp_path: Path) -> None:
    provider = RowProvider(lambda prompt, before: CircuitOpen(retry_after=20.0) if before < 10 else prompt)
    runtime = FakeRuntime()
    job = run(build_rows(4), provider, model="m", ledger=tmp_path / "job.ledger", runtime=runtime, max_tries=1)
    assert all([isinstance(done.result, Success) async for done in job])


async def test_missing_credentials_stop_the_job_and_keep_rows_open(tmp_path: Path) -> None:
    provider = RowProvider(lambda *_: CredentialMissing(message="no key"))
    job = run(build_rows(100), provider, model="m", ledger=tmp_path / "job.ledger", concurrency=4)
    found = [done async for done in job]
    assert isinstance(job.stopped, CredentialMissing)
    assert 1 <= len(found) <= 4
    assert sum(provider.asked.values()) <= 4
    assert (await job.report()).unwrap().done == 0


async def test_a_budget_in_requests_is_never_exceeded(tmp_path: Path) -> None:
    provider = RowProvider()
    job = run(
        build_rows(100), provider, model="m", ledger=tmp_path / "job.ledger", concurrency=16, budget=Budget(requests=30)
    )
    found = [done async for done in job]
    assert isinstance(job.stopped, BudgetExceeded)
    assert sum(provider.asked.values()) == 30
    assert sum(isinstance(done.result, Success) for done in found) == 30


async def test_a_budget_in_dollars_needs_a_price(tmp_path: Path) -> None:
    def compute_price(call: PricedUsage) -> float:
        return 0.01 * int(call.usage["prompt_tokens"] + call.usage["completion_tokens"]) / 15

    unpriced = run(build_rows(5), RowProvider(), model="m", ledger=tmp_path / "a.ledger", budget=Budget(usd=1.0))
    (only,) = [done async for done in unpriced]
    assert isinstance(only.result, Failure)
    assert "no price is known for model 'm'" in only.result.failure().message
    provider = RowProvider()
    priced = run(
        build_rows(200),
        provider,
        model="m",
        ledger=tmp_path / "b.ledger",
        budget=Budget(usd=1.0),
        price=compute_price,
        max_tokens=20,
    )
    costs = [done.cost_usd or 0.0 async for done in priced]
    assert isinstance(priced.stopped, BudgetExceeded)
    assert 0.5 <= sum(costs) <= 1.0 + 1e-9  # estimates are above what is used, so the bound holds


async def test_duplicate_and_changed_keys_are_rejected(tmp_path: Path) -> None:
    ledger = tmp_path / "job.ledger"
    given = [Row("a", "one"), Row("b", "two"), Row("a", "three")]
    found = [(done.key, done.result) async for done in run(given, RowProvider(), model="m", ledger=ledger)]
    assert sorted(key for key, _ in found) == ["a", "a", "b"]
    (refused,) = [result.failure() for _, result in found if isinstance(result, Failure)]
    assert refused.message == "key 'a' occurs twice in the input"
    changed = [done.result async for done in run([Row("a", "changed")], RowProvider(), model="m", ledger=ledger)]
    assert "has changed since an earlier run" in changed[0].failure().message
    assert read_report(ledger).unwrap().done == 2


async def test_rows_that_cannot_be_read_are_faults_of_those_rows(tmp_path: Path) -> None:
    given: list[RowInput] = [
        {"key": "ok", "prompt": "x"},
        {"key": "none"},
        {"key": "bad", "messages": [{"role": "nobody"}]},
    ]
    found = {done.key: done.result async for done in run(given, RowProvider(), model="m", ledger=tmp_path / "l")}
    assert isinstance(found["ok"], Success)
    assert found["none"].failure().message == "row 'none' has neither messages nor prompt"
    assert "row 'bad'" in found["bad"].failure().message


async def test_a_row_that_cannot_be_read_does_not_take_the_key_of_another_row(tmp_path: Path) -> None:
    given: list[RowInput] = [{"key": "row-0", "prompt": "a"}, *read_lines("{broken"), {"key": "row-1", "prompt": "b"}]
    found = {done.key: done.result async for done in run(given, RowProvider(), model="m", ledger=tmp_path / "l")}
    assert {key for key, result in found.items() if isinstance(result, Success)} == {"row-0", "row-1"}
    assert "line 2 is not a JSON object" in found["(row 1)"].failure().message


def read_lines(line: str) -> list[RowInput]:
    return [parse_row(line, 1)]


async def test_a_row_that_the_call_would_not_accept_stops_no_other(tmp_path: Path) -> None:
    given: list[RowInput] = [
        Row("a", "x"),
        Row(5, "x"),  # type: ignore[arg-type]
        {"key": "b", "prompt": "y", "options": {"model": "n"}},
        Row("c", "z"),
    ]
    provider = RowProvider()
    found = [done async for done in run(given, provider, model="m", ledger=tmp_path / "l")]
    assert {done.key for done in found if isinstance(done.result, Success)} == {"a", "c"}
    assert len(found) == 4
    assert provider.asked.total() == 2


@dataclass
class Number:
    n: int


class NumberDict(TypedDict):
    n: int


@pytest.mark.parametrize(("schema", "value"), [(Number, Number(7)), (NumberDict, {"n": 7})])
async def test_a_schema_may_be_a_dataclass_or_a_typed_dict(schema: Any, value: object, tmp_path: Path) -> None:
    for is_resumed in (False, True):
        job = run(build_rows(3), RowProvider(lambda _, __: '{"n": 7}'), model="m", ledger=tmp_path / "l", schema=schema)
        found = [(done.result, done.is_resumed) async for done in job]
        assert found == [(Success(value), is_resumed)] * 3


@pytest.mark.parametrize("schema", [{"type": "nonsense"}, int])
async def test_a_schema_that_is_not_valid_is_refused_before_anything_is_sent(schema: Any, tmp_path: Path) -> None:
    provider = RowProvider()
    job = run(build_rows(3), provider, model="m", ledger=tmp_path / "l", schema=schema)
    (only,) = [done async for done in job]
    assert only.result.failure() is job.stopped
    assert isinstance(job.stopped, InvalidRequest)
    assert "schema" in job.stopped.message
    assert provider.asked.total() == 0


async def test_rows_may_come_from_an_async_iterable(tmp_path: Path) -> None:
    async def generate_rows() -> AsyncIterator[Row]:
        for row in build_rows(20):
            await asyncio.sleep(0)
            yield row

    assert len([done async for done in run(generate_rows(), RowProvider(), model="m", ledger=tmp_path / "l")]) == 20


async def test_a_row_of_an_async_source_does_not_wait_for_the_next_one(tmp_path: Path) -> None:
    more = asyncio.Event()

    async def generate_rows() -> AsyncIterator[Row]:
        yield Row("first", "x")
        await more.wait()
        yield Row("second", "y")

    job = run(generate_rows(), RowProvider(), model="m", ledger=tmp_path / "l")
    assert (await anext(job)).key == "first"
    more.set()
    assert [done.key async for done in job] == ["second"]


async def test_an_async_source_that_raises_loses_no_row_before_it(tmp_path: Path) -> None:
    async def generate_rows() -> AsyncIterator[Row]:
        for row in build_rows(300):
            yield row
        raise OSError("the input broke")

    found = []
    with pytest.raises(OSError, match="the input broke"):
        async for done in run(generate_rows(), RowProvider(), model="m", ledger=tmp_path / "l"):
            found += [done.key]
    assert read_report(tmp_path / "l").unwrap().done >= len(found) == 300


async def generate_rows_and_wait() -> AsyncIterator[Row]:
    """Has a few rows and then waits for more."""
    for row in build_rows(10):
        yield row
    await asyncio.Event().wait()


async def test_a_job_that_stops_does_not_wait_for_its_source(tmp_path: Path) -> None:
    job = run(generate_rows_and_wait(), RowProvider(), model="m", ledger=tmp_path / "l", budget=Budget(requests=4))
    async with asyncio.timeout(20):
        found = [done async for done in job]
    assert isinstance(job.stopped, BudgetExceeded)
    assert sum(isinstance(done.result, Success) for done in found) == 4


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_source_that_is_cancelled_inside_raises_and_what_was_read_is_recorded(
    is_async: bool, tmp_path: Path
) -> None:
    def generate_rows() -> Iterator[Row]:
        yield Row("a", "x")
        raise asyncio.CancelledError

    async def generate_rows_async() -> AsyncIterator[Row]:
        for row in generate_rows():
            yield row

    found = []
    rows = generate_rows_async() if is_async else generate_rows()
    async with asyncio.timeout(20):
        with pytest.raises(RuntimeError, match="the source of rows was cancelled"):
            async for done in run(rows, RowProvider(), model="m", ledger=tmp_path / "l"):
                found.append(done.key)  # noqa: PERF401  it raises
    assert found == ["a"]


async def test_a_call_that_is_cancelled_inside_raises_and_its_row_stays_open(tmp_path: Path) -> None:
    def answer(prompt: str, before: int) -> Answer:
        if prompt == "text 1" and not before:
            raise asyncio.CancelledError
        return prompt

    provider = RowProvider(answer)
    async with asyncio.timeout(20):
        with pytest.raises(RuntimeError, match="the call of a row was cancelled"):
            assert [done async for done in run(build_rows(3), provider, model="m", ledger=tmp_path / "l")]
    assert len([done async for done in run(build_rows(3), provider, model="m", ledger=tmp_path / "l")]) == 3


async def test_a_source_that_cannot_be_closed_leaves_no_ledger_open(tmp_path: Path) -> None:
    class Source(Iterator[Row]):
        def __init__(self) -> None:
            self.rows = iter(build_rows(3))

        def __next__(self) -> Row:
            return next(self.rows)

        def close(self) -> None:
            raise OSError("not closed")

    with pytest.raises(OSError, match="not closed"):
        assert [done async for done in run(Source(), RowProvider(), model="m", ledger=tmp_path / "l")]
    async with run(build_rows(3), RowProvider(), model="m", ledger=tmp_path / "l") as job:
        assert all(done.is_resumed for done in [done async for done in job])


async def test_rows_of_a_slow_source_are_sent_as_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("victor_fp.jobs.row_reader.MAX_READING", 0.0)  # each row is slow
    provider = RowProvider()
    sent: list[int] = []

    def generate_rows() -> Iterator[Row]:
        for row in build_rows(20):
            sent.append(provider.asked.total())
            yield row

    assert len([done async for done in run(generate_rows(), provider, model="m", ledger=tmp_path / "l")]) == 20
    assert sent[-1] > 10


async def test_concurrency_is_bounded_and_the_consumer_holds_it_back(tmp_path: Path) -> None:
    provider = RowProvider()
    read = 0

    def generate_rows() -> Iterator[Row]:
        nonlocal read
        for row in build_rows(5000):
            read += 1
            yield row

    job = run(generate_rows(), provider, model="m", ledger=tmp_path / "l", concurrency=20)
    await anext(job)
    for _ in range(200):
        await asyncio.sleep(0)
    assert provider.most_in_flight <= 20
    assert read <= 300
    assert sum(provider.asked.values()) <= 100
    await job.aclose()


async def test_rate_limits_reduce_concurrency_and_every_row_is_answered(tmp_path: Path) -> None:
    def answer(prompt: str, before: int) -> str | RateLimited:
        return RateLimited(status=429, retry_after=1.0) if provider.in_flight >= 4 else prompt

    provider, runtime = RowProvider(answer), FakeRuntime()
    job = run(
        build_rows(400),
        provider,
        model="m",
        ledger=tmp_path / "l",
        concurrency=64,
        runtime=runtime,
        max_tries=1_000_000,
    )
    assert [isinstance(done.result, Success) async for done in job] == [True] * 400
    assert job.stopped is None


async def test_an_exception_in_the_source_is_raised_and_what_was_answered_is_recorded(tmp_path: Path) -> None:
    def generate_rows() -> Iterator[Row]:
        yield from build_rows(200)
        raise OSError("the input broke")

    ledger = tmp_path / "l"
    found = []
    with pytest.raises(OSError, match="the input broke"):
        async for done in run(generate_rows(), RowProvider(), model="m", ledger=ledger):
            found += [done.key]
    assert read_report(ledger).unwrap().done >= len(found) == 200


@pytest.mark.parametrize("is_async", [False, True])
def test_a_source_that_exits_is_raised_in_the_caller_and_loses_no_row_before_it(
    is_async: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def generate_rows() -> Iterator[Row]:
        yield from build_rows(200)
        raise SystemExit(3)

    async def generate_asynchronously() -> AsyncIterator[Row]:
        for row in generate_rows():
            yield row

    async def read_results() -> None:
        found: list[str] = []
        rows = generate_asynchronously() if is_async else generate_rows()
        try:
            async for done in run(rows, RowProvider(), model="m", ledger=tmp_path / "l"):
                found += [done.key]
        finally:
            assert len(found) == 200

    with pytest.raises(SystemExit, match="3"):
        asyncio.run(read_results())
    gc.collect()
    assert read_report(tmp_path / "l").unwrap().done == 200
    assert caplog.text == ""


async def test_no_response_of_a_custom_provider_ends_the_run(tmp_path: Path) -> None:
    def answer(prompt: str, _: int) -> CompletionResponse:
        usage = {"prompt_tokens": 10**30 if prompt == "1" else 1, "completion_tokens": 2}
        fields = {**CompletionResponse(content="x").__dict__, "content": f"{prompt} \ud800", "usage": usage}
        return CompletionResponse.model_construct(**fields)

    provider = RowProvider(answer)
    given = [Row(str(number), str(number)) for number in range(3)]
    job = run(given, provider, model="m", ledger=tmp_path / "l")
    assert [isinstance(done.result, Success) async for done in job] == [True] * 3
    assert job.stopped is None
    report = read_report(tmp_path / "l").unwrap()
    assert (report.done, report.prompt_tokens, report.completion_tokens) == (3, 2, 6)
    assert export(tmp_path / "l", tmp_path / "out.jsonl").unwrap() == 3
    first = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
    assert first["response"]["content"] == "0 \ufffd"


class RaisingRow(dict[str, Any]):
    """A mapping whose methods raise, as that of a row of a closed database does."""

    def get(self, key: str, default: object = None) -> Any:
        raise RuntimeError("closed")


class RaisingKey:
    """A key without a text."""

    def __repr__(self) -> str:
        raise RuntimeError("closed")


async def test_a_row_whose_methods_raise_stops_no_other(tmp_path: Path) -> None:
    bad: list[Any] = [RaisingRow(key="a"), {"key": RaisingKey(), "prompt": "x"}, Row(RaisingKey(), "x")]  # type: ignore[arg-type]  # a wrong type
    rows: list[RowInput] = [Row("first", "a"), *bad, Row("last", "b")]
    found = {done.key: done.result async for done in run(rows, RowProvider(), model="m", ledger=tmp_path / "l")}
    assert {key for key, result in found.items() if isinstance(result, Success)} == {"first", "last"}
    messages = [found[f"(row {n})"].failure().message for n in (1, 2, 3)]
    assert messages == [f"row {n} cannot be read: it raised RuntimeError" for n in (1, 2, 3)]


@pytest.mark.parametrize("rows", ["in.jsonl", b"in.jsonl", Path("in.jsonl"), {"key": "a", "prompt": "x"}])
def test_a_path_or_one_row_is_refused_as_rows(tmp_path: Path, rows: Any) -> None:
    with pytest.raises(TypeError, match=r"read_rows\(path\) reads a file"):
        run(rows, RowProvider(), model="m", ledger=tmp_path / "l")
    with pytest.raises(TypeError, match=r"read_rows\(path\) reads a file"):
        run_job(rows, RowProvider(), model="m", ledger=tmp_path / "l")
    assert not list(tmp_path.iterdir())


async def test_an_unknown_route_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    provider, route = RowProvider(), cast("Any", "Batch")
    (only,) = [done async for done in run(build_rows(3), provider, model="m", ledger=tmp_path / "l", route=route)]
    assert only.result.failure().message == "route must be 'live', 'batch' or 'auto', not 'Batch'"
    assert not provider.asked


async def test_leaving_a_loop_stops_the_job_and_frees_the_ledger(tmp_path: Path) -> None:
    provider, closed = RowProvider(), asyncio.Event()

    def generate_rows() -> Iterator[Row]:
        try:
            yield from build_rows(500)
        finally:
            closed.set()

    async for _ in run(generate_rows(), provider, model="m", ledger=tmp_path / "l", concurrency=4):
        break
    async with asyncio.timeout(60):
        await closed.wait()
    asked = sum(provider.asked.values())
    found = [done async for done in run(build_rows(500), provider, model="m", ledger=tmp_path / "l")]
    assert len(found) == 500
    assert all(isinstance(done.result, Success) for done in found)
    assert asked < 100
    assert sum(provider.asked.values()) <= 500 + 4


@pytest.mark.parametrize("dollars", [RuntimeError("unknown model"), "much", math.nan, math.inf, -1.0])
async def test_a_response_is_recorded_if_its_price_cannot_be_computed(tmp_path: Path, dollars: Any) -> None:
    def compute_price(sale: PricedUsage) -> Any:
        if isinstance(dollars, Exception):
            raise dollars
        return dollars

    found = [
        done async for done in run(build_rows(3), RowProvider(), model="m", ledger=tmp_path / "l", price=compute_price)
    ]
    assert [(type(done.result), done.cost_usd) for done in found] == [(Success, None)] * 3
    report = read_report(tmp_path / "l").unwrap()
    assert (report.done, report.cost_usd, report.unpriced) == (3, None, 3)
    provider = RowProvider()
    budgeted = run(
        build_rows(3), provider, model="m", ledger=tmp_path / "b", price=compute_price, budget=Budget(usd=1.0)
    )
    (only,) = [done async for done in budgeted]
    assert "no price is known" in only.result.failure().message
    assert not provider.asked


async def test_a_price_may_be_a_decimal(tmp_path: Path) -> None:
    def compute_price(sale: PricedUsage) -> Any:
        return Decimal("0.5")

    job = run(
        build_rows(3), RowProvider(), model="m", ledger=tmp_path / "l", price=compute_price, budget=Budget(usd=1.0)
    )
    found = [done async for done in job]
    assert sorted(done.cost_usd for done in found if done.cost_usd is not None) == [0.5, 0.5]
    assert isinstance(job.stopped, BudgetExceeded)


@pytest.mark.parametrize("name", ["messages", "self"])
async def test_arguments_of_the_call_are_rejected_as_options_of_a_job(tmp_path: Path, name: str) -> None:
    provider = RowProvider()
    options: dict[str, Any] = {name: "Hello"}
    job = run(build_rows(3), provider, model="m", ledger=tmp_path / "l", **options)
    (only,) = [done async for done in job]
    assert only.result.failure().message == f"the job: {name!r} cannot be one of its options"
    assert job.stopped == only.result.failure()
    assert not provider.asked
    assert not (tmp_path / "l").exists()


async def test_several_tasks_may_read_one_job(tmp_path: Path) -> None:
    provider = RowProvider()
    job = run(build_rows(200), provider, model="m", ledger=tmp_path / "l")

    async def read() -> list[str]:
        return [done.key async for done in job]

    found = await asyncio.gather(read(), read(), read())
    assert sorted(chain(*found)) == sorted(row.key for row in build_rows(200))
    assert sum(provider.asked.values()) == 200
    again = run(build_rows(200), provider, model="m", ledger=tmp_path / "l")
    assert all([done.is_resumed async for done in again])


async def test_a_job_that_is_closed_while_it_begins_frees_its_ledger(tmp_path: Path) -> None:
    provider = RowProvider()
    job = run(build_rows(20), provider, model="m", ledger=tmp_path / "l")
    first = asyncio.create_task(anext(job, None))
    await asyncio.sleep(0)
    await job.aclose()
    await first
    found = [done async for done in run(build_rows(20), provider, model="m", ledger=tmp_path / "l")]
    assert [type(done.result) for done in found] == [Success] * 20


@pytest.mark.parametrize("name", ["azure", "databricks"])
async def test_a_missing_setting_stops_the_job_and_keeps_rows_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for variable in ("AZURE_OPENAI_ENDPOINT", "DATABRICKS_HOST"):
        monkeypatch.delenv(variable, raising=False)
    async with create(name, api_key="k") as provider:
        job = run(build_rows(40), provider, model="m", ledger=tmp_path / "l", concurrency=4)
        found = [done async for done in job]
    assert isinstance(job.stopped, InvalidRequest)
    assert "requires" in job.stopped.message
    assert 0 < len(found) <= 4
    report = (await job.report()).unwrap()
    assert (report.failed, report.left) == (0, report.read)
    answered = [done async for done in run(build_rows(40), RowProvider(), model="m", ledger=tmp_path / "l")]
    assert [type(done.result) for done in answered] == [Success] * 40


async def test_a_job_says_why_its_rows_wait(tmp_path: Path) -> None:
    down = ConnectionFailed(message="refused")
    ends: list[Answer] = [down, CircuitOpen(message="open"), "A"]
    seen: list[Fault | None] = []

    class Watching(FakeRuntime):
        async def sleep(self, seconds: float) -> None:
            seen.append(job.waiting)

    job = run(build_rows(1), RowProvider(lambda *_: ends.pop(0)), model="m", ledger=tmp_path / "l", runtime=Watching())
    assert job.waiting is None
    assert [done.result.unwrap().content async for done in job] == ["A"]
    assert seen == [down, down]
    assert job.waiting is None
