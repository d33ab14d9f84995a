"""The documented keys of metadata are those that the protocols set, no more and no fewer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter

from tests.acme import SPEC
from victor_fp import replay
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.dialects.embeddings import EmbeddingDialects
from victor_fp.core.dialects.reranking import RerankDialects
from victor_fp.core.faults import Attempt
from victor_fp.core.metadata import ChunkMetadata, EmbeddingMetadata, RerankMetadata, ResponseMetadata
from victor_fp.core.protocols import PROTOCOLS, codec_for
from victor_fp.core.protocols.retrieval_codecs import find_embedding_codec, find_rerank_codec
from victor_fp.core.requests import Adjustment, Endpoint
from victor_fp.core.responses.bodies import read_completion
from victor_fp.core.responses.completions import ResponseContext, dump_attempts, record_attempts
from victor_fp.core.responses.retrieval import build_embedding_response, build_rerank_response
from victor_fp.core.retrieval.embeddings import EmbeddingResponse, RerankResponse, join_responses
from victor_fp.core.types import CompletionResponse, Message, StreamChunk, ToolDefinition
from victor_fp.testing.script import Call, Turn
from victor_fp.testing.writers import load_writer

ANY = {"any": 1}
ERROR_FREE: Mapping[str, tuple[str, dict[str, Any]]] = {
    "openai-chat": (
        "openai",
        {
            "id": "c-1",
            "created": 1,
            "model": "m",
            "service_tier": "default",
            "system_fingerprint": "fp",
            "metadata": ANY,
            "x_groq": {"usage_breakdown": ANY},
            **dict.fromkeys(("moderation", "prompt_filter_results", "openrouter_metadata", "mcp_list_tools"), ANY),
            **dict.fromkeys(("time_info", "timings", "warnings", "citations", "web_search", "perf_metrics"), (ANY,)),
            **dict.fromkeys(("prompt_logprobs", "stats"), (ANY,)),
            "provider": "Up",
            "request_id": "r-1",
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.5, "queue_time": 0.25},
            "choices": [
                {
                    "finish_reason": "stop",
                    "logprobs": {"content": []},
                    "content_filter_results": ANY,
                    "native_finish_reason": "STOP",
                    "seed": 7,
                    "stop_reason": 128,
                    "raw_output": ANY,
                    "message": {
                        "content": "Hi",
                        "refusal": "No.",
                        "reasoning_content": "Hm.",
                        **dict.fromkeys(("annotations", "audio", "images", "executed_tools", "context"), ANY),
                        "extra_content": ANY,
                    },
                }
            ],
        },
    ),
    "openai-responses": (
        "openai-responses",
        {
            "id": "r-1",
            "created_at": 1,
            "store": True,
            "status": "completed",
            "model": "m",
            "service_tier": "default",
            "system_fingerprint": "fp",
            "metadata": {"mine": "1"},
            **dict.fromkeys(("moderation", "conversation", "openrouter_metadata", "timings"), ANY),
            "content_filters": [ANY],
            "usage": {"input_tokens": 1, "output_tokens": 1, "cost_in_usd_ticks": 5, "num_sources_used": 1},
            "output": [
                {
                    "type": "message",
                    "content": [
                        {"type": "output_text", "text": "Hi", "annotations": [ANY], "logprobs": [ANY]},
                        {"type": "output_image", "image": "..."},
                    ],
                },
                {"type": "web_search_call", "id": "w-1", "status": "completed"},
            ],
        },
    ),
    "anthropic-messages": (
        "anthropic",
        {
            "id": "m-1",
            "model": "m",
            "content": [{"type": "text", "text": "Hi", "citations": [ANY]}],
            "stop_reason": "refusal",
            "stop_sequence": "END",
            "stop_details": {"type": "refusal", "category": "cyber"},
            "container": ANY,
            "context_management": ANY,
            "provider": "Up",
            "usage": {"input_tokens": 1, "output_tokens": 1, "service_tier": "standard", "cost": 1, "speed": "fast"},
        },
    ),
    "gemini": (
        "google",
        {
            "responseId": "g-1",
            "createTime": "2026-01-01T00:00:00Z",
            "modelVersion": "m",
            "modelStatus": ANY,
            "promptFeedback": {"safetyRatings": [ANY]},
            "usageMetadata": {"promptTokenCount": 1, "serviceTier": "standard", "trafficType": "ON_DEMAND"},
            "candidates": [
                {
                    "content": {"parts": [{"text": "Hi"}, {"executableCode": {"language": "PYTHON", "code": "1"}}]},
                    "finishReason": "STOP",
                    "finishMessage": "done",
                    "safetyRatings": [ANY],
                    "citationMetadata": {"citationSources": [ANY]},
                    "groundingMetadata": ANY,
                    "groundingAttributions": [ANY],
                    "urlContextMetadata": ANY,
                    "avgLogprobs": -0.5,
                    "logprobsResult": {"chosenCandidates": [ANY]},
                }
            ],
        },
    ),
    "gemini-interactions": (
        "google-interactions",
        {
            "id": "i-1",
            "created": "2026-01-01T00:00:00Z",
            "status": "completed",
            "model": "m",
            "service_tier": "standard",
            "usage": {"total_input_tokens": 1, "total_output_tokens": 1, "input_tokens_by_modality": [ANY]},
            "steps": [
                {"type": "thought", "signature": "s", "summary": [{"type": "text", "text": "Hm."}]},
                {"type": "google_search_call", "id": "s-1", "arguments": ANY},
                {
                    "type": "model_output",
                    "content": [
                        {"type": "text", "text": "Hi", "annotations": [ANY]},
                        {"type": "image", "data": "aGk="},
                    ],
                },
            ],
        },
    ),
    "bedrock-converse": (
        "bedrock",
        {
            "output": {
                "message": {"content": [{"citationsContent": {"content": [{"text": "Hi"}], "citations": [ANY]}}]}
            },
            "stopReason": "end_turn",
            "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2, "serverToolUsage": ANY},
            "metrics": {"latencyMs": 9},
            "additionalModelResponseFields": ANY,
            "trace": ANY,
            "performanceConfig": {"latency": "optimized"},
            "serviceTier": {"type": "flex"},
        },
    ),
    "cohere-v2": (
        "cohere",
        {
            "id": "c-1",
            "finish_reason": "TOOL_CALL",
            "message": {
                "tool_plan": "I will look.",
                "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
                "citations": [ANY],
            },
            "logprobs": [{"token_ids": [1], "text": "Hi", "logprobs": [-0.5]}],
            "usage": {"billed_units": {"input_tokens": 1}, "tokens": {"input_tokens": 1, "output_tokens": 1}},
        },
    ),
    "mistral": (
        "mistral",
        {
            "id": "m-1",
            "created": 1,
            "model": "m",
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "prompt_audio_seconds": 3},
            "choices": [
                {
                    "finish_reason": "stop",
                    "logprobs": {"content": []},
                    "message": {
                        "content": [
                            {"type": "text", "text": "Hi"},
                            {"type": "reference", "reference_ids": [1]},
                            {"type": "image_url", "image_url": "https://i.test/a.png"},
                        ]
                    },
                }
            ],
        },
    ),
    "ollama-chat": (
        "ollama",
        {
            "model": "m",
            "created_at": "2026-01-01T00:00:00Z",
            "message": {"role": "assistant", "content": "Hi", "images": ["aGk="]},
            "done": True,
            "done_reason": "stop",
            "remote_model": "m",
            "remote_host": "https://h.test",
            "logprobs": [{"token": "Hi", "logprob": -0.5}],
            **dict.fromkeys(("total_duration", "load_duration", "prompt_eval_duration", "eval_duration"), 5),
        },
    ),
    "replicate": (
        "replicate",
        {
            "id": "p-1",
            "version": "v",
            "created_at": "2026-01-01T00:00:00Z",
            "deployment": "a/b",
            "status": "succeeded",
            "output": "Hi",
            "metrics": {"predict_time": 0.5},
        },
    ),
}
"""For each protocol a body in which the vendor says everything it can."""


@cache
def read_response(protocol: str) -> CompletionResponse:
    provider, body = ERROR_FREE[protocol]
    return replay.response(provider, 200, {}, json.dumps(body).encode()).unwrap()


def read_chunks(protocol: str) -> list[StreamChunk]:
    """The chunks of a turn with thinking and calls, as the protocol's server streams it."""
    provider, _ = ERROR_FREE[protocol]
    turn = Turn(text="Hi", reasoning="Hm.", calls=(Call(id="call_1", name="f", arguments={"a": 1}),))
    if not CATALOGUE.find(provider).unwrap().supports.tools:
        turn = Turn(text="Hi", reasoning="Hm.")
    return [chunk.unwrap() for chunk in replay.stream(provider, 200, {}, load_writer(protocol).stream(turn).pieces)]


