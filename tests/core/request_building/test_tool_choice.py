"""The choice among tools that the caller passes in `extra_body`, and among no tools, which every vendor rejects."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.protocols.openai_chat.requests import build_body, get_adjustments, get_refusal
from victor_fp.core.options import ToolChoice


@pytest.mark.parametrize("choice", ["required", {"name": "weather"}])
@pytest.mark.parametrize(
    "provider", ["openai", "openai-responses", "anthropic", "google", "google-interactions", "cohere"]
)
def test_a_choice_among_no_tools_is_refused_or_dropped(provider: str, choice: ToolChoice) -> None:
    assert get_refusal(provider, tool_choice=choice) == ("UnsupportedParameter", "tool_choice")
    assert get_adjustments(provider, tool_choice=choice)["tool_choice"] == "dropped"
    body = build_body(provider, tool_choice=choice, on_unsupported="adjust")
    assert body == build_body(provider)


@pytest.mark.parametrize(
    "provider", ["openai", "mistral", "openai-responses", "anthropic", "google", "google-interactions"]
)
def test_a_choice_among_tools_of_extra_body_is_sent(provider: str) -> None:
    given = {"tools": [{"name": "f"}]}
    assert get_adjustments(provider, tool_choice="required", extra_body=given) == {}
    body = build_body(provider, tool_choice="required", extra_body=given)
    assert body != build_body(provider, extra_body=given)
    assert body["tools"] == given["tools"]


@pytest.mark.parametrize("choice", ["required", {"name": "f"}])
def test_cohere_is_sent_a_choice_of_the_only_tool_of_extra_body(choice: ToolChoice) -> None:
    given = {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]}
    assert get_adjustments("cohere", tool_choice=choice, extra_body=given) == {}
    body = build_body("cohere", tool_choice=choice, extra_body=given)
    assert (body["tools"], body["tool_choice"]) == (given["tools"], "REQUIRED")


def test_cohere_cannot_choose_by_name_among_several_tools_of_extra_body() -> None:
    given = {"tools": [{"type": "function", "function": {"name": name}} for name in ("f", "g")]}
    named: dict[str, Any] = {"tool_choice": {"name": "f"}, "extra_body": given}
    assert get_refusal("cohere", **named) == ("UnsupportedParameter", "tool_choice")
    body = build_body("cohere", on_unsupported="adjust", **named)
    assert body["tools"] == given["tools"]
    assert "tool_choice" not in body


@pytest.mark.parametrize("option", ["extra_body", "toolConfig"])
@pytest.mark.parametrize(("choice", "sent"), [("required", {"any": {}}), ({"name": "f"}, {"tool": {"name": "f"}})])
def test_bedrock_is_sent_a_choice_among_tools_in_its_own_field(
    option: str, choice: ToolChoice, sent: dict[str, Any]
) -> None:
    tools = [{"toolSpec": {"name": name, "inputSchema": {"json": {"type": "object"}}}} for name in ("f", "g")]
    own = {"toolConfig": {"tools": tools}}
    given: dict[str, Any] = {"settings": {"region": "eu-west-1"}, **(own if option == "toolConfig" else {option: own})}
    assert get_adjustments("bedrock", tool_choice=choice, **given) == {}
    body = build_body("bedrock", tool_choice=choice, **given)
    assert body["toolConfig"] == {"tools": tools, "toolChoice": sent}
    assert build_body("bedrock", **given)["toolConfig"] == {"tools": tools}


@pytest.mark.parametrize("provider", ["ollama", "mlx"])
def test_tools_of_extra_body_are_not_disabled_in_silence(provider: str) -> None:
    given = {"tools": [{"type": "function", "function": {"name": "f"}}]}
    assert build_body(provider, tool_choice="none") == build_body(provider)
    assert get_refusal(provider, tool_choice="none", extra_body=given) == ("UnsupportedParameter", "tool_choice")
