"""An unsupported response format is described in the prompt, visibly, and only if the caller allows it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from victor_fp import replay
from victor_fp.core.faults import UnsupportedParameter
from victor_fp.core.requests import HttpRequest
from victor_fp.core.types import Message, TextPart

HI = Message(role="user", content="Hi")


class City(BaseModel):
    name: str


WORDS = (
    "Answer with one JSON value and nothing else. It must match this JSON Schema:\n"
    '{"properties":{"name":{"title":"Name","type":"string"}},"required":["name"],"title":"City","type":"object"}'
)


def build_request(provider: str, *messages: Message, **options: Any) -> HttpRequest:
    model = options.pop("model", "m")
    settings = {"region": "eu-west-1"} if provider == "bedrock" else None
    asked = replay.request(
        provider, messages or (HI,), model=model, settings=settings, on_unsupported="adjust", **options
    )
    return asked.unwrap()


def build_body(provider: str, *messages: Message, **options: Any) -> Any:
    return build_request(provider, *messages, **options).json()


def test_an_unsupported_schema_is_described_in_the_prompt_with_json_mode() -> None:
    asked = build_request("deepseek", response_format=City)
    sent: Any = asked.json()
    assert sent["messages"] == [{"role": "system", "content": WORDS}, {"role": "user", "content": "Hi"}]
    assert sent["response_format"] == {"type": "json_object"}
    (reported,) = asked.adjustments
    assert (reported.parameter, reported.action) == ("response_format", "changed")
    assert reported.reason.endswith("; moved to the system message")


@pytest.mark.parametrize(
    ("provider", "model", "place"),
    [
        ("bedrock", "anthropic.claude-3-haiku-20240307-v1:0", lambda sent: sent["system"][-1]["text"]),
        ("bedrock", "amazon.nova-lite-v1:0", lambda sent: sent["system"][-1]["text"]),
        ("replicate", "meta/llama-3-8b", lambda sent: sent["input"]["system_prompt"]),
        ("deepseek-responses", "deepseek-chat", lambda sent: str(sent["input"][0])),
        ("anthropic", "claude-3-haiku-20240307", lambda sent: sent["system"]),
    ],
)
def test_every_protocol_adds_the_description_to_its_instructions(provider: str, model: str, place: Any) -> None:
    assert "It must match this JSON Schema" in place(build_body(provider, model=model, response_format=City))


def test_json_without_a_schema_is_described_too() -> None:
    sent = build_body("anthropic", model="claude-sonnet-4-5", response_format="json")
    assert sent["system"] == "Answer with one JSON object and nothing else."


def test_the_callers_system_message_precedes_the_description() -> None:
    parts = Message(role="system", content=[TextPart(text="Be brief.")])
    plain = Message(role="developer", content="Be brief.")
    assert build_body("deepseek", plain, HI, response_format=City)["messages"][0]["content"] == f"Be brief.\n\n{WORDS}"
    system = str(build_body("deepseek", parts, HI, response_format=City)["messages"][0]["content"])
    assert system.index("Be brief.") < system.index("Answer with one")


def test_supported_formats_are_not_described() -> None:
    assert "system" not in str(build_body("openai", response_format=City)["messages"])
    assert not build_request("openai", response_format=City).adjustments


def test_other_adjustments_keep_their_messages() -> None:
    asked = build_request("deepseek", response_format=City, top_k=3)
    assert {one.parameter: one.action for one in asked.adjustments} == {
        "top_k": "dropped",
        "response_format": "changed",
    }


def test_without_adjustment_the_format_is_rejected() -> None:
    refused = replay.request("deepseek", [HI], model="m", response_format=City).failure()
    assert isinstance(refused, UnsupportedParameter)
    assert refused.message.endswith("Pass on_unsupported='adjust' to describe the format in the prompt instead.")
