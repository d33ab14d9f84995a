"""Dialects: deviations of vendors from a protocol, as data; one module per protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from victor_fp.core.dialects.earlier_reasoning import EarlierReasoning
    from victor_fp.core.dialects.schemas import SchemaSupport
    from victor_fp.core.dialects.tool_names import ToolNameRules


class Dialect(Protocol):
    """Members of all dialects; other fields are specific to the protocol."""

    protocol: ClassVar[str]
    """The name of the protocol, as in `victor_fp.core.protocols.PROTOCOLS`."""
    routes: ClassVar[tuple[str, ...]]
    """Patterns of path suffixes that are stripped from a custom base URL."""

    keeps_opaque: ClassVar[bool]
    """Whether vendor-specific blocks are sent back as received, also to other providers of the same models."""

    @property
    def think_tags(self) -> bool:
        """Whether models may put reasoning in `<think>...</think>` at the start of the text."""
        ...

    @property
    def tool_names(self) -> ToolNameRules:
        """Tool names that the vendor accepts."""
        ...

    def find_schema_support(self, model: str) -> SchemaSupport:
        """Return the schemas that the vendor accepts for a model."""
        ...

    def can_reason(self, model: str) -> bool | None:
        """Return whether a model reasons; None if unknown."""
        ...

    def can_send_reasoning(self, reasoning: EarlierReasoning) -> bool:
        """Return whether reasoning of another provider's turn is sent to the vendor."""
        ...
