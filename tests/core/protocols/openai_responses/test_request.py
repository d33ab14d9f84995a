"""Options in the vendor's fields."""

from __future__ import annotations

from typing import Any

import pytest
from returns.result import Failure

from tests.core.protocols.openai_responses.requests import (
    CLASSIC,
    HI,
    THINKER,
    WEATHER,
    build_adjusted_body,
    build_body,
    build_request,
    get_unsupported_parameter,
    request,
)
from victor_fp import replay
from victor_fp.core.faults import InvalidRequest
from victor_fp.core.result import outcome

EVERYWHERE = (
    "openai-responses",
    "azure-responses",
    "xai-responses",
    "openrouter-responses",
    "deepseek-responses",
    "llamacpp-responses",
)
AZURE = {"endpoint": "https://unit.openai.azure.com"}
UNSUPPORTED_OPTIONS: dict[str, Any] = {
    "top_k": 3,
    "seed": 7,
    "stop": ["END"],
    "presence_penalty": 0.5,
    "frequency_penalty": 0.5,
    "reasoning_budget": 1000,
}


def choose_settings(provider: str) -> dict[str, str] | None:
    return AZURE if provider == "azure-responses" else None


# The whole


def test_a_plain_request() -> None:
    sent = request()
    assert (sent.method, sent.url) == ("POST", "https://api.openai.com/v1/responses")
    assert sent.headers == {"content-type": "application/json", "authorization": "Bearer <secret>"}
    assert sent.json() == {
        "model": CLASSIC,
        "input": [{"type": "message", "role": "user", "content": "Hi"}],
        "max_output_tokens": 4096,
        "temperature": 0.7,
        "store": False,
    }


@pytest.mark.parametrize("provider", EVERYWHERE)
def test_a_stream_differs_by_one_field(provider: str) -> None:
    whole = build_body(provider=provider, settings=choose_settings(provider))
    assert build_body(provider=provider, settings=choose_settings(provider), stream=True) == {**whole, "stream": True}


@pytest.mark.parametrize(
    ("provider", "url"),
    [
        ("openai-responses", "https://api.openai.com/v1/responses"),
        ("azure-responses", "https://unit.openai.azure.com/openai/v1/responses"),
        ("xai-responses", "https://api.x.ai/v1/responses"),
        ("openrouter-responses", "https://openrouter.ai/api/v1/responses"),
        ("deepseek-responses", "https://api.deepseek.com/responses"),
        ("llamacpp-responses", "http://localhost:8080/v1/responses"),
    ],
)
def test_where_requests_go(provider: str, url: str) -> None:
    assert request(provider=provider, settings=choose_settings(provider)).url == url


@pytest.mark.parametrize(
    ("given", "url", "model"),
    [
        ({"api_version": "preview"}, "https://unit.openai.azure.com/openai/v1/responses?api-version=preview", CLASSIC),
        (
            {"api_version": "2025-03-01-preview"},
            "https://unit.openai.azure.com/openai/responses?api-version=2025-03-01-preview",
            CLASSIC,
        ),
        ({"deployment": "mine"}, "https://unit.openai.azure.com/openai/v1/responses", "mine"),
    ],
)
def test_azure_by_version_and_deployment(given: dict[str, str], url: str, model: str) -> None:
    sent = request(provider="azure-responses", settings={**AZURE, **given})
    assert (sent.url, build_body(provider="azure-responses", settings={**AZURE, **given})["model"]) == (url, model)
    assert sent.headers["api-key"] == "<secret>"


def test_azure_without_an_endpoint_is_a_fault() -> None:
    fault = build_request(provider="azure-responses")
    assert isinstance(fault, InvalidRequest)
    assert "endpoint" in fault.message


def test_the_azure_base_url_overrides_the_setting() -> None:
    built = replay.request("azure-responses", [HI], model="m", base_url="https://other.example/openai/v1")
    assert not isinstance(outcome(built), Failure)
    assert built.unwrap().url == "https://other.example/openai/v1/responses"


# State


def test_nothing_is_stored_and_reasoning_models_return_encrypted_reasoning() -> None:
    assert "include" not in build_body(model=CLASSIC)
    thinking = build_body(model=THINKER)
    assert (thinking["store"], thinking["include"]) == (False, ["reasoning.encrypted_content"])


@pytest.mark.parametrize("model", ["o3", "o4-mini", "gpt-5", "gpt-5-nano", "gpt-5.6", "gpt-6"])
def test_models_that_reason(model: str) -> None:
    assert build_body(model=model)["include"] == ["reasoning.encrypted_content"]


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4.1-mini", "gpt-5-chat-latest", "chatgpt-4o-latest", "my-deployment"])
def test_models_without_reasoning_and_unknown_models(model: str) -> None:
    assert "include" not in build_body(model=model)


def test_a_model_that_is_asked_to_reason_is_one_that_does() -> None:
    sent = build_body(provider="azure-responses", settings=AZURE, model="my-deployment", reasoning_effort="low")
    assert sent["include"] == ["reasoning.encrypted_content"]


@pytest.mark.parametrize(
    ("provider", "fields"),
    [
        ("xai-responses", {"store": False, "include": ["reasoning.encrypted_content"]}),
        ("openrouter-responses", {"include": ["reasoning.encrypted_content"]}),
        ("deepseek-responses", {"store": False}),
        ("llamacpp-responses", {}),
    ],
)
def test_each_vendor_is_asked_not_to_store(provider: str, fields: dict[str, Any]) -> None:
    sent = build_body(provider=provider, model="some-model")
    assert {name: sent[name] for name in ("store", "include") if name in sent} == fields


