"""How Bedrock Converse is spoken, and what the models behind it take; every default is the vendor's own behaviour."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import ClassVar

import msgspec

from victor_fp.core.dialects.anthropic import AnthropicDialect
from victor_fp.core.dialects.earlier_reasoning import EarlierReasoning
from victor_fp.core.dialects.schemas import CLAUDE_SCHEMAS, SchemaSupport
from victor_fp.core.dialects.tool_names import OPENAI_NAMES, ToolNameRules
from victor_fp.core.models.bedrock import POLICIES, BedrockPolicy

_VERSION = re.compile(r"-v\d+(:\w+)*$")


class BedrockDialect(msgspec.Struct, frozen=True, kw_only=True):
    """A dialect of Bedrock Converse."""

    protocol: ClassVar[str] = "bedrock-converse"
    keeps_opaque: ClassVar[bool] = True
    routes: ClassVar[tuple[str, ...]] = (r"/model/[^/]+/converse(-stream)?",)
    """Endings of a path, as patterns, that an address may have although it should end before them."""

    think_tags: bool = False
    """Models behind it may put thinking in `<think>...</think>` at the head of the content."""
    schemas: SchemaSupport = CLAUDE_SCHEMAS
    tool_names: ToolNameRules = OPENAI_NAMES
    policies: tuple[BedrockPolicy, ...] = POLICIES
    claude: AnthropicDialect = AnthropicDialect()
    """What Claude models take; Converse bounds the temperature and the number of cache points likewise."""
    max_temperature: float = 1.0
    """The service model: temperature is 0 to 1."""
    areas: frozenset[str] = frozenset({"us", "eu", "apac", "jp", "au", "ca", "global", "us-gov"})
    """Prefixes of cross-region inference profiles, which the list of models does not have."""
    control_host: Mapping[str, str] = msgspec.field(default_factory=lambda: {"://bedrock-runtime.": "://bedrock."})
    """The runtime's host, and the control plane's that lists models; any other host is asked itself."""

    def find_policy(self, model: str) -> BedrockPolicy:
        """What this model can take."""
        name = model.lower()
        return next(policy for policy in (*self.policies, _PLAIN) if fnmatchcase(name, policy.pattern))

    def can_send_reasoning(self, reasoning: EarlierReasoning) -> bool:
        """Signed by the same models."""
        return reasoning.is_signed and reasoning.protocol == self.protocol

    def can_reason(self, model: str) -> bool | None:
        """Whether the model thinks, as its policy says."""
        policy = self.find_policy(model)
        return self.claude.can_reason(strip_version(model)) if policy.claude else True if policy.efforts else None

    def is_structured(self, model: str) -> bool:
        """Whether the model takes outputConfig.textFormat and strict tools."""
        policy = self.find_policy(model)
        return policy.structured and (not policy.claude or self.claude.find_policy(strip_version(model)).structured)

    def find_schema_support(self, model: str) -> SchemaSupport:
        """Which schemas the vendor accepts; a model without structured outputs is held to none."""
        return self.schemas if self.is_structured(model) else SchemaSupport(tools=self.schemas.tools)

    def strip_area(self, model: str) -> str:
        """The model's id without the area of a cross-region profile.

        >>> BedrockDialect().strip_area("us.anthropic.claude-sonnet-4-5-20250929-v1:0")
        'anthropic.claude-sonnet-4-5-20250929-v1:0'
        """
        area, _, rest = model.partition(".")
        return rest if area in self.areas else model


_PLAIN = POLICIES[-1]


def strip_version(model: str) -> str:
    """A Claude model's name as its own vendor writes it, for the patterns of `models.claude`.

    >>> unversioned("eu.anthropic.claude-sonnet-5-v1:0")
    'eu.anthropic.claude-sonnet-5'
    """
    return _VERSION.sub("", model)
