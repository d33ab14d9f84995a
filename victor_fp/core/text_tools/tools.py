"""The tools that a call in a text may name, and which names count."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import msgspec

from victor_fp.core.json import Json, JsonObject
from victor_fp.core.types import ToolDefinition

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,127}")
NAMESPACES = ("functions.", "default_api.")
"""What models put before a name of their own accord: gpt-oss and Kimi the first, Gemini the second."""


def is_well_formed(name: str) -> bool:
    """Whether it is letters, digits, underscores, hyphens and dots, beginning with a letter or underscore."""
    return _NAME.fullmatch(name) is not None


class Tools(msgspec.Struct, frozen=True):
    """What may be called: the tools of `schemas`, or, where that is None, any well-formed name that `allows` accepts."""

    schemas: Mapping[str, JsonObject] | None = None
    """JSON Schema of the arguments by tool name."""
    allows: Callable[[str], bool] | None = None
    guessed: bool = False
    """The names of `schemas` were read from the text itself."""

    @property
    def is_known(self) -> bool:
        """Whether the names are the caller's, so that a bare Python call of one is more than ordinary code."""
        return self.schemas is not None and not self.guessed

    def spell(self, name: str) -> str | None:
        """The tool's name, for the name that a model wrote; None where there is no such tool."""
        if self.schemas is None:
            return name if is_well_formed(name) and (self.allows is None or self.allows(name)) else None
        if name in self.schemas:
            return name
        for space in NAMESPACES:
            if name.startswith(space) and (bare := name.removeprefix(space)) in self.schemas:
                return bare
        return None

    def has_tool(self, name: str) -> bool:
        """Whether the name that a model wrote is a tool's."""
        return self.spell(name) is not None

    def may_become(self, begun: str) -> bool:
        """Whether a name that begins like this, and of which more may come, can still be a tool's."""
        if not begun:
            return True
        if self.schemas is None:
            return is_well_formed(begun)
        return any(
            name.startswith(begun) or any((space + name).startswith(begun) for space in NAMESPACES)
            for name in self.schemas
        )

    def list_properties(self, name: str) -> Mapping[str, Json]:
        """The schemas of a tool's parameters, in order; empty where nothing is known."""
        schema = (self.schemas or {}).get(name, {})
        found = schema.get("properties")
        return found if isinstance(found, Mapping) else {}


ANY_TOOL = Tools()
"""Any well-formed name counts."""


def known_tools(definitions: Iterable[ToolDefinition]) -> Tools:
    """The tools that a caller passed: no other name is a call."""
    return Tools({tool.name: tool.parameters for tool in definitions})
