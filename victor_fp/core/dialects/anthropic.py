"""Dialects of Anthropic Messages; the defaults are Anthropic's behaviour."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from victor_fp.core.dialects.earlier_reasoning import EarlierReasoning
from victor_fp.core.dialects.policies.claude import CLAUDE_MODELS, ClaudePolicy
from victor_fp.core.dialects.schemas import CLAUDE_SCHEMAS, SchemaSupport
from victor_fp.core.dialects.tool_names import ANTHROPIC_NAMES, ToolNameRules
from victor_fp.core.model_names import is_model_match


class AnthropicDialect(msgspec.Struct, frozen=True, kw_only=True):
    """A dialect of Anthropic Messages."""

    protocol: ClassVar[str] = "anthropic-messages"
    keeps_opaque: ClassVar[bool] = True
    routes: ClassVar[tuple[str, ...]] = (
        r"/v1/messages(/count_tokens)?",
        r"/publishers/anthropic(/models/[^/]+)?",
    )
    """Patterns of path suffixes that are stripped from a custom base URL."""

    counts_tokens: bool = True
    """Whether the server has the operation `countTokens`."""
    lists_models: bool = True
    """Whether the server has the operations `listModels` and `getModel`."""
    has_server_props: bool = False
    """Whether the server has llama.cpp's operation `getServerProps` in place of `getModel`."""
    model_in_body: bool = True
    """False for Vertex AI, which has the model in the URL (operations `rawPredict` and `streamRawPredict`)."""
    version_in_body: str = ""
    """API version sent as `anthropic_version` in the body, as Vertex AI requires."""
    models: tuple[ClaudePolicy, ...] = CLAUDE_MODELS
    """The first match applies."""
    max_temperature: float = 1.0
    """Anthropic rejects more than 1, OpenAI and others accept 2."""
    max_cache_marks: int = 4
    """Anthropic rejects a fifth cache_control."""
    url_sources: bool = True
    """Whether images and documents may be given by URL."""
    unsigned_thinking: bool = False
    """Whether thinking without a signature is accepted back, as by llama.cpp and DeepSeek; Anthropic rejects it."""
    think_tags: bool = False
    """Whether models may put reasoning in `<think>...</think>` at the start of the content."""
    schemas: SchemaSupport = CLAUDE_SCHEMAS
    tool_names: ToolNameRules = ANTHROPIC_NAMES

    def find_policy(self, model: str) -> ClaudePolicy:
        """Return the policy of a model; unknown models accept everything that old models do."""
        name = model.lower().replace(".", "-")
        return next(
            (policy for policy in self.models if is_model_match(name, policy.pattern)), ClaudePolicy(pattern="*")
        )

    def can_send_reasoning(self, reasoning: EarlierReasoning) -> bool:
        """Return whether the reasoning is signed by the same models, or the vendor accepts unsigned reasoning."""
        return (reasoning.is_signed and reasoning.protocol == self.protocol) or self.unsigned_thinking

    def can_reason(self, model: str) -> bool | None:
        """Return whether the model reasons, by its policy; None if unknown."""
        return self.find_policy(model).thinking != "none" if "claude" in model.lower() else None

    def find_schema_support(self, model: str) -> SchemaSupport:
        """Return the schemas that the vendor accepts; models without structured outputs have no strict mode."""
        return self.schemas if self.find_policy(model).structured else SchemaSupport(tools=self.schemas.tools)
