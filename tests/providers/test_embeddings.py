"""Embeddings and reranking over real HTTP on loopback: requests side by side, retries, limits, fallbacks, custom classes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from tests.acme import KEY, SPEC
from tests.fake_runtime import FakeRuntime
from tests.loopback import Received, Talk, serving
from victor_fp.core import faults
from victor_fp.core.dialects.embeddings import OpenAIEmbeddings
from victor_fp.core.dialects.reranking import CohereRerank
from victor_fp.core.resilience.budget import Budget
from victor_fp.core.resilience.rate_limit import Limits
from victor_fp.core.retrieval.embeddings import EmbeddingResponse, RankedDocument, RerankResponse
from victor_fp.core.usage.cost import PricedUsage
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.catalogue_provider import CatalogueProvider
from victor_fp.providers.errors import ProviderError
from victor_fp.providers.managed_config import ProviderConfig
from victor_fp.providers.managed_provider import ManagedProvider
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.engine.split import PARALLEL_PARTS
from victor_fp.shell.engine.telemetry import Begun, Ended, OnEnd
from victor_fp.shell.runtime import SYSTEM
from victor_fp.testing import ScriptedProvider, ScriptedWire, Turn
from victor_fp.testing.answers import Answer
from victor_fp.testing.retrieval import answer_retrieval, stub_vector

EMBEDDER = msgspec.structs.replace(
    SPEC,
    name="embedder",
    embeddings=OpenAIEmbeddings(max_texts=2, refuses=frozenset({"dimensions"})),
    reranking=CohereRerank(),
)
Handle = Callable[[Talk, Received], Awaitable[None]]


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    """The entry is known by its name, which managed providers are made by."""
    ProviderRegistry.register_spec(EMBEDDER)
    yield
    ProviderRegistry.unregister("embedder")


class Embedder(CatalogueProvider):
    SPEC = EMBEDDER


def make_embedder(url: str, **options: Any) -> Embedder:
    return Embedder(**{"api_key": KEY, "base_url": f"{url}/v1", "timeout": 5, **options})


def make_managed(url: str, **options: Any) -> ManagedProvider:
    return ManagedProvider(config=make_config(url, **options))


def make_config(url: str, model: str = "m-1", **options: Any) -> ProviderConfig:
    extra = {"max_retries": options.pop("max_retries", 3), "runtime": options.pop("runtime", FakeRuntime())}
    return ProviderConfig("embedder", model, api_key=KEY, base_url=f"{url}/v1", extra_kwargs=extra, **options)


async def answer(talk: Talk, received: Received) -> None:
    found = answer_retrieval(to_received(received))
    assert found is not None
    await talk.answer(b"".join(found.pieces), found.status)


def to_received(received: Received) -> Any:
    from victor_fp.testing.answers import Received as Seen

    return Seen(method=received.method, path=received.path, body=received.body)


async def fail(talk: Talk, _: Received) -> None:
    await talk.answer({"error": {"message": "boom"}}, 500)


async def refuse(talk: Talk, _: Received) -> None:
    await talk.answer({"error": {"message": "no such thing"}}, 400)


def read_inputs(received: Sequence[Received]) -> list[list[str]]:
    return [list(json.loads(one.body)["input"]) for one in received]


@dataclass
class Crowd:
    """Answers late, and counts how many requests wait at the same time."""

    seconds: float = 0.01
    most: int = 0
    now: int = 0
    fail_on: str = ""
    left: list[str] = field(default_factory=list)

    async def __call__(self, talk: Talk, received: Received) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(self.seconds)
        self.now -= 1
        texts = read_inputs([received])[0]
        if self.fail_on and self.fail_on in texts:
            await refuse(talk, received)
            return
        await answer(talk, received)


async def test_long_list_of_texts_is_split_in_order() -> None:
    texts = [f"word{number}" for number in range(7)]
    async with serving(answer) as server, make_embedder(server.url) as provider:
        response = await provider.embed(texts, model="m-1")
    assert response.vectors.tolist() == [stub_vector(text) for text in texts]
    assert response.usage == {"prompt_tokens": 7, "total_tokens": 7}
    assert sorted(map(len, read_inputs(server.received))) == [1, 2, 2, 2]
    assert response.model == "m-1"


async def test_one_text_may_be_passed_as_it_is_and_no_texts_need_no_request() -> None:
    async with serving(answer) as server, make_embedder(server.url) as provider:
        assert len(await provider.embed("a text", model="m-1")) == 1
        none = await provider.embed([], model="m-1")
    assert (len(none), none.usage, len(server.received)) == (0, None, 1)


async def test_requests_run_concurrently_up_to_a_bound() -> None:
    crowd = Crowd()
    async with serving(crowd) as server, make_embedder(server.url) as provider:
        await provider.embed([str(number) for number in range(40)], model="m-1")
    assert crowd.most == PARALLEL_PARTS
    assert len(server.received) == 20


async def test_a_request_that_fails_is_retried_alone() -> None:
    runtime = FakeRuntime()
    async with serving(answer, fail, answer) as server, make_embedder(server.url, runtime=runtime) as provider:
        response = await provider.embed(["a", "b", "c", "d"], model="m-1")
    assert response.vectors.tolist() == [stub_vector(text) for text in "abcd"]
    assert len(server.received) == 3
    assert len(runtime.slept) == 1
    assert response.metadata is not None
    assert [one["outcome"] for one in response.metadata["attempts"]] == ["ServerFailed", "ok"]


async def test_a_request_that_cannot_succeed_ends_the_others() -> None:
    crowd = Crowd(seconds=0.05, fail_on="0")
    async with serving(crowd) as server, make_embedder(server.url) as provider:
        result = await provider.embed_result([str(number) for number in range(100)], model="m-1")
    fault = result.failure()
    assert isinstance(fault, faults.InvalidRequest)
    assert (fault.provider, fault.model, fault.status) == ("embedder", "m-1", 400)
    assert len(server.received) < 50


async def test_every_request_acquires_a_permit() -> None:
    crowd = Crowd()
    limits = Limits(concurrency=3)
    async with (
        serving(crowd) as server,
        make_managed(server.url, concurrency_config=limits, runtime=SYSTEM) as provider,
    ):
        response = await provider.embed([str(number) for number in range(20)])
    assert len(response) == 20
    assert crowd.most == 3
    stats = provider.get_rate_limit_stats()
    assert stats is not None
    assert stats["total_requests"] == 10


async def test_every_request_is_paid_from_the_budget() -> None:
    async with serving(answer) as server, make_managed(server.url, budget=Budget(requests=4)) as provider:
        await provider.embed(["a", "b", "c", "d", "e"])
        fault = (await provider.embed_result(["a", "b", "c", "d"])).failure()
        stats = provider.get_budget_stats()
    assert isinstance(fault, faults.BudgetExceeded)
    assert len(server.received) == 4
    assert stats is not None
    assert (stats["requests"]["spent"], stats["requests"]["reserved"]) == (4, 0)


async def test_texts_are_reserved_by_their_length_and_paid_without_output() -> None:
    def compute_price(sale: PricedUsage) -> float | None:
        cost: float = 0.01 * sale.usage["prompt_tokens"] + 1.0 * sale.usage["completion_tokens"]
        return cost

    async with serving(answer) as server:
        async with make_managed(server.url, budget=Budget(usd=0.5), price=compute_price) as provider:
            fault = (await provider.embed_result(["x" * 400])).failure()
            assert isinstance(fault, faults.BudgetExceeded)
            assert server.received == []
            response = await provider.embed(["a", "b"])
            stats = provider.get_budget_stats()
    assert stats is not None
    assert response.usage is not None
    assert stats["usd"]["spent"] == pytest.approx(0.01 * response.usage["prompt_tokens"])


async def test_an_operation_is_observed_and_counted_once() -> None:
    begun: list[Begun] = []
    ended: list[Ended] = []

    class Notes:
        wants_content = True

        def begun(self, operation: Begun) -> OnEnd:
            begun.append(operation)
            return ended.append

    async with serving(answer) as server:
        async with ManagedProvider(config=make_config(server.url), observers=[Notes()]) as provider:
            await provider.embed(["a", "b c", "d"])
            await provider.rerank("a", ["a", "b"])
            metrics = provider.get_metrics()
    assert metrics is not None
    assert (metrics["summary"]["total_requests"], metrics["summary"]["retries"]) == (2, 0)
    assert [(one.operation, one.model) for one in begun] == [("embeddings", "m-1"), ("rerank", "m-1")]
    assert [(one.operation, one.sample.outcome, one.sample.prompt_tokens) for one in ended] == [
        ("embeddings", "ok", 4),
        ("rerank", "ok", None),
    ]


async def test_all_vectors_are_of_the_target_that_answers() -> None:
    """A fallback embeds all texts anew: vectors of two models do not go together."""

    async def fail_on_three(talk: Talk, received: Received) -> None:
        await (fail if "3" in read_inputs([received])[0] else answer)(talk, received)

    async with serving(fail_on_three) as one, serving(answer) as two:
        first = make_config(one.url, fallback_providers=[make_config(two.url, "m-2")], max_retries=0)
        async with ManagedProvider(config=first) as provider:
            response = await provider.embed([str(number) for number in range(6)])
    assert response.model == "m-2"
    assert sorted(text for part in read_inputs(two.received) for text in part) == [str(number) for number in range(6)]
    assert response.metadata is not None
    outcomes = [(attempt["model"], attempt["outcome"]) for attempt in response.metadata["attempts"]]
    assert outcomes == [("m-1", "ServerFailed"), ("m-2", "ok")]


async def test_breaker_records_every_request() -> None:
    async with serving(fail) as server:
        async with make_embedder(server.url, max_retries=0, circuit_breaker_failure_threshold=2) as provider:
            for _ in range(2):
                assert (await provider.embed_result(["a"], model="m-1")).failure().status == 500
            fault = (await provider.embed_result(["a", "b", "c"], model="m-1")).failure()
    assert isinstance(fault, faults.CircuitOpen)
    assert len(server.received) == 2


async def test_a_deadline_ends_all_requests() -> None:
    async def keep_silent(talk: Talk, _: Received) -> None:
        await talk.wait_for_close(30)

    async with serving(keep_silent) as server, make_embedder(server.url) as provider:
        result = await provider.embed_result(["a", "b", "c"], model="m-1", deadline=0.2)
    assert isinstance(result.failure(), faults.DeadlineExceeded)


async def test_cancellation_and_close_end_all_requests() -> None:
    async def keep_silent(talk: Talk, _: Received) -> None:
        await talk.wait_for_close(30)

    async with serving(keep_silent) as server, make_embedder(server.url) as provider:
        task = asyncio.create_task(provider.embed_result([str(number) for number in range(9)], model="m-1"))
        while len(server.received) < 5:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert provider.in_flight.count == 0
        other = asyncio.create_task(provider.embed_result(["a", "b", "c"], model="m-1"))
        while len(server.received) < 7:
            await asyncio.sleep(0.01)
        await provider.close()
        assert isinstance((await other).failure(), faults.Cancelled)


async def test_parts_with_vectors_of_different_lengths_are_an_invalid_response() -> None:
    async def answer_unequal_vectors(talk: Talk, received: Received) -> None:
        size = 1 if "a" in read_inputs([received])[0] else 2
        data = [{"index": n, "embedding": [0.5] * size} for n, _ in enumerate(read_inputs([received])[0])]
        await talk.answer({"data": data})

    async with serving(answer_unequal_vectors) as server, make_embedder(server.url, max_retries=0) as provider:
        fault = (await provider.embed_result(["a", "b", "c"], model="m-1")).failure()
    assert isinstance(fault, faults.InvalidResponse)
    assert (fault.provider, "cannot be joined" in fault.message) == ("embedder", True)


async def test_unsupported_option_fails_or_is_dropped_visibly() -> None:
    async with serving(answer) as server, make_embedder(server.url) as provider:
        fault = (await provider.embed_result(["a", "b", "c"], model="m-1", dimensions=4)).failure()
        assert isinstance(fault, faults.UnsupportedParameter)
        assert len(server.received) == 0
        response = await provider.embed(["a", "b", "c"], model="m-1", dimensions=4, on_unsupported="adjust")
    assert response.metadata is not None
    assert [one["parameter"] for one in response.metadata["adjustments"]] == ["dimensions"]


async def test_wrong_arguments_are_invalid_requests_and_nothing_is_raised() -> None:
    async with make_embedder("http://127.0.0.1:1") as provider:
        for texts, options in (
            (None, {}),
            ([1], {}),
            (["caf\udce9"], {}),
            (["a"], {"model": 7}),
            (["a"], {"timeout": -1}),
            (["a"], {"extra_headers": {"x": 1}}),
            (["a"], {"extra_body": {"x": float("nan")}}),
        ):
            result = await provider.embed_result(texts, **{"model": "m", "max_retries": 0, **options})  # type: ignore[arg-type]  # as callers do
            assert isinstance(result.failure(), faults.InvalidRequest | faults.ConnectionFailed), options
        for query, documents in ((7, ["a"]), (["q"], ["a"]), ("q", None), ("q\ud800", ["a"])):
            result_ = await provider.rerank_result(query, documents, model="m")  # type: ignore[arg-type]  # as callers do
            assert isinstance(result_.failure(), faults.InvalidRequest)
        with pytest.raises(ProviderError, match=r"texts\[0\]"):
            await provider.embed([1], model="m")  # type: ignore[list-item]  # as callers do


async def test_reranking_gives_the_best_documents_with_their_texts() -> None:
    documents = ["a dog", "the cat", "a cat and a dog"]
    async with serving(answer) as server, make_embedder(server.url) as provider:
        response = await provider.rerank("cat", documents, model="r-1", top_n=2)
        assert (await provider.rerank("cat", [], model="r-1")).results == []
    assert [(one.index, one.document) for one in response.results] == [(1, "the cat"), (2, "a cat and a dog")]
    assert (response.model, len(server.received)) == ("r-1", 1)


# Providers that are not of the catalogue


class Own(BaseProvider):
    """A class of a user's own, which has only what every provider must."""

    @property
    def name(self) -> str:
        return "own"

    async def chat(self, messages: Any, **_: Any) -> Any:
        raise NotImplementedError

    async def stream(self, messages: Any, **_: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]  Any
        raise NotImplementedError
        yield

    async def close(self) -> None:
        """Nothing is open."""


