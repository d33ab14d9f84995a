"""What JSON can hold, as a type, and the two encoders that everything shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

JsonScalar: TypeAlias = str | int | float | bool | None
if TYPE_CHECKING:
    Json: TypeAlias = JsonScalar | Sequence["Json"] | Mapping[str, "Json"]
else:
    # msgspec builds no decoder for an alias that refers to itself; Structs with such fields are converted into.
    Json = Any
JsonObject: TypeAlias = Mapping[str, Json]

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Json] = msgspec.json.Decoder()


class NotJson(msgspec.Struct, frozen=True, gc=False):
    """Bytes that are no JSON, and why."""

    reason: str


def encode_json(value: object) -> bytes:
    """JSON bytes of anything msgspec can write; keys keep their order."""
    return _ENCODER.encode(value)


def decode_json(data: bytes | str) -> Json | NotJson:
    """The value of a JSON text."""
    try:
        return _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return NotJson(str(error))


def decode_json_object(data: bytes | str) -> dict[str, Json] | NotJson:
    """The object of a JSON text; any other kind of value counts as not JSON."""
    match decode_json(data):
        case dict() as value:
            return value
        case NotJson() as broken:
            return broken
        case _:
            return NotJson("not an object")
