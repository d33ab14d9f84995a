"""Every option of a request: mapped, adjusted if allowed, or rejected; never dropped silently."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, Field

from tests.core.protocols.anthropic_messages.requests import (
    HI,
    NEW,
    OLD,
    SONNET,
    WEATHER,
    build_adjusted_body,
    build_body,
    build_body_and_adjustments,
    get_unsupported_parameter,
    request,
)
from victor_fp.core.types import Message, ToolDefinition


def test_a_plain_chat_goes_to_the_messages_endpoint_with_the_key_in_a_header() -> None:
    built = request()
    assert (built.method, built.url) == ("POST", "https://api.anthropic.com/v1/messages")
    assert built.headers == {
        "content-type": "application/json",
        "x-api-key": "<secret>",
        "anthropic-version": "2023-06-01",
    }
    assert built.json() == {
        "model": SONNET,
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": "Hi"}],
        "temperature": 0.7,
    }


def test_a_stream_differs_by_one_field() -> None:
    assert build_body(tools=[WEATHER], stream=True) == {**build_body(tools=[WEATHER]), "stream": True}


def test_max_tokens_is_always_sent_since_the_vendor_requires_it() -> None:
    assert build_body(max_tokens=None)["max_tokens"] == 4096
    assert build_body(max_tokens=7)["max_tokens"] == 7


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"temperature": 0.0}, {"temperature": 0.0}),
        ({"temperature": None}, {}),
        ({"temperature": 0.5, "top_k": 3}, {"temperature": 0.5, "top_k": 3}),
        ({"top_p": 0.2}, {"top_p": 0.2}),
        ({"stop": ["END", "---"]}, {"temperature": 0.7, "stop_sequences": ["END", "---"]}),
        ({"user": "u-1"}, {"temperature": 0.7, "metadata": {"user_id": "u-1"}}),
        ({"service_tier": "auto"}, {"temperature": 0.7, "service_tier": "auto"}),
        ({"service_tier": "default"}, {"temperature": 0.7, "service_tier": "standard_only"}),
        ({"logprobs": False}, {"temperature": 0.7}),
        ({"inference_geo": "us"}, {"temperature": 0.7, "inference_geo": "us"}),
        ({"extra_body": {"temperature": 0.1, "speed": "fast"}}, {"temperature": 0.1, "speed": "fast"}),
    ],
)
def test_an_option_is_mapped(options: dict[str, Any], fields: dict[str, Any]) -> None:
    plain = {"model": SONNET, "max_tokens": 4096, "messages": [{"role": "user", "content": "Hi"}]}
    assert build_body(**options) == plain | fields


@pytest.mark.parametrize(
    ("options", "parameter"),
    [
        ({"seed": 1}, "seed"),
        ({"logprobs": True}, "logprobs"),
        ({"logprobs": 3}, "logprobs"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"tool_choice": "required"}, "tool_choice"),
    ],
)
def test_an_unsupported_option_is_rejected_or_dropped_visibly(options: dict[str, Any], parameter: str) -> None:
    assert get_unsupported_parameter(**options) == parameter
    asked, adjustments = build_adjusted_body(**options)
    assert asked == build_body()
    assert adjustments == [(parameter, "dropped")]


def test_extra_headers_are_sent() -> None:
    assert request(extra_headers={"Anthropic-Beta": "files-api-2025-04-14"}).headers["anthropic-beta"] == (
        "files-api-2025-04-14"
    )


# Sampling


def test_a_temperature_above_one_is_rejected_or_lowered_visibly() -> None:
    assert get_unsupported_parameter(temperature=1.5) == "temperature"
    asked, adjustments = build_adjusted_body(temperature=1.5)
    assert (asked["temperature"], adjustments) == (1.0, [("temperature", "changed")])


def test_top_p_replaces_the_default_temperature_but_not_an_explicit_one() -> None:
    assert "temperature" not in build_body(top_p=0.3)
    assert get_unsupported_parameter(top_p=0.3, temperature=0.2) == "top_p"
    asked, adjustments = build_adjusted_body(top_p=0.3, temperature=0.2)
    assert (asked["temperature"], "top_p" in asked, adjustments) == (0.2, False, [("top_p", "dropped")])


def test_old_models_take_temperature_and_top_p_together() -> None:
    asked = build_body(model=OLD, top_p=0.3, temperature=0.2)
    assert (asked["temperature"], asked["top_p"]) == (0.2, 0.3)


def test_a_model_without_sampling_gets_no_default_temperature() -> None:
    assert build_body(model=NEW).keys() == {"model", "max_tokens", "messages"}
    assert build_body(model=NEW, temperature=1.0).keys() == {"model", "max_tokens", "messages"}


@pytest.mark.parametrize("options", [{"temperature": 0.2}, {"top_p": 0.5}, {"top_k": 5}])
def test_a_model_without_sampling_refuses_what_was_asked(options: dict[str, Any]) -> None:
    (parameter,) = options
    assert get_unsupported_parameter(model=NEW, **options) == parameter
    asked, adjustments = build_adjusted_body(model=NEW, **options)
    assert (asked, adjustments) == (build_body(model=NEW), [(parameter, "dropped")])


def test_a_model_without_sampling_accepts_a_top_p_of_one() -> None:
    assert build_body(model=NEW, top_p=0.99)["top_p"] == 0.99


# Tools


def test_tool_schemas_have_the_type_object() -> None:
    bare = ToolDefinition(name="now", parameters={"properties": {}})
    assert build_body(tools=[WEATHER, bare])["tools"] == [
        {
            "name": "weather",
            "description": "Weather of a city",
            "input_schema": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
        {"name": "now", "input_schema": {"type": "object", "properties": {}}},
    ]


def test_a_strict_tool_has_a_closed_schema() -> None:
    (tool,) = build_body(tools=[WEATHER.model_copy(update={"strict": True})])["tools"]
    assert tool["strict"] is True
    assert tool["input_schema"]["additionalProperties"] is False


def test_a_strict_tool_is_rejected_for_models_without_strict_schemas() -> None:
    assert get_unsupported_parameter(model=OLD, tools=[WEATHER.model_copy(update={"strict": True})]) == "tools.strict"


@pytest.mark.parametrize(
    ("options", "choice"),
    [
        ({}, None),
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "none"}, {"type": "none"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"tool_choice": {"name": "weather"}}, {"type": "tool", "name": "weather"}),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        ({"parallel_tool_calls": True}, {"type": "auto", "disable_parallel_tool_use": False}),
        (
            {"tool_choice": "required", "parallel_tool_calls": False},
            {"type": "any", "disable_parallel_tool_use": True},
        ),
        (
            {"tool_choice": {"name": "weather"}, "parallel_tool_calls": False},
            {"type": "tool", "name": "weather", "disable_parallel_tool_use": True},
        ),
        ({"tool_choice": "none", "parallel_tool_calls": False}, {"type": "none"}),
    ],
)
def test_the_choice_among_tools(options: dict[str, Any], choice: dict[str, Any] | None) -> None:
    assert build_body(tools=[WEATHER], **options).get("tool_choice") == choice


@pytest.mark.parametrize("options", [{"reasoning_budget": 2000}, {"model": "claude-opus-5-5"}])
def test_an_unsupported_tool_choice_is_rejected_or_left_to_the_model_visibly(options: dict[str, Any]) -> None:
    assert get_unsupported_parameter(tools=[WEATHER], tool_choice="required", **options) == "tool_choice"
    asked, adjustments = build_adjusted_body(tools=[WEATHER], tool_choice="required", **options)
    assert (asked["tool_choice"], adjustments) == ({"type": "auto"}, [("tool_choice", "changed")])


def test_adaptive_thinking_goes_with_a_forced_choice() -> None:
    asked = build_body(model=NEW, tools=[WEATHER], tool_choice="required", reasoning_effort="low")
    assert (asked["tool_choice"], asked["thinking"]) == ({"type": "any"}, {"type": "adaptive"})


# Structured output


class Person(BaseModel):
    name: str
    age: int = Field(ge=0, description="Years")


def test_a_schema_becomes_the_output_format_with_closed_objects_and_bounds_in_words() -> None:
    asked, adjustments = build_body_and_adjustments(response_format=Person)
    assert asked["output_config"] == {
        "format": {
            "type": "json_schema",
            "schema": {
                "title": "Person",
                "type": "object",
                "properties": {
                    "name": {"title": "Name", "type": "string"},
                    "age": {"title": "Age", "type": "integer", "description": "Years. minimum: 0"},
                },
                "required": ["name", "age"],
                "additionalProperties": False,
            },
        }
    }
    assert adjustments == [("response_format", "changed")]


def test_a_schema_that_fits_goes_as_it_is() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
    asked, adjustments = build_body_and_adjustments(response_format=schema)
    assert (asked["output_config"]["format"]["schema"], adjustments) == (schema, [])


def test_a_model_without_structured_outputs_refuses_a_schema() -> None:
    assert get_unsupported_parameter(model=OLD, response_format=Person) == "response_format"


def test_a_schema_and_an_effort_share_the_output_config() -> None:
    config = build_body(model=NEW, response_format=Person, reasoning_effort="high")["output_config"]
    assert config.keys() == {"effort", "format"}


# Caching


def test_cache_marks_are_sent_on_messages_and_tools() -> None:
    mark = {"type": "ephemeral"}
    asked = build_body(
        [Message(role="system", content="Rules", cache=True), Message(role="user", content="Long", cache=True), HI],
        tools=[WEATHER.model_copy(update={"cache": True})],
    )
    assert asked["system"] == [{"type": "text", "text": "Rules", "cache_control": mark}]
    assert asked["tools"][0]["cache_control"] == mark
    assert asked["messages"] == [
        {
            "role": "user",
            "content": [{"type": "text", "text": "Long", "cache_control": mark}, {"type": "text", "text": "Hi"}],
        }
    ]


def test_a_fifth_cache_mark_is_rejected_or_the_first_ones_are_dropped_visibly() -> None:
    marked = [Message(role="user", content=str(place), cache=True) for place in range(6)]
    assert get_unsupported_parameter(marked) == "cache"
    asked, adjustments = build_adjusted_body(marked)
    blocks = asked["messages"][0]["content"]
    assert [block["text"] for block in blocks if "cache_control" in block] == ["2", "3", "4", "5"]
    assert adjustments == [("cache", "changed")]
