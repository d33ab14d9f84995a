"""The dialect of Mistral's chat completions; the defaults are Mistral's behaviour."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from victor_fp.core.dialects.chat import DialectCodes
from victor_fp.core.dialects.earlier_reasoning import EarlierReasoning
from victor_fp.core.dialects.schemas import ANY_SCHEMAS, SchemaSupport
from victor_fp.core.dialects.tool_names import OPENAI_NAMES, ToolNameRules
from victor_fp.core.faults import AuthRejected, RateLimited

CODES: DialectCodes = {
    # Observed with 429: the shared capacity of a tier is temporarily exhausted.
    "service_tier_capacity_exceeded": RateLimited,
    "unauthorized": AuthRejected,
}
"""Mistral-specific error codes and types, lower case."""


class MistralDialect(msgspec.Struct, frozen=True, kw_only=True):
    """A dialect of Mistral's chat completions."""

    protocol: ClassVar[str] = "mistral"
    keeps_opaque: ClassVar[bool] = False
    routes: ClassVar[tuple[str, ...]] = (r"/chat/completions",)
    """Patterns of path suffixes that are stripped from a custom base URL."""

    think_tags: bool = False
    """Whether models may put reasoning in `<think>...</think>` at the start of the content."""
    schemas: SchemaSupport = ANY_SCHEMAS
    tool_names: ToolNameRules = OPENAI_NAMES
    refuses: frozenset[str] = frozenset({"top_k", "logprobs", "user", "reasoning_budget", "name"})
    """Options without a field, named as in `ChatDialect.refuses`; unknown fields are rejected."""
    result_parts: frozenset[str] = frozenset({"image", "audio", "file"})
    """API reference, ToolMessage: tool results accept the chunks of user messages."""
    efforts: tuple[str, ...] = ("none", "high")
    """API reference: reasoning_effort; the values in both of the vendor's documents."""
    service_tiers: tuple[str, ...] = ("auto", "standard_only")
    """API reference: service_tier."""
    max_temperature: float = 1.5
    """API reference: 0 to 1.5; others accept 2."""
    codes: DialectCodes = msgspec.field(default_factory=lambda: CODES)

    def can_send_reasoning(self, reasoning: EarlierReasoning) -> bool:  # noqa: ARG002  the signature of all dialects
        """Return False: reasoning of other providers is not accepted."""
        return False

    def can_reason(self, model: str) -> bool | None:  # noqa: ARG002  the signature of all dialects
        """Return None: there are no model policies."""
        return None

    def find_schema_support(self, model: str) -> SchemaSupport:  # noqa: ARG002  the signature of all dialects
        """Return the schemas that the vendor accepts."""
        return self.schemas
