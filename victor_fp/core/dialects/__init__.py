"""Dialects: how one vendor deviates from a protocol, as data; one module per protocol. A dialect's type names its protocol."""

from __future__ import annotations

from typing import ClassVar, Protocol


class Dialect(Protocol):
    """What every dialect has; its other fields are known to its protocol alone."""

    protocol: ClassVar[str]
    """The name of the protocol, as in `victor_fp.core.protocols.PROTOCOLS`."""
    routes: ClassVar[tuple[str, ...]]
    """Endings of a path, as patterns, that an address may have although it should end before them."""

    @property
    def think_tags(self) -> bool:
        """Whether models behind it may put thinking in `<think>...</think>` at the head of the text."""
        ...

    def can_reason(self, model: str) -> bool | None:
        """Whether a model thinks; None where nothing is known of it."""
        ...