class OwnWithVectors(Own):
    async def embed(self, texts: Any, *, model: str, **options: Any) -> EmbeddingResponse:
        if model == "broken":
            raise TimeoutError("too slow")
        return EmbeddingResponse(vectors=[[float(len(text))] for text in texts], model=model, metadata={"o": options})

    async def rerank(self, query: str, documents: Any, *, model: str, **options: Any) -> RerankResponse:
        return RerankResponse(results=[RankedDocument(index=0, score=1.0, document=documents[0])], model=model)


async def test_unsupported_embeddings_are_a_fault() -> None:
    for provider in (Own(), ManagedProvider(Own(), ProviderConfig("own", "m"))):
        embedded = (await provider.embed_result(["a"], model="m")).failure()
        ranked = (await provider.rerank_result("q", ["a"], model="m")).failure()
        for fault, operation in ((embedded, "embeddings"), (ranked, "reranking")):
            assert isinstance(fault, faults.OperationUnsupported)
            assert (fault.provider, fault.operation) == ("own", operation)
    with pytest.raises(ProviderError, match="own does not support embeddings"):
        await Own().embed(["a"], model="m")


async def test_a_catalogue_provider_without_embeddings_sends_nothing_and_a_fallback_answers() -> None:
    async with serving(answer) as server:
        first = ProviderConfig("anthropic", "claude", api_key=KEY, fallback_providers=[make_config(server.url, "m-2")])
        async with ManagedProvider(config=first) as provider:
            response = await provider.embed(["a"])
    assert response.model == "m-2"


