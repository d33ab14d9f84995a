"""Repair of decoded JSON that does not match a wire model; used by `json.WireDecoder`, and imported with the first mismatch."""

from __future__ import annotations

import binascii
import math
from typing import Final, TypeAlias

import msgspec
from msgspec import inspect

WireShape: TypeAlias = inspect.Type
UNKNOWN_TAG: Final = "__unknown__"
"""The tag of the variant that compiled unions have for objects with an unknown tag."""

_LARGE = 1 << 64
"""Larger integers are not converted to strings: Python converts at most 4,300 digits."""


class Irreparable:
    """Marks JSON that cannot be repaired to match."""


IRREPARABLE: Final = Irreparable()


def read_shape(wire_type: object) -> WireShape:
    """Return the shape of a wire type."""
    return inspect.type_info(wire_type)


def fit_value(shape: inspect.Type, value: object) -> object:
    """Repair a value to match the shape, or return IRREPARABLE."""
    match shape:
        case inspect.StructType():
            return _fit_struct(shape, value)
        case inspect.UnionType():
            return _fit_union(shape, value)
        case inspect.ListType():
            if not isinstance(value, list):
                only = _fit_item(shape.item_type, value) if _list_structs(shape.item_type) else IRREPARABLE
                return [only] if isinstance(only, dict) and only else IRREPARABLE
            items = [_fit_item(shape.item_type, inner) for inner in value]
            if isinstance(shape.item_type, inspect.IntType | inspect.FloatType) and IRREPARABLE in items:
                return IRREPARABLE
            return [item for item in items if item is not IRREPARABLE]
        case inspect.DictType():
            if not isinstance(value, dict):
                return IRREPARABLE
            entries = ((key, fit_value(shape.value_type, inner)) for key, inner in value.items())
            return {key: inner for key, inner in entries if inner is not IRREPARABLE}
        case _:
            return value if _is(shape, value) else _respell(shape, value)


def _fit_item(shape: inspect.Type, value: object) -> object:
    """Repair an item of a list; a text in a list of blocks becomes the block that has texts."""
    if isinstance(value, str):
        for option in _list_structs(shape):
            is_block = option.tag is None or str(option.tag).endswith("text")
            if is_block and any(field.encode_name == "text" for field in option.fields):
                return _fit_struct(option, {"text": value})
    return fit_value(shape, value)


def _list_structs(shape: inspect.Type) -> list[inspect.StructType]:
    """Return the structs among the types of a value."""
    options = shape.types if isinstance(shape, inspect.UnionType) else (shape,)
    return [option for option in options if isinstance(option, inspect.StructType)]


def _fit_struct(shape: inspect.StructType, value: object) -> object:
    if not isinstance(value, dict):
        return IRREPARABLE
    if shape.tag_field is not None and value.get(shape.tag_field, shape.tag) != shape.tag:
        return IRREPARABLE
    fitted: dict[str, object] = {}
    for field in shape.fields:
        inner = fit_value(field.type, value[field.encode_name]) if field.encode_name in value else IRREPARABLE
        if inner is not IRREPARABLE:
            fitted[field.encode_name] = inner
        elif field.required:
            return IRREPARABLE
    return fitted if shape.tag_field is None else {shape.tag_field: shape.tag, **fitted}


def _fit_union(shape: inspect.UnionType, value: object) -> object:
    if any(_is(option, value) for option in shape.types):
        return value
    structs = _list_structs(shape)
    if isinstance(value, dict) and len(structs) > 1 and structs[0].tag_field is not None:
        return _fit_variant(structs[0].tag_field, {option.tag: option for option in structs}, value)
    # A list accepts a single item too, so it comes last.
    for option in sorted(shape.types, key=lambda one: isinstance(one, inspect.ListType)):
        fitted = fit_value(option, value)
        if fitted is not IRREPARABLE:
            return fitted
    return IRREPARABLE


def _fit_variant(
    tag_field: str, options: dict[str | int | None, inspect.StructType], value: dict[str, object]
) -> object:
    tag = value.get(tag_field)
    known = options.get(tag) if isinstance(tag, (str, int)) and tag != UNKNOWN_TAG else None
    fitted = IRREPARABLE if known is None else _fit_struct(known, value)
    if fitted is IRREPARABLE and UNKNOWN_TAG in options:
        return {tag_field: UNKNOWN_TAG, "raw": value}
    return fitted


def _is(shape: inspect.Type, value: object) -> bool:
    """Return whether a value matches a scalar shape."""
    match shape:
        case inspect.NoneType():
            return value is None
        case inspect.BoolType():
            return isinstance(value, bool)
        case inspect.StrType():
            return isinstance(value, str)
        case inspect.IntType():
            return isinstance(value, int) and not isinstance(value, bool)
        case inspect.FloatType():
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case inspect.LiteralType():
            return any(type(value) is type(allowed) and value == allowed for allowed in shape.values)
        case inspect.AnyType() | inspect.RawType():
            return True
        case _:
            return False


def _respell(shape: inspect.Type, value: object) -> object:
    """Convert 1.0 or "1" to an integer, a number to a string, and base64 to bytes."""
    match shape, value:
        case inspect.IntType(), float() if value.is_integer():
            return int(value)
        case ((inspect.IntType() | inspect.FloatType()), str()):
            return _fit_number(shape, value)
        case inspect.StrType(), int() if not isinstance(value, bool) and abs(value) < _LARGE:
            return str(value)
        case inspect.BytesType(), str():
            return _decode_unpadded_base64(value)
        case _:
            return IRREPARABLE


def _decode_unpadded_base64(text: str) -> object:
    """Decode base64 with the URL-safe alphabet or without padding."""
    try:
        return binascii.a2b_base64(text.translate(_STANDARD_ALPHABET) + "=" * (-len(text) % 4), strict_mode=True)
    except ValueError:
        return IRREPARABLE


_STANDARD_ALPHABET: Final = str.maketrans("-_", "+/")


def _fit_number(shape: inspect.IntType | inspect.FloatType, text: str) -> object:
    kind = int if isinstance(shape, inspect.IntType) else float
    try:
        number = msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError:
        return IRREPARABLE
    return number if math.isfinite(number) else IRREPARABLE
