"""How one place differs from Google's own Interactions API; every default is Google's own behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, TypeAlias

import msgspec

Level: TypeAlias = Literal["minimal", "low", "medium", "high", "xhigh"]
Tier: TypeAlias = Literal["flex", "standard", "priority", "deferred"]

LEVELS: Mapping[str, Level] = {
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "xhigh",
}
"""A thinking level for each `reasoning_effort`; nothing is above xhigh."""
TIERS: Mapping[str, Tier | None] = {
    "auto": None,
    "default": "standard",
    "standard": "standard",
    "flex": "flex",
    "priority": "priority",
    "deferred": "deferred",
}
"""The caller's word and the vendor's; None needs nothing sent."""


class InteractionsDialect(msgspec.Struct, frozen=True, kw_only=True):
    """A dialect of Gemini Interactions."""

    protocol: ClassVar[str] = "gemini-interactions"
    routes: ClassVar[tuple[str, ...]] = (r"/interactions", r"/models/[^/]+")
    """Endings of a path, as patterns, that an address may have although it should end before them."""

    think_tags: bool = False
    """Models behind it may put thinking in `<think>...</think>` at the head of the content."""
    levels: Mapping[str, Level] = msgspec.field(default_factory=lambda: LEVELS)
    service_tiers: Mapping[str, Tier | None] = msgspec.field(default_factory=lambda: TIERS)
    stateless: bool = True
    """Keeps interactions unless `store: false` says not to, which is what is sent where the caller asks for nothing."""
