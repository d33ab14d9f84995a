"""The models of Mistral, and their capabilities."""

from __future__ import annotations

import json
from typing import Any

from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.spec import ModelInfo
from victor_fp.core.protocols import Discovery, codec_for
from victor_fp.core.protocols.endpoints import build_endpoint

MODEL: dict[str, Any] = {
    "id": "mistral-large-2512",
    "object": "model",
    "created": 1700000000,
    "owned_by": "mistralai",
    "capabilities": {"completion_chat": True, "function_calling": True, "vision": True, "reasoning": False},
    "name": "mistral-large-2512",
    "max_context_length": 262144,
    "aliases": ["mistral-large-latest"],
    "deprecation": None,
    "type": "base",
    "yet_unknown": {"deep": [1]},
}
INFO = ModelInfo(
    id="mistral-large-2512",
    context_window=262_144,
    supports_tools=True,
    supports_images=True,
    supports_reasoning=False,
    raw=MODEL,
)


def get_discovery() -> Discovery:
    found = codec_for(build_endpoint(CATALOGUE.find("mistral").unwrap()).unwrap()).discovery
    assert found is not None
    return found


def test_the_list_is_requested() -> None:
    asked = get_discovery().list_request()
    assert (asked.method, asked.url) == ("GET", "https://api.mistral.ai/v1/models")
    assert asked.headers == {"authorization": "Bearer <secret>"}


def test_names_windows_and_capabilities_are_read_from_a_list() -> None:
    bare, nameless = {"id": "bare", "max_context_length": 0}, {"object": "model"}
    body = json.dumps({"object": "list", "data": [MODEL, bare, nameless, "text"]}).encode()
    assert get_discovery().read_list(body) == (INFO, ModelInfo(id="bare", raw=bare))


def test_one_model_is_requested_by_its_name() -> None:
    ask, read = get_discovery().model_request, get_discovery().read_model
    assert ask is not None
    assert read is not None
    assert ask("ft:own/model x").url == "https://api.mistral.ai/v1/models/ft:own%2Fmodel%20x"
    assert read("mistral-large-latest", json.dumps(MODEL).encode()) == INFO
    assert read("x", b'{"detail": "no"}') is None
    assert read("x", b"[]") is None


def test_bodies_in_another_format_yield_nothing() -> None:
    for body in (b"<html>", b"[]", b'{"data": 3}', b"{}"):
        assert get_discovery().read_list(body) == ()
