"""Jobs whose rows are embedded: a vector for each text, the same ledger, resumed runs and budgets."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from returns.result import Failure, Result, Success

from tests.fake_runtime import FakeRuntime
from tests.jobs.row_provider import RowProvider
from victor_fp import ProviderRegistry, sync
from victor_fp.core.faults import BudgetExceeded, Fault, InvalidRequest, ServerFailed
from victor_fp.core.jobs.records import decode_result, encode_result
from victor_fp.core.jobs.rows import TextRowInput
from victor_fp.core.retrieval.embeddings import EmbeddingResponse
from victor_fp.core.retrieval.vectors import pack_floats
from victor_fp.core.usage.cost import PricedUsage
from victor_fp.jobs import Budget, Row, TextRow, embed_rows, export, read_report, run
from victor_fp.testing import ScriptedWire, Turn
from victor_fp.testing.retrieval import stub_vector


class Embedder(RowProvider):
    """Embeds a text as its length; the first `failures` attempts for each fail."""

    def __init__(self, failures: int = 0, fault: Fault | None = None) -> None:
        super().__init__()
        self.failures = failures
        self.fault = fault or ServerFailed(status=500)
        self.embedded: Counter[str] = Counter()
        self.options: list[dict[str, Any]] = []

    async def embed_result(self, texts: Sequence[str] | str, **options: Any) -> Result[EmbeddingResponse, Fault]:
        asked = (texts,) if isinstance(texts, str) else tuple(texts)
        self.options.append(options)
        before = self.embedded[asked[0]]
        self.embedded.update(asked)
        if before < self.failures:
            return Failure(self.fault)
        usage = {"prompt_tokens": 4, "total_tokens": 4}
        vectors = [[float(len(text)), 0.1] for text in asked]
        return Success(EmbeddingResponse(vectors=vectors, model=options["model"], usage=usage, metadata={"id": "e-1"}))


def build_rows(count: int) -> Iterator[TextRow]:
    return (TextRow(str(number), "x" * number + "!") for number in range(count))


async def test_every_row_is_embedded_once_and_a_second_run_sends_nothing(tmp_path: Path) -> None:
    provider, ledger = Embedder(), tmp_path / "l"
    found = {done.key: done async for done in embed_rows(build_rows(300), provider, model="m", ledger=ledger)}
    assert len(found) == 300
    assert all(done.result.unwrap().vectors[0][0] == int(key) + 1 for key, done in found.items())
    assert all(done.embeddings == done.result.unwrap() and done.response is None for done in found.values())
    assert set(provider.embedded.values()) == {1}
    again = Embedder()
    second = [done async for done in embed_rows(build_rows(300), again, model="m", ledger=ledger)]
    assert not again.embedded
    assert {done.key: done.result for done in second} == {key: done.result for key, done in found.items()}
    assert all(done.is_resumed for done in second)
    report = read_report(ledger).unwrap()
    assert (report.done, report.left, report.prompt_tokens, report.completion_tokens) == (300, 0, 1200, 0)


async def test_next_run_repeats_only_rows_in_flight(tmp_path: Path) -> None:
    first, ledger = Embedder(), tmp_path / "l"
    async with embed_rows(build_rows(300), first, model="m", ledger=ledger, concurrency=8) as job:
        for _ in range(100):
            await anext(job)
    second = Embedder()
    assert len([1 async for _ in embed_rows(build_rows(300), second, model="m", ledger=ledger)]) == 300
    assert sum(first.embedded[text] for text in second.embedded) <= 8


async def test_vectors_come_over_the_wire_with_the_options_of_job_and_row(tmp_path: Path) -> None:
    wire = ScriptedWire(Turn(text="unused"))
    given: list[TextRowInput] = [
        TextRow("both", ["red", "blue"], {"dimensions": 16}),
        Row("prompt", "green"),
        {"key": "text", "text": "black"},
        {"key": "texts", "texts": ["white", "grey"], "model": "other"},
    ]
    async with ProviderRegistry.create("openai", api_key="k", transport=wire) as provider:
        job = embed_rows(given, provider, model="text-embedding-3-small", dimensions=8, ledger=tmp_path / "l")
        found = {done.key: done.result.unwrap() async for done in job}
    assert {key: (len(response), response.vectors.columns) for key, response in found.items()} == {
        "both": (2, 16),
        "prompt": (1, 8),
        "text": (1, 8),
        "texts": (2, 8),
    }
    assert found["prompt"].vectors == pack_floats([stub_vector("green", 8)])
    bodies = [json.loads(request.body) for request in wire.requests]
    assert {body["model"] for body in bodies} == {"text-embedding-3-small", "other"}
    assert len(bodies) == 4


async def test_rows_that_cannot_be_embedded_are_faults_of_those_rows(tmp_path: Path) -> None:
    given: list[TextRowInput] = [
        {"key": "ok", "text": "x"},
        {"key": "none"},
        {"key": "number", "texts": [1]},
        TextRow("empty", []),
        TextRow("surrogate", "\ud800"),
        TextRow("", "x"),
        Row("chat", [{"role": "user", "content": "x"}]),
        TextRow("ok", "again"),
    ]
    found = [(done.key, done.result) async for done in embed_rows(given, Embedder(), model="m", ledger=tmp_path / "l")]
    assert len(found) == len(given)
    messages = {key: result.failure().message for key, result in found if isinstance(result, Failure)}
    assert messages == {
        "none": "row 'none' has neither texts, text nor prompt",
        "number": "row 'number': expected one or several texts",
        "empty": "row 'empty': expected one or several texts",
        "surrogate": "row 'surrogate': a text is not valid Unicode",
        "(row 5)": "row 5: the key must be valid Unicode of 1 to 512 characters, not ''",
        "chat": "row 'chat' has messages; a row of an embedding job must have texts",
        "ok": "key 'ok' occurs twice in the input",
    }
    (answered,) = [key for key, result in found if isinstance(result, Success)]
    assert answered == "ok"


async def test_a_row_is_another_one_with_other_options_and_in_a_chat(tmp_path: Path) -> None:
    ledger = tmp_path / "l"
    assert [1 async for _ in embed_rows(build_rows(1), Embedder(), model="m", ledger=ledger)] == [1]
    (other,) = [done async for done in embed_rows(build_rows(1), Embedder(), model="m", dimensions=8, ledger=ledger)]
    (chat,) = [done async for done in run([Row("0", "!")], Embedder(), model="m", ledger=ledger)]
    for done in (other, chat):
        assert "has changed since an earlier run" in done.result.failure().message


async def test_a_row_of_texts_is_refused_by_a_job_that_chats(tmp_path: Path) -> None:
    given: Any = build_rows(1)
    (done,) = [done async for done in run(given, Embedder(), model="m", ledger=tmp_path / "l")]
    assert done.result.failure().message == "row '0' has texts to embed, but the job is a chat job"


async def test_embeddings_are_not_sent_through_batch_apis(tmp_path: Path) -> None:
    wire = ScriptedWire(Turn(text="unused"))
    async with ProviderRegistry.create("openai", api_key="k", transport=wire) as provider:
        settings: dict[str, Any] = {"model": "m", "ledger": tmp_path / "l"}
        refused = embed_rows(build_rows(3), provider, route="batch", **settings)
        (only,) = [done.result.failure() async for done in refused]
        assert only == refused.stopped
        assert "route='live' or 'auto'" in only.message
        assert not wire.requests
        assert not (tmp_path / "l").exists()
        found = [done.result async for done in embed_rows(build_rows(3), provider, route="auto", **settings)]
    assert [type(result) for result in found] == [Success] * 3
    assert {request.url.rpartition("/")[2] for request in wire.requests} == {"embeddings"}
    assert b"route" not in wire.requests[0].body
    (in_sync,) = sync.embed_rows(build_rows(3), Embedder(), route="batch", **settings)
    assert isinstance(in_sync.result.failure(), InvalidRequest)


async def test_temporary_failures_are_retried_and_others_recorded(tmp_path: Path) -> None:
    runtime = FakeRuntime()
    passing = Embedder(failures=2)
    job = embed_rows(build_rows(3), passing, model="m", ledger=tmp_path / "a", runtime=runtime)
    assert [isinstance(done.result, Success) async for done in job] == [True] * 3
    assert set(passing.embedded.values()) == {3}
    refusing = Embedder(failures=9, fault=InvalidRequest(status=400))
    failed = [done async for done in embed_rows(build_rows(3), refusing, model="m", ledger=tmp_path / "b")]
    assert [type(done.result.failure()) for done in failed] == [InvalidRequest] * 3
    assert read_report(tmp_path / "b").unwrap().faults == {"InvalidRequest": 3}


async def test_budgets_bound_a_run(tmp_path: Path) -> None:
    provider = Embedder()
    job = embed_rows(build_rows(100), provider, model="m", ledger=tmp_path / "a", budget=Budget(requests=30))
    assert sum([isinstance(done.result, Success) async for done in job]) == 30
    assert isinstance(job.stopped, BudgetExceeded)
    assert sum(provider.embedded.values()) == 30

    def compute_price(call: PricedUsage) -> float:
        return 0.01 * int(call.usage["prompt_tokens"]) + 1000.0 * int(call.usage["completion_tokens"])

    texts = [TextRow(str(number), f"{number:04}") for number in range(100)]
    spending = embed_rows(
        texts, Embedder(), model="m", ledger=tmp_path / "b", budget=Budget(usd=1.0), price=compute_price
    )
    costs = [done.cost_usd or 0.0 async for done in spending]
    assert isinstance(spending.stopped, BudgetExceeded)
    assert 0.5 <= sum(costs) <= 1.0 + 1e-9


async def test_vectors_are_exported(tmp_path: Path) -> None:
    async for _ in embed_rows([TextRow("a", "four")], Embedder(), model="m", ledger=tmp_path / "l"):
        pass
    assert export(tmp_path / "l", tmp_path / "out.jsonl").unwrap() == 1
    line = json.loads((tmp_path / "out.jsonl").read_text())
    assert line["response"]["vectors"] == [[4.0, pack_floats([[0.1]])[0][0]]]
    assert (line["key"], line["status"], line["response"]["model"]) == ("a", "done", "m")


def test_the_ledger_keeps_vectors_of_every_type_as_they_are() -> None:
    for response in (
        EmbeddingResponse(vectors=[[0.1, float("inf")], [-1e-30, 3.0]], model="m", metadata={"cost": {"amount": 0.1}}),
        EmbeddingResponse(vectors=pack_floats([[-128, 127]], "int8"), dtype="int8"),
        EmbeddingResponse(vectors=pack_floats([[0, 255]], "ubinary"), dtype="ubinary"),
        EmbeddingResponse(vectors=[]),
    ):
        assert decode_result(encode_result(Success(response))) == Success(response)
    damaged = EmbeddingResponse(vectors=[[1.0]], model="m\udc00", metadata={"text": "\ud800"})
    metadata = {"text": "\ufffd", "replaced_characters": 2}
    repaired = EmbeddingResponse(vectors=[[1.0]], model="m\ufffd", metadata=metadata)
    assert decode_result(encode_result(Success(damaged))).unwrap() == repaired
    assert isinstance(decode_result(b"e" + b"\x00"), Failure)


def test_the_same_without_async(tmp_path: Path) -> None:
    provider = Embedder()
    found = {
        done.key: done.result.unwrap()
        for done in sync.embed_rows(build_rows(50), provider, model="m", ledger=tmp_path / "l")
    }
    assert {key: response.vectors[0][0] for key, response in found.items()} == {
        str(number): number + 1.0 for number in range(50)
    }
