"""Model lists of the control plane, and token counts of the runtime."""

from __future__ import annotations

import json
from typing import Any

from returns.result import Failure, Success

from tests.core.protocols.bedrock_converse.requests import HI, SONNET, WEATHER
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.spec import ModelInfo
from victor_fp.core.protocols import Codec, codec_for
from victor_fp.core.protocols.endpoints import build_endpoint
from victor_fp.core.requests import ChatRequest
from victor_fp.core.result import outcome
from victor_fp.core.types import Message

MODEL = {
    "modelArn": "arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0",
    "modelId": "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "modelName": "Claude Sonnet 4.5",
    "providerName": "Anthropic",
    "inputModalities": ["TEXT", "IMAGE"],
    "outputModalities": ["TEXT"],
    "responseStreamingSupported": True,
    "inferenceTypesSupported": ["INFERENCE_PROFILE"],
    "modelLifecycle": {"status": "ACTIVE"},
}
EMBEDDING = {**MODEL, "modelId": "amazon.titan-embed-text-v2:0", "outputModalities": ["EMBEDDING"]}


def build_codec(base_url: str | None = None) -> Codec:
    match outcome(
        build_endpoint(CATALOGUE.find("bedrock").unwrap(), base_url=base_url, settings={"region": "eu-west-1"})
    ):
        case Success(endpoint):
            return codec_for(endpoint)
        case Failure(fault):
            raise AssertionError(fault)


def test_models_are_listed_by_the_control_plane_and_only_those_that_answer_in_text() -> None:
    discovery = build_codec().discovery
    assert discovery is not None
    request = discovery.list_request()
    assert (request.method, request.url) == ("GET", "https://bedrock.eu-west-1.amazonaws.com/foundation-models")
    found = discovery.read_list(json.dumps({"modelSummaries": [MODEL, EMBEDDING]}).encode())
    assert found == (
        ModelInfo(id=str(MODEL["modelId"]), supports_streaming=True, supports_images=True, raw=dict(MODEL)),
    )


def test_one_model_is_requested_without_its_region_prefix_and_keeps_its_name() -> None:
    discovery = build_codec().discovery
    assert discovery is not None
    assert discovery.model_request is not None
    assert discovery.read_model is not None
    url = discovery.model_request(SONNET).url
    assert url.endswith("/foundation-models/anthropic.claude-sonnet-4-5-20250929-v1:0")
    info = discovery.read_model(SONNET, json.dumps({"modelDetails": MODEL}).encode())
    assert info is not None
    assert (info.id, info.supports_images) == (SONNET, True)


def test_a_server_at_another_url_is_requested_itself() -> None:
    discovery = build_codec("http://localhost:9000").discovery
    assert discovery is not None
    assert discovery.list_request().url == "http://localhost:9000/foundation-models"


def test_tokens_are_counted_for_the_whole_prompt() -> None:
    counting = build_codec().counting
    assert counting is not None
    messages = (Message(role="system", content="Be brief."), HI)
    match outcome(counting.request(ChatRequest(messages=messages, model=SONNET, tools=(WEATHER,)))):
        case Success(built):
            assert built.url.endswith("/model/anthropic.claude-sonnet-4-5-20250929-v1:0/count-tokens")
            body: Any = built.json()
            assert set(body["input"]["converse"]) == {"messages", "system", "toolConfig"}
        case Failure(fault):
            raise AssertionError(fault)
    assert counting.read(b'{"inputTokens": 31}') == 31


def test_a_malformed_body_yields_nothing() -> None:
    discovery, counting = build_codec().discovery, build_codec().counting
    assert discovery is not None
    assert discovery.read_model is not None
    assert counting is not None
    for body in (b"<html>", b"[]", b"{}"):
        assert (discovery.read_list(body), discovery.read_model("x", body), counting.read(body)) == ((), None, None)
