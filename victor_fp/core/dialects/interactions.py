"""How one place differs from Google's own Interactions API; every default is Google's own behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, TypeAlias

import msgspec

from victor_fp.core.dialects.earlier_reasoning import EarlierReasoning
from victor_fp.core.dialects.schemas import GEMINI_SCHEMAS, SchemaSupport
from victor_fp.core.dialects.tool_names import GEMINI_NAMES, ToolNameRules
from victor_fp.core.models.gemini import POLICIES, can_reason, find_policy

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
"""A thinking level for each `reasoning_effort`; nothing is above xhigh."""
TIERS: Mapping[str, Tier | None] = {
    "auto": None,
    "default": "standard",
    "standard": "standard",
    "flex": "flex",
    "priority": "priority",
    "deferred": "deferred",
}
"""The caller's word and the vendor's; None needs nothing sent."""


class InteractionsDialect(msgspec.Struct, frozen=True, kw_only=True):
    """A dialect of Gemini Interactions."""

    protocol: ClassVar[str] = "gemini-interactions"
    keeps_opaque: ClassVar[bool] = False
    routes: ClassVar[tuple[str, ...]] = (r"/interactions", r"/models/[^/]+")
    """Endings of a path, as patterns, that an address may have although it should end before them."""

    think_tags: bool = False
    """Models behind it may put thinking in `<think>...</think>` at the head of the content."""
    tool_names: ToolNameRules = GEMINI_NAMES
    levels: Mapping[str, InteractionsThinkingLevel] = msgspec.field(default_factory=lambda: LEVELS)
    service_tiers: Mapping[str, Tier | None] = msgspec.field(default_factory=lambda: TIERS)
    stateless: bool = True
    """Keeps interactions unless `store: false` says not to, which is what is sent where the caller asks for nothing."""

    def can_send_reasoning(self, reasoning: EarlierReasoning) -> bool:  # noqa: ARG002  the signature of all dialects
        """None is sent."""
        return False

    def can_reason(self, model: str) -> bool | None:
        """Whether the model thinks, as its policy says."""
        return can_reason(find_policy(POLICIES, model))

    def find_schema_support(self, model: str) -> SchemaSupport:  # noqa: ARG002  every dialect is asked for a model
        """Which schemas the API accepts: JSON Schema, as Gemini generateContent does."""
        return GEMINI_SCHEMAS
