"""Limits of models without vendor data: the bundled table and the entries' own limits."""

from __future__ import annotations

import msgspec
import pytest

from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.spec import ModelInfo, ModelLimit
from victor_fp.core.models.limit_data import MODEL_LIMITS
from victor_fp.core.models.limits import (
    UNKNOWN_CONTEXT_WINDOW,
    choose_limits_name,
    find_context_window,
    find_limit,
    load_bundled_limits,
    merge_reported,
)


@pytest.mark.parametrize(
    ("provider", "model", "window", "output"),
    [
        ("openai", "gpt-4.1-mini", 1_047_576, 32_768),
        ("openai-responses", "gpt-4.1-mini", 1_047_576, 32_768),
        ("azure", "GPT-4.1", 1_047_576, 32_768),
        ("anthropic", "claude-opus-4-20250514", 200_000, 32_000),
        ("vertex-anthropic", "claude-sonnet-4-5@20250929", 200_000, 64_000),
        ("bedrock", "us.anthropic.claude-haiku-4-5-20251001-v1:0", 200_000, 64_000),
        ("vertex", "gemini-2.0-flash-001", 1_048_576, 8_192),
        ("zai-china", "glm-4.7", 200_000, 128_000),
        ("moonshot-china", "kimi-k2.5", 262_144, None),
        ("openai", "gpt-5.4", 1_050_000, 128_000),
        ("openai", "gpt-5.4-mini", 400_000, 128_000),
        ("mistral", "mistral-large-latest", 262_144, None),
        ("mistral", "devstral-medium-2507", 131_072, None),
        ("google", "gemma-3-4b-it", 32_768, 8_192),
        ("deepseek", "deepseek-v4-flash", 1_000_000, 384_000),
    ],
)
def test_models_have_their_limits_wherever_they_are_sold(
    provider: str, model: str, window: int, output: int | None
) -> None:
    limit = find_limit(CATALOGUE.find(provider).unwrap(), model)
    assert limit is not None
    assert (limit.context_window, limit.max_output) == (window, output)
    assert find_context_window(provider, model) == window


def test_a_model_without_an_entry_has_the_window_of_its_provider() -> None:
    assert find_limit(CATALOGUE.find("openai").unwrap(), "unheard-of") is None
    assert find_context_window("openai", "unheard-of") == CATALOGUE.find("openai").unwrap().context_window
    assert find_context_window("nobody", "m") == UNKNOWN_CONTEXT_WINDOW


def test_limits_of_an_entry_come_before_the_bundled_ones() -> None:
    own = ModelLimit(pattern="gpt-4.1*", context_window=7)
    spec = msgspec.structs.replace(CATALOGUE.find("openai").unwrap(), limits=(own,))
    assert find_limit(spec, "gpt-4.1") is own
    assert find_limit(spec, "gpt-4o") == find_limit(CATALOGUE.find("openai").unwrap(), "gpt-4o")


def test_every_bundled_limit_belongs_to_a_provider_has_a_source_and_can_match() -> None:
    assert MODEL_LIMITS.keys() <= {choose_limits_name(spec) for spec in CATALOGUE.chats}
    for name in MODEL_LIMITS:
        patterns = [limit.pattern for limit in load_bundled_limits(name)]
        assert len(patterns) == len(set(patterns))
        for limit in load_bundled_limits(name):
            assert limit.pattern == limit.pattern.lower()
            assert limit.source
            assert limit.context_window >= (limit.max_output or 0) or "tts" in limit.pattern


def test_entries_share_limits_with_entries_that_exist() -> None:
    assert {choose_limits_name(spec) for spec in CATALOGUE.chats} <= {spec.name for spec in CATALOGUE.chats}


BUNDLED = (
    ModelLimit(pattern="big-*", context_window=1000, max_output=100, source="pages"),
    ModelLimit(pattern="*", context_window=10, source="pages"),
)


def merge(*models: ModelInfo, stored: tuple[ModelLimit, ...] = ()) -> tuple[ModelLimit, ...]:
    return merge_reported(stored, BUNDLED, models, source="list", date="2026-11-20")


def build_limit(pattern: str, window: int, output: int | None = None) -> ModelLimit:
    return ModelLimit(pattern=pattern, context_window=window, max_output=output, source="list", date="2026-11-20")


def test_a_model_that_is_reported_differently_is_stored() -> None:
    assert merge(ModelInfo(id="Big-1", context_window=2000, max_output=200)) == (build_limit("big-1", 2000, 200),)


def test_model_with_known_limits_is_not_stored() -> None:
    assert merge(ModelInfo(id="big-1", context_window=1000, max_output=100)) == ()


def test_unreported_limits_are_kept() -> None:
    assert merge(ModelInfo(id="big-1", context_window=None, max_output=7)) == ()
    assert merge(ModelInfo(id="big-1", context_window=5000)) == (build_limit("big-1", 5000, 100),)


def test_a_later_refresh_replaces_the_earlier_one_and_keeps_models_that_are_gone() -> None:
    first = merge(ModelInfo(id="a", context_window=1), ModelInfo(id="b", context_window=2))
    second = merge(ModelInfo(id="b", context_window=3), stored=first)
    assert [(limit.pattern, limit.context_window) for limit in second] == [("b", 3), ("a", 1)]


def test_a_name_with_marks_of_patterns_matches_itself_only() -> None:
    assert merge(ModelInfo(id="a[1]*", context_window=5))[0].pattern == "a[[]1][*]"


def test_limits_of_entry_provider_and_table_have_this_precedence() -> None:
    spec = CATALOGUE.find("openai").unwrap()
    limits = {"openai": (build_limit("gpt-4.1", 5),)}
    assert find_limit(spec, "GPT-4.1", limits) == build_limit("gpt-4.1", 5)
    assert find_limit(CATALOGUE.find("azure").unwrap(), "gpt-4.1", limits) == build_limit("gpt-4.1", 5)
    own = msgspec.structs.replace(spec, limits=(ModelLimit(pattern="*", context_window=7),))
    assert find_limit(own, "gpt-4.1", limits) == ModelLimit(pattern="*", context_window=7)
    assert find_context_window("openai", "gpt-4.1", reported=limits) == 5
