"""Embedding responses as values: joining, usage, dumps, and how texts are split into requests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from returns.result import Failure, Success

from victor_fp.core.faults import InvalidRequest
from victor_fp.core.request_building.inputs import read_texts
from victor_fp.core.request_building.retrieval import build_embedding_request, build_rerank_request, split_texts
from victor_fp.core.result import outcome
from victor_fp.core.retrieval.embeddings import EmbeddingResponse, join_responses, sum_usage
from victor_fp.core.retrieval.vectors import pack_floats
from victor_fp.core.types import Usage

TEXTS = st.lists(st.text(max_size=30), max_size=30)
LIMITS = st.tuples(st.integers(1, 8), st.none() | st.integers(1, 40))


@given(TEXTS, LIMITS)
def test_parts_are_the_texts_in_their_order_inside_the_limits(texts: list[str], limits: tuple[int, int | None]) -> None:
    max_texts, max_total_tokens = limits
    parts = split_texts(texts, max_texts, max_total_tokens)
    assert [index for part in parts for index in part] == list(range(len(texts)))
    for part in parts:
        size = sum(-(-len(texts[index].encode()) // 2) for index in part)
        assert 0 < len(part) <= max_texts
        assert max_total_tokens is None or size <= max_total_tokens or len(part) == 1


@given(TEXTS, LIMITS)
def test_a_part_is_not_split_again(texts: list[str], limits: tuple[int, int | None]) -> None:
    for part in split_texts(texts, *limits):
        again = split_texts(texts[part.start : part.stop], *limits)
        assert again == [range(len(part))]


@pytest.mark.parametrize(
    ("parts", "total"),
    [
        ([{"prompt_tokens": 1, "total_tokens": 1}, {"prompt_tokens": 2, "total_tokens": 3}], (3, 4)),
        ([{"prompt_tokens": 1, "total_tokens": 1}, {"total_tokens": 3}], (None, 4)),
        ([{"prompt_tokens": 1}, None], (None, None)),
        ([None, None], (None, None)),
    ],
)
def test_usage_is_summed_and_what_a_part_does_not_report_is_absent(
    parts: list[Usage | None], total: tuple[int | None, int | None]
) -> None:
    usage = sum_usage(parts) or {}
    assert (usage.get("prompt_tokens"), usage.get("total_tokens")) == total
    assert None not in usage.values()


def test_joining_sums_costs_and_keeps_what_parts_share() -> None:
    cost = {"amount": 0.5, "currency": "USD", "source": "vendor"}
    adjustments = [{"parameter": "user", "action": "dropped", "reason": "no"}]
    parts = [
        EmbeddingResponse(
            vectors=[[float(number)], [7.0]],
            model="m",
            metadata={"id": f"e{number}", "cost": cost, "adjustments": adjustments, "truncated": [1]},
        )
        for number in range(2)
    ]
    joined = join_responses(parts)
    assert joined.vectors.tolist() == [[0.0], [7.0], [1.0], [7.0]]
    assert joined.metadata == {
        "ids": ["e0", "e1"],
        "cost": {**cost, "amount": 1.0},
        "adjustments": adjustments,
        "truncated": [1, 3],
    }


def test_a_response_is_dumped_as_lists_and_read_back() -> None:
    response = EmbeddingResponse(vectors=[[0.1, -2.0]], model="m", usage={"prompt_tokens": 3})
    dumped = response.model_dump_json()
    assert '"vectors":[[0.10000000149011612,-2.0]]' in dumped
    assert EmbeddingResponse.model_validate_json(dumped) == response
    assert len(response) == 1
    quantised = EmbeddingResponse(vectors=pack_floats([[-1, 7]], "int8"), dtype="int8")
    assert EmbeddingResponse.model_validate_json(quantised.model_dump_json()) == quantised


@pytest.mark.parametrize("vectors", [[[1.0], [1.0, 2.0]], [["x"]], "text", 7, None])
def test_invalid_vectors_are_a_validation_error(vectors: object) -> None:
    with pytest.raises(ValidationError):
        EmbeddingResponse.model_validate({"vectors": vectors})


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (7, "texts: expected strings, got int"),
        (b"text", "texts: expected strings, got bytes"),
        ({"a": 1}, "texts: expected strings, got dict"),
        (["a", None], "texts[1]: expected a string, got NoneType"),
        (["a", "caf\udce9"], "texts[1]: lone surrogate, which cannot be encoded"),
    ],
)
def test_invalid_text_is_reported(texts: object, problem: str) -> None:
    assert read_texts("texts", texts).failure().message == problem


def test_single_text_is_accepted_as_a_list() -> None:
    assert read_texts("texts", "a") == read_texts("texts", iter(["a"])) == Success(("a",))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dimensions": 0}, "dimensions: expected a positive number, got 0"),
        ({"dimensions": "many"}, "invalid option: Expected `int"),
        ({"purpose": "fun"}, "invalid option: Invalid enum value 'fun'"),
        ({"dtype": "float64"}, "invalid option: Invalid enum value 'float64'"),
        ({"truncate": "END"}, "invalid option: Expected `bool"),
    ],
)
def test_a_wrong_option_is_an_invalid_request_that_names_it(options: dict[str, object], said: str) -> None:
    match outcome(build_embedding_request("acme", ["a"], model="m", options=options)):
        case Failure(InvalidRequest(provider="acme", model="m", message=message)):
            assert message.startswith(said)
        case other:
            raise AssertionError(other)


def test_unknown_options_are_kept_for_the_body() -> None:
    given = {"late_chunking": True, "timeout": 5.0, "deadline": 9.0, "dimensions": None}
    match outcome(build_embedding_request("acme", ["a"], model="m", options=given)):
        case Success(request):
            assert (request.unknown, request.dimensions) == ({"late_chunking": True}, None)
        case other:
            raise AssertionError(other)


def test_headers_are_not_shown() -> None:
    request = build_embedding_request(
        "acme", ["a"], model="m", options={"extra_headers": {"x-gateway-key": "sk-canary-1"}}
    ).unwrap()
    assert "sk-canary-1" not in repr(request)


def test_a_model_is_needed_and_top_n_is_positive() -> None:
    for result in (
        build_embedding_request("acme", ["a"], model="", options={}),
        build_rerank_request("acme", "q", ["a"], model="", options={}),
        build_rerank_request("acme", "q", ["a"], model="m", options={"top_n": -1}),
    ):
        assert isinstance(result.failure(), InvalidRequest)
