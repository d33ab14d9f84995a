"""Names of a provider and its model in one text, as in `openai/gpt-5-mini`."""

from __future__ import annotations

from collections.abc import Callable


def split_model_name(
    name: str, is_provider: Callable[[str], bool] = lambda _: False, *, separators: str = "/"
) -> tuple[str, str | None]:
    """The provider's name and the model's, which is None where only a provider is named.

    The first separator counts, since models have slashes in their names as well. A text that is the whole name of a provider is
    not split.

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
    """What to say of a call that names no model, to a provider that has no default one."""
    return f"no model is named: pass model=..., or name one when creating the provider, as in {provider + '/MODEL'!r}"
