"""The dialect of Cohere v2 chat; the defaults are Cohere's behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from victor_fp.core.dialects.earlier_reasoning import EarlierReasoning
from victor_fp.core.dialects.policies.cohere import POLICIES, CoherePolicy
from victor_fp.core.dialects.schemas import COHERE_SCHEMAS, SchemaSupport
from victor_fp.core.dialects.tool_names import COHERE_NAMES, ToolNameRules
from victor_fp.core.faults import Fault
from victor_fp.core.model_names import is_model_match


class CohereDialect(msgspec.Struct, frozen=True, kw_only=True):
    """A dialect of Cohere v2 chat."""

    protocol: ClassVar[str] = "cohere-v2"
    keeps_opaque: ClassVar[bool] = False
    routes: ClassVar[tuple[str, ...]] = (r"/v2/chat",)
    """Patterns of path suffixes that are stripped from a custom base URL."""

    think_tags: bool = False
    """Whether models may put reasoning in `<think>...</think>` at the start of the content."""
    schemas: SchemaSupport = COHERE_SCHEMAS
    tool_names: ToolNameRules = COHERE_NAMES
    policies: tuple[CoherePolicy, ...] = POLICIES
    max_temperature: float = 1.0
    """API reference: 0 to 1; others accept 2."""
    max_top_p: float = 0.99
    """API reference: 0.01 to 0.99."""
    max_penalty: float = 1.0
    """API reference: 0 to 1; others accept -2 to 2."""
    stop_limit: int = 5
    """API reference: maximum number of stop sequences."""
    empty_result: str = "(no output)"
    """Placeholder for a tool result without text. Errors reference: a message must not be empty."""
    codes: Mapping[str, type[Fault]] = {}
    """Error codes of gateways, lower case; Cohere itself has none."""

    def find_policy(self, model: str) -> CoherePolicy:
        """Return the policy of a model."""
        name = model.lower()
        return next(
            (policy for policy in self.policies if is_model_match(name, policy.pattern)), CoherePolicy(pattern="*")
        )

    def can_send_reasoning(self, reasoning: EarlierReasoning) -> bool:
        """Return whether the turn is of the same protocol and by a reasoning model."""
        return reasoning.protocol == self.protocol and self.find_policy(reasoning.model).thinks

    def can_reason(self, model: str) -> bool | None:
        """Return whether the model reasons, by its policy; None if unknown."""
        policy = self.find_policy(model)
        return None if policy.pattern == "*" else policy.thinks

    def find_schema_support(self, model: str) -> SchemaSupport:  # noqa: ARG002  the signature of all dialects
        """Return the schemas that the vendor accepts."""
        return self.schemas
