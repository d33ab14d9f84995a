"""Requests as plain values."""

from __future__ import annotations

from tests.core.protocols.request_builder import HI, WEATHER, RequestBuilder

__all__ = ["HI", "WEATHER"]

OLD, SONNET, NEW = "claude-sonnet-4-20250514", "claude-sonnet-4-5", "claude-opus-4-8"

BUILDER = RequestBuilder("anthropic", SONNET)
request = BUILDER.request
build_body = BUILDER.build_body
build_turns = BUILDER.build_turns
get_fault = BUILDER.get_fault
get_unsupported_parameter = BUILDER.get_unsupported_parameter
build_body_and_adjustments = BUILDER.build_body_and_adjustments
build_adjusted_body = BUILDER.build_adjusted_body
