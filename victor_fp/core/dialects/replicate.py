"""How Replicate's models differ in what they take, and how its predictions are waited for."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import ClassVar, Literal

import msgspec

from victor_fp.core.dialects.schemas import ANY_SCHEMAS, SchemaSupport
from victor_fp.core.dialects.tool_names import ANY_NAMES, ToolNameRules
from victor_fp.core.faults import ContentRefused, Fault, InvalidRequest, Overloaded

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
    least_tokens: int = 1
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
        least_tokens=1024,
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

CODES: Mapping[str, type[Fault]] = {
    # https://replicate.com/docs/reference/error-codes; unconfirmed.
    "e003": Overloaded,
    "e004": Overloaded,
    "e005": ContentRefused,
    "e006": InvalidRequest,
    "e6716": Overloaded,
    "pa": Overloaded,
}


class ReplicateDialect(msgspec.Struct, frozen=True, kw_only=True):
    """A dialect of Replicate's predictions."""

    protocol: ClassVar[str] = "replicate"
    routes: ClassVar[tuple[str, ...]] = (r"/predictions",)
    """Endings of a path, as patterns, that an address may have although it should end before them."""

    think_tags: bool = False
    """Models behind it may put thinking in `<think>...</think>` at the head of the output."""
    schemas: SchemaSupport = ANY_SCHEMAS
    tool_names: ToolNameRules = ANY_NAMES
    inputs: tuple[Inputs, ...] = INPUTS
    wait: int = 10
    """Seconds for which the creation of a prediction is held open, 1 to 60: long enough for most short answers, and
    short enough that a caller who leaves soon knows what to cancel."""
    poll: float = 0.5
    """Seconds before the first poll."""
    slowest_poll: float = 3.0
    patience: int = 3
    """How many polls in a row may fail before the attempt does."""
    least_lifetime: int = 5
    """Seconds, the least that Cancel-After takes."""
    # Streams stand at addresses nobody can guess, which the vendor's own JavaScript client opens without a key.
    stream_hosts: tuple[str, ...] = ("stream.replicate.com", "streaming.api.replicate.com", "*.replicate.net")
    """Where predictions stream, apart from the API's own origin; any other place is polled instead."""
    collection: str = "language-models"
    """Whose models are listed."""
    codes: Mapping[str, type[Fault]] = msgspec.field(default_factory=lambda: CODES)
    """Codes that stand in the words of errors, lower case."""

    def inputs_of(self, model: str) -> Inputs:
        """What this model takes; a version does not matter."""
        name = model.partition(":")[0].lower()
        return next((inputs for inputs in self.inputs if fnmatchcase(name, inputs.pattern)), Inputs(pattern="*"))

    def schemas_for(self, model: str) -> SchemaSupport:  # noqa: ARG002  every dialect is asked for a model
        """Which schemas the vendor accepts."""
        return self.schemas
