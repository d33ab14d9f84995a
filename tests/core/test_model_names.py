"""Provider and model named in one text."""

from __future__ import annotations

import pytest

from victor_fp.core.model_names import split_model_name


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("openai", ("openai", None)),
        ("openai/gpt-5-mini", ("openai", "gpt-5-mini")),
        ("openrouter/meta-llama/llama-4-scout:free", ("openrouter", "meta-llama/llama-4-scout:free")),
        ("openai/", ("openai", None)),
        ("/gpt-5", ("/gpt-5", None)),
        ("", ("", None)),
    ],
)
def test_the_first_slash_separates_provider_and_model(name: str, split: tuple[str, str | None]) -> None:
    assert split_model_name(name) == split


def test_provider_names_are_not_split() -> None:
    assert split_model_name("acme/eu", {"acme/eu"}.__contains__) == ("acme/eu", None)
    assert split_model_name("acme/eu/m-1", {"acme/eu"}.__contains__) == ("acme", "eu/m-1")


def test_of_several_separators_the_first_in_the_text_counts() -> None:
    assert split_model_name("ollama:library/qwen3:8b", separators="/:") == ("ollama", "library/qwen3:8b")
    assert split_model_name("openrouter/qwen3:free", separators="/:") == ("openrouter", "qwen3:free")
