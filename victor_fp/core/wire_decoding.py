"""Lenient decoding of wire models: one strict pass and, if that fails, a repair of known deviations."""

from __future__ import annotations

import binascii
import math
from typing import Final, Generic, TypeVar, overload

import msgspec
from msgspec import inspect

from victor_fp.core.json import NotJson, decode_flawed_json

T = TypeVar("T")

UNKNOWN_TAG: Final = "__unknown__"
"""The tag of the variant that compiled unions have for objects with an unknown tag."""

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_LARGE = 1 << 64
"""Larger integers are not converted to strings: Python converts at most 4,300 digits."""


class Undecodable(msgspec.Struct, frozen=True, gc=False):
    """The data is not JSON, or does not match the wire type; `reason` is safe to show."""

    reason: str


class WireDecoder(Generic[T]):
    """Decodes one wire type; the msgspec decoder is built at first use, to keep imports fast.

    Valid data is decoded in one msgspec pass. On a validation error the JSON is repaired: an object with an unknown tag
    becomes its union's unknown variant (tag "__unknown__", the object in `raw`), numbers given as strings and the like
    are converted, and optional fields and list items of a wrong type are omitted. From a list of numbers no item is
    omitted, since positions matter: the list is rejected as a whole. Invalid JSON is read with `decode_flawed_json` and
    its `keep_surrogates`.

        EVENTS: WireDecoder[MessageStreamEvent] = WireDecoder(MessageStreamEvent)
    """

    __slots__ = ("_decoder", "_keep_surrogates", "_shape", "_wire_type")

    @overload
    def __init__(self, wire_type: type[T], *, keep_surrogates: bool = False) -> None: ...
    @overload
    def __init__(self, wire_type: object, *, keep_surrogates: bool = False) -> None: ...
    def __init__(self, wire_type: object, *, keep_surrogates: bool = False) -> None:
        self._wire_type = wire_type
        self._keep_surrogates = keep_surrogates
        self._decoder: msgspec.json.Decoder[T] | None = None
        self._shape: inspect.Type | None = None

    def decode(self, data: bytes | memoryview) -> T | Undecodable:
        """Decode the data, or return why it cannot be decoded. Does not raise."""
        decoder = self._decoder
        if decoder is None:
            decoder = self._decoder = msgspec.json.Decoder(self._wire_type)
        try:
            return decoder.decode(data)
        except msgspec.ValidationError as misfit:
            return self._repair(data, str(misfit))
        except RecursionError as error:
            return Undecodable(str(error))
        except _UNREADABLE as error:
            return self._repair(data, str(error) or type(error).__name__)

    def _repair(self, data: bytes | memoryview, reason: str) -> T | Undecodable:
        if self._shape is None:
            self._shape = inspect.type_info(self._wire_type)
        try:
            value = self._decode_plain(data)
            fitted = _MISFIT if isinstance(value, NotJson) else _fit(self._shape, value)
            if fitted is _MISFIT:
                return Undecodable(reason)
            found: T = msgspec.convert(fitted, self._wire_type)
        except (*_UNREADABLE, ValueError):
            return Undecodable(reason)
        return found

    def _decode_plain(self, data: bytes | memoryview) -> object:
        try:
            return msgspec.json.decode(data)
        except _UNREADABLE:
            return decode_flawed_json(bytes(data), keep_surrogates=self._keep_surrogates)


class _Misfit:
    """Marks JSON that cannot be repaired to match."""


_MISFIT: Final = _Misfit()


def _fit(shape: inspect.Type, value: object) -> object:
    """Repair a value to match the shape, or return _MISFIT."""
    match shape:
        case inspect.StructType():
            return _fit_struct(shape, value)
        case inspect.UnionType():
            return _fit_union(shape, value)
        case inspect.ListType():
            if not isinstance(value, list):
                return _MISFIT
            items = [_fit(shape.item_type, inner) for inner in value]
            if isinstance(shape.item_type, inspect.IntType | inspect.FloatType) and _MISFIT in items:
                return _MISFIT
            return [item for item in items if item is not _MISFIT]
        case inspect.DictType():
            if not isinstance(value, dict):
                return _MISFIT
            entries = ((key, _fit(shape.value_type, inner)) for key, inner in value.items())
            return {key: inner for key, inner in entries if inner is not _MISFIT}
        case _:
            return value if _is(shape, value) else _respell(shape, value)


def _fit_struct(shape: inspect.StructType, value: object) -> object:
    if not isinstance(value, dict):
        return _MISFIT
    if shape.tag_field is not None and value.get(shape.tag_field, shape.tag) != shape.tag:
        return _MISFIT
    fitted: dict[str, object] = {}
    for field in shape.fields:
        inner = _fit(field.type, value[field.encode_name]) if field.encode_name in value else _MISFIT
        if inner is not _MISFIT:
            fitted[field.encode_name] = inner
        elif field.required:
            return _MISFIT
    return fitted if shape.tag_field is None else {shape.tag_field: shape.tag, **fitted}


def _fit_union(shape: inspect.UnionType, value: object) -> object:
    if any(_is(option, value) for option in shape.types):
        return value
    if isinstance(value, dict):
        structs = [option for option in shape.types if isinstance(option, inspect.StructType)]
        if len(structs) > 1 and structs[0].tag_field is not None:
            return _fit_variant(structs[0].tag_field, {option.tag: option for option in structs}, value)
    for option in shape.types:
        fitted = _fit(option, value)
        if fitted is not _MISFIT:
            return fitted
    return _MISFIT


def _fit_variant(
    tag_field: str, options: dict[str | int | None, inspect.StructType], value: dict[str, object]
) -> object:
    tag = value.get(tag_field)
    known = options.get(tag) if isinstance(tag, (str, int)) and tag != UNKNOWN_TAG else None
    fitted = _MISFIT if known is None else _fit_struct(known, value)
    if fitted is _MISFIT and UNKNOWN_TAG in options:
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
            return _MISFIT


def _decode_unpadded_base64(text: str) -> object:
    """Decode base64 with the URL-safe alphabet or without padding."""
    try:
        return binascii.a2b_base64(text.translate(_STANDARD_ALPHABET) + "=" * (-len(text) % 4), strict_mode=True)
    except ValueError:
        return _MISFIT


_STANDARD_ALPHABET: Final = str.maketrans("-_", "+/")


def _fit_number(shape: inspect.IntType | inspect.FloatType, text: str) -> object:
    kind = int if isinstance(shape, inspect.IntType) else float
    try:
        number = msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError:
        return _MISFIT
    return number if math.isfinite(number) else _MISFIT
