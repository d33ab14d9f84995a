"""How one place differs from Cohere's own v2 chat; every default is Cohere's own behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import ClassVar

import msgspec

from victor_fp.core.dialects.schemas import COHERE_SCHEMAS, SchemaSupport
from victor_fp.core.dialects.tool_names import COHERE_NAMES, ToolNameRules
from victor_fp.core.faults import Fault


class CoherePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What the models that a glob pattern names can be asked; the defaults are the newest models'."""

    pattern: str
    thinks: bool = True
    """Takes `choose_thinking`, and its own thinking back."""
    tool_choice: bool = True


POLICIES: tuple[CoherePolicy, ...] = (
    # API reference of /v2/chat: tool_choice is for Command R7B (12-2024) and newer.
    CoherePolicy(pattern="command-r-*", thinks=False, tool_choice=False),
    CoherePolicy(pattern="command-r7b*", thinks=False),
    # docs/reasoning: Command A Reasoning was the first model that thinks.
    CoherePolicy(pattern="command-a-03-2025", thinks=False),
    CoherePolicy(pattern="command-a-vision*", thinks=False),
    CoherePolicy(pattern="command-a-translate*", thinks=False),
    CoherePolicy(pattern="c4ai-aya*", thinks=False, tool_choice=False),
    CoherePolicy(pattern="*"),
)
"""First match wins."""


class CohereDialect(msgspec.Struct, frozen=True, kw_only=True):
    """A dialect of Cohere v2 chat."""

    protocol: ClassVar[str] = "cohere-v2"
    routes: ClassVar[tuple[str, ...]] = (r"/v2/chat",)
    """Endings of a path, as patterns, that an address may have although it should end before them."""

    think_tags: bool = False
    """Models behind it may put thinking in `<think>...</think>` at the head of the content."""
    schemas: SchemaSupport = COHERE_SCHEMAS
    tool_names: ToolNameRules = COHERE_NAMES
    policies: tuple[CoherePolicy, ...] = POLICIES
    most_temperature: float = 1.0
    """API reference: 0 to 1, where others allow 2."""
    most_top_p: float = 0.99
    """API reference: 0.01 to 0.99."""
    most_penalty: float = 1.0
    """API reference: 0 to 1, where others allow -2 to 2."""
    stop_limit: int = 5
    """API reference: how many stop sequences it takes at most."""
    empty_result: str = "(no output)"
    """What stands for a tool result without text: errors reference, a message must not be empty."""
    codes: Mapping[str, type[Fault]] = {}
    """Error codes of gateways in front of it, lower case; Cohere itself has none."""

    def policy(self, model: str) -> CoherePolicy:
        """What this model can be asked."""
        name = model.lower()
        return next(
            (policy for policy in self.policies if fnmatchcase(name, policy.pattern)), CoherePolicy(pattern="*")
        )

    def schemas_for(self, model: str) -> SchemaSupport:  # noqa: ARG002  every dialect is asked for a model
        """Which schemas the vendor accepts."""
        return self.schemas
