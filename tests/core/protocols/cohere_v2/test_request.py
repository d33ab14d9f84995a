"""Requests to Cohere, option by option."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from tests.core.protocols.cohere_v2.requests import (
    HI,
    OLD,
    PLAIN,
    THINKING,
    TIME,
    WEATHER,
    build_adjusted_fields,
    build_body,
    build_extra_fields,
    get_refusal,
    request,
)
from victor_fp.core.types import Message


class City(BaseModel):
    name: str


def test_a_plain_chat() -> None:
    built = request()
    assert (built.method, built.url) == ("POST", "https://api.cohere.com/v2/chat")
    assert built.headers == {"content-type": "application/json", "authorization": "Bearer <secret>"}
    assert built.json() == {
        "model": PLAIN,
        "messages": [{"role": "user", "content": "Hi"}],
        "temperature": 0.7,
        "max_tokens": 4096,
    }


def test_a_stream_differs_in_one_field() -> None:
    assert build_body(stream=True) == build_body() | {"stream": True}


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"temperature": 0.2}, {"temperature": 0.2}),
        ({"max_tokens": 7}, {"max_tokens": 7}),
        ({"top_p": 0.9}, {"p": 0.9}),
        ({"top_k": 40}, {"k": 40}),
        ({"seed": 3}, {"seed": 3}),
        ({"stop": ["a", "b"]}, {"stop_sequences": ["a", "b"]}),
        ({"frequency_penalty": 0.5}, {"frequency_penalty": 0.5}),
        ({"presence_penalty": 0.0}, {"presence_penalty": 0.0}),
        ({"logprobs": True}, {"logprobs": True}),
        ({"logprobs": 0}, {"logprobs": True}),
        ({"logprobs": False}, {}),
        ({"response_format": "json"}, {"response_format": {"type": "json_object"}}),
        (
            {"response_format": City},
            {"response_format": {"type": "json_object", "json_schema": City.model_json_schema()}},
        ),
        ({"safety_mode": "STRICT"}, {"safety_mode": "STRICT"}),
        ({"extra_body": {"priority": 3}}, {"priority": 3}),
        ({"extra_body": {"documents": [{"data": {"text": "x"}}]}}, {"documents": [{"data": {"text": "x"}}]}),
        ({"safety_mode": "OFF", "extra_body": {"safety_mode": "STRICT"}}, {"safety_mode": "STRICT"}),
        ({"tool_choice": "auto"}, {}),
        ({"tool_choice": "none"}, {}),
        ({"parallel_tool_calls": True}, {}),
    ],
)
def test_an_option_is_sent_in_the_cohere_field(options: dict[str, object], fields: dict[str, object]) -> None:
    assert build_extra_fields(**options) == fields


@pytest.mark.parametrize(
    ("options", "parameter", "fields", "action"),
    [
        ({"temperature": 1.5}, "temperature", {"temperature": 1.0}, "changed"),
        ({"top_p": 1.0}, "top_p", {"p": 0.99}, "changed"),
        ({"frequency_penalty": 2.0}, "frequency_penalty", {"frequency_penalty": 1.0}, "changed"),
        ({"presence_penalty": -1.0}, "presence_penalty", {"presence_penalty": 0}, "changed"),
        ({"stop": list("abcdef")}, "stop", {"stop_sequences": list("abcde")}, "changed"),
        ({"logprobs": 3}, "logprobs", {"logprobs": True}, "changed"),
        ({"service_tier": "flex"}, "service_tier", {}, "dropped"),
        ({"user": "me"}, "user", {}, "dropped"),
        ({"reasoning_effort": "high"}, "reasoning_effort", {}, "dropped"),
        ({"reasoning_budget": 500}, "reasoning_budget", {}, "dropped"),
        ({"tool_choice": "required"}, "tool_choice", {}, "dropped"),
    ],
)
def test_unsupported_options_are_rejected_or_adjusted_visibly(
    options: dict[str, object], parameter: str, fields: dict[str, object], action: str
) -> None:
    assert get_refusal(**options) == ("UnsupportedParameter", parameter)  # type: ignore[arg-type]  # options of any kind
    assert build_adjusted_fields(**options) == (fields, [(parameter, action)])


@pytest.mark.parametrize(
    ("options", "thinking"),
    [
        ({}, None),
        ({"reasoning_effort": "none"}, {"type": "disabled"}),
        ({"reasoning_effort": "high"}, {"type": "enabled"}),
        ({"reasoning_budget": 500}, {"type": "enabled", "token_budget": 500}),
        ({"reasoning_budget": 0}, {"type": "disabled"}),
        ({"reasoning_effort": "low", "reasoning_budget": 500}, {"type": "enabled", "token_budget": 500}),
    ],
)
def test_thinking_is_a_switch_and_a_budget(options: dict[str, object], thinking: object) -> None:
    assert build_extra_fields(model=THINKING, **options).get("thinking") == thinking


def test_an_effort_level_is_mapped_to_the_thinking_switch_visibly() -> None:
    assert get_refusal(model=THINKING, reasoning_effort="low") == ("UnsupportedParameter", "reasoning_effort")
    fields, adjustments = build_adjusted_fields(model=THINKING, reasoning_effort="low")
    assert (fields["thinking"], adjustments) == ({"type": "enabled"}, [("reasoning_effort", "changed")])


def test_a_budget_for_thinking_that_is_off_is_refused() -> None:
    assert get_refusal(model=THINKING, reasoning_effort="none", reasoning_budget=9)[1] == "reasoning_budget"


def test_disabling_thinking_sends_nothing_for_a_model_without_thinking() -> None:
    assert build_extra_fields(reasoning_effort="none") == {}


def test_tools_and_the_choice_among_them() -> None:
    tool = {
        "type": "function",
        "function": {"name": "weather", "description": "The weather", "parameters": WEATHER.parameters},
    }
    assert build_extra_fields(tools=[WEATHER]) == {"tools": [tool]}
    assert build_extra_fields(tools=[WEATHER], tool_choice="auto") == {"tools": [tool]}
    assert build_extra_fields(tools=[WEATHER], tool_choice="required") == {"tools": [tool], "tool_choice": "REQUIRED"}
    assert build_extra_fields(tools=[WEATHER], tool_choice="none") == {"tools": [tool], "tool_choice": "NONE"}


def test_a_named_tool_choice_sends_only_that_tool_and_requires_a_call() -> None:
    fields = build_extra_fields(tools=[TIME, WEATHER], tool_choice={"name": "weather"})
    assert ([tool["function"]["name"] for tool in fields["tools"]], fields["tool_choice"]) == (["weather"], "REQUIRED")
    assert get_refusal(tools=[TIME], tool_choice={"name": "weather"}) == ("UnsupportedParameter", "tool_choice")


def test_one_strict_tool_makes_all_strict() -> None:
    strict = WEATHER.model_copy(update={"strict": True})
    assert build_extra_fields(tools=[TIME, strict])["strict_tools"] is True
    assert "strict_tools" not in build_extra_fields(tools=[TIME, WEATHER])


def test_parallel_calls_cannot_be_disabled() -> None:
    assert get_refusal(tools=[WEATHER], parallel_tool_calls=False) == ("UnsupportedParameter", "parallel_tool_calls")


def test_older_models_reject_a_tool_choice() -> None:
    assert get_refusal(model=OLD, tools=[WEATHER], tool_choice="required")[1] == "tool_choice"
    assert build_extra_fields(model=OLD, tools=[WEATHER], tool_choice="none") == {}


def test_participant_names_are_rejected() -> None:
    assert get_refusal([Message(role="user", name="Ann", content="Hi")]) == ("UnsupportedParameter", "name")


def test_extra_headers_are_sent() -> None:
    assert request([HI], extra_headers={"X-Client-Name": "me"}).headers["x-client-name"] == "me"
