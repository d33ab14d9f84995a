"""Facts that decide whether a vendor is sent the reasoning of another provider's turn."""

from __future__ import annotations

import msgspec


class EarlierReasoning(msgspec.Struct, frozen=True, kw_only=True):
    """Reasoning of an earlier turn, and the request that would include it."""

    protocol: str
    """Protocol of the provider of the turn."""
    is_signed: bool
    """Whether it has a signature."""
    has_calls: bool
    """Whether the turn has tool calls."""
    model: str
    """The model of the request."""
    has_tools: bool
    """Whether the request has tools, or its conversation has calls."""
