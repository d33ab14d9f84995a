"""Requests to Replicate: URLs, inputs by model, prompts."""

from __future__ import annotations

import pytest

from tests.core.protocols.replicate.requests import (
    CLAUDE,
    GEMINI,
    GPT,
    HI,
    LLAMA,
    LLAMA_2,
    MISTRAL,
    O4,
    build_adjusted_inputs,
    build_body,
    build_inputs,
    get_refusal,
    request,
)
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Message, TextPart, ToolDefinition

VERSION = "5c7d5dc6dd8bf75c1acaa8565735e7986bc5b66206b55cca93cb72c9bf15ccaa"
BRIEF = Message(role="system", content="Be brief")
CAT = ImagePart(url="https://a.example/cat.png")
DOG = ImagePart(data=b"\x00\x01", media_type="image/png")
WEATHER = ToolDefinition(name="weather")


def test_a_plain_chat() -> None:
    built = request()
    assert (built.method, built.url) == ("POST", f"https://api.replicate.com/v1/models/{LLAMA}/predictions")
    assert built.headers == {
        "content-type": "application/json",
        "authorization": "Bearer <secret>",
        "prefer": "wait=10",
    }
    assert built.json() == {"input": {"prompt": "Hi", "max_tokens": 4096, "temperature": 0.7}}


def test_a_stream_is_not_waited_for() -> None:
    built = request(stream=True)
    assert "prefer" not in built.headers
    assert built.json() == request().json()


@pytest.mark.parametrize(
    ("model", "path", "version"),
    [
        ("acme/chat", "/models/acme/chat/predictions", None),
        (f"acme/chat:{VERSION}", "/predictions", VERSION),
        (VERSION, "/predictions", VERSION),
        ("deployments/acme/chat", "/deployments/acme/chat/predictions", None),
        ("deployments/chat", "/models/deployments/chat/predictions", None),
    ],
)
def test_predictions_url_of_a_model(model: str, path: str, version: str | None) -> None:
    built = request(model=model)
    assert built.url == f"https://api.replicate.com/v1{path}"
    assert build_body(model=model).get("version") == version


@pytest.mark.parametrize(
    "model", ["llama", "a/b/c", "a/", "a/b:", "../account/x/..", "a/b?x=1", "a b/c", "x/y/z:" + VERSION]
)
def test_a_model_spelled_otherwise_is_refused(model: str) -> None:
    assert get_refusal(model=model) == ("InvalidRequest", "")


@pytest.mark.parametrize(
    ("model", "options", "fields"),
    [
        (LLAMA, {"max_tokens": 7, "temperature": 0.1}, {"max_tokens": 7, "temperature": 0.1}),
        (LLAMA, {"top_p": 0.9, "top_k": 5}, {"top_p": 0.9, "top_k": 5}),
        (
            LLAMA,
            {"presence_penalty": 0.5, "frequency_penalty": 0.1},
            {"presence_penalty": 0.5, "frequency_penalty": 0.1},
        ),
        (LLAMA, {"stop": ["<a>", "<b>"]}, {"stop_sequences": "<a>,<b>"}),
        (LLAMA, {"min_tokens": 3}, {"min_tokens": 3}),
        (LLAMA, {"extra_body": {"input": {"prompt_template": "{prompt}"}}}, {"prompt_template": "{prompt}"}),
        (LLAMA_2, {"max_tokens": 7, "seed": 1}, {"max_new_tokens": 7, "seed": 1}),
        (MISTRAL, {"max_tokens": 7}, {"max_new_tokens": 7}),
        (GPT, {"max_tokens": 7, "reasoning_effort": "low"}, {"max_completion_tokens": 7, "reasoning_effort": "low"}),
        (GPT, {"reasoning_effort": "minimal"}, {"reasoning_effort": "minimal"}),
        ("openai/gpt-5.1", {"reasoning_effort": "none"}, {"reasoning_effort": "none"}),
        ("openai/gpt-5.4", {"reasoning_effort": "xhigh"}, {"reasoning_effort": "xhigh"}),
        (GPT, {"temperature": 0.7, "max_tokens": 4096}, {"max_completion_tokens": 4096}),
        (CLAUDE, {"reasoning_budget": 2000}, {"extended_thinking": True, "thinking_budget_tokens": 2000}),
        (CLAUDE, {"reasoning_budget": 0}, {"extended_thinking": False}),
        (GEMINI, {"max_tokens": 7, "reasoning_budget": 0}, {"max_output_tokens": 7, "thinking_budget": 0}),
        (f"{LLAMA}:{VERSION}", {"max_tokens": 7}, {"max_tokens": 7}),
        (VERSION, {"max_tokens": 7, "seed": 2}, {"max_tokens": 7, "seed": 2}),
    ],
)
def test_an_option_is_sent_in_the_input_of_the_model(
    model: str, options: dict[str, object], fields: dict[str, object]
) -> None:
    assert build_inputs(model=model, **options) == {"prompt": "Hi", **fields}


