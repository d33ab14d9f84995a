"""How one place differs from Cohere's own v2 chat; every default is Cohere's own behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import ClassVar

import msgspec

from victor_fp.core.dialects.earlier_reasoning import EarlierReasoning
from victor_fp.core.dialects.schemas import COHERE_SCHEMAS, SchemaSupport
from victor_fp.core.dialects.tool_names import COHERE_NAMES, ToolNameRules
from victor_fp.core.faults import Fault
from victor_fp.core.models.cohere import POLICIES, CoherePolicy


class CohereDialect(msgspec.Struct, frozen=True, kw_only=True):
    """A dialect of Cohere v2 chat."""

    protocol: ClassVar[str] = "cohere-v2"
    keeps_opaque: ClassVar[bool] = False
    routes: ClassVar[tuple[str, ...]] = (r"/v2/chat",)
    """Endings of a path, as patterns, that an address may have although it should end before them."""

    think_tags: bool = False
    """Models behind it may put thinking in `<think>...</think>` at the head of the content."""
    schemas: SchemaSupport = COHERE_SCHEMAS
    tool_names: ToolNameRules = COHERE_NAMES
    policies: tuple[CoherePolicy, ...] = POLICIES
    max_temperature: float = 1.0
    """API reference: 0 to 1, where others allow 2."""
    max_top_p: float = 0.99
    """API reference: 0.01 to 0.99."""
    max_penalty: float = 1.0
    """API reference: 0 to 1, where others allow -2 to 2."""
    stop_limit: int = 5
    """API reference: how many stop sequences it takes at most."""
    empty_result: str = "(no output)"
    """What stands for a tool result without text: errors reference, a message must not be empty."""
    codes: Mapping[str, type[Fault]] = {}
    """Error codes of gateways in front of it, lower case; Cohere itself has none."""

    def find_policy(self, model: str) -> CoherePolicy:
        """What this model can be asked."""
        name = model.lower()
        return next(
            (policy for policy in self.policies if fnmatchcase(name, policy.pattern)), CoherePolicy(pattern="*")
        )

    def can_send_reasoning(self, reasoning: EarlierReasoning) -> bool:
        """Of the same protocol, by a model that thinks."""
        return reasoning.protocol == self.protocol and self.find_policy(reasoning.model).thinks

    def can_reason(self, model: str) -> bool | None:
        """Whether the model thinks, as its policy says."""
        policy = self.find_policy(model)
        return None if policy.pattern == "*" else policy.thinks

    def find_schema_support(self, model: str) -> SchemaSupport:  # noqa: ARG002  every dialect is asked for a model
        """Which schemas the vendor accepts."""
        return self.schemas
