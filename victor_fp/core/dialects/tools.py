"""What one vendor accepts as a tool's name and as a JSON Schema, as data."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

StrictMode: TypeAlias = Literal["closed", "any", "none"]
"""How a vendor holds output to a schema: only where every object is closed and every property is required; for any
schema; or not at all."""


class ToolNameRules(msgspec.Struct, frozen=True, kw_only=True):
    """Which names of tools a vendor accepts."""

    allowed: str = "a-zA-Z0-9_-"
    """The inside of a regular expression's character class."""
    first: str = ""
    """The same for the first character, where it is narrower."""
    longest: int | None = 64


OPENAI_NAMES = ToolNameRules()
"""API reference, `tools.function.name`: a-z, A-Z, 0-9, underscores and dashes, 64 characters at most."""
ANY_NAME = ToolNameRules(allowed="", longest=None)
"""The server passes names on to its chat template as they are."""


class SchemaSupport(msgspec.Struct, frozen=True, kw_only=True):
    """Which JSON Schemas a vendor accepts for tools and answers."""

    strict: StrictMode = "any"
    keeps_one_of: bool = True
    """Accepts `oneOf`; else it is sent as `anyOf`, which is the same where no value can match two branches."""
    root_is_object: bool = False
    """A tool's parameters must be an object at the root, without `anyOf` and its kin beside `type`."""
    refused: frozenset[str] = frozenset()
    """Keywords that the vendor answers with an error."""


OPENAI_STRICT_KEYWORDS = frozenset(
    {
        *("type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref", "$defs"),
        *("definitions", "title", "description", "pattern", "format", "minLength", "maxLength", "minItems", "maxItems"),
        *("multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    }
)
"""https://platform.openai.com/docs/guides/structured-outputs, "supported schemas": everything else is an error."""

OPENAI_SCHEMAS = SchemaSupport(strict="closed", keeps_one_of=False, root_is_object=True)
