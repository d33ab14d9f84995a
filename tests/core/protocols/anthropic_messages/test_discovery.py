"""Model lists of the vendor, and its token counting."""

from __future__ import annotations

import json
from typing import Any

from returns.result import Success

from tests.core.protocols.anthropic_messages.requests import HI, WEATHER
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.spec import ModelInfo
from victor_fp.core.protocols import codec_for
from victor_fp.core.request_building.inputs import build_chat_request
from victor_fp.core.requests import Endpoint
from victor_fp.core.types import Message

SPEC = CATALOGUE.find("anthropic").unwrap()
CODEC = codec_for(Endpoint(spec=SPEC, base_url=SPEC.base_url))
YES, NO = {"supported": True}, {"supported": False}
MODEL = {
    "type": "model",
    "id": "claude-opus-5",
    "display_name": "Claude Opus 5",
    "created_at": "2026-07-01T00:00:00Z",
    "max_input_tokens": 1_000_000,
    "max_tokens": 128_000,
    "capabilities": {"image_input": YES, "thinking": {"supported": True, "types": {"adaptive": YES, "enabled": NO}}},
}


def test_all_models_are_requested_in_one_page() -> None:
    assert CODEC.discovery is not None
    asked = CODEC.discovery.list_request()
    assert (asked.method, asked.url) == ("GET", "https://api.anthropic.com/v1/models?limit=1000")
    assert asked.headers == {"x-api-key": "<secret>", "anthropic-version": "2023-06-01"}


def test_limits_are_read_from_a_model() -> None:
    assert CODEC.discovery is not None
    (read,) = CODEC.discovery.read_list(json.dumps({"data": [MODEL], "has_more": False}).encode())
    assert (read.id, read.context_window, read.max_output) == ("claude-opus-5", 1_000_000, 128_000)
    assert (read.supports_images, read.supports_reasoning, read.supports_tools) == (True, True, None)


def test_one_model_is_requested_by_name() -> None:
    assert CODEC.discovery is not None
    assert CODEC.discovery.model_request is not None
    assert CODEC.discovery.read_model is not None
    assert CODEC.discovery.model_request("claude-opus-5").url == "https://api.anthropic.com/v1/models/claude-opus-5"
    read = CODEC.discovery.read_model("claude-opus-5", json.dumps(MODEL).encode())
    assert read is not None
    assert (read.max_output, read.raw["display_name"]) == (128_000, "Claude Opus 5")


def test_names_are_read_from_a_list_in_the_openai_format() -> None:
    assert CODEC.discovery is not None
    body = {"object": "list", "data": [{"id": "tiny.gguf", "object": "model", "created": 1, "owned_by": "me"}]}
    (read,) = CODEC.discovery.read_list(json.dumps(body).encode())
    assert read == ModelInfo(id="tiny.gguf", raw=read.raw)


def test_bodies_in_another_format_yield_nothing() -> None:
    assert CODEC.discovery is not None
    assert CODEC.discovery.read_model is not None
    for body in (b"", b"<html>", b"[]", b"{}", b'{"data": 3}'):
        assert CODEC.discovery.read_list(body) == ()
        assert CODEC.discovery.read_model("x", body) is None


def test_tokens_are_counted_for_the_chat_as_it_would_be_sent() -> None:
    assert CODEC.counting is not None
    chat = build_chat_request(
        "anthropic",
        [Message(role="system", content="Rules"), HI],
        model="claude-sonnet-4-5",
        tools=[WEATHER],
        stream=True,
        options={"tool_choice": "required"},
    )
    built = chat.bind(CODEC.counting.request)
    assert isinstance(built, Success)
    asked = built.unwrap()
    assert asked.url == "https://api.anthropic.com/v1/messages/count_tokens"
    sent: Any = asked.json()
    assert sent.keys() == {"model", "system", "messages", "tools", "tool_choice"}
    assert (CODEC.counting.read(b'{"input_tokens": 14}'), CODEC.counting.read(b"{}")) == (14, None)
