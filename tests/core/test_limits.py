"""What is believed of models before a vendor says anything: the bundled data and the entries' own limits."""

from __future__ import annotations

import msgspec
import pytest

from victor_fp.config.limits_file import locate_bundled_file, render_limits
from victor_fp.core.catalogue import CATALOGUE, built_in
from victor_fp.core.catalogue.limits import (
    UNKNOWN_CONTEXT_WINDOW,
    choose_limits_name,
    find_context_window,
    find_limit,
    load_bundled_limits,
)
from victor_fp.core.catalogue.model_limits import MODEL_LIMITS
from victor_fp.core.catalogue.spec import ModelLimit


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
    limit = find_limit(built_in()[provider], model)
    assert limit is not None
    assert (limit.context_window, limit.max_output) == (window, output)
    assert find_context_window(provider, model) == window


def test_a_model_that_nothing_describes_has_the_window_of_its_provider() -> None:
    assert find_limit(built_in()["openai"], "unheard-of") is None
    assert find_context_window("openai", "unheard-of") == built_in()["openai"].context_window
    assert find_context_window("nobody", "m") == UNKNOWN_CONTEXT_WINDOW


def test_limits_of_an_entry_come_before_the_bundled_ones() -> None:
    own = ModelLimit(pattern="gpt-4.1*", context_window=7)
    spec = msgspec.structs.replace(built_in()["openai"], limits=(own,))
    assert find_limit(spec, "gpt-4.1") is own
    assert find_limit(spec, "gpt-4o") == find_limit(built_in()["openai"], "gpt-4o")


def test_every_bundled_limit_belongs_to_a_provider_has_a_source_and_can_match() -> None:
    assert MODEL_LIMITS.keys() <= {choose_limits_name(spec) for spec in CATALOGUE}
    for name in MODEL_LIMITS:
        patterns = [limit.pattern for limit in load_bundled_limits(name)]
        assert len(patterns) == len(set(patterns))
        for limit in load_bundled_limits(name):
            assert limit.pattern == limit.pattern.lower()
            assert limit.source
            assert limit.context_window >= (limit.max_output or 0) or "tts" in limit.pattern


def test_entries_share_limits_with_entries_that_exist() -> None:
    assert {choose_limits_name(spec) for spec in CATALOGUE} <= {spec.name for spec in CATALOGUE}


def test_the_bundled_file_is_as_a_refresh_would_write_it() -> None:
    text = locate_bundled_file().read_text(encoding="utf-8")
    assert text == render_limits(MODEL_LIMITS)
    assert locate_bundled_file().name == "model_limits.py"