@pytest.mark.parametrize(
    ("model", "options", "parameter", "fields", "action"),
    [
        (LLAMA, {"seed": 1}, "seed", {}, "dropped"),
        (LLAMA, {"reasoning_effort": "high"}, "reasoning_effort", {}, "dropped"),
        (LLAMA, {"reasoning_budget": 9}, "reasoning_budget", {}, "dropped"),
        (LLAMA, {"tools": [WEATHER]}, "tools", {}, "dropped"),
        (LLAMA, {"tool_choice": "required"}, "tool_choice", {}, "dropped"),
        (LLAMA, {"logprobs": True}, "logprobs", {}, "dropped"),
        (LLAMA, {"service_tier": "flex"}, "service_tier", {}, "dropped"),
        (LLAMA, {"user": "me"}, "user", {}, "dropped"),
        (GPT, {"temperature": 0.2}, "temperature", {}, "dropped"),
        (CLAUDE, {"max_tokens": 100}, "max_tokens", {"max_tokens": 1024}, "changed"),
        (GPT, {"reasoning_effort": "max"}, "reasoning_effort", {"reasoning_effort": "high"}, "changed"),
        (GPT, {"reasoning_effort": "none"}, "reasoning_effort", {"reasoning_effort": "minimal"}, "changed"),
        ("openai/gpt-5.1", {"reasoning_effort": "minimal"}, "reasoning_effort", {"reasoning_effort": "low"}, "changed"),
        (O4, {"reasoning_effort": "none"}, "reasoning_effort", {"reasoning_effort": "low"}, "changed"),
    ],
)
def test_unsupported_options_are_rejected_or_adjusted_visibly(
    model: str, options: dict[str, object], parameter: str, fields: dict[str, object], action: str
) -> None:
    assert get_refusal(model=model, **options) == ("UnsupportedParameter", parameter)  # type: ignore[arg-type]  # any option
    assert build_adjusted_inputs(model=model, **options) == ({"prompt": "Hi", **fields}, [(parameter, action)])


def test_fields_outside_the_input_come_from_extra_body() -> None:
    built = build_body(
        extra_body={"webhook": "https://a.example/hook", "input": {"top_k": 3}}, model=f"acme/chat:{VERSION}"
    )
    assert built == {
        "version": VERSION,
        "input": {"prompt": "Hi", "max_tokens": 4096, "temperature": 0.7, "top_k": 3},
        "webhook": "https://a.example/hook",
    }


def test_a_wait_header_of_the_caller_is_kept() -> None:
    assert request(extra_headers={"Prefer": "wait=60"}).headers["prefer"] == "wait=60"


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (LLAMA, {"prompt": "Hi", "system_prompt": "Be brief"}),
        (GPT, {"prompt": "Hi", "system_prompt": "Be brief"}),
        (GEMINI, {"prompt": "Hi", "system_instruction": "Be brief"}),
        (MISTRAL, {"prompt": "Be brief\n\nHi"}),
    ],
)
def test_instructions_have_a_field_or_are_prepended_to_the_prompt(model: str, fields: dict[str, str]) -> None:
    assert build_inputs(BRIEF, HI, model=model) == fields


TURNS = (
    BRIEF,
    Message(role="user", content="Weather in Rome?"),
    Message.model_validate(
        {"role": "assistant", "tool_calls": [{"id": "w_1", "name": "weather", "arguments": {"city": "Rome"}}]}
    ),
    Message(role="tool", tool_call_id="w_1", content="no such city", is_error=True),
    Message(role="assistant", content="I do not know."),
    Message(role="user", content="Try again"),
)


def test_a_conversation_becomes_one_prompt() -> None:
    assert build_inputs(*TURNS) == {
        "system_prompt": "Be brief",
        "prompt": (
            "User: Weather in Rome?\n\n"
            'Assistant: [calls weather with {"city":"Rome"}]\n\n'
            "Tool weather: Error: no such city\n\n"
            "Assistant: I do not know.\n\n"
            "User: Try again\n\n"
            "Assistant:"
        ),
    }


def test_a_conversation_is_sent_as_messages_if_the_model_accepts_them() -> None:
    assert build_inputs(*TURNS, model=GPT) == {
        "messages": [
            {"role": "system", "content": "Be brief"},
            {"role": "user", "content": "Weather in Rome?"},
            {"role": "assistant", "content": '[calls weather with {"city":"Rome"}]'},
            {"role": "user", "content": "Tool weather: Error: no such city"},
            {"role": "assistant", "content": "I do not know."},
            {"role": "user", "content": "Try again"},
        ]
    }


def test_images_are_sent_by_url_or_as_data() -> None:
    seen = Message(role="user", content=[TextPart(text="What?"), CAT, DOG])
    both = ["https://a.example/cat.png", "data:image/png;base64,AAE="]
    assert build_inputs(seen, model=GPT) == {"prompt": "What?", "image_input": both}
    assert build_inputs(seen, model=GEMINI) == {"prompt": "What?", "images": both}
    assert build_inputs(Message(role="user", content=[CAT]), model=CLAUDE)["image"] == both[0]


def test_a_model_that_accepts_one_image_is_sent_the_last_visibly() -> None:
    seen = Message(role="user", content=[TextPart(text="What?"), CAT, DOG])
    fields, adjustments = build_adjusted_inputs(seen, model=CLAUDE)
    assert (fields["image"], adjustments) == ("data:image/png;base64,AAE=", [("image", "changed")])


@pytest.mark.parametrize(
    ("part", "parameter"),
    [
        (CAT, "image"),
        (AudioPart(data=b"x", media_type="audio/wav"), "audio"),
        (FilePart(data=b"x", media_type="application/pdf"), "file"),
    ],
)
def test_unsupported_parts_are_rejected(part: ImagePart | AudioPart | FilePart, parameter: str) -> None:
    assert get_refusal([Message(role="user", content=[part])]) == ("UnsupportedParameter", parameter)


def test_participant_names_are_rejected() -> None:
    assert get_refusal([Message(role="user", name="Ann", content="Hi")]) == ("UnsupportedParameter", "name")
