"""Estimates of the tokens of a call before it is sent, for the rate limiter."""

from __future__ import annotations

from collections.abc import Sequence

from victor_fp.core.types import Message, TextPart, ToolDefinition

CHARACTERS_PER_TOKEN = 4
ATTACHMENT = 1000
"""Tokens of an image, audio or document; vendors count these by size, which is not known for a URL."""
ANSWER = 1000
"""Tokens of a response without `max_tokens`; the default limit is far above the typical length."""
MESSAGE = 4
"""Tokens of a message in addition to its content."""


def estimate_text_tokens(texts: Sequence[str]) -> int:
    """Estimate the tokens of texts to embed or rerank."""
    return -(-sum(map(len, texts)) // CHARACTERS_PER_TOKEN)


def estimate_tokens(
    messages: Sequence[Message], tools: Sequence[ToolDefinition] | None = None, max_tokens: int | None = None
) -> int:
    """Estimate the tokens of prompt and response; the reported usage later replaces the estimate.

    >>> estimate_tokens([Message(role="user", content="Hello, world")], max_tokens=100)
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
