"""Decoded embedding and reranking responses, in every format and order."""

from __future__ import annotations

import json
import struct
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from returns.result import Failure, Success

from victor_fp import replay
from victor_fp.core.faults import AuthRejected, Fault, InvalidResponse, QuotaExhausted, RateLimited
from victor_fp.core.result import outcome
from victor_fp.core.retrieval.embeddings import EmbeddingResponse
from victor_fp.core.retrieval.vectors import VectorType

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
ROWS = st.integers(1, 6).flatmap(lambda n: st.lists(st.lists(FLOATS, min_size=n, max_size=n), min_size=1, max_size=6))


def read(provider: str, body: object, **options: Any) -> EmbeddingResponse | Fault:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    match outcome(
        replay.embed_response(provider, options.pop("status", 200), options.pop("headers", {}), data, **options)
    ):
        case Success(response):
            return response
        case Failure(fault):
            return fault


def list_vectors(response: EmbeddingResponse | Fault) -> list[list[float]]:
    assert isinstance(response, EmbeddingResponse), response
    return response.vectors.tolist()


def build_openai_body(rows: list[Any], indexes: list[Any] | None = None, **rest: Any) -> dict[str, object]:
    places = range(len(rows)) if indexes is None else indexes
    data = [
        {"embedding": row, **({} if index is None else {"index": index})}
        for index, row in zip(places, rows, strict=True)
    ]
    return {"object": "list", "data": data, "model": "m-1", **rest}


def encode_base64(row: list[float]) -> str:
    return b64encode(struct.pack(f"<{len(row)}f", *row)).decode()


@given(ROWS, st.randoms())
def test_vectors_are_in_the_order_of_the_texts_whatever_order_they_come_in(rows: list[list[float]], luck: Any) -> None:
    order = list(range(len(rows)))
    luck.shuffle(order)
    shuffled = build_openai_body([rows[index] for index in order], order)
    assert list_vectors(read("openai", shuffled, count=len(rows))) == rows


@given(ROWS)
def test_base64_and_numbers_agree_bit_for_bit(rows: list[list[float]]) -> None:
    listed = read("openai", build_openai_body(rows))
    packed = read("openai", build_openai_body([encode_base64(row) for row in rows]))
    mixed = read("openai", build_openai_body([encode_base64(row) if n % 2 else row for n, row in enumerate(rows)]))
    assert isinstance(listed, EmbeddingResponse)
    assert listed == packed == mixed


def test_without_indexes_the_order_is_the_vendors() -> None:
    assert list_vectors(read("openai", build_openai_body([[1.0], [2.0]], [None, None]))) == [[1.0], [2.0]]


@pytest.mark.parametrize("indexes", [[0, 0], [1, 2], [0, None], [-1, 0]])
def test_indexes_that_are_not_those_of_the_texts_are_an_invalid_response(indexes: list[Any]) -> None:
    fault = read("openai", build_openai_body([[1.0], [2.0]], indexes))
    assert isinstance(fault, InvalidResponse)
    assert (fault.provider, fault.maybe_billed) == ("openai", True)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>", "cannot be decoded"),
        (b"{}", "no vectors"),
        (b"[]", "cannot be decoded"),
        (build_openai_body([[1.0, None]]), "entry 0 has no vector"),
        (build_openai_body([[1.0], "not base64!"]), "entry 1 has no vector"),
        (build_openai_body([[1.0], [1.0, 2.0]]), "vectors differ in length: 1 and 2 elements"),
        (build_openai_body(["AAA="]), "2 bytes are not a multiple of 4 bytes"),
        (build_openai_body([[1.0]]), "expected 2 vectors, got 1"),
        (build_openai_body([[], []]), "expected 2 vectors, got 0"),
        ({"data": ["x", "y"]}, "expected 2 vectors, got 0"),
    ],
)
def test_a_body_that_is_not_a_response_is_an_invalid_response(body: object, said: str) -> None:
    fault = read("openai", body, count=2)
    assert isinstance(fault, InvalidResponse)
    assert said in fault.message


def test_usage_that_is_not_reported_is_absent() -> None:
    def read_usage(**given: Any) -> object:
        response = read("openai", build_openai_body([[1.0]], **given))
        assert isinstance(response, EmbeddingResponse)
        return response.usage

    assert read_usage() is None
    assert read_usage(usage={}) is None
    assert read_usage(usage=None) is None
    assert read_usage(usage={"total_tokens": 3}) == {"total_tokens": 3}
    assert read_usage(usage={"prompt_tokens": 2.0, "total_tokens": "3"}) == {"prompt_tokens": 2, "total_tokens": 3}


