"""Laws of embeddings and reranking: vectors match texts, scores match documents, and failures are typed."""

from __future__ import annotations

from collections.abc import Sequence

from returns.result import Failure, Result, Success

from victor_fp.core import faults
from victor_fp.core.result import outcome
from victor_fp.core.retrieval.embeddings import EmbeddingResponse, RerankResponse
from victor_fp.providers.base import BaseProvider
from victor_fp.testing.answers import Answer, Received, json_answer
from victor_fp.testing.harness import Harness, Law, Problems, compare, describe_failure, run_in_loop
from victor_fp.testing.retrieval import answer_retrieval, count_words, stub_score, stub_vector
from victor_fp.testing.server import serving

TEXTS = ("The cat sat on the mat.", "Dogs bark: ☀ é", "A cat and a dog", "the mat", "", "x" * 300)
QUERY = "Where did the cat sit?"
ERRORS: dict[int, tuple[type[faults.Fault], ...]] = {
    400: (faults.InvalidRequest,),
    401: (faults.AuthRejected,),
    404: (faults.ModelNotFound,),
    429: (faults.RateLimited,),
    500: (faults.ServerFailed,),
}
"""The expected faults for the status of an error."""


async def _embed(harness: Harness, provider: BaseProvider) -> Result[EmbeddingResponse, faults.Fault]:
    return await provider.embed_result(TEXTS, model=harness.embedding_model)


async def _rerank(harness: Harness, provider: BaseProvider) -> Result[RerankResponse, faults.Fault]:
    return await provider.rerank_result(QUERY, TEXTS, model=harness.rerank_model, top_n=3)


def _answer_request(received: Received) -> Answer:
    return answer_retrieval(received) or json_answer({"error": {"message": f"no such route: {received.path}"}}, 404)


async def _check_vectors(harness: Harness) -> list[str]:
    """Check that each text has its vector, for any number of requests and any order of the responses."""
    async with serving(_answer_request) as server, harness.make_provider(server.url) as provider:
        match outcome(await _embed(harness, provider)):
            case Failure(fault):
                return [describe_failure(fault)]
            case Success(response):
                pass
    expected = [stub_vector(text) for text in TEXTS]
    problems = compare("vectors", expected, response.vectors.tolist())
    reported = (response.usage or {}).get("total_tokens")
    return [*problems, *([] if reported is None else compare("usage of all requests", count_words(TEXTS), reported))]


async def _check_chat_refusal(harness: Harness) -> Problems:
    """Check that a chat is rejected before anything is sent if the vendor does not support chats."""
    async with serving(_answer_request) as server, harness.make_provider(server.url) as provider:
        fault = (await harness.ask(provider)).swap().value_or(None)
        streamed = (await harness.collect_stream(provider)).fault
    kinds = [type(found).__name__ for found in (fault, streamed)]
    return [
        *compare("faults of a chat and a stream", ["OperationUnsupported"] * 2, kinds),
        *compare("requests", 0, len(server.received)),
    ]


async def _check_ranking(harness: Harness) -> Problems:
    """Check that the best documents are first, each with its index and its text."""
    async with serving(_answer_request) as server, harness.make_provider(server.url) as provider:
        match outcome(await _rerank(harness, provider)):
            case Failure(fault):
                return [describe_failure(fault)]
            case Success(response):
                pass
    scores = [stub_score(QUERY, text) for text in TEXTS]
    best = sorted(range(len(TEXTS)), key=lambda index: (-scores[index], index))[:3]
    expected = [(index, scores[index], TEXTS[index]) for index in best]
    return compare("results", expected, [(found.index, found.score, found.document) for found in response.results])


def _check_failures(operations: Sequence[str]) -> Law:
    is_embedding = operations == ("embeddings",)

    async def check(harness: Harness) -> Problems:
        problems: list[str] = []
        for status, kinds in ERRORS.items():
            async with harness.connect(harness.build_error(status, "no")) as (provider, _):
                result = await (_embed if is_embedding else _rerank)(harness, provider)
            problems += _compare_fault(f"status {status}", result, kinds)
        for what, body in {"HTML": b"<html>", "an empty object": b"{}", "half a body": b'{"data": [{"emb'}.items():
            answer = Answer(headers={"content-type": "application/json"}, pieces=(body,))
            async with harness.connect(answer) as (provider, _):
                result = await (_embed if is_embedding else _rerank)(harness, provider)
            problems += _compare_fault(what, result, (faults.InvalidResponse,))
        return problems

    name = operations[0]
    return Law(
        name=f"errors of {name}",
        summary=f"Every failure of {name} is a typed fault.",
        run=run_in_loop(check),
        needs=frozenset(operations),
    )


def _compare_fault(
    what: str,
    result: Result[EmbeddingResponse, faults.Fault] | Result[RerankResponse, faults.Fault],
    kinds: tuple[type[faults.Fault], ...],
) -> list[str]:
    fault = result.swap().value_or(None)
    if fault is None:
        return [f"{what} became a response"]
    expected = " or ".join(kind.__name__ for kind in kinds)
    return [] if isinstance(fault, kinds) else [f"{what}: expected {expected}, got {type(fault).__name__}"]


LAWS: tuple[Law, ...] = (
    Law(
        name="embeddings",
        summary="Every text has its vector, in the order of the texts.",
        run=run_in_loop(_check_vectors),
        needs=frozenset({"embeddings"}),
    ),
    _check_failures(("embeddings",)),
    Law(
        name="reranking",
        summary="The most relevant documents come first.",
        run=run_in_loop(_check_ranking),
        needs=frozenset({"reranking"}),
    ),
    _check_failures(("reranking",)),
    Law(
        name="no chat",
        summary="Without support by the vendor, a chat is rejected before anything is sent.",
        run=run_in_loop(_check_chat_refusal),
        needs=frozenset({"no chat"}),
    ),
)
