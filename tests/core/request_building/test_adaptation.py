"""Schemas of tools and answers before any protocol writes them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel
from returns.result import Failure, Success

from victor_fp import replay
from victor_fp.core.faults import Fault, UnsupportedParameter
from victor_fp.core.requests import HttpRequest
from victor_fp.core.result import outcome
from victor_fp.core.types import ToolDefinition

FREE = {"type": "object", "properties": {"tags": {"type": "object", "additionalProperties": {"type": "integer"}}}}
ODD = {"type": "dict", "properties": {"n": {"type": "float"}}, "required": ["n"]}


class Scores(BaseModel):
    by_name: dict[str, int]


def build_request(provider: str, **more: Any) -> HttpRequest | Fault:
    match outcome(replay.request(provider, "Hi", model=more.pop("model", "m"), **more)):
        case Success(request):
            return request
        case Failure(fault):
            return fault


def build_format(schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, **more}}


def get_sent_format(provider: str, request: HttpRequest) -> Any:
    body: Any = request.json()
    return body["text"]["format"] if provider == "openai-responses" else body["response_format"]["json_schema"]


@pytest.mark.parametrize("provider", ["openai", "openai-responses"])
def test_a_free_form_format_is_sent_without_strict_visibly(provider: str) -> None:
    request = build_request(provider, response_format=Scores)
    assert isinstance(request, HttpRequest)
    sent = get_sent_format(provider, request)
    assert sent["strict"] is False
    assert sent["schema"]["properties"]["by_name"]["additionalProperties"] == {"type": "integer"}
    assert [(one.parameter, one.action, one.reason) for one in request.adjustments] == [
        (
            "response_format",
            "changed",
            "sent without strict: $.by_name: an object with free keys cannot be closed",
        )
    ]


@pytest.mark.parametrize("provider", ["openai", "openai-responses"])
def test_an_explicit_strict_is_not_dropped_silently(provider: str) -> None:
    fault = build_request(provider, response_format=build_format(FREE, strict=True))
    assert isinstance(fault, UnsupportedParameter)
    assert fault.parameter == "response_format"
    assert "$.tags" in fault.message
    request = build_request(provider, response_format=build_format(FREE, strict=True), on_unsupported="adjust")
    assert isinstance(request, HttpRequest)
    assert get_sent_format(provider, request)["strict"] is False
    assert request.adjustments


@pytest.mark.parametrize("provider", ["openai", "openai-responses"])
def test_an_answer_that_need_not_be_strict_keeps_its_schema(provider: str) -> None:
    request = build_request(provider, response_format=build_format(FREE, strict=False))
    assert isinstance(request, HttpRequest)
    sent = get_sent_format(provider, request)
    assert (sent["schema"], sent["strict"], request.adjustments) == (FREE, False, ())


@pytest.mark.parametrize(
    ("provider", "model"), [("anthropic", "claude-sonnet-4-5"), ("bedrock", "anthropic.claude-sonnet-4-5")]
)
def test_a_free_form_answer_is_refused_where_every_object_is_closed(provider: str, model: str) -> None:
    settings = {"region": "r"} if provider == "bedrock" else {}
    fault = build_request(provider, model=model, settings=settings, response_format=Scores)
    assert isinstance(fault, UnsupportedParameter)
    assert (fault.parameter, "$.by_name" in fault.message) == ("response_format", True)
    more = {"response_format": Scores, "on_unsupported": "adjust"}
    request = build_request(provider, model=model, settings=settings, **more)
    assert isinstance(request, HttpRequest)
    assert "by_name" in str(request.json())
    assert "moved to the system message" in request.adjustments[0].reason


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "m"), ("openai-responses", "m"), ("anthropic", "claude-sonnet-4-5"), ("cerebras", "m")],
)
def test_a_strict_tool_with_free_keys_is_refused_or_sent_without_strict(provider: str, model: str) -> None:
    tool = ToolDefinition(name="tag", parameters=FREE, strict=True)
    fault = build_request(provider, model=model, tools=[tool])
    assert isinstance(fault, UnsupportedParameter)
    assert (fault.parameter, "tag" in fault.message) == ("tools.strict", True)
    request = build_request(provider, model=model, tools=[tool], on_unsupported="adjust")
    assert isinstance(request, HttpRequest)
    text = str(request.json())
    assert "'strict': True" not in text
    assert "'additionalProperties': {'type': 'integer'}" in text


def test_odd_types_are_sent_as_json_types_and_named_with_their_tool() -> None:
    request = build_request("openai", tools=[ToolDefinition(name="add", parameters=ODD)])
    assert isinstance(request, HttpRequest)
    body: Any = request.json()
    assert body["tools"][0]["function"]["parameters"] == {
        "type": "object",
        "properties": {"n": {"type": "number"}},
        "required": ["n"],
    }
    assert [one.reason for one in request.adjustments] == [
        "add: the type 'dict' is sent as 'object': $",
        "add: the type 'float' is sent as 'number': $.n",
    ]


def test_a_tool_whose_schema_cannot_be_converted_is_rejected_or_widened_if_allowed() -> None:
    recursive = {"type": "object", "properties": {"child": {"$ref": "#"}}}
    tools = [ToolDefinition(name="tree", parameters=recursive)]
    fault = build_request("ollama", tools=tools)
    assert isinstance(fault, UnsupportedParameter)
    assert fault.message.startswith("tools: tree: $.child: # contains itself")
    request = build_request("ollama", tools=tools, on_unsupported="adjust")
    assert isinstance(request, HttpRequest)
    body: Any = request.json()
    assert body["tools"][0]["function"]["parameters"]["properties"] == {"child": {"type": "object"}}


def test_schemas_are_not_converted_for_a_provider_without_schemas() -> None:
    fault = build_request("deepseek", response_format=build_format(FREE, strict=True))
    assert isinstance(fault, UnsupportedParameter)
    assert "no schema" in fault.message
