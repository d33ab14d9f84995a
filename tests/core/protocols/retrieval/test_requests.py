"""What is sent to embed and to rerank: each option in the vendor's field, in the texts, or rejected by name."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from returns.result import Failure, Success
from syrupy.assertion import SnapshotAssertion

from victor_fp import replay
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.faults import Fault, InvalidRequest, OperationUnsupported, UnsupportedParameter
from victor_fp.core.requests import HttpRequest
from victor_fp.core.result import outcome
from victor_fp.core.retrieval.embeddings import EmbeddingRequest, RerankRequest

SETTINGS = {"endpoint": "https://mine.openai.azure.com", "project": "p", "account": "a", "region": "us-east-1"}
EMBEDDING = [spec for spec in CATALOGUE if spec.embeddings is not None]
RERANKING = [spec for spec in CATALOGUE if spec.reranking is not None]

EMBEDDING_OPTIONS: dict[str, Any] = {
    "dimensions": 256,
    "purpose": "query",
    "dtype": "int8",
    "truncate": True,
    "user": "u-1",
    "extra_body": {"vendor_field": {"on": True}},
    "extra_headers": {"X-Trace": "t-1"},
    "other": 1,
}
RERANKING_OPTIONS: dict[str, Any] = {
    "top_n": 1,
    "truncate": True,
    "extra_body": {"vendor_field": {"on": True}},
    "extra_headers": {"X-Trace": "t-1"},
    "other": 1,
}


def rerank(spec: ProviderSpec, **options: Any) -> HttpRequest | Fault:
    model = (spec.reranking and spec.reranking.default_model) or "model-1"
    match outcome(replay.rerank_request(spec.name, "q", ["a", "b"], model=model, settings=SETTINGS, **options)):
        case Success(request):
            return request
        case Failure(fault):
            return fault


def embed(
    provider: str, texts: Any = ("one", "two"), model: str = "", **options: Any
) -> tuple[HttpRequest, ...] | Fault:
    spec = next(spec for spec in CATALOGUE if spec.name == provider)
    chosen = model or (spec.embeddings and spec.embeddings.default_model) or "model-1"
    match outcome(replay.embed_requests(provider, texts, model=chosen, settings=SETTINGS, **options)):
        case Success(requests):
            return requests
        case Failure(fault):
            return fault


def build_body(provider: str, **options: Any) -> Any:
    requests = embed(provider, **options)
    assert isinstance(requests, tuple), requests
    return requests[0].json()


def show(request: HttpRequest) -> dict[str, object]:
    adjusted = [(one.parameter, one.action) for one in request.adjustments]
    return {"url": request.url, "body": request.json(), "adjustments": adjusted}


def describe(requests: tuple[HttpRequest, ...] | HttpRequest | Fault) -> str:
    return f"{type(requests).__name__}: {requests.message}" if isinstance(requests, Fault) else "accepted as it is"


@pytest.mark.parametrize("spec", EMBEDDING, ids=lambda spec: spec.name)
def test_requests_of_every_entry(spec: ProviderSpec, snapshot: SnapshotAssertion) -> None:
    """The whole request with `on_unsupported="adjust"`, and the fault without it."""
    requests = embed(spec.name, **EMBEDDING_OPTIONS, on_unsupported="adjust")
    assert isinstance(requests, tuple)
    assert snapshot == show(requests[0]) | {
        "requests": len(requests),
        "fail": describe(embed(spec.name, **EMBEDDING_OPTIONS)),
    }


@pytest.mark.parametrize("spec", RERANKING, ids=lambda spec: spec.name)
def test_reranking_requests_of_every_entry(spec: ProviderSpec, snapshot: SnapshotAssertion) -> None:
    """The same of reranking."""
    request = rerank(spec, **RERANKING_OPTIONS, on_unsupported="adjust")
    assert isinstance(request, HttpRequest)
    assert snapshot == show(request) | {"fail": describe(rerank(spec, **RERANKING_OPTIONS))}


@pytest.mark.parametrize(
    ("kind", "options"),
    [(EmbeddingRequest, EMBEDDING_OPTIONS), (RerankRequest, RERANKING_OPTIONS)],
    ids=["embed", "rerank"],
)
def test_every_option_is_in_the_snapshots(kind: type[msgspec.Struct], options: dict[str, Any]) -> None:
    arguments = {"texts", "model", "query", "documents", "on_unsupported"}
    names = set(kind.__struct_fields__) - arguments
    assert names - options.keys() == {"unknown"}
    assert len(options.keys() - names) == 1  # one for "unknown"


@pytest.mark.parametrize("spec", EMBEDDING, ids=lambda spec: spec.name)
@pytest.mark.parametrize(
    "options",
    [
        {"dimensions": 64},
        {"purpose": "query"},
        {"dtype": "int8"},
        {"truncate": True},
        {"truncate": False},
        {"user": "u"},
    ],
    ids=lambda options: "-".join(f"{name}={value}" for name, value in options.items()),
)
def test_an_option_is_sent_or_refused_by_name_or_adjusted_visibly(spec: ProviderSpec, options: dict[str, Any]) -> None:
    (name,) = options
    plain, asked = embed(spec.name), embed(spec.name, **options)
    assert isinstance(plain, tuple)
    if isinstance(asked, UnsupportedParameter):
        assert asked.parameter == name
        assert asked.message.startswith(f"{name}: ")
        adjusted = embed(spec.name, on_unsupported="adjust", **options)
        assert isinstance(adjusted, tuple)
        assert name in [one.parameter for one in adjusted[0].adjustments]
        return
    assert isinstance(asked, tuple)
    assert asked[0].body != plain[0].body or asked[0].adjustments or options == {"truncate": False}


@pytest.mark.parametrize("spec", EMBEDDING, ids=lambda spec: spec.name)
def test_extra_fields_and_headers_are_sent(spec: ProviderSpec) -> None:
    requests = embed(spec.name, extra_body={"own": 1}, other=2, extra_headers={"X-Own": "3"})
    assert isinstance(requests, tuple)
    body = requests[0].json()
    assert isinstance(body, dict)
    assert (body["own"], body["other"], requests[0].headers["x-own"]) == (1, 2, "3")


def test_what_extra_body_overrides_is_listed() -> None:
    requests = embed("openai", extra_body={"encoding_format": "float"})
    assert isinstance(requests, tuple)
    assert [one.parameter for one in requests[0].adjustments] == ["encoding_format"]


def test_texts_beyond_the_limits_of_a_request_need_several_requests() -> None:
    texts = [f"text {number}" for number in range(23)]
    requests = embed("qwen", texts)
    assert isinstance(requests, tuple)
    inputs = [msgspec.json.decode(request.body, type=dict[str, Any])["input"] for request in requests]
    assert [len(part) for part in inputs] == [10, 10, 3]
    assert [text for part in inputs for text in part] == texts
    one = outcome(replay.embed_request("qwen", texts, model="text-embedding-v4"))
    assert isinstance(one, Failure)
    assert "3 requests" in one.failure().message
    older = embed("qwen", texts, model="text-embedding-v2")
    assert isinstance(older, tuple)
    assert len(older) == 1


def test_texts_beyond_the_tokens_of_a_request_need_several_requests() -> None:
    requests = embed("openai", ["x" * 400_000] * 3)
    assert isinstance(requests, tuple)
    assert len(requests) == 3


def test_no_texts_need_no_request() -> None:
    assert embed("openai", []) == ()
    assert isinstance(replay.embed_request("openai", [], model="m").failure(), InvalidRequest)


def test_a_purpose_without_a_field_is_written_into_the_texts() -> None:
    requests = embed("google", ["a {text}"], model="gemini-embedding-2", purpose="query")
    assert isinstance(requests, tuple)
    body: Any = requests[0].json()
    assert body["requests"][0]["content"]["parts"] == [{"text": "task: search result | query: a {text}"}]
    assert "taskType" not in body["requests"][0]
    (adjustment,) = requests[0].adjustments
    assert (adjustment.parameter, adjustment.action) == ("purpose", "changed")


def test_a_purpose_that_a_vendor_requires_is_chosen_visibly() -> None:
    for provider, word in (("cohere", "search_document"), ("nvidia", "passage")):
        requests = embed(provider)
        assert isinstance(requests, tuple)
        body: Any = requests[0].json()
        assert body["input_type"] == word
        assert [one.parameter for one in requests[0].adjustments] == ["purpose"]
        reported = embed(provider, purpose="document")
        assert isinstance(reported, tuple)
        assert (reported[0].body, reported[0].adjustments) == (requests[0].body, ())


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "https://mine.openai.azure.com/openai/v1/embeddings"),
        ({"api_version": "preview"}, "https://mine.openai.azure.com/openai/v1/embeddings?api-version=preview"),
        (
            {"api_version": "2024-10-21", "deployment": "my-chat-model"},
            "https://mine.openai.azure.com/openai/deployments/my-embedder/embeddings?api-version=2024-10-21",
        ),
    ],
)
def test_azure_has_the_deployment_in_its_older_addresses(settings: dict[str, str], url: str) -> None:
    request = replay.embed_request(
        "azure", "a", model="my-embedder", settings={"endpoint": "https://mine.openai.azure.com", **settings}
    ).unwrap()
    assert request.url == url
    body: Any = request.json()
    assert ("model" in body) is ("deployments" not in url)


def test_azure_without_a_resource_reports_the_missing_setting() -> None:
    fault = replay.embed_request("azure", "a", model="m").failure()
    assert isinstance(fault, InvalidRequest)
    assert "endpoint=" in fault.message


def test_bedrock_needs_a_model_whose_body_is_known() -> None:
    fault = embed("bedrock", model="amazon.nova-multimodal-embeddings-v1:0")
    assert isinstance(fault, InvalidRequest)
    body = build_body("bedrock", model="us.cohere.embed-v4:0", purpose="query", dimensions=512, truncate=False)
    assert body == {
        "texts": ["one", "two"],
        "input_type": "search_query",
        "truncate": "NONE",
        "embedding_types": ["float"],
        "output_dimension": 512,
    }


def test_vertex_serves_models_by_different_operations() -> None:
    urls = {}
    for model in ("text-embedding-005", "gemini-embedding-001", "gemini-embedding-2"):
        requests = embed("vertex", model=model, dimensions=64)
        assert isinstance(requests, tuple)
        urls[model] = (len(requests), requests[0].url.rpartition(":")[2], requests[0].json())
    instance = {"content": "one"}
    config = {"outputDimensionality": 64}
    assert urls == {
        "text-embedding-005": (1, "predict", {"instances": [instance, {"content": "two"}], "parameters": config}),
        "gemini-embedding-001": (2, "predict", {"instances": [instance], "parameters": config}),
        "gemini-embedding-2": (
            2,
            "embedContent",
            {"content": {"parts": [{"text": "one"}]}, "embedContentConfig": config},
        ),
    }


def test_vertex_reranks_at_its_own_host_or_at_the_callers_base_url() -> None:
    asked: Any = {"query": "q", "documents": ["a"], "model": "m"}
    url = replay.rerank_request("vertex", **asked, settings={"project": "p/1"}).unwrap().url
    assert url.startswith("https://discoveryengine.googleapis.com/v1/projects/p%2F1/locations/global/rankingConfigs/")
    own = replay.rerank_request("vertex", **asked, settings={"project": "p"}, base_url="http://gateway:1/x").unwrap()
    assert own.url.startswith("http://gateway:1/v1/projects/p/")
    fault = replay.rerank_request("vertex", **asked, base_url="http://gateway:1").failure()
    assert isinstance(fault, InvalidRequest)
    assert "project" in fault.message


def test_an_unsupported_operation_is_a_distinct_fault() -> None:
    for fault, operation in (
        (replay.embed_request("anthropic", "a", model="m").failure(), "embeddings"),
        (replay.rerank_request("openai", "q", ["a"], model="m").failure(), "reranking"),
        (replay.embed_response("anthropic", 200, {}, b"{}").failure(), "embeddings"),
        (replay.rerank_response("openai", 200, {}, b"{}").failure(), "reranking"),
        (replay.request("voyage", "Hi", model="m").failure(), "chat"),
    ):
        assert isinstance(fault, OperationUnsupported)
        assert fault.operation == operation
        assert fault.allows_fallback


def test_invalid_texts_are_named() -> None:
    fault = replay.embed_request("openai", ["a", 1], model="m").failure()  # type: ignore[list-item]  # as callers do
    assert fault.message == "texts[1]: expected a string, got int"
    fault = replay.rerank_request("cohere", "q", ["\ud800"], model="m").failure()
    assert fault.message.startswith("documents[0]: lone surrogate")
