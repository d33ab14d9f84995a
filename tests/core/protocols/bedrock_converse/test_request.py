"""Every option of a request: mapped, adjusted if allowed, or rejected; never dropped silently."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel, Field

from tests.core.protocols.bedrock_converse.requests import (
    GPT_OSS,
    LLAMA,
    MINIMAX,
    NEW,
    NOVA,
    NOVA_2,
    OLD,
    PROFILE,
    SONNET,
    WEATHER,
    build_adjusted_body,
    build_body,
    build_body_and_adjustments,
    get_fault,
    get_unsupported_parameter,
    request,
)
from victor_fp.core.faults import InvalidRequest
from victor_fp.core.types import Message

PLAIN = {
    "messages": [{"role": "user", "content": [{"text": "Hi"}]}],
    "inferenceConfig": {"maxTokens": 4096, "temperature": 0.7},
}


def test_a_plain_chat_is_sent_to_the_region_with_the_model_in_the_path() -> None:
    built = request()
    assert built.method == "POST"
    assert built.url == (
        "https://bedrock-runtime.eu-west-1.amazonaws.com/model/eu.anthropic.claude-sonnet-4-5-20250929-v1:0/converse"
    )
    assert built.headers == {"content-type": "application/json"}
    assert built.json() == PLAIN


def test_a_stream_differs_by_its_address_alone() -> None:
    whole, stream = request(tools=[WEATHER]), request(tools=[WEATHER], stream=True)
    assert stream.body == whole.body
    assert stream.url == f"{whole.url}-stream"


def test_an_arn_is_escaped_in_the_path() -> None:
    assert request(model=PROFILE).url.endswith(
        "/model/arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile%2Fabc123/converse"
    )


def test_without_a_region_nothing_is_sent() -> None:
    fault = get_fault(settings={})
    assert isinstance(fault, InvalidRequest)
    assert "region" in fault.message
    assert "AWS_REGION" in fault.message


def test_a_custom_base_url_needs_no_region() -> None:
    url = request(settings={}, base_url="http://localhost:9000/").url
    assert url.startswith("http://localhost:9000/model/")


def test_instructions_alone_are_rejected() -> None:
    assert isinstance(get_fault([Message(role="system", content="Be brief.")]), InvalidRequest)


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"temperature": 0.0}, {"inferenceConfig": {"maxTokens": 4096, "temperature": 0.0}}),
        ({"temperature": None, "max_tokens": None}, {"inferenceConfig": None}),
        ({"max_tokens": 7}, {"inferenceConfig": {"maxTokens": 7, "temperature": 0.7}}),
        ({"top_p": 0.2}, {"inferenceConfig": {"maxTokens": 4096, "temperature": 0.7, "topP": 0.2}}),
        (
            {"stop": ["END", "---"]},
            {"inferenceConfig": {"maxTokens": 4096, "temperature": 0.7, "stopSequences": ["END", "---"]}},
        ),
        ({"service_tier": "flex"}, {"serviceTier": {"type": "flex"}}),
        ({"service_tier": "auto"}, {"serviceTier": {"type": "default"}}),
        ({"logprobs": False}, {}),
        ({"performanceConfig": {"latency": "optimized"}}, {"performanceConfig": {"latency": "optimized"}}),
        (
            {"extra_body": {"inferenceConfig": {"temperature": 0.1}, "requestMetadata": {"a": "b"}}},
            {"inferenceConfig": {"maxTokens": 4096, "temperature": 0.1}, "requestMetadata": {"a": "b"}},
        ),
    ],
)
def test_an_option_is_mapped(options: dict[str, Any], fields: dict[str, Any]) -> None:
    wanted = {name: value for name, value in {**PLAIN, **fields}.items() if value is not None}
    assert build_body(model=NOVA, **options) == wanted


@pytest.mark.parametrize(
    ("options", "parameter"),
    [
        ({"seed": 1}, "seed"),
        ({"logprobs": True}, "logprobs"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"user": "u-1"}, "user"),
        ({"service_tier": "gold"}, "service_tier"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"reasoning_effort": "low"}, "reasoning_effort"),
        ({"reasoning_budget": 2000}, "reasoning_budget"),
    ],
)
def test_an_unsupported_option_is_rejected_or_dropped_visibly(options: dict[str, Any], parameter: str) -> None:
    assert get_unsupported_parameter(model=NOVA, **options) == parameter
    asked, adjustments = build_adjusted_body(model=NOVA, **options)
    assert asked == PLAIN
    assert adjustments == [(parameter, "dropped")]


def test_extra_headers_are_sent() -> None:
    header = {"X-Amzn-Bedrock-Trace": "ENABLED"}
    assert request(extra_headers=header).headers["x-amzn-bedrock-trace"] == "ENABLED"


# The model's own fields


@pytest.mark.parametrize("model", [NOVA, SONNET])
def test_a_temperature_above_one_is_rejected_or_lowered_visibly(model: str) -> None:
    assert get_unsupported_parameter(model=model, temperature=1.5) == "temperature"
    asked, adjustments = build_adjusted_body(model=model, temperature=1.5)
    assert (asked["inferenceConfig"]["temperature"], adjustments) == (1.0, [("temperature", "changed")])


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (OLD, {"top_k": 5}),
        (NOVA, {"inferenceConfig": {"topK": 5}}),
        ("cohere.command-r-v1:0", {"k": 5}),
        ("mistral.mistral-large-2407-v1:0", {"top_k": 5}),
        (PROFILE, {"top_k": 5}),
    ],
)
def test_top_k_is_sent_in_the_field_of_the_model(model: str, fields: dict[str, Any]) -> None:
    assert build_body(model=model, top_k=5)["additionalModelRequestFields"] == fields


def test_a_model_that_has_no_top_k_refuses_it() -> None:
    assert get_unsupported_parameter(model=LLAMA, top_k=5) == "top_k"


def test_the_default_max_tokens_is_not_sent_if_it_may_exceed_the_model_limit() -> None:
    assert "maxTokens" not in build_body(model=LLAMA)["inferenceConfig"]
    assert build_body(model=LLAMA, max_tokens=100)["inferenceConfig"]["maxTokens"] == 100


def test_claude_accepts_a_budget_or_adaptive_thinking_and_no_temperature_with_it() -> None:
    budgeted = build_body(reasoning_effort="low")
    assert budgeted["additionalModelRequestFields"] == {"thinking": {"type": "enabled", "budget_tokens": 2048}}
    assert budgeted["inferenceConfig"] == {"maxTokens": 6144}
    judged = build_body(model=NEW, reasoning_effort="xhigh")
    assert judged["additionalModelRequestFields"] == {"thinking": {"type": "adaptive"}}
    assert judged["outputConfig"] == {"effort": "xhigh"}
    assert get_unsupported_parameter(model=NEW, reasoning_budget=2000) == "reasoning_budget"
    assert get_unsupported_parameter(model=OLD, reasoning_effort="low") == "reasoning_effort"


def test_claude_sampling_limits_apply_on_bedrock() -> None:
    assert build_body(model=NEW)["inferenceConfig"] == {"maxTokens": 4096}
    assert get_unsupported_parameter(model=NEW, temperature=0.2) == "temperature"
    assert get_unsupported_parameter(top_p=0.3, temperature=0.2) == "top_p"
    assert build_body(model=OLD, top_p=0.3, temperature=0.2)["inferenceConfig"]["topP"] == 0.3


def test_the_default_temperature_is_omitted_if_the_caller_configures_thinking() -> None:
    own = {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}}}
    asked = build_body(extra_body=own, tools=[WEATHER], parallel_tool_calls=False)
    assert "temperature" not in asked["inferenceConfig"]
    assert asked["additionalModelRequestFields"] == {
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    }


@pytest.mark.parametrize(
    ("model", "effort", "fields"),
    [
        (NOVA_2, "none", {"reasoningConfig": {"type": "disabled"}}),
        (NOVA_2, "minimal", {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}}),
        (NOVA_2, "max", {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}),
        (GPT_OSS, "medium", {"reasoning_effort": "medium"}),
        ("us.openai.gpt-5.5", "high", {"reasoning": {"effort": "high"}}),
    ],
)
def test_other_models_have_their_own_fields_for_an_effort(model: str, effort: str, fields: dict[str, Any]) -> None:
    assert build_body(model=model, reasoning_effort=effort)["additionalModelRequestFields"] == fields


def test_reasoning_cannot_be_disabled_for_a_model_that_always_reasons() -> None:
    assert get_unsupported_parameter(model=GPT_OSS, reasoning_effort="none") == "reasoning_effort"
    assert "additionalModelRequestFields" not in build_body(model=NOVA, reasoning_effort="none")


def test_nova_at_high_effort_accepts_neither_max_tokens_nor_sampling() -> None:
    assert "inferenceConfig" not in build_body(model=NOVA_2, reasoning_effort="high")
    assert get_unsupported_parameter(model=NOVA_2, reasoning_effort="high", temperature=0.2) == "temperature"
    assert get_unsupported_parameter(model=NOVA_2, reasoning_effort="high", max_tokens=100) == "max_tokens"
    assert "inferenceConfig" in build_body(model=NOVA_2, reasoning_effort="medium")


# The answer's form


class City(BaseModel):
    name: str
    people: int = Field(ge=0)


def test_a_schema_goes_as_text_with_its_objects_closed() -> None:
    asked, adjustments = build_body_and_adjustments(model=MINIMAX, response_format=City)
    form = asked["outputConfig"]["textFormat"]
    definition = form["structure"]["jsonSchema"]
    assert (form["type"], definition["name"]) == ("json_schema", "City")
    schema = json.loads(definition["schema"])
    assert schema["additionalProperties"] is False
    assert schema["properties"]["people"] == {"type": "integer", "title": "People", "description": "minimum: 0"}
    assert adjustments == [("response_format", "changed")]


@pytest.mark.parametrize("model", [NOVA, LLAMA, OLD])
def test_models_without_structured_outputs_refuse_a_schema(model: str) -> None:
    assert get_unsupported_parameter(model=model, response_format=City) == "response_format"


def test_a_schema_name_has_only_accepted_characters() -> None:
    asked = build_body(model=MINIMAX, response_format={"title": "A city!", "type": "object", "properties": {}})
    assert asked["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["name"] == "A_city_"
