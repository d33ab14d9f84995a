"""Models, their limits, and token counts by Google's own endpoints."""

from __future__ import annotations

import json
from typing import Any

from returns.result import Success

from tests.core.protocols.gemini.requests import HI, MIDDLE, WEATHER
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.spec import ModelInfo
from victor_fp.core.protocols import Codec, codec_for
from victor_fp.core.protocols.endpoints import build_endpoint
from victor_fp.core.request_building.inputs import build_chat_request

MODEL = {
    "name": "models/gemini-2.5-flash",
    "inputTokenLimit": 1048576,
    "outputTokenLimit": 65536,
    "supportedGenerationMethods": ["generateContent", "countTokens"],
    "thinking": True,
}
INFO = ModelInfo(
    id="gemini-2.5-flash",
    context_window=1048576,
    max_output=65536,
    supports_streaming=True,
    supports_reasoning=True,
    raw=dict(MODEL),
)


def build_codec(provider: str = "google", **settings: str) -> Codec:
    match build_endpoint(CATALOGUE.find(provider).unwrap(), settings=settings):
        case Success(endpoint):
            return codec_for(endpoint)
    raise AssertionError(provider)


def build_count_request(provider: str, **settings: str) -> tuple[str, Any]:
    counting = build_codec(provider, **settings).counting
    assert counting is not None
    asked = build_chat_request("google", HI, model=MIDDLE, tools=[WEATHER], options={"user": "u"})
    request = asked.bind(counting.request).unwrap()
    return request.url, request.json()


def test_models_are_listed_with_their_limits() -> None:
    discovery = build_codec().discovery
    assert discovery is not None
    request = discovery.list_request()
    assert (request.method, request.body) == ("GET", b"")
    assert request.url == "https://generativelanguage.googleapis.com/v1beta/models?pageSize=1000"
    assert request.headers == {"x-goog-api-key": "<secret>"}
    body = json.dumps({"models": [MODEL, {"name": "models/bare"}, {}]}).encode()
    assert discovery.read_list(body) == (INFO, ModelInfo(id="bare", raw={"name": "models/bare"}))


def test_one_model_is_requested_by_name() -> None:
    discovery = build_codec().discovery
    assert discovery is not None
    assert discovery.model_request is not None
    assert discovery.read_model is not None
    assert discovery.model_request(MIDDLE).url.endswith("/v1beta/models/gemini-2.5-flash")
    assert discovery.read_model(MIDDLE, json.dumps(MODEL).encode()) == INFO


def test_a_malformed_body_yields_nothing() -> None:
    discovery, counting = build_codec().discovery, build_codec().counting
    assert discovery is not None
    assert discovery.read_model is not None
    assert counting is not None
    for body in (b"<html>", b"[]", b"{}"):
        assert (discovery.read_list(body), discovery.read_model("x", body), counting.read(body)) == ((), None, None)


def test_tokens_are_counted_for_the_whole_request() -> None:
    url, body = build_count_request("google")
    assert url.endswith("/v1beta/models/gemini-2.5-flash:countTokens")
    request = body["generateContentRequest"]
    assert request["model"] == "models/gemini-2.5-flash"
    assert set(request) == {"model", "contents", "tools", "generationConfig"}
    counting = build_codec().counting
    assert counting is not None
    assert counting.read(b'{"totalTokens": 31}') == 31


def test_vertex_counts_tokens_and_lists_no_models() -> None:
    url, body = build_count_request("vertex", project="p")
    assert url.endswith("/publishers/google/models/gemini-2.5-flash:countTokens")
    assert set(body) == {"contents", "tools"}
    assert build_codec("vertex", project="p").discovery is None