def test_ids_and_costs_are_metadata() -> None:
    response = read("openrouter", build_openai_body([[1.0]], id="gen-1", usage={"prompt_tokens": 1, "cost": 0.25}))
    assert isinstance(response, EmbeddingResponse)
    assert response.metadata == {"id": "gen-1", "cost": {"amount": 0.25, "currency": "USD", "source": "vendor"}}


@pytest.mark.parametrize(
    ("dtype", "row"), [("int8", [-128, 127]), ("uint8", [0, 255]), ("binary", [-3, 7]), ("ubinary", [200, 7])]
)
def test_quantised_vectors_are_kept_as_they_are(dtype: VectorType, row: list[int]) -> None:
    packed = b64encode(bytes(value % 256 for value in row)).decode()
    for body in (build_openai_body([row]), build_openai_body([packed])):
        response = read("voyage", body, dtype=dtype)
        assert isinstance(response, EmbeddingResponse)
        assert (response.vectors[0].tolist(), response.dtype, response.vectors.dtype) == (row, dtype, dtype)
    by_type = read("cohere", {"embeddings": {"float": [[1.0]], dtype: [row]}}, dtype=dtype)
    assert list_vectors(by_type) == [row]


def test_a_byte_beyond_its_range_is_an_invalid_response() -> None:
    assert isinstance(read("voyage", build_openai_body([[300]]), dtype="int8"), InvalidResponse)


def test_base64_without_padding_or_in_the_urls_alphabet_is_read() -> None:
    row = [struct.unpack("<f", b"\xfb\xff\xbf\x3e")[0]]
    text = encode_base64(row)
    assert text == "+/+/Pg=="
    for spelled in ("+/+/Pg", "-_-_Pg=="):
        assert list_vectors(read("openai", build_openai_body([spelled]))) == [row]


@pytest.mark.parametrize(
    ("provider", "body", "usage"),
    [
        (
            "cohere",
            {"id": "c", "embeddings": {"float": [[1.0], [2.0]]}, "meta": {"billed_units": {"input_tokens": 7.0}}},
            7,
        ),
        ("cohere", {"embeddings": {"base64": [encode_base64([1.0]), encode_base64([2.0])]}}, None),
        ("ollama", {"model": "m", "embeddings": [[1.0], [2.0]], "prompt_eval_count": 7}, 7),
        ("google", {"embeddings": [{"values": [1.0]}, {"values": [2.0]}]}, None),
        ("google", {"embeddings": [{"values": [1]}, {"values": [2]}], "usageMetadata": {"promptTokenCount": 7}}, 7),
        (
            "vertex",
            {
                "predictions": [
                    {"embeddings": {"values": [1.0], "statistics": {"token_count": 3}}},
                    {"embeddings": {"values": [2.0], "statistics": {"token_count": 4}}},
                ]
            },
            7,
        ),
        ("bedrock", {"embeddings": [[1.0], [2.0]], "id": "b", "response_type": "embeddings_floats"}, None),
        ("bedrock", {"embeddings": {"float": [[1.0], [2.0]]}}, None),
        ("mistral", {**build_openai_body([[1.0], [2.0]]), "usage": {"prompt_tokens": 7, "total_tokens": 7}}, 7),
    ],
)
def test_every_form_is_read(provider: str, body: object, usage: int | None) -> None:
    response = read(provider, body, count=2)
    assert list_vectors(response) == [[1.0], [2.0]]
    assert isinstance(response, EmbeddingResponse)
    assert response.usage == (None if usage is None else {"prompt_tokens": usage, "total_tokens": usage})


def test_titan_sends_one_vector_and_the_newer_models_of_vertex_do_too() -> None:
    titan = read("bedrock", {"embedding": [1.0, 2.0], "inputTextTokenCount": 3}, count=1)
    assert list_vectors(titan) == [[1.0, 2.0]]
    content = read(
        "vertex", {"embedding": {"values": [1.0]}, "usageMetadata": {"promptTokenCount": 3}, "truncated": True}
    )
    assert list_vectors(content) == [[1.0]]
    assert isinstance(content, EmbeddingResponse)
    assert content.metadata == {"truncated": [0]}


def test_bedrocks_count_of_tokens_is_in_a_header() -> None:
    headers = {"X-Amzn-Bedrock-Input-Token-Count": "9"}
    response = read("bedrock", {"embeddings": [[1.0]]}, headers=headers)
    assert isinstance(response, EmbeddingResponse)
    assert response.usage == {"prompt_tokens": 9, "total_tokens": 9}
    titan = read("bedrock", {"embedding": [1.0], "inputTextTokenCount": 3}, headers=headers)
    assert isinstance(titan, EmbeddingResponse)
    assert titan.usage == {"prompt_tokens": 3, "total_tokens": 3}
    odd = read("bedrock", {"embeddings": [[1.0]]}, headers={"x-amzn-bedrock-input-token-count": "many"})
    assert isinstance(odd, EmbeddingResponse)
    assert odd.usage is None


