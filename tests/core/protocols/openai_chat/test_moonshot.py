"""Moonshot's limits, as its document states them per model."""

from __future__ import annotations

from tests.core.protocols.openai_chat.requests import build_body, build_extra_fields, get_adjustments, get_refusal


def test_temperature_goes_up_to_one() -> None:
    assert build_body("moonshot", model="moonshot-v1-8k", temperature=1.0)["temperature"] == 1.0
    assert get_refusal("moonshot", model="moonshot-v1-8k", temperature=1.5) == ("UnsupportedParameter", "temperature")
    assert (
        build_body("moonshot", model="moonshot-v1-8k", temperature=1.5, on_unsupported="adjust")["temperature"] == 1.0
    )


def test_models_with_fixed_sampling_are_sent_no_temperature() -> None:
    assert "temperature" not in build_body("moonshot", model="kimi-k2.6")
    assert get_adjustments("moonshot", model="kimi-k2.6", temperature=1.5) == {"temperature": "dropped"}


def test_thinking_of_the_coding_model_cannot_be_disabled() -> None:
    assert build_extra_fields("moonshot", model="kimi-k2.6", reasoning_effort="none") == {
        "thinking": {"type": "disabled"}
    }
    coder = "kimi-k2.7-code-highspeed"
    refused = get_refusal("moonshot", model=coder, reasoning_effort="none")
    assert refused == ("UnsupportedParameter", "reasoning_effort")
    asked = build_body("moonshot", model=coder, reasoning_effort="none", on_unsupported="adjust")
    assert asked["thinking"] == {"type": "enabled"}
