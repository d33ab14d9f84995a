"""Dialects of Gemini generateContent; the defaults are the Gemini API's behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import msgspec

from victor_fp.core.dialects.earlier_reasoning import EarlierReasoning
from victor_fp.core.dialects.policies.gemini import POLICIES, GeminiPolicy, find_gemini_policy
from victor_fp.core.dialects.schemas import GEMINI_SCHEMAS, OLDER_GEMINI_SCHEMAS, SchemaSupport
from victor_fp.core.dialects.tool_names import GEMINI_NAMES, ToolNameRules

TIERS: Mapping[str, str] = {
    "auto": "",
    "default": "standard",
    "standard": "standard",
    "flex": "flex",
    "priority": "priority",
}


class GeminiDialect(msgspec.Struct, frozen=True, kw_only=True):
    """A dialect of Gemini generateContent."""

    protocol: ClassVar[str] = "gemini"
    keeps_opaque: ClassVar[bool] = True
    routes: ClassVar[tuple[str, ...]] = (r"/models/[^/]+",)
    """Patterns of path suffixes that are stripped from a custom base URL."""

    think_tags: bool = False
    """Whether models may put reasoning in `<think>...</think>` at the start of the content."""
    tool_names: ToolNameRules = GEMINI_NAMES
    policies: tuple[GeminiPolicy, ...] = POLICIES
    service_tiers: Mapping[str, str] = msgspec.field(default_factory=lambda: TIERS)
    """The vendor's tier for each service tier; an empty one is not sent. Empty if the API has no tiers."""
    filename: Literal["partMetadata", "displayName"] = "partMetadata"
    """Field of a file's name."""
    counting: Literal["nested", "flat"] = "nested"
    """Whether countTokens has the request nested in a field, or its fields at the top level."""
    lists_models: bool = True
    """Whether GET /models and GET /models/{model} exist; they report limits."""

    def find_policy(self, model: str) -> GeminiPolicy:
        """Return the policy of a model, ignoring its resource prefix."""
        return find_gemini_policy(self.policies, model)

    def can_send_reasoning(self, reasoning: EarlierReasoning) -> bool:
        """Return whether the turn is of the same protocol."""
        return reasoning.protocol == self.protocol

    def can_reason(self, model: str) -> bool | None:
        """Return whether the model reasons, by its policy; None if unknown."""
        return self.find_policy(model).can_reason()

    def find_schema_support(self, model: str) -> SchemaSupport:
        """Return the schemas that the model accepts."""
        return GEMINI_SCHEMAS if self.find_policy(model).json_schema else OLDER_GEMINI_SCHEMAS
