"""What Cohere's models take, by model pattern: thinking and a choice among tools."""

from __future__ import annotations

import msgspec


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
