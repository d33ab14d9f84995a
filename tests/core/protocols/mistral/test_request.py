"""Requests to Mistral, and options without a field in its closed schema."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from tests.core.protocols.mistral.requests import HI, WEATHER, build_extra_fields, get_adjustments, get_refusal
from tests.core.protocols.openai_chat.requests import build_body, build_request
from victor_fp.core.requests import HttpRequest
from victor_fp.core.types import ToolDefinition


class City(BaseModel):
    """A city."""

    name: str


def test_the_plainest_request() -> None:
    request = build_request("mistral", model="mistral-small-latest")
    assert isinstance(request, HttpRequest)
    assert (request.method, request.url) == ("POST", "https://api.mistral.ai/v1/chat/completions")
    assert request.headers == {"content-type": "application/json", "authorization": "Bearer <secret>"}
    assert request.json() == {
        "model": "mistral-small-latest",
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 4096,
        "temperature": 0.7,
    }


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"seed": 3}, {"random_seed": 3}),
        ({"top_p": 0.5, "max_tokens": 9, "temperature": 0.0}, {"top_p": 0.5, "max_tokens": 9, "temperature": 0.0}),
        ({"stop": list("abcdef")}, {"stop": list("abcdef")}),
        ({"presence_penalty": 1.0, "frequency_penalty": -1.0}, {"presence_penalty": 1.0, "frequency_penalty": -1.0}),
        ({"reasoning_effort": "high"}, {"reasoning_effort": "high"}),
        ({"reasoning_effort": "none"}, {"reasoning_effort": "none"}),
        ({"service_tier": "standard_only"}, {"service_tier": "standard_only"}),
        ({"stream": True}, {"stream": True}),
        ({"response_format": "json"}, {"response_format": {"type": "json_object"}}),
        ({"logprobs": False}, {}),
    ],
)
def test_options_are_sent_in_the_mistral_fields(options: dict[str, Any], fields: dict[str, Any]) -> None:
    assert build_extra_fields(**options) == fields


@pytest.mark.parametrize(
    "own",
    [
        {"safe_prompt": True},
        {"prompt_mode": "reasoning"},
        {"prompt_cache_key": "k"},
        {"guardrails": [{"block_on_error": True}]},
        {"prediction": {"type": "content", "content": "x"}},
        {"n": 2},
        {"metadata": {"a": "b"}},
    ],
)
def test_mistral_options_are_added_to_the_body_unmodified(own: dict[str, Any]) -> None:
    assert build_extra_fields(**own) == own
    assert build_extra_fields(extra_body=own) == own


def test_extra_body_overrides_everything() -> None:
    assert build_extra_fields(seed=3, extra_body={"random_seed": 4}) == {"random_seed": 4}


@pytest.mark.parametrize(
    "options",
    [
        {"top_k": 4},
        {"logprobs": True},
        {"logprobs": 3},
        {"service_tier": "flex"},
        {"user": "me"},
        {"reasoning_budget": 100},
    ],
)
def test_unknown_options_are_rejected_by_the_closed_schema(options: dict[str, Any]) -> None:
    (name,) = options
    assert get_refusal(**options) == ("UnsupportedParameter", name)
    assert get_adjustments(**options) == {name: "dropped"}
    assert build_extra_fields(**options, on_unsupported="adjust") == {}


def test_a_temperature_above_the_maximum_is_lowered_visibly() -> None:
    assert get_refusal(temperature=1.8) == ("UnsupportedParameter", "temperature")
    assert get_adjustments(temperature=1.8) == {"temperature": "changed"}
    assert build_body("mistral", temperature=1.8, on_unsupported="adjust")["temperature"] == 1.5
    assert build_body("mistral", temperature=1.5)["temperature"] == 1.5


@pytest.mark.parametrize("effort", ["minimal", "low", "max"])
def test_an_unknown_effort_becomes_the_nearest_visibly(effort: str) -> None:
    assert get_refusal(reasoning_effort=effort) == ("UnsupportedParameter", "reasoning_effort")
    assert get_adjustments(reasoning_effort=effort) == {"reasoning_effort": "changed"}
    assert build_extra_fields(reasoning_effort=effort, on_unsupported="adjust") == {"reasoning_effort": "high"}


def test_response_format_with_a_schema() -> None:
    asked_for = build_extra_fields(response_format=City)["response_format"]
    assert (asked_for["type"], asked_for["json_schema"]["name"]) == ("json_schema", "City")
    assert asked_for["json_schema"]["strict"] is True
    assert asked_for["json_schema"]["schema"]["properties"]["name"] == {"title": "Name", "type": "string"}


def test_tools() -> None:
    strict = ToolDefinition(name="now", description="", parameters={"type": "object", "properties": {}}, strict=True)
    assert build_body("mistral", tools=[WEATHER, strict])["tools"] == [
        {
            "type": "function",
            "function": {"name": "weather", "description": WEATHER.description, "parameters": WEATHER.parameters},
        },
        {"type": "function", "function": {"name": "now", "parameters": strict.parameters, "strict": True}},
    ]


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "any"),
        ({"name": "weather"}, {"type": "function", "function": {"name": "weather"}}),
    ],
)
def test_the_choice_among_tools(choice: Any, written: object) -> None:
    assert build_extra_fields(tools=[WEATHER], tool_choice=choice) == {"tool_choice": written}


def test_several_calls_at_once_are_allowed_or_not() -> None:
    assert build_extra_fields(tools=[WEATHER], parallel_tool_calls=False) == {"parallel_tool_calls": False}
    assert build_extra_fields(parallel_tool_calls=False) == {}


def test_a_choice_without_tools() -> None:
    assert get_refusal(tool_choice="required") == ("UnsupportedParameter", "tool_choice")
    assert build_extra_fields(tool_choice="auto") == {}


def test_participant_names_are_rejected() -> None:
    named = HI.model_copy(update={"name": "ann"})
    assert get_refusal(named) == ("UnsupportedParameter", "name")
    assert build_body("mistral", [named], on_unsupported="adjust")["messages"] == [{"role": "user", "content": "Hi"}]
