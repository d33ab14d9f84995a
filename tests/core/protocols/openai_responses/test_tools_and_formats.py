"""Tools, response formats, and reporting options, in the vendor's fields."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from tests.core.protocols.openai_responses.requests import (
    THINKER,
    WEATHER,
    build_adjusted_body,
    build_body,
    get_unsupported_parameter,
)

AZURE = {"endpoint": "https://unit.openai.azure.com"}


class Person(BaseModel):
    name: str
    age: int = 0


# Tools


def test_tools_are_flat_and_have_a_strict_field() -> None:
    strict = WEATHER.model_copy(update={"name": "exact", "strict": True})
    plain, exact = build_body(tools=[WEATHER, strict])["tools"]
    assert plain == {
        "type": "function",
        "name": "weather",
        "description": "The weather in a city",
        "parameters": WEATHER.parameters,
        "strict": False,
    }
    assert (exact["strict"], exact["parameters"]["additionalProperties"]) == (True, False)
    assert exact["parameters"]["required"] == ["city", "day"]


def test_a_tool_without_a_description_has_none() -> None:
    assert "description" not in build_body(tools=[WEATHER.model_copy(update={"description": ""})])["tools"][0]


@pytest.mark.parametrize("choice", ["auto", "none", "required"])
def test_a_choice_by_word(choice: str) -> None:
    assert build_body(tools=[WEATHER], tool_choice=choice)["tool_choice"] == choice


def test_a_choice_by_name() -> None:
    sent = build_body(tools=[WEATHER], tool_choice={"name": "weather"})
    assert sent["tool_choice"] == {"type": "function", "name": "weather"}
    assert (
        get_unsupported_parameter(provider="llamacpp-responses", tools=[WEATHER], tool_choice={"name": "weather"})
        == "tool_choice"
    )


def test_a_choice_among_no_tools() -> None:
    assert "tool_choice" not in build_body(tool_choice="auto")
    assert get_unsupported_parameter(tool_choice="required") == "tool_choice"
    own = build_body(tool_choice="required", extra_body={"tools": [{"type": "web_search"}]})
    assert (own["tool_choice"], own["tools"]) == ("required", [{"type": "web_search"}])


def test_parallel_calls_can_be_forbidden_where_the_vendor_lets_callers() -> None:
    assert build_body(tools=[WEATHER], parallel_tool_calls=False)["parallel_tool_calls"] is False
    assert "parallel_tool_calls" not in build_body(parallel_tool_calls=False)
    assert (
        get_unsupported_parameter(provider="deepseek-responses", tools=[WEATHER], parallel_tool_calls=False)
        == "parallel_tool_calls"
    )


# The answer's form


def test_a_strict_schema_is_closed() -> None:
    form = build_body(response_format=Person)["text"]["format"]
    assert (form["type"], form["name"], form["strict"]) == ("json_schema", "Person", True)
    assert (form["schema"]["additionalProperties"], form["schema"]["required"]) == (False, ["name", "age"])


def test_a_schema_that_cannot_be_closed_goes_as_it_is() -> None:
    free = {"type": "object", "additionalProperties": {"type": "string"}, "title": "Free [keys]"}
    assert build_body(response_format=free)["text"]["format"] == {
        "type": "json_schema",
        "name": "Free_keys_",
        "schema": free,
        "strict": False,
    }


def test_any_json() -> None:
    assert build_body(response_format="json")["text"] == {"format": {"type": "json_object"}}


def test_a_vendor_without_schemas_is_asked_for_json_visibly() -> None:
    assert get_unsupported_parameter(provider="deepseek-responses", response_format=Person) == "response_format"
    sent, changes = build_adjusted_body(provider="deepseek-responses", response_format=Person)
    assert (sent["text"], changes) == ({"format": {"type": "json_object"}}, [("response_format", "changed")])


def test_a_server_that_ignores_the_field_is_asked_in_the_prompt() -> None:
    sent = build_body(provider="llamacpp-responses", response_format=Person)
    assert "text" not in sent
    assert sent["response_format"]["json_schema"]["schema"] == Person.model_json_schema()
    assert build_body(provider="llamacpp-responses", response_format="json")["response_format"] == {
        "type": "json_object"
    }


def test_a_format_and_a_verbosity_share_the_field() -> None:
    sent = build_body(response_format="json", extra_body={"text": {"verbosity": "low"}})
    assert sent["text"] == {"format": {"type": "json_object"}, "verbosity": "low"}


# Reporting


def test_log_probabilities() -> None:
    sent = build_body(logprobs=3)
    assert (sent["include"], sent["top_logprobs"]) == (["message.output_text.logprobs"], 3)
    assert "top_logprobs" not in build_body(logprobs=True)
    assert "include" not in build_body(logprobs=False)
    assert get_unsupported_parameter(model=THINKER, logprobs=True) == "logprobs"
    assert get_unsupported_parameter(provider="llamacpp-responses", logprobs=True) == "logprobs"
    asked_of_xai = build_body(provider="xai-responses", logprobs=2)
    assert (asked_of_xai["logprobs"], asked_of_xai["top_logprobs"]) == (True, 2)
    assert asked_of_xai["include"] == ["reasoning.encrypted_content"]


def test_the_service_tier() -> None:
    assert build_body(service_tier="flex")["service_tier"] == "flex"
    assert get_unsupported_parameter(provider="azure-responses", settings=AZURE, service_tier="flex") == "service_tier"
    assert build_body(provider="xai-responses", service_tier="priority")["service_tier"] == "priority"
    assert get_unsupported_parameter(provider="xai-responses", service_tier="flex") == "service_tier"


def test_the_end_user() -> None:
    assert build_body(user="u-1")["safety_identifier"] == "u-1"
    assert build_body(provider="azure-responses", settings=AZURE, user="u-1")["user"] == "u-1"
    assert get_unsupported_parameter(provider="deepseek-responses", user="u-1") == "user"
