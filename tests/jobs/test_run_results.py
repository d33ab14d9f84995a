"""Results of rows over a provider in memory: structured output, and the attempts of a row."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
from pydantic import BaseModel
from returns.result import Failure, Success

from tests.fake_runtime import FakeRuntime
from tests.jobs.row_provider import Answer, RowProvider, build_rows
from victor_fp.core.faults import (
    Attempt,
    AuthRejected,
    CircuitOpen,
    ContentRefused,
    InvalidRequest,
    InvalidResponse,
    ServerFailed,
)
from victor_fp.core.jobs.records import decode_mismatch, decode_result
from victor_fp.core.responses.completions import record_attempts
from victor_fp.core.types import CompletionResponse
from victor_fp.core.usage.cost import PricedUsage
from victor_fp.jobs import read_report, reopen_rows, run


class City(BaseModel):
    name: str
    people: int


async def test_structured_output_is_parsed_and_a_mismatch_is_a_fault_with_the_answer(tmp_path: Path) -> None:
    provider = RowProvider(lambda prompt, _: '{"name": "Paris", "people": 2}' if prompt == "text 0" else "no")
    found = {
        done.key: done async for done in run(build_rows(2), provider, model="m", ledger=tmp_path / "l", schema=City)
    }
    assert found["0"].result == Success(City(name="Paris", people=2))
    assert isinstance(found["1"].result.failure(), InvalidResponse)
    assert found["1"].response is not None
    assert found["1"].response.content == "no"


async def test_mismatch_is_recorded_as_failed_with_its_response(tmp_path: Path) -> None:
    ledger, provider = tmp_path / "l", RowProvider()
    provider.answer = lambda prompt, _: '{"name": "Paris", "people": 2}' if prompt == "text 0" else '{"name": "Rome"}'

    def compute_price(_: PricedUsage) -> float:
        return 0.5

    job = run(build_rows(2), provider, model="m", ledger=ledger, schema=City, price=compute_price)
    first = {done.key: done async for done in job}
    report = (await job.report()).unwrap()
    assert (report.done, report.failed, report.left, report.faults) == (1, 1, 0, {"InvalidResponse": 1})
    assert (report.prompt_tokens, report.completion_tokens, report.cost_usd, report.unpriced) == (20, 10, 1.0, 0)

    assert (await job.export(tmp_path / "out.jsonl")).unwrap() == 2
    good, mismatch = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert (good["status"], "error" in good) == ("done", False)
    assert (mismatch["status"], mismatch["error"]["type"]) == ("failed", "InvalidResponse")
    assert mismatch["error"]["message"] == first["1"].result.failure().message
    assert "people" in mismatch["error"]["message"]
    assert (mismatch["response"]["content"], mismatch["cost_usd"]) == ('{"name": "Rome"}', 0.5)

    again = RowProvider()
    second = {
        d.key: d async for d in run(build_rows(2), again, model="m", ledger=ledger, schema=City, price=compute_price)
    }
    assert not again.asked
    assert second == {key: msgspec.structs.replace(done, is_resumed=True) for key, done in first.items()}

    provider.asked.clear()
    retried = run(build_rows(2), provider, model="m", ledger=ledger, schema=City, retry_failed=True, skip_finished=True)
    assert [done.key async for done in retried] == ["1"]
    assert provider.asked == {"text 1": 1}

    assert reopen_rows(ledger, ["failed"]).unwrap() == 1
    assert read_report(ledger).unwrap().left == 1
    fixed = RowProvider(lambda *_: '{"name": "Rome", "people": 3}')
    assert [
        d.key async for d in run(build_rows(2), fixed, model="m", ledger=ledger, schema=City, skip_finished=True)
    ] == ["1"]
    report = read_report(ledger).unwrap()
    assert (report.done, report.failed, report.left, report.faults, report.unpriced) == (2, 0, 0, {}, 1)


async def test_refusal_is_recorded_as_failed_if_the_job_has_a_schema(tmp_path: Path) -> None:
    provider = RowProvider(lambda *_: CompletionResponse(content="", metadata={"refusal": "declined"}))
    (done,) = [done async for done in run(build_rows(1), provider, model="m", ledger=tmp_path / "l", schema=City)]
    assert isinstance(done.result.failure(), ContentRefused)
    report = read_report(tmp_path / "l").unwrap()
    assert (report.done, report.failed, report.faults) == (0, 1, {"ContentRefused": 1})


async def test_unreadable_mismatch_in_the_ledger_is_a_failure() -> None:
    for body in (b"m", b"m[]", b'm["NoFault", {}, {}]', b'm["InvalidResponse", {"message": 1}, 1]'):
        assert isinstance(decode_result(body), Failure)
        assert decode_mismatch(body) is None


def make_attempt(outcome: str, status: int | None = None) -> Attempt:
    return Attempt(provider="rows", model="m", seconds=1.0, outcome=outcome, status=status)


FAILED, LIMITED, OK = make_attempt("ServerFailed", 500), make_attempt("RateLimited", 429), make_attempt("ok")


async def test_attempts_of_a_success_are_those_in_its_metadata(tmp_path: Path) -> None:
    retried = record_attempts(CompletionResponse(content="A"), [FAILED, OK])
    odd = CompletionResponse(content="B", metadata={"attempts": 3})
    answers = {"text 0": retried, "text 1": odd}
    provider = RowProvider(lambda prompt, _: answers.get(prompt, "C"))
    found = {done.key: done.attempts async for done in run(build_rows(3), provider, model="m", ledger=tmp_path / "l")}
    assert found == {"0": (FAILED, OK), "1": (), "2": ()}
    resumed = run(build_rows(3), provider, model="m", ledger=tmp_path / "l")
    assert {done.key: done.attempts async for done in resumed} == found


async def test_attempts_of_earlier_runs_come_first(tmp_path: Path) -> None:
    class Slow(FakeRuntime):
        def now(self) -> float:
            self.time += 2.0
            return self.time

    def answer(prompt: str, before: int) -> Answer:
        if before == 0:
            return ServerFailed(status=500, attempts=(FAILED, FAILED))
        if before == 1:
            return CircuitOpen(retry_after=1.0, attempts=(LIMITED, make_attempt("CircuitOpen")))
        match prompt:
            case "text 0":
                return "plain"
            case "text 1":
                return record_attempts(CompletionResponse(content="retried"), [LIMITED, OK])
            case "text 2":
                return InvalidRequest(status=400, attempts=(make_attempt("InvalidRequest", 400),))
            case _:
                return ServerFailed(status=500, attempts=(FAILED,))

    job = run(build_rows(4), RowProvider(answer), model="m", ledger=tmp_path / "l", runtime=Slow(), max_tries=2)
    found = {done.key: done.attempts async for done in job}
    earlier = (FAILED, FAILED, LIMITED)
    assert found["0"][:-1] == earlier
    assert (found["0"][-1].provider, found["0"][-1].model, found["0"][-1].outcome) == ("rows", "m", "ok")
    assert found["0"][-1].seconds > 0
    assert found["1"] == (*earlier, LIMITED, OK)
    assert found["2"] == (*earlier, make_attempt("InvalidRequest", 400))
    assert found["3"] == (*earlier, FAILED)


async def test_a_row_that_stops_the_job_has_its_attempts(tmp_path: Path) -> None:
    rejected = make_attempt("AuthRejected", 401)

    def answer(_: str, before: int) -> Answer:
        if before == 0:
            return ServerFailed(status=500, attempts=(FAILED,))
        return AuthRejected(status=401, attempts=(rejected,))

    job = run(build_rows(1), RowProvider(answer), model="m", ledger=tmp_path / "l", runtime=FakeRuntime())
    (done,) = [done async for done in job]
    assert isinstance(job.stopped, AuthRejected)
    assert done.attempts == (FAILED, rejected)
