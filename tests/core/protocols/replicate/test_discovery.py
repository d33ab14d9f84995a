"""The models of Replicate, and the options in a model's schema."""

from __future__ import annotations

import json
from typing import Any

from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.spec import ModelInfo
from victor_fp.core.protocols import Discovery, codec_for
from victor_fp.core.protocols.endpoints import build_endpoint


def get_discovery() -> Discovery:
    found = codec_for(build_endpoint(CATALOGUE.find("replicate").unwrap()).unwrap()).discovery
    assert found is not None
    return found


def build_model(name: str, output: dict[str, Any] | None = None, **inputs: Any) -> dict[str, Any]:
    schemas = {"Input": {"properties": inputs}, "Output": output or {"type": "string"}}
    return {
        "owner": "acme",
        "name": name,
        "run_count": 3,
        "latest_version": {"id": "v", "openapi_schema": {"components": {"schemas": schemas}}} if inputs else None,
    }


def test_the_collection_of_language_models_is_the_list() -> None:
    asked = get_discovery().list_request()
    assert (asked.method, asked.url) == ("GET", "https://api.replicate.com/v1/collections/language-models")
    body = json.dumps(
        {"name": "Language models", "models": [build_model("one"), build_model("two"), {"name": "nobody's"}]}
    )
    reported = get_discovery().read_list(body.encode())
    assert reported == (ModelInfo(id="acme/one", raw={"run_count": 3}), ModelInfo(id="acme/two", raw={"run_count": 3}))


def test_supported_options_are_read_from_the_schema_of_a_model() -> None:
    ask, read = get_discovery().model_request, get_discovery().read_model
    assert ask is not None
    assert read is not None
    assert ask("acme/chat:abc").url == "https://api.replicate.com/v1/models/acme/chat"
    pieces = {"type": "array", "items": {"type": "string"}, "x-cog-array-type": "iterator"}
    reported = read(
        "acme/chat", json.dumps(build_model("chat", pieces, prompt={}, image={}, reasoning_effort={})).encode()
    )
    assert reported == ModelInfo(
        id="acme/chat",
        supports_tools=False,
        supports_streaming=True,
        supports_images=True,
        supports_reasoning=True,
        raw={"run_count": 3, "inputs": ["image", "prompt", "reasoning_effort"]},
    )


def test_bodies_in_another_format_yield_nothing() -> None:
    read = get_discovery().read_model
    assert read is not None
    assert (read("acme/chat", b"<html>"), read("acme/chat", b"{}")) == (None, None)
    assert get_discovery().read_list(b"[]") == ()
