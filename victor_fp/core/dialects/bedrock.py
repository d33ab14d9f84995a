"""The dialect of Bedrock Converse, and policies of its models; the defaults are Amazon's behaviour."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

import msgspec

from victor_fp.core.dialects.anthropic import AnthropicDialect
from victor_fp.core.dialects.earlier_reasoning import EarlierReasoning
from victor_fp.core.dialects.policies.bedrock import POLICIES, BedrockPolicy
from victor_fp.core.dialects.schemas import CLAUDE_SCHEMAS, SchemaSupport
from victor_fp.core.dialects.tool_names import OPENAI_NAMES, ToolNameRules
from victor_fp.core.model_names import is_model_match

_VERSION = re.compile(r"-v\d+(:\w+)*$")


class BedrockDialect(msgspec.Struct, frozen=True, kw_only=True):
    """A dialect of Bedrock Converse."""

    protocol: ClassVar[str] = "bedrock-converse"
    keeps_opaque: ClassVar[bool] = True
    routes: ClassVar[tuple[str, ...]] = (r"/model/[^/]+/converse(-stream)?",)
    """Patterns of path suffixes that are stripped from a custom base URL."""

    think_tags: bool = False
    """Whether models may put reasoning in `<think>...</think>` at the start of the content."""
    schemas: SchemaSupport = CLAUDE_SCHEMAS
    tool_names: ToolNameRules = OPENAI_NAMES
    policies: tuple[BedrockPolicy, ...] = POLICIES
    claude: AnthropicDialect = AnthropicDialect()
    """Dialect for Claude models; Converse has the same limits for temperature and cache points."""
    max_temperature: float = 1.0
    """The service model: temperature is 0 to 1."""
    areas: frozenset[str] = frozenset({"us", "eu", "apac", "jp", "au", "ca", "global", "us-gov"})
    """Prefixes of cross-region inference profiles, which are not in the list of models."""
    control_host: Mapping[str, str] = msgspec.field(default_factory=lambda: {"://bedrock-runtime.": "://bedrock."})
    """Replacement of the runtime's host by that of the control plane, which lists models; other hosts are unchanged."""

    def find_control_url(self, base_url: str) -> str:
        """Return the base URL of the control plane for that of the runtime."""
        for runtime, control in self.control_host.items():
            base_url = base_url.replace(runtime, control)
        return base_url

    def find_policy(self, model: str) -> BedrockPolicy:
        """Return the policy of a model."""
        name = model.lower()
        return next(policy for policy in (*self.policies, _PLAIN) if is_model_match(name, policy.pattern))

    def can_send_reasoning(self, reasoning: EarlierReasoning) -> bool:
        """Return whether the reasoning is signed by the same models."""
        return reasoning.is_signed and reasoning.protocol == self.protocol

    def can_reason(self, model: str) -> bool | None:
        """Return whether the model reasons, by its policy; None if unknown."""
        policy = self.find_policy(model)
        return self.claude.can_reason(strip_version(model)) if policy.claude else True if policy.efforts else None

    def is_structured(self, model: str) -> bool:
        """Return whether the model accepts outputConfig.textFormat and strict tools."""
        policy = self.find_policy(model)
        return policy.structured and (not policy.claude or self.claude.find_policy(strip_version(model)).structured)

    def find_schema_support(self, model: str) -> SchemaSupport:
        """Return the schemas that the vendor accepts; models without structured outputs have no strict mode."""
        return self.schemas if self.is_structured(model) else SchemaSupport(tools=self.schemas.tools)

    def strip_area(self, model: str) -> str:
        """Return the model id without the prefix of a cross-region profile.

        >>> BedrockDialect().strip_area("us.anthropic.claude-sonnet-4-5-20250929-v1:0")
        'anthropic.claude-sonnet-4-5-20250929-v1:0'
        """
        area, _, rest = model.partition(".")
        return rest if area in self.areas else model


_PLAIN = POLICIES[-1]


def strip_version(model: str) -> str:
    """Return a Claude model's name in Anthropic's form, for the patterns of `policies.claude`.

    >>> strip_version("eu.anthropic.claude-sonnet-5-v1:0")
    'eu.anthropic.claude-sonnet-5'
    """
    return _VERSION.sub("", model)
