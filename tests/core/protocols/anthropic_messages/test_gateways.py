"""The catalogue's entries for other servers with this format."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.protocols.anthropic_messages.answers import build_message, build_text, read_completion, read_response
from tests.core.protocols.anthropic_messages.requests import HI, request
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.types import Message

THOUGHT = {"type": "thinking", "thinking": "Hm."}


@pytest.mark.parametrize(
    ("provider", "url", "variable"),
    [
        ("llamacpp-anthropic", "http://localhost:8080/v1/messages", "LLAMACPP_API_KEY"),
        ("deepseek-anthropic", "https://api.deepseek.com/anthropic/v1/messages", "DEEPSEEK_API_KEY"),
    ],
)
def test_a_gateway_has_its_address_and_shares_its_vendors_key(provider: str, url: str, variable: str) -> None:
    built = request(provider=provider, model="m-1", temperature=1.5)
    assert (built.url, built.headers["x-api-key"]) == (url, "<secret>")
    body: Any = built.json()
    assert (body["model"], body["temperature"]) == ("m-1", 1.5)
    spec = CATALOGUE.find(provider).unwrap()
    assert spec.key_variables == (variable,)
    assert spec.key_name == provider.partition("-")[0]


@pytest.mark.parametrize("provider", ["llamacpp-anthropic", "deepseek-anthropic"])
def test_thinking_without_a_signature_is_sent_back(provider: str) -> None:
    turns = [
        HI,
        read_completion(build_message(THOUGHT, build_text("Yes"))).to_message(),
        Message(role="user", content="On"),
    ]
    body: Any = request(turns, provider=provider, model="m-1").json()
    assert body["messages"][1]["content"] == [{**THOUGHT, "signature": ""}, build_text("Yes")]


def test_llama_cpps_models_may_think_in_the_content() -> None:
    read = read_response(build_message(build_text("<think>Hm.</think>Yes")), provider="llamacpp-anthropic")
    assert (read["content"], read["metadata"]["reasoning_content"]) == ("Yes", "Hm.")


def test_deepseek_accepts_an_effort_and_thinking_can_be_disabled() -> None:
    body: Any = request(provider="deepseek-anthropic", model="deepseek-v4-pro", reasoning_effort="max").json()
    assert body["output_config"] == {"effort": "max"}
    assert body["thinking"]["type"] == "enabled"
    body = request(provider="deepseek-anthropic", model="deepseek-v4-pro", reasoning_effort="none").json()
    assert body["thinking"] == {"type": "disabled"}
