"""reasoning_effort and reasoning_budget, for every kind of model."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.protocols.anthropic_messages.requests import build_adjusted_body, build_body, get_unsupported_parameter

ENABLED = "claude-haiku-4-5-20251001"
LEVELLED = "claude-opus-4-5-20251101"
EITHER = "claude-opus-4-6"
ADAPTIVE = "claude-opus-4-7"
DEFAULT = "claude-opus-5"
ALWAYS = "claude-opus-5-5"
NEVER = "claude-3-5-haiku-20241022"


def build_reasoning_fields(**options: Any) -> dict[str, Any]:
    asked = build_body(**options)
    fields = ("thinking", "output_config", "max_tokens", "temperature")
    return {name: asked[name] for name in fields if name in asked}


@pytest.mark.parametrize("model", [ENABLED, LEVELLED, EITHER])
def test_without_reasoning_options_nothing_is_sent(model: str) -> None:
    assert build_reasoning_fields(model=model) == {"max_tokens": 4096, "temperature": 0.7}


@pytest.mark.parametrize(
    ("model", "effort", "expected"),
    [
        (ENABLED, "minimal", {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 5120}),
        (ENABLED, "high", {"thinking": {"type": "enabled", "budget_tokens": 16384}, "max_tokens": 20480}),
        (
            LEVELLED,
            "low",
            {
                "thinking": {"type": "enabled", "budget_tokens": 2048},
                "output_config": {"effort": "low"},
                "max_tokens": 6144,
            },
        ),
        (EITHER, "max", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}, "max_tokens": 4096}),
        (
            ADAPTIVE,
            "minimal",
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}, "max_tokens": 4096},
        ),
        (
            ADAPTIVE,
            "xhigh",
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}, "max_tokens": 4096},
        ),
        (
            ALWAYS,
            "medium",
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}, "max_tokens": 4096},
        ),
    ],
)
def test_an_effort_is_sent_in_the_form_of_the_model(model: str, effort: str, expected: dict[str, Any]) -> None:
    assert build_reasoning_fields(model=model, reasoning_effort=effort) == expected


@pytest.mark.parametrize(
    ("model", "effort", "nearest"),
    [(LEVELLED, "xhigh", "high"), (LEVELLED, "max", "high"), (EITHER, "xhigh", "high")],
)
def test_an_unsupported_level_is_rejected_or_lowered_visibly(model: str, effort: str, nearest: str) -> None:
    assert get_unsupported_parameter(model=model, reasoning_effort=effort) == "reasoning_effort"
    sent, adjustments = build_adjusted_body(model=model, reasoning_effort=effort)
    assert (sent["output_config"], adjustments) == ({"effort": nearest}, [("reasoning_effort", "changed")])


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (ENABLED, {"max_tokens": 4096, "temperature": 0.7}),
        (ADAPTIVE, {"max_tokens": 4096}),
        (DEFAULT, {"thinking": {"type": "disabled"}, "max_tokens": 4096}),
        (NEVER, {"max_tokens": 4096, "temperature": 0.7}),
    ],
)
@pytest.mark.parametrize("options", [{"reasoning_effort": "none"}, {"reasoning_budget": 0}])
def test_no_thinking(model: str, expected: dict[str, Any], options: dict[str, Any]) -> None:
    assert build_reasoning_fields(model=model, **options) == expected


def test_no_thinking_is_refused_by_a_model_that_always_thinks() -> None:
    assert get_unsupported_parameter(model=ALWAYS, reasoning_effort="none") == "reasoning_effort"


@pytest.mark.parametrize("options", [{"reasoning_effort": "low"}, {"reasoning_budget": 2000}])
def test_thinking_is_refused_by_a_model_that_never_thinks(options: dict[str, Any]) -> None:
    (parameter,) = options
    assert get_unsupported_parameter(model=NEVER, **options) == parameter


def test_a_budget_makes_room_where_the_caller_chose_no_bound() -> None:
    assert build_reasoning_fields(model=ENABLED, reasoning_budget=6000) == {
        "thinking": {"type": "enabled", "budget_tokens": 6000},
        "max_tokens": 10096,
    }


def test_a_budget_stays_below_a_bound_that_the_caller_chose() -> None:
    assert build_reasoning_fields(model=ENABLED, reasoning_budget=2000, max_tokens=3000)["max_tokens"] == 3000
    assert get_unsupported_parameter(model=ENABLED, reasoning_budget=3000, max_tokens=3000) == "reasoning_budget"
    sent, adjustments = build_adjusted_body(model=ENABLED, reasoning_budget=3000, max_tokens=3000)
    assert (sent["thinking"]["budget_tokens"], sent["max_tokens"]) == (1500, 3000)
    assert adjustments == [("reasoning_budget", "changed")]


def test_an_effort_fits_its_budget_into_a_bound_that_the_caller_chose() -> None:
    assert build_reasoning_fields(model=ENABLED, reasoning_effort="high", max_tokens=8000) == {
        "thinking": {"type": "enabled", "budget_tokens": 4000},
        "max_tokens": 8000,
    }


def test_a_bound_without_room_for_the_least_budget_is_refused() -> None:
    assert get_unsupported_parameter(model=ENABLED, reasoning_effort="low", max_tokens=1024) == "reasoning_effort"
    sent, _ = build_adjusted_body(model=ENABLED, reasoning_effort="low", max_tokens=1024)
    assert "thinking" not in sent


def test_a_budget_below_the_minimum_is_rejected_or_raised_visibly() -> None:
    assert get_unsupported_parameter(model=ENABLED, reasoning_budget=100) == "reasoning_budget"
    sent, adjustments = build_adjusted_body(model=ENABLED, reasoning_budget=100)
    assert (sent["thinking"]["budget_tokens"], adjustments) == (1024, [("reasoning_budget", "changed")])


def test_a_model_of_either_kind_accepts_a_budget_and_an_effort() -> None:
    assert build_reasoning_fields(model=EITHER, reasoning_budget=2000, reasoning_effort="high") == {
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "output_config": {"effort": "high"},
        "max_tokens": 6096,
    }


def test_a_budget_is_refused_by_a_model_that_decides_itself() -> None:
    assert get_unsupported_parameter(model=ADAPTIVE, reasoning_budget=2000) == "reasoning_budget"
    sent, adjustments = build_adjusted_body(model=ADAPTIVE, reasoning_budget=2000)
    assert (sent["thinking"], adjustments) == ({"type": "adaptive"}, [("reasoning_budget", "dropped")])


def test_contradictory_reasoning_options_are_rejected() -> None:
    assert (
        get_unsupported_parameter(model=ENABLED, reasoning_effort="none", reasoning_budget=2000) == "reasoning_budget"
    )
    assert get_unsupported_parameter(model=ENABLED, reasoning_effort="low", reasoning_budget=2000) == "reasoning_effort"


def test_thinking_requires_a_temperature_of_one() -> None:
    assert "temperature" not in build_reasoning_fields(model=ENABLED, reasoning_effort="low")
    assert "temperature" not in build_reasoning_fields(model=ENABLED, reasoning_effort="low", temperature=1.0)
    assert get_unsupported_parameter(model=ENABLED, reasoning_effort="low", temperature=0.2) == "temperature"
    assert get_unsupported_parameter(model=ENABLED, reasoning_effort="low", top_k=5) == "top_k"
    assert get_unsupported_parameter(model=ENABLED, reasoning_effort="low", top_p=0.5) == "top_p"
    assert build_body(model=ENABLED, reasoning_effort="low", top_p=0.95)["top_p"] == 0.95


def test_the_default_temperature_is_omitted_if_the_caller_configures_thinking() -> None:
    spelt = {"type": "enabled", "budget_tokens": 2000}
    assert build_reasoning_fields(model=ENABLED, extra_body={"thinking": spelt}) == {
        "thinking": spelt,
        "max_tokens": 4096,
    }
    assert build_reasoning_fields(model=ENABLED, thinking=spelt) == {"thinking": spelt, "max_tokens": 4096}
    assert "temperature" in build_reasoning_fields(model=ENABLED, thinking={"type": "disabled"})


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("claude-sonnet-4-5@20250929", {"type": "enabled", "budget_tokens": 2048}),
        ("anthropic/claude-sonnet-4.5", {"type": "enabled", "budget_tokens": 2048}),
        ("anthropic/claude-opus-4.7", {"type": "adaptive"}),
        ("claude-opus-9", {"type": "adaptive"}),
        ("SmolLM2-135M.gguf", {"type": "enabled", "budget_tokens": 2048}),
    ],
)
def test_models_are_recognised_under_the_names_of_other_platforms(model: str, expected: dict[str, Any]) -> None:
    assert build_body(model=model, reasoning_effort="low")["thinking"] == expected
