"""Every option at every vendor: mapped, adjusted visibly, or rejected; never dropped silently."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from pydantic import BaseModel
from returns.result import Failure
from victor_fp_wire.openai_chat import request as wire

from tests.catalogue_samples import name_params
from tests.core.protocols.openai_chat.requests import (
    HI,
    WEATHER,
    build_body,
    build_extra_fields,
    build_request,
    get_adjustments,
    get_refusal,
)
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.faults import UnsupportedParameter
from victor_fp.core.protocols import codec_for
from victor_fp.core.protocols.endpoints import build_endpoint
from victor_fp.core.request_building.inputs import build_chat_request
from victor_fp.core.requests import HttpRequest
from victor_fp.core.result import outcome

NAMES = name_params(only=ChatDialect)
PLACE: dict[str, Any] = {
    "settings": {
        "endpoint": "https://mine.openai.azure.com",
        "account": "a",
        "gateway": "g",
        "host": "h.test",
        "region": "r",
    }
}


class Answer(BaseModel):
    """A pydantic model as an answer's form, with an optional field."""

    text: str
    score: int = 0


def test_the_plainest_request() -> None:
    request = build_request("openai", model="gpt-4o")
    assert isinstance(request, HttpRequest)
    assert (request.method, request.url) == ("POST", "https://api.openai.com/v1/chat/completions")
    assert request.headers == {"content-type": "application/json", "authorization": "Bearer <secret>"}
    assert request.json() == {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 4096,
        "temperature": 0.7,
    }


def test_a_stream_request_differs_only_in_its_stream_fields() -> None:
    assert build_extra_fields("openai", stream=True) == {"stream": True, "stream_options": {"include_usage": True}}
    assert build_extra_fields("together", stream=True) == {"stream": True}
    assert build_extra_fields("zai", stream=True, tools=[WEATHER])["tool_stream"] is True


EVERY_OPTION: dict[str, Any] = {
    "temperature": 0.2,
    "max_tokens": 100,
    "top_p": 0.9,
    "top_k": 40,
    "seed": 7,
    "stop": ["END"],
    "presence_penalty": 0.5,
    "frequency_penalty": 0.5,
    "tools": [WEATHER],
    "tool_choice": "required",
    "parallel_tool_calls": False,
    "response_format": Answer,
    "reasoning_effort": "high",
    "reasoning_budget": 2048,
    "logprobs": 3,
    "service_tier": "flex",
    "user": "u-1",
}


@pytest.mark.parametrize("provider", NAMES)
def test_an_option_is_in_the_body_or_refused_by_name(provider: str) -> None:
    for option in EVERY_OPTION:
        check_option(provider, option)


def check_option(provider: str, option: str) -> None:
    given = {option: EVERY_OPTION[option]}
    if option in ("tool_choice", "parallel_tool_calls"):
        given["tools"] = [WEATHER]
    result = build_request(provider, **given, **PLACE)
    if isinstance(result, HttpRequest):
        plain = build_request(
            provider, **({"tools": given["tools"]} if option != "tools" and "tools" in given else {}), **PLACE
        )
        assert isinstance(plain, HttpRequest)
        assert result.json() != plain.json(), option
        # Strict mode requires the property with a default, which is named.
        strict = option == "response_format" and result.adjustments
        assert [one.reason for one in result.adjustments] == (
            ["score is required, since every property must be: $"] if strict else []
        ), option
    else:
        assert (type(result).__name__, getattr(result, "parameter", "")) == ("UnsupportedParameter", option)
        changed = build_request(provider, **given, **PLACE, on_unsupported="adjust")
        assert isinstance(changed, HttpRequest)
        assert [adjustment.parameter for adjustment in changed.adjustments] == [option]


@pytest.mark.parametrize("provider", NAMES)
@pytest.mark.parametrize("stream", [False, True])
def test_the_body_is_what_the_document_describes(provider: str, stream: bool) -> None:
    request = build_request(provider, stream=stream, on_unsupported="adjust", **EVERY_OPTION, **PLACE)
    assert isinstance(request, HttpRequest)
    body = request.json()
    assert isinstance(body, dict)
    assert msgspec.to_builtins(msgspec.convert(body, find_request_model(provider))) == body


def find_request_model(provider: str) -> type[wire.ChatCompletionRequest]:
    """The generated model that the dialect names."""
    dialect = CATALOGUE.find(provider).unwrap().dialect
    assert isinstance(dialect, ChatDialect)
    vendor = "" if dialect.request_model == "openai" else dialect.request_model.capitalize()
    model: type[wire.ChatCompletionRequest] = getattr(wire, f"{vendor}ChatCompletionRequest")
    return model


