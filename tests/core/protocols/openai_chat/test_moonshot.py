"""Moonshot's limits, as its document states them per model."""

from __future__ import annotations

from tests.core.protocols.openai_chat.requests import adjusted, extra_fields, refusal, sent


def test_temperature_goes_up_to_one() -> None:
    assert sent("moonshot", model="moonshot-v1-8k", temperature=1.0)["temperature"] == 1.0
    assert refusal("moonshot", model="moonshot-v1-8k", temperature=1.5) == ("UnsupportedParameter", "temperature")
    assert sent("moonshot", model="moonshot-v1-8k", temperature=1.5, on_unsupported="adjust")["temperature"] == 1.0


def test_models_with_fixed_sampling_are_sent_no_temperature() -> None:
    assert "temperature" not in sent("moonshot", model="kimi-k2.6")
    assert adjusted("moonshot", model="kimi-k2.6", temperature=1.5) == {"temperature": "dropped"}


def test_thinking_of_the_coding_model_cannot_be_disabled() -> None:
    assert extra_fields("moonshot", model="kimi-k2.6", reasoning_effort="none") == {"thinking": {"type": "disabled"}}
    coder = "kimi-k2.7-code-highspeed"
    refused = refusal("moonshot", model=coder, reasoning_effort="none")
    assert refused == ("UnsupportedParameter", "reasoning_effort")
    asked = sent("moonshot", model=coder, reasoning_effort="none", on_unsupported="adjust")
    assert asked["thinking"] == {"type": "enabled"}
