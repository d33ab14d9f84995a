"""Tool names that vendors accept, as data."""

from __future__ import annotations

import msgspec


class ToolNameRules(msgspec.Struct, frozen=True, kw_only=True):
    """Tool names that a vendor accepts; the defaults are OpenAI's."""

    characters: str = "a-zA-Z0-9_-"
    """Accepted characters, as a regular expression character class without brackets; empty if every name is accepted."""
    first: str = ""
    """The same for the first character, if different."""
    max_length: int = 64


# Sources: the API references and documents of the vendors, field `name` of a function or tool.
OPENAI_NAMES = ToolNameRules()
"""Also for Azure, Groq, Mistral, Bedrock and Fireworks, by their documents, and as the default for vendors of the format."""
ANTHROPIC_NAMES = ToolNameRules(max_length=128)
GEMINI_NAMES = ToolNameRules(characters="a-zA-Z0-9_.:-", first="a-zA-Z_", max_length=128)
COHERE_NAMES = ToolNameRules(characters="a-zA-Z0-9_", first="a-zA-Z_", max_length=64)
"""The reference of v1 has the characters without a length, that of v2 has neither."""
MOONSHOT_NAMES = ToolNameRules(first="a-zA-Z_", max_length=256)
ANY_NAMES = ToolNameRules(characters="")
"""For servers that pass names to the model's template unchanged."""