def test_an_option_whose_field_the_vendors_model_lacks_is_refused() -> None:
    """A record that a program adds may combine a dialect's fields with a model that has none of them."""
    dialect = ChatDialect(refuses=frozenset(), effort_form="thinking", budget_form="thinking", user_field="user_id")
    spec = ProviderSpec(name="acme", title="Acme", dialect=dialect, base_url="http://acme.test/v1")
    codec = codec_for(build_endpoint(spec).unwrap())
    for option, value in {"top_k": 3, "user": "u", "reasoning_effort": "low", "reasoning_budget": 9}.items():
        request = build_chat_request("acme", [HI], model="m", options={option: value}).unwrap()
        match outcome(codec.request(request)):
            case Failure(UnsupportedParameter(parameter=parameter)):
                assert parameter == option
            case other:
                pytest.fail(str(other))
        adjusted = build_chat_request("acme", [HI], model="m", options={option: value, "on_unsupported": "adjust"})
        sent_anyway = codec.request(adjusted.unwrap()).unwrap()
        assert [adjustment.parameter for adjustment in sent_anyway.adjustments] == [option]


REFUSABLE = {
    *EVERY_OPTION,
    "store",
    *("name", "image", "image_url", "audio", "file", "file_url"),
    *("tool_choice:required", "tool_choice:named", "tool_choice:none"),
    *("response_format:json", "response_format:schema"),
}


def test_dialects_reject_only_existing_options() -> None:
    dialects = [spec.dialect for spec in CATALOGUE.chats if isinstance(spec.dialect, ChatDialect)]
    refused = [*(dialect.refuses for dialect in dialects), *(p.refuses for d in dialects for p in d.models)]
    assert frozenset[str]().union(*refused) <= REFUSABLE


def test_options_of_openai() -> None:
    assert build_extra_fields("openai", top_p=0.9, seed=7, stop=["a"], presence_penalty=1.0, frequency_penalty=1.0) == {
        "top_p": 0.9,
        "seed": 7,
        "stop": ["a"],
        "presence_penalty": 1.0,
        "frequency_penalty": 1.0,
    }
    assert build_extra_fields("openai", service_tier="flex", user="u", logprobs=True) == {
        "service_tier": "flex",
        "user": "u",
        "logprobs": True,
    }
    assert build_extra_fields("openai", logprobs=5) == {"logprobs": True, "top_logprobs": 5}
    assert build_extra_fields("openai", logprobs=False) == {}


def test_options_are_sent_in_the_vendor_fields() -> None:
    assert build_extra_fields("zai", user="u") == {"user_id": "u"}
    assert build_extra_fields("moonshot", user="u") == {"safety_identifier": "u"}
    assert build_extra_fields("together", logprobs=5) == {"logprobs": 5}
    assert build_body("groq", max_tokens=9)["max_completion_tokens"] == 9


@pytest.mark.parametrize(
    "provider", ["cerebras", "deepseek", "fireworks", "groq", "huggingface", "moonshot", "together", "xai"]
)
def test_a_vendor_without_stored_completions_rejects_their_storing(provider: str) -> None:
    assert get_refusal(provider, store=True) == ("UnsupportedParameter", "store")
    assert get_adjustments(provider, store=True) == {"store": "dropped"}
    assert "store" not in build_body(provider, store=True, on_unsupported="adjust")
    assert "store" not in build_body(provider, store=False)
    assert build_body("openai", store=False)["store"] is False


def test_the_service_tiers_of_xai() -> None:
    assert build_extra_fields("xai", service_tier="priority") == {"service_tier": "priority"}
    refused = build_request("xai", service_tier="flex")
    assert isinstance(refused, UnsupportedParameter)
    assert "accepts default and priority, not flex" in refused.message


def test_too_many_stop_sequences() -> None:
    assert get_refusal("openai", stop=["a", "b", "c", "d", "e"]) == ("UnsupportedParameter", "stop")
    assert build_body("openai", stop=["a", "b", "c", "d", "e"], on_unsupported="adjust")["stop"] == ["a", "b", "c", "d"]
    assert get_adjustments("zai", stop=["a", "b"]) == {"stop": "changed"}
    assert len(build_body("llamacpp", stop=list("abcdefgh"))["stop"]) == 8


def test_tools_and_the_choice_among_them() -> None:
    body = build_body("openai", tools=[WEATHER], tool_choice={"name": "weather"}, parallel_tool_calls=False)
    assert body["tools"] == [
        {
            "type": "function",
            "function": {"name": "weather", "description": "The weather in a city", "parameters": WEATHER.parameters},
        }
    ]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
    assert body["parallel_tool_calls"] is False
    assert build_body("openai", tools=[WEATHER], tool_choice="required")["tool_choice"] == "required"
    assert get_refusal("qwen", tools=[WEATHER], tool_choice="required") == ("UnsupportedParameter", "tool_choice")
    assert get_refusal("openai", tool_choice="required") == ("UnsupportedParameter", "tool_choice")
    assert build_extra_fields("openai", tool_choice="auto") == {}