def build_local_completion() -> CompletionResponse:
    """What is added to a response that no vendor reports."""
    spec = CATALOGUE.find("openai").unwrap()
    endpoint = Endpoint(spec=spec, base_url=spec.base_url, price=lambda usage: 0.5)
    context = ResponseContext(endpoint=endpoint, model="m", adjustments=(Adjustment(parameter="seed", reason="no"),))
    body = {"choices": [{"message": {"content": "Hi"}}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
    data = json.dumps(body).encode().replace(b"Hi", b"Hi \xff")
    response = read_completion(context, codec_for(endpoint), data).unwrap()
    return record_attempts(response, [Attempt(provider="openai", message="busy"), Attempt(provider="openai")])


def read_text_call() -> CompletionResponse:
    body = {"choices": [{"message": {"content": "<tool_call>{'name': 'f', 'arguments': {}}</tool_call>"}}]}
    tools = [ToolDefinition(name="f")]
    return replay.response("openai", 200, {}, json.dumps(body).encode(), tools=tools, text_tool_calls="hermes").unwrap()


RESPONSES = TypeAdapter(ResponseMetadata)
CHUNKS = TypeAdapter(ChunkMetadata)


def test_every_protocol_has_a_sample_with_all_metadata() -> None:
    assert set(ERROR_FREE) == set(PROTOCOLS)


@pytest.mark.parametrize("protocol", ERROR_FREE)
def test_what_a_protocol_sets_is_documented_with_its_type(protocol: str) -> None:
    metadata = read_response(protocol).metadata or {}
    assert set(metadata) <= set(ResponseMetadata.__annotations__)
    assert RESPONSES.validate_python(metadata, strict=True) == metadata
    for chunk in read_chunks(protocol):
        assert set(chunk.metadata or {}) <= set(ChunkMetadata.__annotations__)
        assert CHUNKS.validate_python(chunk.metadata or {}, strict=True) == (chunk.metadata or {})


def test_every_documented_key_is_set_by_something() -> None:
    found = {key for protocol in PROTOCOLS for key in read_response(protocol).metadata or {}}
    for response in (build_local_completion(), read_text_call()):
        assert RESPONSES.validate_python(response.metadata, strict=True) == response.metadata
        found |= set(response.metadata or {})
    chunks = {key for protocol in PROTOCOLS for chunk in read_chunks(protocol) for key in chunk.metadata or {}}
    assert set(ResponseMetadata.__annotations__) - found - chunks == set()
    assert set(ChunkMetadata.__annotations__) - found - chunks == set()


def test_the_typed_view_is_the_metadata_itself() -> None:
    response = read_response("openai-chat")
    assert response.typed_metadata is response.metadata
    assert response.typed_metadata.get("cost") == {"amount": 0.5, "currency": "USD", "source": "vendor"}
    assert CompletionResponse(content="Hi").typed_metadata == {}
    final = read_chunks("openai-chat")[-1]
    assert final.typed_metadata is final.metadata
    assert StreamChunk().typed_metadata == {}


ADJUSTED = (Adjustment(parameter="user", reason="no"),)
TRUNCATED = {"values": [1.0], "statistics": {"truncated": True}}
EMBEDDED: Mapping[str, dict[str, Any]] = {
    "openrouter": {"id": "e-1", "data": [{"embedding": [1.0], "index": 0}], "usage": {"prompt_tokens": 1, "cost": 0.5}},
    "cohere": {"id": "e-2", "embeddings": {"float": [[1.0]]}},
    "bedrock": {"id": "e-3", "embeddings": [[1.0]]},
    "google": {"embeddings": [{"values": [1.0]}]},
    "vertex": {"predictions": [{"embeddings": TRUNCATED}]},
    "ollama": {"embeddings": [[1.0]], "model": "m", "prompt_eval_count": 1},
}
SCORES = [{"index": 0, "relevance_score": 0.5}]
RANKED: Mapping[str, dict[str, Any]] = {
    "cohere": {"id": "r-1", "results": SCORES, "meta": {"billed_units": {"search_units": 1.0}}},
    "openrouter": {"id": "r-2", "results": SCORES, "usage": {"search_units": 1, "cost": 0.5}},
    "bedrock": {"results": SCORES},
    "vertex": {"records": [{"id": "0", "score": 0.5}]},
}


def build_context(provider: str) -> ResponseContext:
    spec = CATALOGUE.find(provider).unwrap()
    return ResponseContext(endpoint=Endpoint(spec=spec, base_url=spec.base_url), model="m", adjustments=ADJUSTED)


def read_embedding(provider: str) -> EmbeddingResponse:
    context, body = build_context(provider), json.dumps(EMBEDDED[provider]).encode()
    codec = find_embedding_codec(context.endpoint)
    assert codec is not None
    return build_embedding_response(context, codec_for(context.endpoint), codec, body).unwrap()


def read_ranking(provider: str) -> RerankResponse:
    context, body = build_context(provider), json.dumps(RANKED[provider]).encode()
    codec = find_rerank_codec(context.endpoint)
    assert codec is not None
    return build_rerank_response(context, codec_for(context.endpoint), codec, body).unwrap()


@pytest.mark.parametrize("kind", [EmbeddingDialects, RerankDialects])
def test_every_kind_of_embedding_and_ranking_has_a_sample(kind: Any) -> None:
    samples = {type(CATALOGUE.find(name).unwrap().embeddings) for name in EMBEDDED} | {
        type(CATALOGUE.find(name).unwrap().reranking) for name in RANKED
    }
    assert set(get_args(kind)) <= samples


def test_the_metadata_of_embeddings_is_documented_with_its_types() -> None:
    responses = [read_embedding(provider) for provider in EMBEDDED]
    attempts = {"attempts": dump_attempts([Attempt(provider="cohere", message="busy"), Attempt(provider="cohere")])}
    tried = responses[0].model_copy(update={"metadata": {**(responses[0].metadata or {}), **attempts}})
    found: set[str] = set()
    for response in (*responses, tried, join_responses([responses[0], responses[1]])):
        metadata = response.metadata
        assert response.typed_metadata is metadata
        assert TypeAdapter(EmbeddingMetadata).validate_python(metadata, strict=True) == metadata
        found |= set(metadata or {})
    assert found == set(EmbeddingMetadata.__annotations__)
    assert EmbeddingResponse(vectors=[]).typed_metadata == {}


def test_the_metadata_of_rankings_is_documented_with_its_types() -> None:
    responses = [read_ranking(provider) for provider in RANKED]
    attempts = {"attempts": dump_attempts([Attempt(provider="cohere", message="busy"), Attempt(provider="cohere")])}
    tried = responses[0].model_copy(update={"metadata": {**(responses[0].metadata or {}), **attempts}})
    found: set[str] = set()
    for response in (*responses, tried):
        metadata = response.metadata
        assert response.typed_metadata is metadata
        assert TypeAdapter(RerankMetadata).validate_python(metadata, strict=True) == metadata
        found |= set(metadata or {})
    assert found == set(RerankMetadata.__annotations__)
    assert RerankResponse(results=[]).typed_metadata == {}


def test_custom_metadata_keys_are_accepted() -> None:
    response = CompletionResponse(content="Hi", metadata={"acme_score": 3})
    assert response.metadata == {"acme_score": 3}
    assert StreamChunk(metadata={"acme_score": 3}).metadata == {"acme_score": 3}
    assert Message(role="user", content="Hi", metadata={"mine": 1}).metadata == {"mine": 1}
    assert SPEC.name == "acme"
