"""How Bedrock Converse is spoken, and what the models behind it take; every default is the vendor's own behaviour."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import ClassVar, Literal, TypeAlias

import msgspec

from victor_fp.core.dialects.anthropic import AnthropicDialect
from victor_fp.core.dialects.schemas import CLAUDE_SCHEMAS, SchemaSupport
from victor_fp.core.dialects.tool_names import OPENAI_NAMES, ToolNameRules

Path: TypeAlias = tuple[str, ...]
"""Where among the model's own fields a value goes; empty where it cannot be said."""
CachePlace: TypeAlias = Literal["system", "messages", "tools"]

EVERYWHERE: frozenset[CachePlace] = frozenset({"system", "messages", "tools"})
TO_HIGH: Mapping[str, str] = {"minimal": "low", "low": "low", "medium": "medium", "high": "high"}


class BedrockPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What the models that a glob pattern names take. The pattern sees lower case."""

    pattern: str
    claude: bool = False
    """Takes Claude's own fields; which of them, `BedrockDialect.claude` tells."""
    top_k: Path = ()
    efforts: Mapping[str, str] = {}
    """The model's word for each reasoning effort that it knows."""
    effort: Path = ()
    effort_beside: Mapping[str, str] = {}
    """What stands beside an effort."""
    no_effort: Mapping[str, str] = {}
    """What stands there instead where there is to be no reasoning."""
    unbounded_at: frozenset[str] = frozenset()
    """Efforts, in the model's words, that take no temperature, top_p and max_tokens."""
    structured: bool = True
    """Takes outputConfig.textFormat and strict tools."""
    own_tool_choice: bool = False
    """Takes Claude's tool_choice among the model's own fields, which can forbid calls and parallel ones."""
    cache: frozenset[CachePlace] = frozenset()
    """Where cache points may stand."""
    statuses: bool = False
    """Takes the status of a tool's result."""
    default_bound: bool = True
    """The default bound on the answer's length fits; else only one that was asked for is sent."""


_BETTER_AT_HIGH: Mapping[str, str] = {**TO_HIGH, "xhigh": "high", "max": "high"}
_NOVA_TOP_K = ("inferenceConfig", "topK")

# Inference parameters: Bedrock user guide, "Inference request parameters and response fields for foundation models";
# cache points: "Prompt caching"; formats: "Structured outputs"; statuses: the service model's ToolResultBlock.
POLICIES: tuple[BedrockPolicy, ...] = (
    BedrockPolicy(pattern="*anthropic.claude-v2*", top_k=("top_k",), structured=False),
    *(
        BedrockPolicy(pattern=f"*anthropic.claude-{old}*", claude=True, cache=EVERYWHERE, statuses=True)
        # Bedrock refused Claude's own tool_choice with the models before 4.5.
        for old in ("instant", "3", "sonnet-4-2", "opus-4-2", "opus-4-1")
    ),
    BedrockPolicy(pattern="*anthropic.claude*", claude=True, cache=EVERYWHERE, statuses=True, own_tool_choice=True),
    # Nova 2 user guide, "Extended thinking": high effort takes neither bound nor sampling.
    BedrockPolicy(
        pattern="*amazon.nova-2*",
        top_k=_NOVA_TOP_K,
        efforts=_BETTER_AT_HIGH,
        effort=("reasoningConfig", "maxReasoningEffort"),
        effort_beside={"type": "enabled"},
        no_effort={"type": "disabled"},
        unbounded_at=frozenset({"high"}),
        structured=False,
        cache=frozenset({"system", "messages"}),
        statuses=True,
    ),
    BedrockPolicy(
        pattern="*amazon.nova*",
        top_k=_NOVA_TOP_K,
        structured=False,
        cache=frozenset({"system", "messages"}),
        statuses=True,
    ),
    BedrockPolicy(pattern="*amazon.titan*", structured=False, default_bound=False),
    BedrockPolicy(pattern="*meta.llama*", structured=False, default_bound=False),
    BedrockPolicy(pattern="*cohere.*", top_k=("k",), structured=False, default_bound=False),
    BedrockPolicy(pattern="*ai21.*", structured=False, default_bound=False),
    BedrockPolicy(pattern="*mistral.*", top_k=("top_k",)),
    BedrockPolicy(pattern="*openai.gpt-oss*", efforts=_BETTER_AT_HIGH, effort=("reasoning_effort",)),
    BedrockPolicy(pattern="*openai.*", efforts=_BETTER_AT_HIGH, effort=("reasoning", "effort")),
    # An ARN of a profile or of provisioned throughput does not tell the model: what is asked for goes out.
    BedrockPolicy(pattern="arn:*", top_k=("top_k",), cache=EVERYWHERE, statuses=True),
    BedrockPolicy(pattern="*"),
)
"""First match wins; the last matches everything."""

_VERSION = re.compile(r"-v\d+(:\w+)*$")


class BedrockDialect(msgspec.Struct, frozen=True, kw_only=True):
    """A dialect of Bedrock Converse."""

    protocol: ClassVar[str] = "bedrock-converse"
    routes: ClassVar[tuple[str, ...]] = (r"/model/[^/]+/converse(-stream)?",)
    """Endings of a path, as patterns, that an address may have although it should end before them."""

    think_tags: bool = False
    """Models behind it may put thinking in `<think>...</think>` at the head of the content."""
    schemas: SchemaSupport = CLAUDE_SCHEMAS
    tool_names: ToolNameRules = OPENAI_NAMES
    policies: tuple[BedrockPolicy, ...] = POLICIES
    claude: AnthropicDialect = AnthropicDialect()
    """What Claude models take; Converse bounds the temperature and the number of cache points likewise."""
    most_temperature: float = 1.0
    """The service model: temperature is 0 to 1."""
    areas: frozenset[str] = frozenset({"us", "eu", "apac", "jp", "au", "ca", "global", "us-gov"})
    """Prefixes of cross-region inference profiles, which the list of models does not have."""
    control_host: Mapping[str, str] = msgspec.field(default_factory=lambda: {"://bedrock-runtime.": "://bedrock."})
    """The runtime's host, and the control plane's that lists models; any other host is asked itself."""

    def policy(self, model: str) -> BedrockPolicy:
        """What this model can take."""
        name = model.lower()
        return next(policy for policy in (*self.policies, _PLAIN) if fnmatchcase(name, policy.pattern))

    def is_structured(self, model: str) -> bool:
        """Whether the model takes outputConfig.textFormat and strict tools."""
        policy = self.policy(model)
        return policy.structured and (not policy.claude or self.claude.policy(strip_version(model)).structured)

    def schemas_for(self, model: str) -> SchemaSupport:
        """Which schemas the vendor accepts; a model without structured outputs is held to none."""
        return self.schemas if self.is_structured(model) else SchemaSupport(tools=self.schemas.tools)

    def bare(self, model: str) -> str:
        """The model's id without the area of a cross-region profile.

        >>> BedrockDialect().bare("us.anthropic.claude-sonnet-4-5-20250929-v1:0")
        'anthropic.claude-sonnet-4-5-20250929-v1:0'
        """
        area, _, rest = model.partition(".")
        return rest if area in self.areas else model


_PLAIN = POLICIES[-1]


def strip_version(model: str) -> str:
    """A Claude model's name as its own vendor writes it, for the patterns of `claude_models`.

    >>> unversioned("eu.anthropic.claude-sonnet-5-v1:0")
    'eu.anthropic.claude-sonnet-5'
    """
    return _VERSION.sub("", model)
