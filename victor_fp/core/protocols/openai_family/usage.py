"""Token usage of OpenAI's family: conversion to integers, raw counts beyond the standard ones, cost."""

from __future__ import annotations

from typing import Any

import msgspec

from victor_fp.core.cost import build_cost
from victor_fp.core.deltas import UsageReported
from victor_fp.core.json import Json

NO_USAGE = UsageReported()
TICKS_PER_DOLLAR = 10_000_000_000
"""Unit of xAI's cost."""
STANDARD = {"prompt_tokens", "completion_tokens", "total_tokens"}
STANDARD_DETAILS = {"cached_tokens", "cache_write_tokens", "reasoning_tokens"}


def read_cost(cost: float | None, ticks: float | None) -> dict[str, Json]:
    """Return the cost if the vendor reports it, in US dollars or in xAI's ticks."""
    if cost is not None:
        return {"cost": build_cost(cost)}
    return {} if ticks is None else {"cost": build_cost(ticks / TICKS_PER_DOLLAR)}


def read_raw_counts(usage: msgspec.Struct | None) -> dict[str, Json]:
    """Return the raw counts if there are more than the standard ones."""
    raw = {} if usage is None else to_plain(msgspec.to_builtins(usage))
    return {"usage_raw": raw} if _has_details(raw) else {}


def _has_details(raw: dict[str, Any]) -> bool:
    return any(
        set(value) - STANDARD_DETAILS if isinstance(value, dict) else name not in STANDARD
        for name, value in raw.items()
    )


def to_plain(value: dict[str, Any]) -> dict[str, Any]:
    """Return a copy without None values, with integral floats as int."""
    return {
        name: to_plain(item) if type(item) is dict else int(item) if type(item) is float and item.is_integer() else item
        for name, item in value.items()
        if item is not None
    }


def to_int(value: float | None) -> int | None:
    """Return a count as an integer; some servers write 1.0."""
    return None if value is None else int(value)
