"""Which names of tools vendors accept, as data."""

from __future__ import annotations

import msgspec


class ToolNameRules(msgspec.Struct, frozen=True, kw_only=True):
    """Which names of tools one vendor accepts; the defaults are OpenAI's."""

    signs: str = "a-zA-Z0-9_-"
    """The inside of a regular expression's character class; empty where every name is accepted."""
    first: str = ""
    """The same for the first character, where it is narrower."""
    longest: int = 64


# Sources: the API references and documents of the vendors, field `name` of a function or tool.
OPENAI_NAMES = ToolNameRules()
"""Also of Azure, Groq, Mistral, Bedrock and Fireworks by their documents; of the rest of the format for want of another."""
ANTHROPIC_NAMES = ToolNameRules(longest=128)
GEMINI_NAMES = ToolNameRules(signs="a-zA-Z0-9_.:-", first="a-zA-Z_", longest=128)
COHERE_NAMES = ToolNameRules(signs="a-zA-Z0-9_", first="a-zA-Z_", longest=64)
"""The reference of v1 names the signs and no length; that of v2 names neither."""
MOONSHOT_NAMES = ToolNameRules(first="a-zA-Z_", longest=256)
ANY_NAMES = ToolNameRules(signs="")
"""Servers that pass names on to the model's template as they are."""