# Sampling and length


def test_a_model_that_refuses_a_temperature_is_sent_none_unless_it_was_chosen() -> None:
    assert "temperature" not in build_body(model="o4-mini")
    assert get_unsupported_parameter(model="o4-mini", temperature=0.1) == "temperature"
    assert get_unsupported_parameter(model=THINKER, top_p=0.5) == "top_p"
    assert build_body(model=THINKER, top_p=0.5, temperature=0.1, reasoning_effort="none")["top_p"] == 0.5
    assert build_adjusted_body(model="o4-mini", temperature=0.1)[1] == [("temperature", "dropped")]


@pytest.mark.parametrize("option", UNSUPPORTED_OPTIONS)
@pytest.mark.parametrize("provider", ["openai-responses", "azure-responses", "xai-responses", "deepseek-responses"])
def test_unsupported_options_are_rejected(provider: str, option: str) -> None:
    wish = {option: UNSUPPORTED_OPTIONS[option]}
    assert get_unsupported_parameter(provider=provider, settings=choose_settings(provider), **wish) == option
    sent, changes = build_adjusted_body(provider=provider, settings=choose_settings(provider), **wish)
    assert changes == [(option, "dropped")]
    assert option not in sent


def test_options_of_other_servers_are_sent() -> None:
    wishes: dict[str, Any] = {"top_k": 3, "presence_penalty": 0.5, "frequency_penalty": 0.25}
    assert wishes.items() <= build_body(provider="openrouter-responses", **wishes).items()
    local: dict[str, Any] = {**wishes, "seed": 7, "stop": ["END"]}
    assert local.items() <= build_body(provider="llamacpp-responses", **local).items()


def test_max_tokens_below_the_minimum_is_rejected_or_raised_visibly() -> None:
    assert get_unsupported_parameter(max_tokens=5) == "max_tokens"
    sent, changes = build_adjusted_body(max_tokens=5)
    assert (sent["max_output_tokens"], changes) == (16, [("max_tokens", "changed")])
    assert build_body(provider="xai-responses", max_tokens=5)["max_output_tokens"] == 5


def test_the_callers_field_replaces_the_default_max_tokens() -> None:
    assert build_body(extra_body={"max_output_tokens": 99})["max_output_tokens"] == 99
    assert "max_output_tokens" not in build_body(max_tokens=None)


# Reasoning


def test_effort_and_summary() -> None:
    assert build_body(model=THINKER, reasoning_effort="low")["reasoning"] == {"effort": "low"}
    both = build_body(model=THINKER, reasoning_effort="low", reasoning_summary="auto")
    assert both["reasoning"] == {"effort": "low", "summary": "auto"}
    assert build_body(model=THINKER, reasoning_summary="detailed")["reasoning"] == {"summary": "detailed"}
    given = build_body(model=THINKER, reasoning_effort="low", extra_body={"reasoning": {"summary": "concise"}})
    assert given["reasoning"] == {"effort": "low", "summary": "concise"}


def test_an_effort_that_the_model_does_not_know_is_refused_or_sent_as_the_nearest() -> None:
    assert get_unsupported_parameter(model="o4-mini", reasoning_effort="minimal") == "reasoning_effort"
    sent, changes = build_adjusted_body(model="o4-mini", reasoning_effort="minimal")
    assert (sent["reasoning"], changes) == ({"effort": "low"}, [("reasoning_effort", "changed")])


def test_a_model_that_does_not_reason_refuses_an_effort() -> None:
    assert get_unsupported_parameter(model=CLASSIC, reasoning_effort="low") == "reasoning_effort"
    assert (
        get_unsupported_parameter(provider="llamacpp-responses", model="m", reasoning_effort="low")
        == "reasoning_effort"
    )


def test_a_budget_is_sent_if_supported_and_overrides_an_effort_visibly() -> None:
    where: dict[str, Any] = {"provider": "openrouter-responses", "model": "anthropic/claude-sonnet-4.5"}
    assert build_body(**where, reasoning_budget=2000)["reasoning"] == {"max_tokens": 2000}
    sent, changes = build_adjusted_body(**where, reasoning_budget=2000, reasoning_effort="high")
    assert (sent["reasoning"], changes) == ({"max_tokens": 2000}, [("reasoning_effort", "dropped")])


# The caller's own fields


def test_extra_fields_override_and_are_merged() -> None:
    own: dict[str, Any] = {
        "store": True,
        "prompt_cache_key": "k",
        "include": ["web_search_call.action.sources", "reasoning.encrypted_content"],
        "tools": [{"type": "web_search"}],
    }
    sent = build_body(model=THINKER, tools=[WEATHER], extra_body=own)
    assert (sent["store"], sent["prompt_cache_key"]) == (True, "k")
    assert sent["include"] == ["reasoning.encrypted_content", "web_search_call.action.sources"]
    assert [tool["type"] for tool in sent["tools"]] == ["function", "web_search"]


def test_an_unknown_option_is_added_to_the_body() -> None:
    assert build_body(truncation="auto", extra_body={"truncation": "disabled"})["truncation"] == "disabled"


def test_extra_headers() -> None:
    assert request(extra_headers={"X-Trace": "1"}).headers["x-trace"] == "1"
