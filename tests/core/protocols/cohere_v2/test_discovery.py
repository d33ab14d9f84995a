"""The models of Cohere, and their capabilities."""

from __future__ import annotations

import json

from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.spec import ModelInfo
from victor_fp.core.protocols import Discovery, codec_for
from victor_fp.core.protocols.endpoints import build_endpoint

MODEL = {
    "name": "command-a-03-2025",
    "endpoints": ["chat"],
    "finetuned": False,
    "context_length": 288000,
    "features": ["strict_tools", "tools", "json_mode"],
}


def get_discovery() -> Discovery:
    found = codec_for(build_endpoint(CATALOGUE.find("cohere").unwrap()).unwrap()).discovery
    assert found is not None
    return found


def test_the_list_is_requested_in_one_page() -> None:
    asked = get_discovery().list_request()
    assert (asked.method, asked.url) == ("GET", "https://api.cohere.com/v1/models?page_size=1000&endpoint=chat")
    assert asked.headers == {"authorization": "Bearer <secret>"}


def test_names_windows_and_capabilities_are_read_from_a_list() -> None:
    seeing = {"name": "command-a-vision-07-2025", "context_length": 128000.0, "features": ["vision"]}
    reported = get_discovery().read_list(json.dumps({"models": [MODEL, seeing, {"name": "bare"}, {}]}).encode())
    assert reported == (
        ModelInfo(
            id="command-a-03-2025",
            context_window=288_000,
            supports_tools=True,
            supports_images=False,
            supports_reasoning=False,
            raw=MODEL,
        ),
        ModelInfo(
            id="command-a-vision-07-2025",
            context_window=128_000,
            supports_tools=False,
            supports_images=True,
            supports_reasoning=False,
            raw={**seeing, "context_length": 128000},
        ),
        ModelInfo(id="bare", raw={"name": "bare"}),
    )


def test_one_model_is_requested_by_its_name() -> None:
    ask, read = get_discovery().model_request, get_discovery().read_model
    assert ask is not None
    assert read is not None
    assert ask("own/model ft").url == "https://api.cohere.com/v1/models/own%2Fmodel%20ft"
    reported = read("command-a-03-2025", json.dumps(MODEL).encode())
    assert reported is not None
    assert reported.context_window == 288_000
    assert read("x", b"{}") is None


def test_bodies_in_another_format_yield_nothing() -> None:
    assert get_discovery().read_list(b"<html>") == ()
    assert get_discovery().read_list(b"[]") == ()
