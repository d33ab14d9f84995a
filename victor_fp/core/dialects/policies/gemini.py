"""Parameters of Gemini and Gemma models by model pattern: thinking, schemas, function calling, system instructions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from victor_fp.core.model_names import is_model_match

Efforts: TypeAlias = Mapping[str, int | str]
"""The thinking level or the token budget for each `reasoning_effort`; missing efforts are not supported."""

LEVELS: Efforts = {
    "minimal": "MINIMAL",
    "low": "LOW",
    "medium": "MEDIUM",
    "high": "HIGH",
    "xhigh": "HIGH",
    "max": "HIGH",
}
"""HIGH is the highest level, and thinking cannot be disabled. Source: Gemini API, "Thinking levels"."""

RESULT_MEDIA = frozenset({"image/png", "image/jpeg", "image/webp", "application/pdf", "text/plain"})
_NO_MEDIA = frozenset[str]()

PLACEHOLDER_SIGNATURE = "skip_thought_signature_validator"
"""Signature for calls that were not made by a Gemini model. Source: Gemini API, "Thought signatures", FAQ."""


class GeminiPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of models that match a glob pattern; the defaults are those of the newest models."""

    pattern: str
    efforts: Efforts = {}
    """Empty for models without thinking."""
    json_schema: bool = True
    """Accepts JSON Schema; older models accept a subset in Google's format."""
    validated: bool = True
    """Supports the function calling mode VALIDATED, which enforces the schema of arguments."""
    system: bool = True
    """Accepts systemInstruction; otherwise the text is prepended to the first user turn, as recommended for Gemma."""
    result_media: frozenset[str] = RESULT_MEDIA
    """Media types accepted inline in a function response; Gemini API, "Multimodal function responses"."""
    placeholder_signature: str = PLACEHOLDER_SIGNATURE
    """Signature for a turn's first call without one, for models that reject unsigned calls."""

    def can_reason(self) -> bool | None:
        """Return whether a model with this policy can think; None if unknown."""
        return None if self.pattern == "*" else bool(self.efforts)


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
    # Budgets as set by Google's OpenAI-compatible endpoint; 2.5 Pro accepts 128 to 32768 and cannot disable thinking.
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
    # The Pro models do not support MINIMAL, and the first one not MEDIUM. Source: Gemini API, "OpenAI compatibility".
    GeminiPolicy(pattern="gemini-3-pro*", efforts={**LEVELS, "minimal": "LOW", "medium": "HIGH"}),
    GeminiPolicy(pattern="gemini-3*-pro*", efforts={**LEVELS, "minimal": "LOW"}),
    GeminiPolicy(pattern="gemini-pro-latest", efforts={**LEVELS, "minimal": "LOW"}),
    GeminiPolicy(pattern="*", efforts=LEVELS),
)
"""The first match applies."""


def find_gemini_policy(policies: tuple[GeminiPolicy, ...], model: str) -> GeminiPolicy:
    """Return the policy of a model; a resource prefix of its name is ignored."""
    name = model.rsplit("/", 1)[-1]
    return next((policy for policy in policies if is_model_match(name, policy.pattern)), POLICIES[-1])
