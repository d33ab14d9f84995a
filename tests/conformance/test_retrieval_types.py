"""Embedding and reranking requests checked against vendors' SDKs and documents; unknown keys are mismatches."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
import pytest

from tests.conformance import request_types
from tests.conformance.schema_checking import Mismatch
from tests.conformance.vendor_documents import FOLDER, Documented, find_problems
from victor_fp import replay
from victor_fp.core.requests import HttpRequest
from victor_fp.core.retrieval.vectors import Purpose

pytestmark = pytest.mark.conformance

PURPOSES: tuple[Purpose, ...] = ("query", "document", "similarity", "classification", "clustering")
SHAPES: tuple[dict[str, Any], ...] = (
    {},
    {"dimensions": 64},
    {"dtype": "int8"},
    {"dtype": "binary"},
    {"truncate": True},
    {"truncate": False},
    {"user": "u"},
    *({"purpose": purpose} for purpose in PURPOSES),
)


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a vendor's requests are held against."""

    module: str
    """Of the SDK."""
    complain: Callable[[Mapping[str, Any]], list[Mismatch]]


def _build_held(module: str, name: str) -> Held:
    return Held(
        module=module,
        complain=lambda body: request_types.find_mismatches(body, getattr(importlib.import_module(module), name)),
    )


def _build_cohere(method: str) -> Held:
    def check_body(body: Mapping[str, Any]) -> list[Mismatch]:
        from cohere.v2.client import V2Client

        return request_types.find_argument_mismatches(body, getattr(V2Client, method), without=("request_options",))

    return Held(module="cohere", complain=check_body)


def _check_google(body: Mapping[str, Any]) -> list[Mismatch]:
    """The SDK builds each request of the batch out of these."""
    from google.genai import types

    fields: request_types.Fields = {
        "model": (str, True),
        "content": (types.Content, True),
        "taskType": (str, False),
        "title": (str, False),
        "outputDimensionality": (int, False),
    }
    return [one for request in body["requests"] for one in request_types.find_field_mismatches(request, fields)]


EMBEDDINGS: dict[str, Held] = {
    "openai": _build_held("openai.types.embedding_create_params", "EmbeddingCreateParams"),
    "azure": _build_held("openai.types.embedding_create_params", "EmbeddingCreateParams"),
    "mistral": _build_held("mistralai.client.models", "EmbeddingRequest"),
    "openrouter": _build_held("openrouter.operations", "CreateEmbeddingsRequestBody"),
    "ollama": _build_held("ollama._types", "EmbedRequest"),
    "cohere": _build_cohere("embed"),
    "google": Held(module="google.genai", complain=_check_google),
}
RERANKING: dict[str, Held] = {
    "cohere": _build_cohere("rerank"),
    "openrouter": _build_held("openrouter.operations", "CreateRerankRequestBody"),
}
DOCUMENTS: dict[tuple[str, str], Documented] = {
    ("embed", "openai"): Documented(document="openai.yaml", path="/embeddings"),
    ("embed", "azure"): Documented(document="azure-openai-v1.json", path="/embeddings"),
    ("embed", "mistral"): Documented(document="mistral-public-doc.yaml", path="/v1/embeddings"),
    ("embed", "together"): Documented(document="together.yaml", path="/embeddings"),
    ("embed", "openrouter"): Documented(document="openrouter.yaml", path="/embeddings"),
    ("embed", "ollama"): Documented(document="ollama.yaml", path="/api/embed"),
    ("embed", "cohere"): Documented(document="cohere.yaml", path="/v2/embed"),
    ("embed", "google"): Documented(document="gemini.json", path="/models/{modelsId}:batchEmbedContents"),
    ("rerank", "cohere"): Documented(document="cohere.yaml", path="/v2/rerank"),
    ("rerank", "together"): Documented(document="together.yaml", path="/rerank"),
    ("rerank", "openrouter"): Documented(document="openrouter.yaml", path="/rerank"),
}
SETTINGS = {"endpoint": "https://mine.openai.azure.com"}
MODELS = {"mistral": ("mistral-embed", "codestral-embed"), "google": ("gemini-embedding-001", "gemini-embedding-2")}


def iterate_embedding_requests(provider: str) -> Iterator[tuple[str, HttpRequest]]:
    """Every request that can be sent, without rejected options."""
    for model in MODELS.get(provider, ("model-1",)):
        for options in SHAPES:
            result = replay.embed_request(provider, ["a", "b"], model=model, settings=SETTINGS, **options)
            yield from (
                (f"{options} to {model}", request) for request in [result.value_or(None)] if request is not None
            )


def rerank_requests(provider: str) -> Iterator[tuple[str, HttpRequest]]:
    options: dict[str, Any]
    for options in ({}, {"top_n": 1}, {"truncate": True}):
        result = replay.rerank_request(provider, "q", ["a", "b"], model="model-1", **options)
        yield from ((str(options), request) for request in [result.value_or(None)] if request is not None)


def is_installed(held: Held) -> bool:
    try:
        return importlib.util.find_spec(held.module) is not None
    except ModuleNotFoundError:
        return False


def get_body(request: HttpRequest) -> Mapping[str, Any]:
    body = request.json()
    assert isinstance(body, dict)
    return body


@pytest.mark.parametrize(
    ("provider", "held", "requests"),
    [
        *((provider, held, iterate_embedding_requests) for provider, held in EMBEDDINGS.items()),
        *((provider, held, rerank_requests) for provider, held in RERANKING.items()),
    ],
    ids=[*(f"embed-{provider}" for provider in EMBEDDINGS), *(f"rerank-{provider}" for provider in RERANKING)],
)
def test_requests_are_what_the_vendors_sdk_would_send(
    provider: str, held: Held, requests: Callable[[str], Iterator[tuple[str, HttpRequest]]]
) -> None:
    if not is_installed(held):
        pytest.skip(f"{held.module} is not installed")
    found = [(what, held.complain(get_body(request))) for what, request in requests(provider)]
    assert found
    assert [f"{what}: {one}" for what, wrong in found for one in wrong] == []
    spoilt = {**get_body(next(requests(provider))[1]), "surprise": 1}
    if provider != "google":
        assert any("surprise" in one.reason for one in held.complain(spoilt))


@pytest.mark.skipif(not FOLDER.is_dir(), reason="VICTOR_FP_SPECS names no folder of vendors' full documents")
@pytest.mark.parametrize(("operation", "provider"), DOCUMENTS, ids="-".join)
def test_requests_are_what_the_vendors_document_says(operation: str, provider: str) -> None:
    held = DOCUMENTS[operation, provider]
    if not (FOLDER / held.document).is_file():
        pytest.skip(f"{held.document} is not there")
    requests = iterate_embedding_requests(provider) if operation == "embed" else rerank_requests(provider)
    wrong = [f"{what}: {one}" for what, request in requests for one in find_problems(held, request, stream=False)]
    assert wrong == []
