"""Reasoning in turns of a conversation that another provider made: what decides whether a vendor is sent it."""

from __future__ import annotations

import msgspec


class EarlierReasoning(msgspec.Struct, frozen=True, kw_only=True):
    """Reasoning of one earlier turn, and the request it would be part of."""

    protocol: str
    """Of the provider that made the turn."""
    is_signed: bool
    """With the signature of the models that made it."""
    has_calls: bool
    """The turn calls tools."""
    model: str
    """The model that is asked now."""
    has_tools: bool
    """The request offers tools, or its conversation has calls."""
