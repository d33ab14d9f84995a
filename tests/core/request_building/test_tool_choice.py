"""A choice among no tools, which every vendor rejects."""

from __future__ import annotations

import pytest

from tests.core.protocols.openai_chat.requests import build_body, get_adjustments, get_refusal
from victor_fp.core.options import ToolChoice


@pytest.mark.parametrize("choice", ["required", {"name": "weather"}])
@pytest.mark.parametrize("provider", ["openai", "openai-responses", "anthropic", "google", "google-interactions"])
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
