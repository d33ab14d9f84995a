"""What Replicate's models take under `input`, by model pattern."""

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
    """What the models that a glob pattern names take under `input`; the API page of a model tells."""

    pattern: str
    fields: Mapping[str, str] = {}
    """The model's word for each option that it takes."""
    system: str = "system_prompt"
    """Empty where instructions have to lead the prompt."""
    messages: str = ""
    """Takes the whole conversation as a list of roles and texts; else all of it becomes one prompt."""
    images: str = ""
    """Empty where the model sees nothing."""
    one_image: bool = False
    """Takes one image as a text, instead of a list."""
    stop_form: Literal["commas", "list"] = "commas"
    efforts: tuple[str, ...] = ()
    thinking_switch: str = ""
    """Has to be true for the model to think."""
    min_output_tokens: int = 1
    """The least that an answer may be bounded to."""


_GPT_5: Mapping[str, str] = {"max_tokens": "max_completion_tokens", "reasoning_effort": "reasoning_effort"}

INPUTS: tuple[Inputs, ...] = (
    # Read: gpt-5.6-terra, gpt-5.4; gpt-5.1; gpt-5-nano. Others of their kind are taken for the same.
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
    # Read: o1, o4-mini.
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
    # Read: claude-4-sonnet.
    Inputs(
        pattern="anthropic/claude-*",
        fields={"max_tokens": "max_tokens", "reasoning_budget": "thinking_budget_tokens"},
        images="image",
        one_image=True,
        thinking_switch="extended_thinking",
        min_output_tokens=1024,
    ),
    # Unconfirmed, like all that follow but for Llama 2.
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
    # What most language models there seem to take.
    Inputs(pattern="*", fields={**SAMPLING, "max_tokens": "max_tokens", "seed": "seed"}),
)
"""First match wins. Source where a model is said to be read: https://replicate.com/<owner>/<name>/api, in November 2026."""
