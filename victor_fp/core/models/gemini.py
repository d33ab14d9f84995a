"""What Gemini and Gemma models take, by model pattern: thinking, schemas, function calling, system instructions."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TypeAlias

import msgspec

Efforts: TypeAlias = Mapping[str, int | str]
"""For each `reasoning_effort` a thinking level, or a budget in tokens; an effort that is missing cannot be had."""

LEVELS: Efforts = {
    "minimal": "MINIMAL",
    "low": "LOW",
    "medium": "MEDIUM",
    "high": "HIGH",
    "xhigh": "HIGH",
    "max": "HIGH",
}
"""Nothing is above HIGH, and none of these models can be kept from thinking. Source: Gemini API, "Thinking levels"."""

RESULT_MEDIA = frozenset({"image/png", "image/jpeg", "image/webp", "application/pdf", "text/plain"})
_NO_MEDIA = frozenset[str]()

STAND_IN = "skip_thought_signature_validator"
"""Lets a call pass that no Gemini model made. Source: Gemini API, "Thought signatures", FAQ."""


class GeminiPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What the models that a glob pattern names can take; the defaults are the newest models'."""

    pattern: str
    efforts: Efforts = {}
    """Empty where the model does not think."""
    json_schema: bool = True
    """Schemas go as JSON Schema; older models take a subset in a form of Google's own."""
    validated: bool = True
    """Function calling has the mode VALIDATED, which holds arguments to their schema."""
    system: bool = True
    """Takes a systemInstruction; where not, the text leads the first user turn, as Google advises for Gemma."""
    result_media: frozenset[str] = RESULT_MEDIA
    """Media types that a function's response may hold by value; Gemini API, "Multimodal function responses"."""
    placeholder_signature: str = STAND_IN
    """Signature for a turn's first call where it has none and the model refuses unsigned calls."""


POLICIES: tuple[GeminiPolicy, ...] = (
    GeminiPolicy(
        pattern="gemma-3*",
        json_schema=False,
        validated=False,
        system=False,
        placeholder_signature="",
        result_media=_NO_MEDIA,
    ),
    GeminiPolicy(
        pattern="gemini-1.*", json_schema=False, validated=False, placeholder_signature="", result_media=_NO_MEDIA
    ),
    GeminiPolicy(
        pattern="gemini-2.0*", json_schema=False, validated=False, placeholder_signature="", result_media=_NO_MEDIA
    ),
    GeminiPolicy(pattern="gemini-2.5-*image*", placeholder_signature="", result_media=_NO_MEDIA),
    GeminiPolicy(pattern="gemini-2.5-*tts*", placeholder_signature="", result_media=_NO_MEDIA),
    # Budgets as Google's own OpenAI-compatible endpoint sets them; 2.5 Pro takes 128 to 32768 and cannot be turned off.
    GeminiPolicy(
        pattern="gemini-2.5-pro*",
        efforts={"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 32768, "max": 32768},
        placeholder_signature="",
        result_media=_NO_MEDIA,
    ),
    GeminiPolicy(
        pattern="gemini-2.5*",
        efforts={
            "none": 0,
            "minimal": 1024,
            "low": 1024,
            "medium": 8192,
            "high": 24576,
            "xhigh": 24576,
            "max": 24576,
        },
        placeholder_signature="",
        result_media=_NO_MEDIA,
    ),
    # The Pro models lack MINIMAL, the first of them MEDIUM too. Source: Gemini API, "OpenAI compatibility".
    GeminiPolicy(pattern="gemini-3-pro*", efforts={**LEVELS, "minimal": "LOW", "medium": "HIGH"}),
    GeminiPolicy(pattern="gemini-3*-pro*", efforts={**LEVELS, "minimal": "LOW"}),
    GeminiPolicy(pattern="gemini-pro-latest", efforts={**LEVELS, "minimal": "LOW"}),
    GeminiPolicy(pattern="*", efforts=LEVELS),
)
"""First match wins."""


def find_policy(policies: tuple[GeminiPolicy, ...], model: str) -> GeminiPolicy:
    """What a model can take; its resource prefix does not matter."""
    name = model.rsplit("/", 1)[-1]
    return next((policy for policy in policies if fnmatchcase(name, policy.pattern)), POLICIES[-1])


def can_reason(policy: GeminiPolicy) -> bool | None:
    """Whether a model with this policy thinks; None where nothing is known of it."""
    return None if policy.pattern == "*" else bool(policy.efforts)
