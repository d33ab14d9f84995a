"""Requests of chats: every option is mapped, adjusted visibly, or rejected."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from tests.core.protocols.gemini.requests import (
    HI,
    MIDDLE,
    NEW,
    OLD,
    WEATHER,
    build_body,
    build_config,
    build_request,
    get_fault,
)
from victor_fp.core.types import FilePart, ImagePart, Message, TextPart, ToolDefinition


class Answer(BaseModel):
    city: str


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}

OPTIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": ({}, {}),
    "temperature": ({"temperature": 0.0}, {"temperature": 0.0}),
    "max_tokens": ({"max_tokens": 7}, {"maxOutputTokens": 7}),
    "top_p": ({"top_p": 0.5}, {"topP": 0.5}),
    "top_k": ({"top_k": 3}, {"topK": 3}),
    "seed": ({"seed": 1}, {"seed": 1}),
    "stop": ({"stop": ["END", "\n\n"]}, {"stopSequences": ["END", "\n\n"]}),
    "penalties": (
        {"presence_penalty": 0.1, "frequency_penalty": -0.2},
        {"presencePenalty": 0.1, "frequencyPenalty": -0.2},
    ),
    "logprobs": ({"logprobs": True}, {"responseLogprobs": True}),
    "logprobs with alternatives": ({"logprobs": 3}, {"responseLogprobs": True, "logprobs": 3}),
    "no logprobs": ({"logprobs": False}, {}),
    "json": ({"response_format": "json"}, {"responseMimeType": "application/json"}),
    "schema": (
        {"response_format": SCHEMA},
        {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
    ),
    "schema for an older model": (
        {"response_format": SCHEMA, "model": OLD},
        {
            "responseMimeType": "application/json",
            "responseSchema": {
                "type": "OBJECT",
                "properties": {"city": {"type": "STRING"}},
                "required": ["city"],
                "propertyOrdering": ["city"],
            },
        },
    ),
    "parallel_tool_calls, which is what the model does anyway": ({"parallel_tool_calls": True}, {}),
    "one more field": ({"extra_body": {"generationConfig": {"topK": 9}}, "top_p": 0.5}, {"topP": 0.5, "topK": 9}),
}

THINKING: list[tuple[str, dict[str, Any], dict[str, Any] | None]] = [
    (MIDDLE, {"reasoning_effort": "none"}, {"thinkingBudget": 0}),
    (MIDDLE, {"reasoning_effort": "low"}, {"thinkingBudget": 1024, "includeThoughts": True}),
    (MIDDLE, {"reasoning_effort": "max"}, {"thinkingBudget": 24576, "includeThoughts": True}),
    (MIDDLE, {"reasoning_budget": 512}, {"thinkingBudget": 512, "includeThoughts": True}),
    (MIDDLE, {"reasoning_budget": 0}, {"thinkingBudget": 0}),
    ("gemini-2.5-pro", {"reasoning_effort": "max"}, {"thinkingBudget": 32768, "includeThoughts": True}),
    ("models/gemini-2.5-pro", {"reasoning_effort": "high"}, {"thinkingBudget": 24576, "includeThoughts": True}),
    (NEW, {"reasoning_effort": "minimal"}, {"thinkingLevel": "MINIMAL", "includeThoughts": True}),
    (NEW, {"reasoning_effort": "xhigh"}, {"thinkingLevel": "HIGH", "includeThoughts": True}),
    (NEW, {"reasoning_budget": 512}, {"thinkingBudget": 512, "includeThoughts": True}),
    ("gemini-3-pro-preview", {"reasoning_effort": "medium"}, {"thinkingLevel": "HIGH", "includeThoughts": True}),
    ("gemini-3.1-pro-preview", {"reasoning_effort": "medium"}, {"thinkingLevel": "MEDIUM", "includeThoughts": True}),
    ("gemini-9-argon", {"reasoning_effort": "low"}, {"thinkingLevel": "LOW", "includeThoughts": True}),
    (OLD, {"reasoning_effort": "none"}, None),
    (OLD, {"reasoning_budget": 0}, None),
]

REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("user", {"user": "u1"}),
    ("parallel_tool_calls", {"parallel_tool_calls": False}),
    ("service_tier", {"service_tier": "gold"}),
    ("reasoning_effort", {"reasoning_effort": "none", "model": NEW}),
    ("reasoning_effort", {"reasoning_effort": "none", "model": "gemini-2.5-pro"}),
    ("reasoning_effort", {"reasoning_effort": "low", "model": OLD}),
    ("reasoning_budget", {"reasoning_budget": 9, "model": OLD}),
    ("reasoning_budget", {"reasoning_budget": 0, "model": NEW}),
    ("reasoning_effort", {"reasoning_effort": "low", "reasoning_budget": 9}),
    ("name", {"messages": [Message(role="user", content="Hi", name="Ann")]}),
    (
        "response_format",
        {
            "model": OLD,
            "response_format": {"$ref": "#/$defs/T", "$defs": {"T": {"properties": {"t": {"$ref": "#/$defs/T"}}}}},
        },
    ),
    (
        "tools",
        {
            "model": OLD,
            "tools": [ToolDefinition(name="t", parameters={"properties": {"a": {"$ref": "#"}}, "type": "object"})],
        },
    ),
    (
        "detail",
        {
            "messages": [
                Message(
                    role="user",
                    content=[
                        ImagePart(data=b"a", media_type="image/png", detail="low"),
                        ImagePart(data=b"b", media_type="image/png", detail="high"),
                    ],
                )
            ]
        },
    ),
]


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_is_mapped(name: str) -> None:
    options, wanted = OPTIONS[name]
    assert build_config(**options) == wanted


@pytest.mark.parametrize(("model", "options", "wanted"), THINKING)
def test_reasoning_is_sent_in_the_form_of_the_model(
    model: str, options: dict[str, Any], wanted: dict[str, Any] | None
) -> None:
    assert build_config(model=model, **options).get("thinkingConfig") == wanted


@pytest.mark.parametrize(("parameter", "options"), REFUSED)
def test_unsupported_options_are_rejected_by_name(parameter: str, options: dict[str, Any]) -> None:
    fault = get_fault(**options)
    assert (type(fault).__name__, fault.parameter) == ("UnsupportedParameter", parameter)


@pytest.mark.parametrize(("parameter", "options"), REFUSED)
def test_unsupported_options_are_dropped_visibly_if_allowed(parameter: str, options: dict[str, Any]) -> None:
    request = build_request(**options, on_unsupported="adjust")
    assert [adjustment.parameter for adjustment in request.adjustments][:1] == [parameter]


def test_the_defaults_are_sent() -> None:
    assert build_body() == {
        "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
        "generationConfig": {"maxOutputTokens": 4096, "temperature": 0.7},
    }


def test_the_default_max_tokens_leaves_room_for_the_requested_thinking() -> None:
    assert build_body(reasoning_budget=1000)["generationConfig"]["maxOutputTokens"] == 5096
    assert build_body(reasoning_budget=1000, max_tokens=2000)["generationConfig"]["maxOutputTokens"] == 2000


def test_chat_and_stream_differ_in_the_url_only() -> None:
    chat, stream = build_request(tools=[WEATHER]), build_request(tools=[WEATHER], stream=True)
    assert chat.url == f"https://generativelanguage.googleapis.com/v1beta/models/{MIDDLE}:generateContent"
    assert stream.url == chat.url.replace(":generateContent", ":streamGenerateContent?alt=sse")
    assert (chat.body, chat.headers) == (stream.body, stream.headers)


def test_the_key_is_in_a_header_and_not_in_the_url() -> None:
    request = build_request(extra_headers={"X-Trace": "1"})
    assert request.headers == {"content-type": "application/json", "x-goog-api-key": "<secret>", "x-trace": "1"}
    assert "key" not in request.url


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-2.5-flash", "models/gemini-2.5-flash"),
        ("models/gemini-2.5-flash", "models/gemini-2.5-flash"),
        ("tunedModels/mine", "tunedModels/mine"),
        ("strange?name", "models/strange%3Fname"),
    ],
)
def test_a_model_is_named_as_a_resource(model: str, path: str) -> None:
    assert build_request(model=model).url.endswith(f"/v1beta/{path}:generateContent")


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        ({"name": "weather"}, {"mode": "ANY", "allowedFunctionNames": ["weather"]}),
    ],
)
def test_a_tool_choice_is_a_mode(choice: Any, wanted: dict[str, Any]) -> None:
    assert build_body(tools=[WEATHER], tool_choice=choice)["toolConfig"] == {"functionCallingConfig": wanted}


def test_a_strict_tool_is_validated_where_the_model_can() -> None:
    strict = WEATHER.model_copy(update={"strict": True})
    assert build_body(tools=[strict])["toolConfig"] == {"functionCallingConfig": {"mode": "VALIDATED"}}
    assert "toolConfig" not in build_body(tools=[strict], model=OLD)
    assert "toolConfig" not in build_body(tools=[WEATHER])


def test_tools_are_sent_as_json_schema_and_to_older_models_in_their_subset() -> None:
    declared = {"name": "weather", "description": "The weather"}
    assert build_body(tools=[WEATHER])["tools"] == [
        {"functionDeclarations": [declared | {"parametersJsonSchema": WEATHER.parameters}]}
    ]
    older = build_body(tools=[WEATHER], model=OLD)["tools"][0]["functionDeclarations"][0]
    assert older["parameters"]["properties"] == {"city": {"type": "STRING"}}


def test_older_models_get_no_parameters_rather_than_an_empty_object() -> None:
    now = ToolDefinition(name="now")
    assert build_body(tools=[now], model=OLD)["tools"] == [{"functionDeclarations": [{"name": "now"}]}]


def test_a_model_class_is_a_schema() -> None:
    assert build_config(response_format=Answer)["responseJsonSchema"] == Answer.model_json_schema()


def test_google_tools_are_sent_alongside_the_callers_tools() -> None:
    tools = build_body(tools=[WEATHER], extra_body={"tools": [{"googleSearch": {}}]})["tools"]
    assert [list(tool) for tool in tools] == [["functionDeclarations"], ["googleSearch"]]


def test_unknown_options_go_into_the_body_as_they_are_and_extra_body_over_them() -> None:
    sent = build_body(cachedContent="cachedContents/1", labels={"a": "b"}, extra_body={"labels": {"a": "c"}})
    assert (sent["cachedContent"], sent["labels"]) == ("cachedContents/1", {"a": "c"})


@pytest.mark.parametrize(("tier", "sent"), [("flex", "flex"), ("default", "standard"), ("auto", None)])
def test_a_service_tier_is_named_as_google_names_it(tier: str, sent: str | None) -> None:
    assert build_body(service_tier=tier).get("serviceTier") == sent


def test_instructions_are_a_separate_field() -> None:
    sent = build_body([Message(role="system", content="Be brief."), Message(role="developer", content="Be kind."), *HI])
    assert sent["systemInstruction"] == {"parts": [{"text": "Be brief."}, {"text": "Be kind."}]}
    assert len(sent["contents"]) == 1


def test_instructions_are_prepended_to_the_first_turn_if_the_model_accepts_none() -> None:
    sent = build_body([Message(role="system", content="Be brief."), *HI], model="gemma-3-27b-it")
    assert "systemInstruction" not in sent
    assert sent["contents"] == [{"role": "user", "parts": [{"text": "Be brief."}, {"text": "Hi"}]}]


def test_instructions_alone_are_rejected() -> None:
    assert type(get_fault([Message(role="system", content="Be brief.")])).__name__ == "InvalidRequest"


def test_media_are_sent_by_value_or_by_url() -> None:
    message = Message(
        role="user",
        content=[
            TextPart(text="Look"),
            ImagePart(data=b"\x89PNG", media_type="image/png", detail="low"),
            ImagePart(url="https://pictures.example/a.JPG?size=2"),
            ImagePart(url="data:image/gif;base64,R0lG"),
            FilePart(data=b"%PDF", media_type="application/pdf", filename="a.pdf"),
            FilePart(url="gs://bucket/b", media_type="text/plain"),
            FilePart(url="data:,a%20b"),
        ],
    )
    sent = build_body([message])
    assert sent["contents"][0]["parts"] == [
        {"text": "Look"},
        {"inlineData": {"mimeType": "image/png", "data": "iVBORw=="}},
        {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://pictures.example/a.JPG?size=2"}},
        {"inlineData": {"mimeType": "image/gif", "data": "R0lG"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "JVBERg=="}, "partMetadata": {"filename": "a.pdf"}},
        {"fileData": {"mimeType": "text/plain", "fileUri": "gs://bucket/b"}},
        {"inlineData": {"mimeType": "text/plain", "data": "YSBi"}},
    ]
    assert sent["generationConfig"]["mediaResolution"] == "MEDIA_RESOLUTION_LOW"


@pytest.mark.parametrize(
    ("settings", "start"),
    [
        (
            {"location": "europe-west4"},
            "https://europe-west4-aiplatform.googleapis.com/v1/projects/p/locations/europe-west4",
        ),
        ({}, "https://aiplatform.googleapis.com/v1/projects/p/locations/global"),
    ],
)
def test_vertex_has_a_project_and_a_location_in_its_url(settings: dict[str, str], start: str) -> None:
    request = build_request(provider="vertex", settings={"project": "p", **settings})
    assert request.url == f"{start}/publishers/google/models/{MIDDLE}:generateContent"
    assert request.headers["authorization"] == "Bearer <secret>"


def test_vertex_without_a_project_is_refused_and_its_fewer_fields_are_respected() -> None:
    assert "project" in get_fault(provider="vertex").message
    place: dict[str, Any] = {"provider": "vertex", "settings": {"project": "p"}}
    assert get_fault(service_tier="flex", **place).parameter == "service_tier"
    file = Message(role="user", content=[FilePart(data=b"a", media_type="text/plain", filename="a.txt")])
    assert build_body([file], **place)["contents"][0]["parts"][0]["inlineData"]["displayName"] == "a.txt"
