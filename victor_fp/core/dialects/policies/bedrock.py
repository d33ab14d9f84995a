"""Parameters of models on Bedrock Converse by model pattern: model-specific fields, efforts, formats, cache points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

TopKField: TypeAlias = Literal["top_k", "k", "inferenceConfig"]
"""Model-specific field for top_k."""
EffortField: TypeAlias = Literal["reasoning_effort", "reasoning", "reasoningConfig"]
"""Model-specific field for the effort."""
CachePosition: TypeAlias = Literal["system", "messages", "tools"]

EVERYWHERE: frozenset[CachePosition] = frozenset({"system", "messages", "tools"})
TO_HIGH: Mapping[str, str] = {"minimal": "low", "low": "low", "medium": "medium", "high": "high"}


class BedrockPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of models whose name in lower case matches a glob pattern."""

    pattern: str
    claude: bool = False
    """Accepts Claude's fields; see `BedrockDialect.claude`."""
    top_k: TopKField | None = None
    """None if the model does not support it."""
    efforts: Mapping[str, str] = {}
    """The model's values for the supported reasoning efforts."""
    effort: EffortField | None = None
    """None if the model does not reason. Only with `reasoningConfig` can reasoning be disabled."""
    unbounded_at: frozenset[str] = frozenset()
    """Efforts, in the model's values, that do not accept temperature, top_p and max_tokens."""
    structured: bool = True
    """Accepts outputConfig.textFormat and strict tools."""
    own_tool_choice: bool = False
    """Accepts Claude's tool_choice in the model-specific fields, which can disable calls and parallel calls."""
    cache: frozenset[CachePosition] = frozenset()
    """Positions at which cache points are accepted."""
    statuses: bool = False
    """Accepts the status of a tool's result."""
    accepts_default_max_tokens: bool = True
    """Accepts our default max_tokens; otherwise only a value set by the caller is sent."""


_BETTER_AT_HIGH: Mapping[str, str] = {**TO_HIGH, "xhigh": "high", "max": "high"}

# Inference parameters: Bedrock user guide, "Inference request parameters and response fields for foundation models";
# cache points: "Prompt caching"; formats: "Structured outputs"; statuses: the service model's ToolResultBlock.
POLICIES: tuple[BedrockPolicy, ...] = (
    BedrockPolicy(pattern="*anthropic.claude-v2*", top_k="top_k", structured=False),
    *(
        BedrockPolicy(pattern=f"*anthropic.claude-{old}*", claude=True, cache=EVERYWHERE, statuses=True)
        # Bedrock rejected Claude's tool_choice for the models before 4.5.
        for old in ("instant", "3", "sonnet-4-2", "opus-4-2", "opus-4-1")
    ),
    BedrockPolicy(pattern="*anthropic.claude*", claude=True, cache=EVERYWHERE, statuses=True, own_tool_choice=True),
    # Nova 2 user guide, "Extended thinking": high effort accepts neither max_tokens nor sampling parameters.
    BedrockPolicy(
        pattern="*amazon.nova-2*",
        top_k="inferenceConfig",
        efforts=_BETTER_AT_HIGH,
        effort="reasoningConfig",
        unbounded_at=frozenset({"high"}),
        structured=False,
        cache=frozenset({"system", "messages"}),
        statuses=True,
    ),
    BedrockPolicy(
        pattern="*amazon.nova*",
        top_k="inferenceConfig",
        structured=False,
        cache=frozenset({"system", "messages"}),
        statuses=True,
    ),
    BedrockPolicy(pattern="*amazon.titan*", structured=False, accepts_default_max_tokens=False),
    BedrockPolicy(pattern="*meta.llama*", structured=False, accepts_default_max_tokens=False),
    BedrockPolicy(pattern="*cohere.*", top_k="k", structured=False, accepts_default_max_tokens=False),
    BedrockPolicy(pattern="*ai21.*", structured=False, accepts_default_max_tokens=False),
    BedrockPolicy(pattern="*mistral.*", top_k="top_k"),
    BedrockPolicy(pattern="*openai.gpt-oss*", efforts=_BETTER_AT_HIGH, effort="reasoning_effort"),
    BedrockPolicy(pattern="*openai.*", efforts=_BETTER_AT_HIGH, effort="reasoning"),
    # The ARN of a profile or of provisioned throughput does not contain the model: all parameters are sent.
    BedrockPolicy(pattern="arn:*", top_k="top_k", cache=EVERYWHERE, statuses=True),
    BedrockPolicy(pattern="*"),
)
"""The first match applies; the last pattern matches everything."""
