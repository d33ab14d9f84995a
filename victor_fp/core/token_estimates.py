"""How many tokens a call will take, guessed before it is sent, so that a rate limit can count it."""

from __future__ import annotations

from collections.abc import Sequence

from victor_fp.core.types import Message, TextPart, ToolDefinition

CHARACTERS_PER_TOKEN = 4
ATTACHMENT = 1000
"""Tokens of an image, a sound or a document; vendors count these by size, which an address does not tell."""
ANSWER = 1000
"""Tokens of an answer whose length the caller did not choose; the default bound is far above what most answers take."""
MESSAGE = 4
"""Tokens that a message costs beside its content."""


def estimate_text_tokens(texts: Sequence[str]) -> int:
    """Texts that are embedded or ranked; no answer is written."""
    return -(-sum(map(len, texts)) // CHARACTERS_PER_TOKEN)


def estimate_tokens(
    messages: Sequence[Message], tools: Sequence[ToolDefinition] | None = None, max_tokens: int | None = None
) -> int:
    """Prompt and answer together. What the response reports takes the place of this guess.

    >>> estimated_tokens([Message(role="user", content="Hello, world")], max_tokens=100)
    107
    """
    characters = 0
    tokens = len(messages) * MESSAGE
    for message in messages:
        if isinstance(message.content, str):
            characters += len(message.content)
        else:
            for part in message.content:
                if isinstance(part, TextPart):
                    characters += len(part.text)
                else:
                    tokens += ATTACHMENT
        for call in message.tool_calls or ():
            characters += len(str(call["arguments"]))
    for tool in tools or ():
        characters += len(tool.name) + len(tool.description) + len(str(tool.parameters))
    return tokens + -(-characters // CHARACTERS_PER_TOKEN) + (ANSWER if max_tokens is None else max_tokens)
