"""Models and their limits in the format of every server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.spec import ModelInfo
from victor_fp.core.protocols import Discovery, codec_for
from victor_fp.core.protocols.endpoints import build_endpoint


def get_discovery(provider: str, **settings: str) -> Discovery:
    found = codec_for(build_endpoint(CATALOGUE.find(provider).unwrap(), settings=settings).unwrap()).discovery
    assert found is not None
    return found


def read_models(provider: str, *models: dict[str, Any]) -> tuple[ModelInfo, ...]:
    return get_discovery(provider).read_list(json.dumps({"object": "list", "data": list(models)}).encode())


@pytest.mark.parametrize(
    ("provider", "facts", "window"),
    [
        ("openai", {}, None),
        ("groq", {"context_window": 131072}, 131072),
        ("openrouter", {"context_length": 200000, "top_provider": {"context_length": 1}}, 200000),
        ("openrouter", {"context_length": None, "top_provider": {"context_length": 8000}}, 8000),
        ("vllm", {"max_model_len": 4096}, 4096),
        ("lmstudio", {"max_context_length": 131072}, 131072),
        ("lmstudio", {"max_context_length": 131072, "loaded_context_length": 8192}, 8192),
        ("llamacpp", {"meta": {"n_ctx": 4096, "n_ctx_train": 40960}}, 4096),
        ("llamacpp", {"meta": {"n_ctx_train": 40960}}, 40960),
        ("xai", {"max_prompt_length": 256000}, 256000),
        (
            "huggingface",
            {"providers": [{"status": "live", "context_length": 1000}, {"status": "error", "context_length": 9000}]},
            1000,
        ),
        ("together", {"context_length": 0}, None),
    ],
)
def test_the_context_window_is_found_under_every_name(provider: str, facts: dict[str, Any], window: int | None) -> None:
    (info,) = read_models(provider, {"id": "m", **facts})
    assert (info.id, info.context_window) == ("m", window)
    assert info.raw == {"id": "m", **facts}


@pytest.mark.parametrize(
    ("provider", "facts", "supports"),
    [
        ("azure", {"capabilities": {"chat_completion": True}}, (None, None, None)),
        ("lmstudio", {"capabilities": ["tool_use"], "type": "llm"}, (True, False, False)),
        ("lmstudio", {"capabilities": [], "type": "vlm"}, (None, True, None)),
        (
            "openrouter",
            {"supported_parameters": ["tools", "reasoning"], "architecture": {"input_modalities": ["text", "image"]}},
            (True, True, True),
        ),
        ("moonshot", {"supports_image_in": True, "supports_reasoning": True}, (None, True, True)),
        ("fireworks", {"supports_tools": False, "supports_image_input": False}, (False, False, None)),
        ("huggingface", {"providers": [{"supports_tools": False}, {"supports_tools": True}]}, (True, None, None)),
        ("openai", {}, (None, None, None)),
    ],
)
def test_capabilities_are_what_the_server_says(
    provider: str, facts: dict[str, Any], supports: tuple[bool | None, ...]
) -> None:
    (info,) = read_models(provider, {"id": "m", **facts})
    assert (info.supports_tools, info.supports_images, info.supports_reasoning) == supports


def test_a_bare_array_is_a_list_too() -> None:
    assert [info.id for info in get_discovery("together").read_list(b'[{"id": "a"}, {"id": "b"}, {"no": "id"}]')] == [
        "a",
        "b",
    ]


@pytest.mark.parametrize("answer", [b"", b"<html>", b"{}", b'{"data": null}', b'"x"', b'{"data": [1]}'])
def test_an_unreadable_list_is_empty(answer: bytes) -> None:
    assert get_discovery("openai").read_list(answer) == ()


@pytest.mark.parametrize(
    ("provider", "url"),
    [
        ("openai", "https://api.openai.com/v1/models"),
        ("llamacpp", "http://localhost:8080/v1/models"),
        ("lmstudio", "http://localhost:1234/api/v0/models"),
    ],
)
def test_models_are_requested_at_the_server_url(provider: str, url: str) -> None:
    request = get_discovery(provider).list_request()
    assert (request.method, request.url, request.body) == ("GET", url, b"")


def test_azure_lists_models_at_its_resource() -> None:
    request = get_discovery("azure", endpoint="https://mine.openai.azure.com").list_request()
    assert request.url == "https://mine.openai.azure.com/openai/v1/models"
    assert request.headers == {"api-key": "<secret>"}


def test_llama_cpp_reports_its_configured_context() -> None:
    found = get_discovery("llamacpp")
    assert found.model_request is not None
    assert found.read_model is not None
    assert found.model_request("m").url == "http://localhost:8080/props?model=m"
    props = {
        "default_generation_settings": {"n_ctx": 4096},
        "chat_template_caps": {"supports_tools": True},
        "modalities": {"vision": False},
    }
    info = found.read_model("m", json.dumps(props).encode())
    assert info is not None
    assert (info.context_window, info.supports_tools, info.supports_images) == (4096, True, False)
    assert found.read_model("m", b"{}") is None
    assert found.read_model("m", b"nothing") is None
