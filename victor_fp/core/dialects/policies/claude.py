"""Parameters of Claude models by model pattern: thinking, effort, sampling, structured outputs.

Sources: the vendor's GET /v1/models (capabilities) and its migration guides, November 2026.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Effort: TypeAlias = Literal["low", "medium", "high", "xhigh", "max"]


class ClaudePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of models whose name matches a glob pattern, in lower case and with `-` for `.`."""

    pattern: str
    thinking: Literal["none", "budget", "either", "adaptive"] = "budget"
    """Thinking by a token budget, adaptive, or both; "either" prefers adaptive."""
    thinks: Literal["asked", "default", "always"] = "asked"
    """Whether thinking is off by default, on by default, or always on."""
    efforts: tuple[Effort, ...] = ()
    """Levels of output_config.effort, ascending."""
    sampling: Literal["free", "one", "none"] = "free"
    """Accepts temperature and top_p together, one of them, or neither (nor top_k)."""
    structured: bool = True
    """Accepts output_config.format and strict tools."""
    system_turns: bool = False
    """Accepts system messages between turns."""
    forced_tools: bool = True
    """Accepts the tool_choice types any and tool."""


_TO_HIGH: tuple[Effort, ...] = ("low", "medium", "high")
_TO_MAX: tuple[Effort, ...] = ("low", "medium", "high", "max")
_ALL: tuple[Effort, ...] = ("low", "medium", "high", "xhigh", "max")

CLAUDE_MODELS: tuple[ClaudePolicy, ...] = (
    ClaudePolicy(pattern="*claude-2*", thinking="none", structured=False),
    ClaudePolicy(pattern="*claude-instant*", thinking="none", structured=False),
    ClaudePolicy(pattern="*claude-3-7*", structured=False),
    ClaudePolicy(pattern="*claude-3*", thinking="none", structured=False),
    # Migration to Claude 4: temperature or top_p, not both.
    ClaudePolicy(pattern="*claude-opus-4-1*", sampling="one"),
    ClaudePolicy(pattern="*claude-haiku-4-5*", sampling="one"),
    ClaudePolicy(pattern="*claude-sonnet-4-5*", sampling="one"),
    ClaudePolicy(pattern="*claude-opus-4-5*", sampling="one", efforts=_TO_HIGH),
    ClaudePolicy(pattern="*claude-opus-4-6*", sampling="one", thinking="either", efforts=_TO_MAX),
    ClaudePolicy(pattern="*claude-sonnet-4-6*", sampling="one", thinking="either", efforts=_TO_MAX),
    # Models after Opus 4.6 reject temperature, top_p, top_k and thinking budgets.
    ClaudePolicy(pattern="*claude-opus-4-7*", sampling="none", thinking="adaptive", efforts=_ALL),
    ClaudePolicy(pattern="*claude-opus-4-8*", sampling="none", thinking="adaptive", efforts=_ALL, system_turns=True),
    ClaudePolicy(pattern="*claude-opus-4*", structured=False),
    ClaudePolicy(pattern="*claude-sonnet-4*", structured=False),
    # Preview: always thinks, and still accepts a budget.
    ClaudePolicy(pattern="*claude-mythos-preview*", sampling="none", thinking="either", thinks="always", efforts=_ALL),
    # Since Opus 5 and Sonnet 5 thinking is on by default; Haiku 5.5 can disable it.
    *(
        ClaudePolicy(
            pattern=pattern, sampling="none", thinking="adaptive", thinks="default", efforts=_ALL, system_turns=True
        )
        for pattern in (
            "*claude-haiku-5*",
            "*claude-opus-5",
            "*claude-opus-5@*",
            "*claude-sonnet-5",
            "*claude-sonnet-5@*",
        )
    ),
    # The first Fable 5 and Mythos 5 always think; whether they accept a forced tool choice is not known, so it is sent.
    *(
        ClaudePolicy(
            pattern=pattern, sampling="none", thinking="adaptive", thinks="always", efforts=_ALL, system_turns=True
        )
        for pattern in ("*claude-fable-5", "*claude-fable-5@*", "*claude-mythos-5", "*claude-mythos-5@*")
    ),
    # Fable 5.1, Opus 5.5, Sonnet 5.5 and, until they are documented, later models: no forced tool choice.
    ClaudePolicy(
        pattern="*claude-*",
        sampling="none",
        thinking="adaptive",
        thinks="always",
        efforts=_ALL,
        system_turns=True,
        forced_tools=False,
    ),
    # A model of another vendor on a server with this protocol.
    ClaudePolicy(pattern="*"),
)
"""The first match applies; the last pattern matches everything."""
