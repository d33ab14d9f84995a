"""The `input` fields of Replicate's models by model pattern."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

OptionName: TypeAlias = Literal[
    "temperature",
    "top_p",
    "top_k",
    "presence_penalty",
    "frequency_penalty",
    "stop",
    "seed",
    "reasoning_effort",
]
LengthField: TypeAlias = Literal["max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens"]

SAMPLING: frozenset[OptionName] = frozenset(
    {"temperature", "top_p", "top_k", "presence_penalty", "frequency_penalty", "stop"}
)


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """The `input` fields of models that match a glob pattern, as documented on the model's API page."""

    pattern: str
    options: frozenset[OptionName] = frozenset()
    """The supported options besides max_tokens and reasoning_budget."""
    length: LengthField = "max_tokens"
    """Field for max_tokens."""
    budget: Literal["thinking_budget", "thinking_budget_tokens"] | None = None
    """Field for reasoning_budget; None if the model does not support it."""
    system: Literal["system_prompt", "system_instruction"] | None = "system_prompt"
    """Field for instructions; None: they are prepended to the prompt."""
    messages: bool = False
    """Accepts the conversation as a list of roles and texts; otherwise it is rendered as one prompt."""
    images: Literal["image", "images", "image_input"] | None = None
    """Field for images, of which `image` accepts one; None for models without vision."""
    stop_form: Literal["commas", "list"] = "commas"
    efforts: tuple[str, ...] = ()
    thinking_switch: bool = False
    """Thinks only if `extended_thinking` is true."""
    min_output_tokens: int = 1
    """Minimum of max_tokens."""


_SEEDED: frozenset[OptionName] = frozenset({*SAMPLING, "seed"})
_EFFORT: frozenset[OptionName] = frozenset({"reasoning_effort"})
_PENALTIES: frozenset[OptionName] = frozenset({"temperature", "top_p", "presence_penalty", "frequency_penalty"})

INPUTS: tuple[Inputs, ...] = (
    # Confirmed: gpt-5.6-terra, gpt-5.4; gpt-5.1; gpt-5-nano. Similar models are assumed to be the same.
    Inputs(
        pattern="openai/gpt-5.[4-9]*",
        options=_EFFORT,
        length="max_completion_tokens",
        messages=True,
        images="image_input",
        efforts=("none", "low", "medium", "high", "xhigh"),
    ),
    Inputs(
        pattern="openai/gpt-5.*",
        options=_EFFORT,
        length="max_completion_tokens",
        messages=True,
        images="image_input",
        efforts=("none", "low", "medium", "high"),
    ),
    Inputs(
        pattern="openai/gpt-5*",
        options=_EFFORT,
        length="max_completion_tokens",
        messages=True,
        images="image_input",
        efforts=("minimal", "low", "medium", "high"),
    ),
    # Confirmed: o1, o4-mini.
    Inputs(
        pattern="openai/o[1-9]*",
        options=_EFFORT,
        length="max_completion_tokens",
        images="image_input",
        efforts=("low", "medium", "high"),
    ),
    # Unconfirmed.
    Inputs(
        pattern="openai/gpt-4*",
        options=_PENALTIES,
        length="max_completion_tokens",
        messages=True,
        images="image_input",
    ),
    # Confirmed: claude-4-sonnet.
    Inputs(
        pattern="anthropic/claude-*",
        budget="thinking_budget_tokens",
        images="image",
        thinking_switch=True,
        min_output_tokens=1024,
    ),
    # Unconfirmed, like all following ones except Llama 2.
    Inputs(
        pattern="google/gemini-*",
        options=frozenset({"temperature", "top_p"}),
        length="max_output_tokens",
        budget="thinking_budget",
        system="system_instruction",
        images="images",
    ),
    Inputs(pattern="meta/llama-2-*", options=_SEEDED, length="max_new_tokens"),
    Inputs(pattern="meta/*", options=SAMPLING),
    Inputs(pattern="mistralai/*", options=SAMPLING, length="max_new_tokens", system=None),
    Inputs(
        pattern="deepseek-ai/*",
        options=_PENALTIES,
        system=None,
    ),
    # The common fields of language models.
    Inputs(pattern="*", options=_SEEDED),
)
"""The first match applies. Source of confirmed models: https://replicate.com/<owner>/<name>/api, November 2026."""
