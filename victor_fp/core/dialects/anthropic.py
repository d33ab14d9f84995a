"""How one vendor differs from the first speaker of Anthropic Messages; every default is that first speaker's behaviour."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import ClassVar

import msgspec

from victor_fp.core.dialects.earlier_reasoning import EarlierReasoning
from victor_fp.core.dialects.schemas import CLAUDE_SCHEMAS, SchemaSupport
from victor_fp.core.dialects.tool_names import ANTHROPIC_NAMES, ToolNameRules
from victor_fp.core.models.claude import CLAUDE_MODELS, ClaudePolicy


class AnthropicDialect(msgspec.Struct, frozen=True, kw_only=True):
    """A dialect of Anthropic Messages."""

    protocol: ClassVar[str] = "anthropic-messages"
    keeps_opaque: ClassVar[bool] = True
    routes: ClassVar[tuple[str, ...]] = (
        r"/v1/messages(/count_tokens)?",
        r"/publishers/anthropic(/models/[^/]+)?",
    )
    """Endings of a path, as patterns, that an address may have although it should end before them."""

    counts_tokens: bool = True
    """Whether the server has the operation `countTokens`."""
    lists_models: bool = True
    """Whether the server has the operations `listModels` and `getModel`."""
    has_server_props: bool = False
    """Whether the server has llama.cpp's operation `getServerProps` in place of `getModel`."""
    model_in_body: bool = True
    """False for Vertex AI, which has the model in the URL (operations `rawPredict` and `streamRawPredict`)."""
    version_in_body: str = ""
    """Vertex AI takes the API version as `anthropic_version` in the body."""
    models: tuple[ClaudePolicy, ...] = CLAUDE_MODELS
    """First match wins."""
    max_temperature: float = 1.0
    """OpenAI and others allow 2; Anthropic refuses more than 1."""
    max_cache_marks: int = 4
    """Anthropic refuses a fifth cache_control."""
    url_sources: bool = True
    """Whether images and documents may be given by URL."""
    unsigned_thinking: bool = False
    """Takes thinking back without a signature (llama.cpp and DeepSeek give none); Anthropic refuses it."""
    think_tags: bool = False
    """Models behind it may put thinking in `<think>...</think>` at the head of the content."""
    schemas: SchemaSupport = CLAUDE_SCHEMAS
    tool_names: ToolNameRules = ANTHROPIC_NAMES

    def find_policy(self, model: str) -> ClaudePolicy:
        """What this model can be asked; a model that no pattern names can be asked everything old models take."""
        name = model.lower().replace(".", "-")
        return next((policy for policy in self.models if fnmatchcase(name, policy.pattern)), ClaudePolicy(pattern="*"))

    def can_send_reasoning(self, reasoning: EarlierReasoning) -> bool:
        """Signed by the same models, or where the vendor takes it unsigned."""
        return (reasoning.is_signed and reasoning.protocol == self.protocol) or self.unsigned_thinking

    def can_reason(self, model: str) -> bool | None:
        """Whether the model thinks, as its policy says."""
        return self.find_policy(model).thinking != "none" if "claude" in model.lower() else None

    def find_schema_support(self, model: str) -> SchemaSupport:
        """Which schemas the vendor accepts; a model without structured outputs is held to none."""
        return self.schemas if self.find_policy(model).structured else SchemaSupport(tools=self.schemas.tools)
