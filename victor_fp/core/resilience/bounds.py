"""Validation of configured numbers: an invalid timeout, count or policy is reported by name before any call."""

from __future__ import annotations

import math

import msgspec
from typing_extensions import TypeIs

MAX_SECONDS = 1e7
"""Seconds. Bounds above it, infinity included, are cut to it: timers of event loops do not accept every number."""
_MAX_INTEGER = 10**300
"""Integers below it fit into a float."""
_MAX_COUNT = 2**53


def is_number(value: object) -> TypeIs[int | float]:
    """Return whether a value is a number that can be compared with floats; True, False and NaN are not."""
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return abs(value) < _MAX_INTEGER
    return isinstance(value, float) and not math.isnan(value)


def find_timeout_problem(value: object) -> str | None:
    """Return what is wrong with a timeout; None if it is a positive number of seconds."""
    if is_number(value) and value > 0:
        return None
    return _describe_problem("timeout", "a positive number of seconds", value)


def find_count_problem(name: str, value: object, least: int = 0) -> str | None:
    """Return what is wrong with a count; None if it is an integer of at least `least`."""
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= _MAX_COUNT:
        return None
    is_large = isinstance(value, int) and value > _MAX_COUNT
    return _describe_problem(
        name, "an integer of at most 2**53" if is_large else f"an integer of at least {least}", value
    )


def find_duration_problem(name: str, value: object) -> str | None:
    """Return what is wrong with a duration; None if it is a non-negative number of seconds."""
    if is_number(value) and value >= 0:
        return None
    return _describe_problem(name, "a number of seconds of at least 0", value)


def find_policy_problem(name: str, policy: object, kind: type[msgspec.Struct]) -> str | None:
    """Return what is wrong with a policy: it has another class, or a field has another type, is negative or NaN."""
    if not isinstance(policy, kind):
        return _describe_problem(name, f"an object of the class {kind.__name__}", policy)
    values = {field: getattr(policy, field) for field in kind.__struct_fields__}
    for field, value in values.items():
        is_numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
        if is_numeric and find_duration_problem(field, value) is not None:
            return _describe_problem(f"{name}.{field}", "a number of at least 0", value)
    try:
        msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        return f"{name}: {error}"
    return None


def _describe_problem(name: str, expected: str, value: object) -> str:
    """Describe the expected value and the given one: a number by its value, anything else by its type."""
    shown = f"{value:g}" if is_number(value) else "nan" if isinstance(value, float) else type(value).__name__
    return f"{name}: expected {expected}, got {shown}"
