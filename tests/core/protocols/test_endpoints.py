"""Endpoints: sources and forms of base URLs, and what is rejected by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from returns.result import Failure, Success

from tests.catalogue_samples import list_entry_params
from victor_fp import replay
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.models.limits import find_context_window
from victor_fp.core.protocols import codec_for
from victor_fp.core.protocols.endpoints import apply_key_auth, build_endpoint
from victor_fp.core.requests import Endpoint
from victor_fp.core.result import outcome
from victor_fp.core.types import Message

HI = [Message(role="user", content="hi")]


def make_endpoint(provider: str, base_url: str | None = None, **given: Any) -> Endpoint:
    match outcome(build_endpoint(CATALOGUE.find(provider).unwrap(), base_url=base_url, **given)):
        case Success(found):
            return found
        case other:
            raise AssertionError(other)


def get_fault(provider: str, base_url: str | None = None, **given: Any) -> Fault:
    match outcome(build_endpoint(CATALOGUE.find(provider).unwrap(), base_url=base_url, **given)):
        case Failure(fault):
            assert isinstance(fault, InvalidRequest)
            return fault
        case other:
            raise AssertionError(other)


def build_url(provider: str, model: str = "m", **given: Any) -> str:
    match outcome(replay.request(provider, HI, model=model, **given)):
        case Success(request):
            return request.url
        case other:
            raise AssertionError(other)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8200", "http://127.0.0.1:8200"),
        ("127.0.0.1", "http://127.0.0.1:11434"),
        ("gpu-box", "http://gpu-box:11434"),
        ("gpu-box:8200", "http://gpu-box:8200"),
        ("gpu-box:", "http://gpu-box:11434"),
        (":8200", "http://127.0.0.1:8200"),
        ("[::1]", "http://[::1]:11434"),
        ("[::1]:8200", "http://[::1]:8200"),
        ("::1", "http://[::1]:11434"),
        ("[::]:8200", "http://[::1]:8200"),
        ("gpu-box/ollama/", "http://gpu-box:11434/ollama"),
        ("http://gpu-box", "http://gpu-box"),
        ("https://ollama.example.org", "https://ollama.example.org"),
        ("https://ollama.example.org:8443/x/", "https://ollama.example.org:8443/x"),
        ("ollama.com", "https://ollama.com"),
        (' "gpu-box:8200" ', "http://gpu-box:8200"),
        ("", "http://localhost:11434"),
        ("  ", "http://localhost:11434"),
    ],
)
def test_the_forms_of_ollama_host(host: str, address: str) -> None:
    assert make_endpoint("ollama", environment={"OLLAMA_HOST": host}).base_url == address
    assert make_endpoint("ollama", host).base_url == address


def test_other_vendors_have_no_port_of_their_own() -> None:
    assert make_endpoint("vllm", "gpu-box:9000").base_url == "http://gpu-box:9000/v1"
    assert make_endpoint("vllm", "gpu-box").base_url == "http://gpu-box/v1"


@pytest.mark.parametrize("spec", list_entry_params())
def test_an_origin_alone_keeps_the_path_of_the_entry(spec: Any) -> None:
    settings = {
        setting.name: "x" for setting in spec.settings if setting.name not in ("endpoint", "deployment", "model_path")
    }
    own = make_endpoint(spec.name, settings=settings).base_url
    path = "/" + own.partition("://")[2].partition("/")[2]
    moved = make_endpoint(spec.name, "https://gateway.example:8443/", settings=settings).base_url
    assert moved == f"https://gateway.example:8443{path}".rstrip("/")


def test_a_path_in_the_base_url_replaces_that_of_the_entry() -> None:
    assert make_endpoint("openai", "https://gateway.example/openai/").base_url == "https://gateway.example/openai"


ROUTES = [
    ("openai", "https://g.example/v1/chat/completions", "https://g.example/v1/chat/completions"),
    ("openai", "https://g.example/v1/embeddings", "https://g.example/v1/chat/completions"),
    ("openai", "https://g.example/v1/models", "https://g.example/v1/chat/completions"),
    ("openai-responses", "https://g.example/v1/chat/completions", "https://g.example/v1/responses"),
    ("cohere", "https://g.example/v2/embed", "https://g.example/v2/chat"),
    ("ollama", "https://g.example/api/embed", "https://g.example/api/chat"),
    ("anthropic", "https://g.example/messages", "https://g.example/v1/messages"),
    ("openai", "https://g.example/chat/completions/", "https://g.example/chat/completions"),
    ("openai-responses", "https://g.example/v1/responses", "https://g.example/v1/responses"),
    ("anthropic", "https://g.example/v1/messages", "https://g.example/v1/messages"),
    ("anthropic", "https://g.example/v1", "https://g.example/v1/messages"),
    ("anthropic", "https://g.example/x/v1/messages", "https://g.example/x/v1/messages"),
    (
        "google",
        "https://g.example/v1beta/models/m:generateContent",
        "https://g.example/v1beta/models/m:generateContent",
    ),
    ("cohere", "https://g.example/v2/chat", "https://g.example/v2/chat"),
    ("cohere", "https://g.example/v2", "https://g.example/v2/chat"),
    ("mistral", "https://g.example/v1/chat/completions", "https://g.example/v1/chat/completions"),
    ("ollama", "http://g.example:11434/api/chat", "http://g.example:11434/api/chat"),
    ("ollama", "http://g.example:11434/v1", "http://g.example:11434/api/chat"),
    ("ollama", "http://g.example:11434/api", "http://g.example:11434/api/chat"),
    ("bedrock", "https://g.example/model/m/converse", "https://g.example/model/m/converse"),
]


@pytest.mark.parametrize(("provider", "base_url", "url"), ROUTES)
def test_an_address_that_ends_in_the_route_is_understood(provider: str, base_url: str, url: str) -> None:
    assert build_url(provider, base_url=base_url) == url


def test_the_azure_target_url_is_parsed() -> None:
    target = "https://mine.openai.azure.com/openai/deployments/gpt%204o/chat/completions?api-version=2025-01-01-preview"
    assert build_url("azure", base_url=target) == target
    assert build_url("azure", settings={"endpoint": target}) == target


REFUSED = [
    ("http://someone:hunter2@h/v1", "has a user name or password"),
    ("http://hunter2@h/v1", "has a user name or password"),
    ("someone:hunter2@h/v1", "has a user name or password"),
    ("http://a:b@hunter2@h/v1", "has a user name or password"),
    ("http://h/v1?key=hunter2", "has a query (key)"),
    ("http://h/v1?hunter2", "has a query"),
    ("http://h/v1#hunter2", "has a fragment"),
    ("ftp://h/hunter2", "has the scheme 'ftp'"),
    ("file:///hunter2", "has the scheme 'file'"),
    ("http://[::1/hunter2", "is not a valid URL"),
    ("http://h:999999/hunter2", "is not a valid URL"),
    ("http://h:port/hunter2", "is not a valid URL"),
    ("http:///hunter2", "is not a valid URL"),
    ("http://h h/hunter2", "is not a valid URL"),
    ("http://h\r\nx: hunter2/v1", "is not a valid URL"),
    ("://hunter2", "has the scheme ''"),
    ("http://h/hunter2\udce9", "is not a valid URL"),
    ("http://h\udce9/hunter2", "is not a valid URL"),
]


@pytest.mark.parametrize(("base_url", "reason"), REFUSED)
@pytest.mark.parametrize("provider", ["openai", "ollama", "anthropic", "azure"])
def test_unusable_urls_are_rejected_by_name(provider: str, base_url: str, reason: str) -> None:
    fault = get_fault(provider, base_url)
    assert re.match(r"base_url (is|has|holds)", fault.message)
    assert reason in fault.message or "hunter2" not in reason
    assert "hunter2" not in fault.message or "(hunter2)" in fault.message


@pytest.mark.parametrize("provider", ["vertex", "bedrock", "azure"])
def test_settings_that_are_not_text_are_rejected_by_name(provider: str) -> None:
    settings: dict[str, object] = {"project": "p", "region": "eu", "endpoint": "https://h", "deployment": "d"}
    for name in settings.keys() & {one.name for one in CATALOGUE.find(provider).unwrap().settings}:
        for value, reason in (
            ("caf\udce9", "is not valid Unicode"),
            (b"x", "must be a string, got bytes"),
            ([], "got list"),
        ):
            fault = get_fault(provider, settings={**settings, name: value})
            assert isinstance(fault, InvalidRequest)
            assert fault.message.startswith(name)
            assert reason in fault.message


def test_variables_that_are_not_unicode_are_rejected_by_name() -> None:
    fault = get_fault("vertex", environment={"GOOGLE_CLOUD_PROJECT": "caf\udce9"})
    assert fault.message == "project is not valid Unicode"
    fault = get_fault("ollama", environment={"OLLAMA_HOST": "caf\udce9"})
    assert fault.message.startswith("OLLAMA_HOST is not a valid URL")


def test_the_path_of_a_local_model_may_have_any_bytes() -> None:
    assert (
        make_endpoint("local", settings={"model_path": Path("caf\udce9.gguf")}).settings["model_path"]
        == "caf\udce9.gguf"
    )


def test_the_variable_with_an_invalid_url_is_named() -> None:
    fault = get_fault("openai", environment={"OPENAI_BASE_URL": "http://u:p@h"})
    assert fault.message.startswith("OPENAI_BASE_URL has a user name")


def test_vertex_behind_a_gateway_keeps_project_location_and_publisher() -> None:
    settings = {"project": "p", "location": "europe-west1"}
    place = "https://gw.example/v1/projects/p/locations/europe-west1"
    gemini = build_url("vertex", "gemini-2.5-flash", base_url="https://gw.example", settings=settings)
    assert gemini == f"{place}/publishers/google/models/gemini-2.5-flash:generateContent"
    claude = build_url("vertex-anthropic", "claude-sonnet-4-5", base_url="https://gw.example", settings=settings)
    assert claude == f"{place}/publishers/anthropic/models/claude-sonnet-4-5:rawPredict"


def test_vertex_routes_claude_to_its_own_protocol() -> None:
    model = "claude-sonnet-4-5@20250929"
    settings = {"project": "p", "location": "global"}
    match outcome(replay.request("vertex", HI, model=model, settings=settings, stream=True)):
        case Success(request):
            body = request.json()
        case other:
            raise AssertionError(other)
    assert request.url.endswith(f"/locations/global/publishers/anthropic/models/{model}:streamRawPredict")
    assert isinstance(body, dict)
    assert body["anthropic_version"] == "vertex-2023-10-16"
    assert "model" not in body


def test_a_routed_model_has_its_own_codec_and_limits() -> None:
    codec = codec_for(make_endpoint("vertex", settings={"project": "p"}))
    assert codec.for_model("gemini-2.5-pro") is codec
    assert codec.for_model(None) is codec
    assert codec.for_model("claude-opus-4-5").protocol == "anthropic-messages"
    assert find_context_window("vertex", "claude-sonnet-4-5") == find_context_window("anthropic", "claude-sonnet-4-5")


def test_an_express_key_goes_to_the_callers_gateway() -> None:
    own = apply_key_auth(make_endpoint("vertex", "https://gw.example"))
    assert own.base_url.startswith("https://gw.example")
    assert apply_key_auth(make_endpoint("vertex")).base_url == "https://aiplatform.googleapis.com/v1/publishers/google"


def test_a_missing_setting_is_reported_when_a_request_is_built() -> None:
    match outcome(replay.request("vertex", HI, model="gemini-2.5-flash")):
        case Failure(fault):
            assert "requires the setting project" in fault.message
        case other:
            raise AssertionError(other)


@pytest.mark.parametrize(
    "address", ["http://h\n.com", "http://h\t.com/v1", "http://h/a b", "http://h\x00/v1", "http://h/v1\r\n/x"]
)
def test_an_address_with_white_space_or_control_characters_is_refused(address: str) -> None:
    fault = build_endpoint(CATALOGUE.find("openai").unwrap(), base_url=address).failure()
    assert isinstance(fault, InvalidRequest)
    assert fault.message.startswith("base_url is not a valid URL")


@pytest.mark.parametrize("address", [3, b"http://h", ["http://h"]])
def test_a_url_that_is_not_a_string_is_rejected(address: Any) -> None:
    fault = build_endpoint(CATALOGUE.find("openai").unwrap(), base_url=address).failure()
    assert fault.message == f"base_url must be a string, got {type(address).__name__}"


@pytest.mark.parametrize(
    ("provider", "address", "protocol"),
    [
        ("openai", "https://g.example/v1/messages", "anthropic-messages"),
        ("openai", "https://g.example/v1/responses", "openai-responses"),
        ("openai", "https://g.example/v1/completions", "completions of texts"),
        ("openai", "https://g.example/v1beta/models/m:streamGenerateContent", "gemini"),
        ("anthropic", "https://g.example/v1/chat/completions", "openai-chat"),
        ("anthropic", "https://g.example/model/m/converse", "bedrock-converse"),
        ("google", "https://g.example/v1beta/interactions", "gemini-interactions"),
        ("mistral", "https://g.example/api/generate", "ollama-chat"),
        ("groq", "https://g.example/v2/chat", "cohere-v2"),
        ("ollama", "https://g.example/v1/predictions", "replicate"),
    ],
)
def test_an_address_that_ends_in_a_route_of_another_protocol_is_refused_with_its_name(
    provider: str, address: str, protocol: str
) -> None:
    fault = replay.request(provider, HI, model="m", base_url=address).failure()
    assert isinstance(fault, InvalidRequest)
    assert f"a route of {protocol}" in fault.message
    assert f"{provider} uses " in fault.message
