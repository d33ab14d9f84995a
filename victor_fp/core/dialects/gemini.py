"""How one place differs from the first speaker of Gemini generateContent; every default is that first speaker's behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import msgspec

from victor_fp.core.dialects.earlier_reasoning import EarlierReasoning
from victor_fp.core.dialects.schemas import GEMINI_SCHEMAS, OLDER_GEMINI_SCHEMAS, SchemaSupport
from victor_fp.core.dialects.tool_names import GEMINI_NAMES, ToolNameRules
from victor_fp.core.models.gemini import POLICIES, GeminiPolicy, can_reason, find_policy

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
    """Endings of a path, as patterns, that an address may have although it should end before them."""

    think_tags: bool = False
    """Models behind it may put thinking in `<think>...</think>` at the head of the content."""
    tool_names: ToolNameRules = GEMINI_NAMES
    policies: tuple[GeminiPolicy, ...] = POLICIES
    service_tiers: Mapping[str, str] = msgspec.field(default_factory=lambda: TIERS)
    """The caller's word and the vendor's; an empty one needs nothing sent. Empty where the body takes none."""
    filename: Literal["partMetadata", "displayName"] = "partMetadata"
    """Where a file's name goes."""
    counting: Literal["nested", "flat"] = "nested"
    """Whether countTokens takes a whole request in a field, or the contents beside the rest."""
    lists_models: bool = True
    """GET /models and GET /models/{model} tell limits."""

    def find_policy(self, model: str) -> GeminiPolicy:
        """What this model can take; its resource prefix does not matter."""
        return find_policy(self.policies, model)

    def can_send_reasoning(self, reasoning: EarlierReasoning) -> bool:
        """Of the same protocol."""
        return reasoning.protocol == self.protocol

    def can_reason(self, model: str) -> bool | None:
        """Whether the model thinks, as its policy says."""
        return can_reason(self.find_policy(model))

    def find_schema_support(self, model: str) -> SchemaSupport:
        """Which schemas the model accepts."""
        return GEMINI_SCHEMAS if self.find_policy(model).json_schema else OLDER_GEMINI_SCHEMAS