def test_tool_choice_none_sends_no_tools_if_the_vendor_has_no_value_for_it() -> None:
    assert build_body("openai", tools=[WEATHER], tool_choice="none")["tool_choice"] == "none"
    assert "tools" not in build_body("zai", tools=[WEATHER], tool_choice="none")


def test_parallel_tool_calls_is_sent_only_to_disable_them() -> None:
    assert "parallel_tool_calls" not in build_body("deepseek", tools=[WEATHER], parallel_tool_calls=True)
    assert get_refusal("deepseek", tools=[WEATHER], parallel_tool_calls=False) == (
        "UnsupportedParameter",
        "parallel_tool_calls",
    )


def test_a_strict_tool_is_closed() -> None:
    strict = WEATHER.model_copy(update={"strict": True})
    function = build_body("openai", tools=[strict])["tools"][0]["function"]
    assert function["strict"] is True
    assert function["parameters"]["additionalProperties"] is False


def test_response_format_with_a_schema() -> None:
    given = build_extra_fields("openai", response_format=Answer)["response_format"]
    assert given["type"] == "json_schema"
    spec = given["json_schema"]
    assert (spec["name"], spec["strict"]) == ("Answer", True)
    assert spec["schema"]["required"] == ["text", "score"]
    assert spec["schema"]["additionalProperties"] is False
    assert "default" not in spec["schema"]["properties"]["score"]
    assert build_extra_fields("llamacpp", response_format=Answer)["response_format"]["json_schema"]["schema"][
        "required"
    ] == ["text"]


def test_a_schema_with_free_keys_is_sent_as_it_is_and_not_strictly() -> None:
    free = {"type": "object", "properties": {"a": {"type": "object", "additionalProperties": {"type": "integer"}}}}
    spec = build_extra_fields("openai", response_format=free)["response_format"]["json_schema"]
    assert (spec["schema"], spec["strict"]) == (free, False)


def test_json_without_a_schema() -> None:
    assert build_extra_fields("openai", response_format="json") == {"response_format": {"type": "json_object"}}
    assert build_extra_fields("lmstudio", response_format="json")["response_format"]["json_schema"]["schema"] == {
        "type": "object"
    }
    assert get_refusal("mlx", response_format="json") == ("UnsupportedParameter", "response_format")
    assert get_refusal("deepseek", response_format=Answer) == ("UnsupportedParameter", "response_format")
    assert get_adjustments("deepseek", response_format=Answer) == {"response_format": "changed"}
    assert build_body("deepseek", response_format=Answer, on_unsupported="adjust")["response_format"] == {
        "type": "json_object"
    }


def test_unknown_options_and_extra_body_are_sent_unmodified() -> None:
    body = build_body("openai", n=2, extra_body={"n": 3, "store": True, "temperature": None})
    assert (body["n"], body["store"], "temperature" in body) == (3, True, False)


def test_extra_body_is_merged_with_options_and_overrides_are_reported() -> None:
    assert build_body("openrouter", reasoning_effort="low", extra_body={"reasoning": {"exclude": True}})[
        "reasoning"
    ] == {
        "effort": "low",
        "exclude": True,
    }
    streamed = build_body("openai", stream=True, extra_body={"stream_options": {"include_obfuscation": False}})
    assert streamed["stream_options"] == {"include_usage": True, "include_obfuscation": False}
    assert get_adjustments("openai", seed=1, extra_body={"seed": 2}) == {"seed": "changed"}


def test_max_tokens_in_a_vendor_field_replaces_the_default() -> None:
    assert "max_tokens" not in build_body("openai", model="gpt-4o", extra_body={"max_completion_tokens": 5})
    assert (
        build_body("openai", model="gpt-4o", max_tokens=7, extra_body={"max_completion_tokens": 5})["max_tokens"] == 7
    )


def test_unset_max_tokens_and_temperature_are_not_sent() -> None:
    assert set(build_body("openai", max_tokens=None, temperature=None)) == {"model", "messages"}


def test_headers_of_settings_and_callers() -> None:
    request = build_request(
        "openrouter", settings={"site_url": "https://mine.example", "app_name": "Mine"}, extra_headers={"X-Own": "1"}
    )
    assert isinstance(request, HttpRequest)
    assert (request.headers["http-referer"], request.headers["x-title"], request.headers["x-own"]) == (
        "https://mine.example",
        "Mine",
        "1",
    )
