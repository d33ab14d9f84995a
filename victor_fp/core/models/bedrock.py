"""What the models behind Bedrock Converse take, by model pattern: their own fields, efforts, formats and cache points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

FieldPath: TypeAlias = tuple[str, ...]
"""Where among the model's own fields a value goes; empty where it cannot be said."""
CachePlace: TypeAlias = Literal["system", "messages", "tools"]

EVERYWHERE: frozenset[CachePlace] = frozenset({"system", "messages", "tools"})
TO_HIGH: Mapping[str, str] = {"minimal": "low", "low": "low", "medium": "medium", "high": "high"}


class BedrockPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What the models that a glob pattern names take. The pattern sees lower case."""

    pattern: str
    claude: bool = False
    """Takes Claude's own fields; which of them, `BedrockDialect.claude` tells."""
    top_k: FieldPath = ()
    efforts: Mapping[str, str] = {}
    """The model's word for each reasoning effort that it knows."""
    effort: FieldPath = ()
    effort_extra_fields: Mapping[str, str] = {}
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
        effort_extra_fields={"type": "enabled"},
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
