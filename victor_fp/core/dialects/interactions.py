"""The dialect of Gemini Interactions; the defaults are Google's behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, TypeAlias

import msgspec

from victor_fp.core.dialects.earlier_reasoning import EarlierReasoning
from victor_fp.core.dialects.policies.gemini import POLICIES, find_gemini_policy
from victor_fp.core.dialects.schemas import GEMINI_SCHEMAS, SchemaSupport
from victor_fp.core.dialects.tool_names import GEMINI_NAMES, ToolNameRules

InteractionsThinkingLevel: TypeAlias = Literal["minimal", "low", "medium", "high", "xhigh"]
Tier: TypeAlias = Literal["flex", "standard", "priority", "deferred"]

LEVELS: Mapping[str, InteractionsThinkingLevel] = {
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "xhigh",
}
"""Thinking level for each `reasoning_effort`; xhigh is the highest."""
TIERS: Mapping[str, Tier | None] = {
    "auto": None,
    "default": "standard",
    "standard": "standard",
    "flex": "flex",
    "priority": "priority",
    "deferred": "deferred",
}
"""The vendor's tier for each service tier; None is not sent."""


class InteractionsDialect(msgspec.Struct, frozen=True, kw_only=True):
    """A dialect of Gemini Interactions."""

    protocol: ClassVar[str] = "gemini-interactions"
    keeps_opaque: ClassVar[bool] = False
    routes: ClassVar[tuple[str, ...]] = (r"/interactions", r"/models/[^/]+")
    """Patterns of path suffixes that are stripped from a custom base URL."""

    think_tags: bool = False
    """Whether models may put reasoning in `<think>...</think>` at the start of the content."""
    tool_names: ToolNameRules = GEMINI_NAMES
    levels: Mapping[str, InteractionsThinkingLevel] = msgspec.field(default_factory=lambda: LEVELS)
    service_tiers: Mapping[str, Tier | None] = msgspec.field(default_factory=lambda: TIERS)
    stateless: bool = True
    """Whether `store: false` is sent by default, since interactions are stored otherwise."""

    def can_send_reasoning(self, reasoning: EarlierReasoning) -> bool:  # noqa: ARG002  the signature of all dialects
        """Return False: reasoning of other providers is not accepted."""
        return False

    def can_reason(self, model: str) -> bool | None:
        """Return whether the model reasons, by its policy; None if unknown."""
        return find_gemini_policy(POLICIES, model).can_reason()

    def find_schema_support(self, model: str) -> SchemaSupport:  # noqa: ARG002  the signature of all dialects
        """Return the schemas that the API accepts: JSON Schema, as Gemini generateContent does."""
        return GEMINI_SCHEMAS
