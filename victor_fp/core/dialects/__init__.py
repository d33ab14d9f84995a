"""Dialects: how one vendor deviates from a protocol, as data; one module per protocol. A dialect's type names its protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from victor_fp.core.dialects.earlier_reasoning import EarlierReasoning
    from victor_fp.core.dialects.schemas import SchemaSupport
    from victor_fp.core.dialects.tool_names import ToolNameRules


class Dialect(Protocol):
    """What every dialect has; its other fields are known to its protocol alone."""

    protocol: ClassVar[str]
    """The name of the protocol, as in `victor_fp.core.protocols.PROTOCOLS`."""
    routes: ClassVar[tuple[str, ...]]
    """Endings of a path, as patterns, that an address may have although it should end before them."""

    keeps_opaque: ClassVar[bool]
    """Whether blocks that only the vendor's models understand go back as they came, also to other providers of the models."""

    @property
    def think_tags(self) -> bool:
        """Whether models behind it may put thinking in `<think>...</think>` at the head of the text."""
        ...

    @property
    def tool_names(self) -> ToolNameRules:
        """Which names of tools the vendor accepts."""
        ...

    def find_schema_support(self, model: str) -> SchemaSupport:
        """Which schemas the vendor accepts from callers of a model."""
        ...

    def can_reason(self, model: str) -> bool | None:
        """Whether a model thinks; None where nothing is known of it."""
        ...

    def can_send_reasoning(self, reasoning: EarlierReasoning) -> bool:
        """Whether reasoning of a turn that another provider made is sent to the vendor."""
        ...
