"""How the states of machines are written in snapshots."""

from __future__ import annotations

import math

import msgspec


def render(value: object, began: float = 0.0) -> object:
    """The fields of a state that are not the default; of times, only the seconds since `began`."""
    if isinstance(value, msgspec.Struct):
        shown = {
            field.name: render(getattr(value, field.name), began)
            for field in msgspec.structs.fields(type(value))
            if getattr(value, field.name) != field.default
        }
        words = (f"{name}={found}" for name, found in shown.items())
        return f"{type(value).__name__}({', '.join(words)})"
    if isinstance(value, tuple):
        return [render(one, began) for one in value]
    if isinstance(value, float) and math.isfinite(value):
        return round(value - began if began and value > began / 2 else value, 4)
    return value
