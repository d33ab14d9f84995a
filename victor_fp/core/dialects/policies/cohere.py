"""Parameters of Cohere's models by model pattern: thinking and tool choice."""

from __future__ import annotations

import msgspec


class CoherePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of models that match a glob pattern; the defaults are those of the newest models."""

    pattern: str
    thinks: bool = True
    """Accepts the thinking parameter, and its own thinking in the history."""
    tool_choice: bool = True


POLICIES: tuple[CoherePolicy, ...] = (
    # API reference of /v2/chat: tool_choice is for Command R7B (12-2024) and newer.
    CoherePolicy(pattern="command-r-*", thinks=False, tool_choice=False),
    CoherePolicy(pattern="command-r7b*", thinks=False),
    # docs/reasoning: Command A Reasoning was the first reasoning model.
    CoherePolicy(pattern="command-a-03-2025", thinks=False),
    CoherePolicy(pattern="command-a-vision*", thinks=False),
    CoherePolicy(pattern="command-a-translate*", thinks=False),
    CoherePolicy(pattern="c4ai-aya*", thinks=False, tool_choice=False),
    CoherePolicy(pattern="*"),
)
"""The first match applies."""
