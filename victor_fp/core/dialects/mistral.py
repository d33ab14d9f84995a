"""How one place differs from Mistral's own chat completions; every default is Mistral's own behaviour."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from victor_fp.core.dialects.chat import DialectCodes
from victor_fp.core.dialects.earlier_reasoning import EarlierReasoning
from victor_fp.core.dialects.schemas import ANY_SCHEMAS, SchemaSupport
from victor_fp.core.dialects.tool_names import OPENAI_NAMES, ToolNameRules
from victor_fp.core.faults import AuthRejected, RateLimited

CODES: DialectCodes = {
    # Seen with 429: the capacity that all callers of a tier share is used up for the moment.
    "service_tier_capacity_exceeded": RateLimited,
    "unauthorized": AuthRejected,
}
"""Error codes and types that others do not have, lower case."""


class MistralDialect(msgspec.Struct, frozen=True, kw_only=True):
    """A dialect of Mistral's chat completions."""

    protocol: ClassVar[str] = "mistral"
    keeps_opaque: ClassVar[bool] = False
    routes: ClassVar[tuple[str, ...]] = (r"/chat/completions",)
    """Endings of a path, as patterns, that an address may have although it should end before them."""

    think_tags: bool = False
    """Models behind it may put thinking in `<think>...</think>` at the head of the content."""
    schemas: SchemaSupport = ANY_SCHEMAS
    tool_names: ToolNameRules = OPENAI_NAMES
    refuses: frozenset[str] = frozenset({"top_k", "logprobs", "user", "reasoning_budget", "name"})
    """What its closed request has no field for, in the words of `ChatDialect.refuses`."""
    result_parts: frozenset[str] = frozenset({"image", "audio", "file"})
    """API reference, ToolMessage: the result of a tool may have the chunks that a user's message has."""
    efforts: tuple[str, ...] = ("none", "high")
    """API reference: reasoning_effort; what both of the vendor's documents have."""
    tiers: tuple[str, ...] = ("auto", "standard_only")
    """API reference: service_tier."""
    max_temperature: float = 1.5
    """API reference: 0 to 1.5, where others allow 2."""
    codes: DialectCodes = msgspec.field(default_factory=lambda: CODES)

    def can_send_reasoning(self, reasoning: EarlierReasoning) -> bool:  # noqa: ARG002  the signature of all dialects
        """None is sent."""
        return False

    def can_reason(self, model: str) -> bool | None:  # noqa: ARG002  the signature of all dialects
        """None: it has no policies of models."""
        return None

    def find_schema_support(self, model: str) -> SchemaSupport:  # noqa: ARG002  every dialect is asked for a model
        """Which schemas the vendor accepts."""
        return self.schemas
