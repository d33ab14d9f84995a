"""Tools that textual calls may name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import msgspec

from victor_fp.core.json import Json, JsonObject
from victor_fp.core.types import ToolDefinition

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,127}")
NAMESPACES = ("functions.", "default_api.")
"""Prefixes that models add to names: gpt-oss and Kimi the first, Gemini the second."""


def is_well_formed(name: str) -> bool:
    """Return whether a name consists of letters, digits, `_`, `-` and `.`, and starts with a letter or `_`."""
    return _NAME.fullmatch(name) is not None


class Tools(msgspec.Struct, frozen=True):
    """Tools that may be called: those of `schemas`, or, if it is None, any well-formed name that `allows` accepts."""

    schemas: Mapping[str, JsonObject] | None = None
    """JSON Schema of the arguments by tool name."""
    allows: Callable[[str], bool] | None = None
    guessed: bool = False
    """Whether the names of `schemas` were read from the text itself."""

    @property
    def is_known(self) -> bool:
        """Whether the names are the caller's, so that a bare Python call of one is more than ordinary code."""
        return self.schemas is not None and not self.guessed

    def resolve_name(self, name: str) -> str | None:
        """Return the tool's name for the name that a model wrote; None if there is no such tool."""
        if self.schemas is None:
            return name if is_well_formed(name) and (self.allows is None or self.allows(name)) else None
        if name in self.schemas:
            return name
        for space in NAMESPACES:
            if name.startswith(space) and (bare := name.removeprefix(space)) in self.schemas:
                return bare
        return None

    def has_tool(self, name: str) -> bool:
        """Return whether the name that a model wrote is that of a tool."""
        return self.resolve_name(name) is not None

    def may_become(self, begun: str) -> bool:
        """Return whether an incomplete name can still become that of a tool."""
        if not begun:
            return True
        if self.schemas is None:
            return is_well_formed(begun)
        return any(
            name.startswith(begun) or any((space + name).startswith(begun) for space in NAMESPACES)
            for name in self.schemas
        )

    def list_properties(self, name: str) -> Mapping[str, Json]:
        """Return the schemas of a tool's parameters, in order; empty if unknown."""
        schema = (self.schemas or {}).get(name, {})
        found = schema.get("properties")
        return found if isinstance(found, Mapping) else {}


ANY_TOOL = Tools()
"""Accepts any well-formed name."""


def known_tools(definitions: Iterable[ToolDefinition]) -> Tools:
    """Return tools that accept only the names of the definitions."""
    return Tools({tool.name: tool.parameters for tool in definitions})
