"""The same protocol at other endpoints, configured by data: Claude on Vertex AI, and servers with Anthropic's format."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from returns.result import Failure, Result, Success

from tests.core.protocols.anthropic_messages.answers import (
    build_message,
    build_text,
    encode_sse,
    events,
    read_completion,
    read_stream,
)
from tests.core.protocols.anthropic_messages.requests import HI, request
from tests.core.protocols.results import join_chunks
from victor_fp.core.catalogue.spec import Auth, ProviderSpec
from victor_fp.core.dialects.anthropic import AnthropicDialect
from victor_fp.core.faults import Fault, UnsupportedParameter
from victor_fp.core.protocols import codec_for
from victor_fp.core.request_building.inputs import build_chat_request
from victor_fp.core.requests import Endpoint, HttpRequest
from victor_fp.core.result import outcome
from victor_fp.core.types import ImagePart, Message

VERTEX = ProviderSpec(
    name="test-vertex",
    title="Claude on Vertex AI",
    dialect=AnthropicDialect(
        counts_tokens=False,
        lists_models=False,
        model_in_body=False,
        version_in_body="vertex-2023-10-16",
        url_sources=False,
    ),
    base_url="https://europe-west1-aiplatform.googleapis.com/v1/projects/p/locations/europe-west1",
    auth=Auth(kind="google"),
)
GATEWAY = ProviderSpec(
    name="test-gateway",
    title="A server of Anthropic's format",
    dialect=AnthropicDialect(unsigned_thinking=True),
    base_url="http://localhost:8080",
)


def build_http_request(
    spec: ProviderSpec, messages: Sequence[Message] = (HI,), **more: Any
) -> Result[HttpRequest, Fault]:
    asked = {"temperature": 0.7, "max_tokens": 4096, "options": {}, **more}
    return build_chat_request(spec.name, messages, **asked).bind(
        codec_for(Endpoint(spec=spec, base_url=spec.base_url)).request
    )


def build_url_and_body(
    spec: ProviderSpec, messages: Sequence[Message] = (HI,), **more: Any
) -> tuple[str, dict[str, Any]]:
    match outcome(build_http_request(spec, messages, **more)):
        case Success(built):
            body: Any = built.json()
            return built.url, body
        case Failure(fault):
            raise AssertionError(fault)


def test_vertex_names_the_model_in_the_url_and_the_version_in_the_body() -> None:
    url, body = build_url_and_body(VERTEX, model="claude-sonnet-4-5@20250929")
    assert url == f"{VERTEX.base_url}/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict"
    assert body == {
        "anthropic_version": "vertex-2023-10-16",
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": "Hi"}],
        "temperature": 0.7,
    }


def test_vertex_has_a_url_of_its_own_for_streams() -> None:
    url, body = build_url_and_body(VERTEX, model="claude-sonnet-4-5@20250929", stream=True)
    assert url.endswith(":streamRawPredict")
    assert body["stream"] is True


def test_a_model_name_is_escaped_in_the_url() -> None:
    url, _ = build_url_and_body(VERTEX, model="a/../b?c")
    assert url.endswith("/models/a%2F..%2Fb%3Fc:rawPredict")


def test_vertex_accepts_images_by_value_only() -> None:
    picture = Message(role="user", content=[ImagePart(url="https://x.example/a.png")])
    match outcome(build_http_request(VERTEX, [picture], model="claude-sonnet-4-5")):
        case Failure(UnsupportedParameter(parameter=parameter)):
            assert parameter == "messages.image"
        case other:
            raise AssertionError(other)


def test_an_endpoint_without_counting_or_listing_offers_neither() -> None:
    codec = codec_for(Endpoint(spec=VERTEX, base_url=VERTEX.base_url))
    assert (codec.discovery, codec.counting) == (None, None)


def test_a_base_url_may_end_in_the_version() -> None:
    assert request(base_url="http://localhost:8080/v1").url == "http://localhost:8080/v1/messages"
    assert (
        request(base_url="https://api.deepseek.com/anthropic/").url == "https://api.deepseek.com/anthropic/v1/messages"
    )


def test_unsigned_thinking_is_sent_back_to_a_gateway() -> None:
    whole = build_message({"type": "thinking", "thinking": "Hm."}, build_text("Yes"))
    state = read_completion(whole).to_message()
    _, body = build_url_and_body(GATEWAY, [HI, state, HI], model="tiny.gguf")
    assert body["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": ""},
        build_text("Yes"),
    ]


def test_a_stream_without_an_event_line_reads_the_same() -> None:
    story = events(build_message(build_text("Hello")))
    bare = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in story)
    assert join_chunks(read_stream(bare)) == join_chunks(read_stream(encode_sse(story)))