def test_texts_that_vertex_cut_are_listed() -> None:
    predictions = [
        {"embeddings": {"values": [1.0], "statistics": {"token_count": 3, "truncated": cut}}} for cut in (False, True)
    ]
    response = read("vertex", {"predictions": predictions})
    assert isinstance(response, EmbeddingResponse)
    assert response.metadata == {"truncated": [1]}


@pytest.mark.parametrize(
    ("provider", "status", "body", "kind"),
    [
        ("openai", 401, {"error": {"message": "bad key", "code": "invalid_api_key"}}, AuthRejected),
        ("openai", 429, {"error": {"message": "no money", "code": "insufficient_quota"}}, QuotaExhausted),
        ("openai", 200, {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}, RateLimited),
        ("cohere", 429, {"message": "slow down"}, RateLimited),
        ("voyage", 401, {"detail": "Provided API key is invalid."}, AuthRejected),
        ("jina", 429, {"detail": "slow down"}, RateLimited),
        ("google", 429, {"error": {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED"}}, RateLimited),
    ],
)
def test_errors_are_classified_as_those_of_chats(provider: str, status: int, body: object, kind: type[Fault]) -> None:
    fault = read(provider, body, status=status)
    assert isinstance(fault, kind)
    assert type(fault) is kind
    assert getattr(fault, "provider", None) == provider


# Reranking


def read_ranking(provider: str, body: object, **options: Any) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    result = outcome(replay.rerank_response(provider, 200, {}, data, **options))
    return result.unwrap() if isinstance(result, Success) else result.failure()


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("cohere", {"results": [{"index": 0, "relevance_score": 0.1}, {"index": 2, "relevance_score": 0.9}]}),
        ("voyage", {"data": [{"index": 2, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]}),
        ("llamacpp", {"results": [{"index": 0, "score": 0.1}, {"index": 2, "score": 0.9}]}),
        ("jina", {"results": [{"index": 2, "relevance_score": 0.9, "document": {"text": "c"}}, {"index": 0, "relevance_score": 0.1}]}),
        ("bedrock", {"results": [{"index": 0, "relevance_score": 0.1}, {"index": 2, "relevance_score": 0.9}]}),
        ("vertex", {"records": [{"id": "0", "score": 0.1}, {"id": "2", "score": 0.9}]}),
    ],
)  # fmt: skip
def test_the_best_documents_come_first(provider: str, body: object) -> None:
    response = read_ranking(provider, body, documents=["a", "b", "c"])
    assert [(one.index, one.score, one.document) for one in response.results] == [(2, 0.9, "c"), (0, 0.1, "a")]
    assert [one.index for one in read_ranking(provider, body, top_n=1).results] == [2]
    assert [one.document for one in read_ranking(provider, body).results] == [None, None]


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ([{"index": 3, "relevance_score": 0.1}], "document 3 was not in the request"),
        ([{"index": -1, "relevance_score": 0.1}], "document -1 was not in the request"),
        ([{"index": 0, "relevance_score": 0.1}] * 2, "document 0 is ranked twice"),
        ([{"relevance_score": 0.1}], "result 0 has no index"),
        ([{"index": 1}], "result 0 has no score"),
        (None, "no results"),
    ],
)
def test_a_malformed_ranking_is_an_invalid_response(results: object, said: str) -> None:
    fault = read_ranking("cohere", {"results": results}, documents=["a", "b", "c"])
    assert isinstance(fault, InvalidResponse)
    assert said in fault.message
    assert isinstance(read_ranking("cohere", b"<html>"), InvalidResponse)


def test_usage_and_costs_of_a_ranking() -> None:
    results = [{"index": 0, "relevance_score": 0.1}]
    cohere = read_ranking("cohere", {"id": "r", "results": results, "meta": {"billed_units": {"search_units": 1.0}}})
    assert (cohere.usage, cohere.metadata) == (None, {"id": "r", "search_units": 1.0})
    jina = read_ranking("jina", {"model": "j", "results": results, "usage": {"total_tokens": 15}})
    assert (jina.usage, jina.metadata, jina.model) == ({"total_tokens": 15}, None, "j")
    router = read_ranking("openrouter", {"results": results, "usage": {"search_units": 1, "cost": 0.5}})
    cost = {"amount": 0.5, "currency": "USD", "source": "vendor"}
    assert router.metadata == {"search_units": 1, "cost": cost}
