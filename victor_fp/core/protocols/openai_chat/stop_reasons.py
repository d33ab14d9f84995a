"""Finish reasons in the standard words; one that nobody knows stays as it is."""

from __future__ import annotations

from victor_fp.core.deltas import Stopped
from victor_fp.core.dialects.chat import ChatDialect

STOP_REASONS = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "content_filter",
    # Together, and servers behind Hugging Face
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    # zai
    "model_context_window_exceeded": "length",
    # Gateways that pass another vendor's word through
    "end_turn": "stop",
    "max_tokens": "length",
    "tool_use": "tool_use",
}
FAILURE = "error"
"""The word for an answer that broke, of OpenRouter for one."""
BROKEN_OFF = "the vendor broke the answer off"
"""What is said of it where the vendor says no more."""


def build_stop(dialect: ChatDialect, reason: str) -> Stopped:
    """The reason by the dialect's words, then by everybody's."""
    return Stopped(dialect.stop_reasons.get(reason) or STOP_REASONS.get(reason, reason), reason)
