"""The `input` fields of Replicate's models by model pattern."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

SAMPLING: Mapping[str, str] = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "stop": "stop_sequences",
}


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """The `input` fields of models that match a glob pattern, as documented on the model's API page."""

    pattern: str
    fields: Mapping[str, str] = {}
    """The model's field for each supported option."""
    system: str = "system_prompt"
    """Field for instructions; empty: they are prepended to the prompt."""
    messages: str = ""
    """Field for the conversation as a list of roles and texts; empty: it is rendered as one prompt."""
    images: str = ""
    """Field for images; empty for models without vision."""
    one_image: bool = False
    """Accepts a single image as a string instead of a list."""
    stop_form: Literal["commas", "list"] = "commas"
    efforts: tuple[str, ...] = ()
    thinking_switch: str = ""
    """Field that must be true to enable thinking."""
    min_output_tokens: int = 1
    """Minimum of max_tokens."""


_GPT_5: Mapping[str, str] = {"max_tokens": "max_completion_tokens", "reasoning_effort": "reasoning_effort"}

INPUTS: tuple[Inputs, ...] = (
    # Confirmed: gpt-5.6-terra, gpt-5.4; gpt-5.1; gpt-5-nano. Similar models are assumed to be the same.
    Inputs(
        pattern="openai/gpt-5.[4-9]*",
        fields=_GPT_5,
        messages="messages",
        images="image_input",
        efforts=("none", "low", "medium", "high", "xhigh"),
    ),
    Inputs(
        pattern="openai/gpt-5.*",
        fields=_GPT_5,
        messages="messages",
        images="image_input",
        efforts=("none", "low", "medium", "high"),
    ),
    Inputs(
        pattern="openai/gpt-5*",
        fields=_GPT_5,
        messages="messages",
        images="image_input",
        efforts=("minimal", "low", "medium", "high"),
    ),
    # Confirmed: o1, o4-mini.
    Inputs(
        pattern="openai/o[1-9]*",
        fields=_GPT_5,
        images="image_input",
        efforts=("low", "medium", "high"),
    ),
    # Unconfirmed.
    Inputs(
        pattern="openai/gpt-4*",
        fields={
            "max_tokens": "max_completion_tokens",
            "temperature": "temperature",
            "top_p": "top_p",
            "presence_penalty": "presence_penalty",
            "frequency_penalty": "frequency_penalty",
        },
        messages="messages",
        images="image_input",
    ),
    # Confirmed: claude-4-sonnet.
    Inputs(
        pattern="anthropic/claude-*",
        fields={"max_tokens": "max_tokens", "reasoning_budget": "thinking_budget_tokens"},
        images="image",
        one_image=True,
        thinking_switch="extended_thinking",
        min_output_tokens=1024,
    ),
    # Unconfirmed, like all following ones except Llama 2.
    Inputs(
        pattern="google/gemini-*",
        fields={
            "max_tokens": "max_output_tokens",
            "temperature": "temperature",
            "top_p": "top_p",
            "reasoning_budget": "thinking_budget",
        },
        system="system_instruction",
        images="images",
    ),
    Inputs(pattern="meta/llama-2-*", fields={**SAMPLING, "max_tokens": "max_new_tokens", "seed": "seed"}),
    Inputs(pattern="meta/*", fields={**SAMPLING, "max_tokens": "max_tokens"}),
    Inputs(pattern="mistralai/*", fields={**SAMPLING, "max_tokens": "max_new_tokens"}, system=""),
    Inputs(
        pattern="deepseek-ai/*",
        fields={
            "max_tokens": "max_tokens",
            "temperature": "temperature",
            "top_p": "top_p",
            "presence_penalty": "presence_penalty",
            "frequency_penalty": "frequency_penalty",
        },
        system="",
    ),
    # The common fields of language models.
    Inputs(pattern="*", fields={**SAMPLING, "max_tokens": "max_tokens", "seed": "seed"}),
)
"""The first match applies. Source of confirmed models: https://replicate.com/<owner>/<name>/api, November 2026."""
