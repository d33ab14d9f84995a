"""Names that combine a provider and a model, such as `openai/gpt-5-mini`."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import lru_cache


def split_model_name(
    name: str, is_provider: Callable[[str], bool] = lambda _: False, *, separators: str = "/"
) -> tuple[str, str | None]:
    """Split a name into provider and model; the model is None if the name is that of a provider only.

    The name is split at the first separator, since names of models may contain slashes. The name of a provider is not
    split.

    >>> split_model_name("openrouter/meta-llama/llama-4-scout")
    ('openrouter', 'meta-llama/llama-4-scout')
    >>> split_model_name("openai")
    ('openai', None)
    >>> split_model_name("ollama:qwen3:8b", separators="/:")
    ('ollama', 'qwen3:8b')
    """
    at = min((index for mark in separators if (index := name.find(mark)) > 0), default=-1)
    if at < 0 or is_provider(name):
        return name, None
    return name[:at], name[at + 1 :] or None


def describe_missing_model(provider: str) -> str:
    """Return the error message for a call without a model, if the provider has no default model."""
    return f"no model given: pass model=..., or set one when creating the provider, as in {provider + '/MODEL'!r}"


@lru_cache(maxsize=8192)
def is_model_match(name: str, pattern: str) -> bool:
    """Return whether a name matches a glob pattern, with regard to case.

    Cached: every request matches its model against the same patterns.
    """
    return fnmatchcase(name, pattern)