async def test_the_methods_of_a_users_class_are_used_by_managed_providers() -> None:
    managed_own = ManagedProvider(OwnWithVectors(), ProviderConfig("own", "m", options={"user": "u"}))
    response = await managed_own.embed(["abc", "d"], dimensions=3)
    assert (response.vectors.tolist(), response.model) == ([[3.0], [1.0]], "m")
    assert response.metadata == {"o": {"dimensions": 3, "user": "u"}}
    ranked = await managed_own.rerank("q", ["first"], top_n=1)
    assert ranked.results[0].document == "first"
    broken = (await OwnWithVectors().embed_result(["a"], model="broken")).failure()
    assert isinstance(broken, faults.TimedOut)


class Doubling(Embedder):
    """A catalogue's class with one method of its own."""

    async def embed(self, texts: Any, *, model: str, **options: Any) -> EmbeddingResponse:
        return EmbeddingResponse(vectors=[[2.0]] * len(texts), model=model)


async def test_managed_provider_uses_overridden_methods() -> None:
    provider = ManagedProvider(Doubling(api_key=KEY), ProviderConfig("embedder", "m"))
    assert (await provider.embed(["a", "b", "c"])).vectors.tolist() == [[2.0]] * 3
    await provider.close()


# Doubles for tests


async def test_a_scripted_transport_embeds_without_a_turn_and_a_turn_or_fault_has_precedence() -> None:
    busy = Answer(status=429, headers={"retry-after": "1"})
    transport = ScriptedWire(busy, Turn(text="Hi"), provider="openai")
    runtime = FakeRuntime()
    provider = ProviderRegistry.create("openai", api_key=KEY, transport=transport, runtime=runtime)
    response = await provider.embed(["a cat"], model="text-embedding-3-small", dimensions=4)
    assert response.vectors.tolist() == [stub_vector("a cat", 4)]
    assert (runtime.slept, len(transport.requests)) == ([1.0], 2)


async def test_a_scripted_provider_embeds_by_words() -> None:
    provider = ScriptedProvider(lambda _: "hi")
    one, other = (await provider.embed(["a cat", "A cat!"], model="m")).vectors
    assert one == other
    ranked = await provider.rerank("cat", ["dog", "cat"], model="m")
    assert [found.index for found in ranked.results] == [1, 0]
