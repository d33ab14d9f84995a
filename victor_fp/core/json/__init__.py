"""JSON types, the shared encoder and decoders, those of wire models, and values that arrive in pieces.

Pieces are kept in a chain, `(previous, newest)` or None: an immutable list with O(1) append, where a tuple would be copied.
The items are joined or merged once, at the end.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, final, overload

import msgspec

JsonScalar: TypeAlias = str | int | float | bool | None
if TYPE_CHECKING:
    from victor_fp.core.json.wire_repair import WireShape

    Json: TypeAlias = JsonScalar | Sequence["Json"] | Mapping[str, "Json"]
else:
    # msgspec does not support recursive aliases.
    Json = Any
JsonObject: TypeAlias = Mapping[str, Json]
T = TypeVar("T")

Chain: TypeAlias = "tuple[Chain, str] | None"
"""Pieces of text, newest first."""
ObjectChain: TypeAlias = "tuple[ObjectChain, Mapping[str, Json]] | None"
"""JSON objects to merge, newest first."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""UTF-8's mark, which some servers put before a body; decoders reject it."""
MAX_DEPTH = 200
"""Maximum nesting of a value from outside; validators and serialisers recurse natively, on the thread's stack."""
_MAX_MERGE_DEPTH = 64
"""Levels of objects that are merged; deeper objects replace each other."""
_CONTAINERS = (dict, list, tuple, Mapping)

encode_json: Callable[[object], bytes] = msgspec.json.Encoder().encode
"""Encodes a value that msgspec supports; keys keep their order."""
_DECODER: msgspec.json.Decoder[Json] = msgspec.json.Decoder()
_UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)

_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}(\\u[dD][c-fC-F][0-9a-fA-F]{2})?|u[dD][c-fC-F][0-9a-fA-F]{2}|.)", re.DOTALL
)
"""An escape sequence; the group is a low surrogate that follows a high one."""
_SURROGATES = ("\\ud", "\\uD")
_MAX_DIGITS = 400
"""Digits of an integer. By default Python refuses to convert integers of more than 4,300 digits."""


@final
class NotJson(msgspec.Struct, frozen=True, gc=False):
    """The reason why bytes are not valid JSON."""

    reason: str


def encode_flawed_json(value: object) -> bytes:
    """Encode a value from a response; lone surrogates become U+FFFD."""
    try:
        return encode_json(value)
    except UnicodeEncodeError:
        return _replace_surrogates(json.dumps(value)).encode()


def decode_json(data: bytes | memoryview | str) -> Json | NotJson:
    """Decode JSON strictly."""
    try:
        return _DECODER.decode(data)
    except _UNREADABLE as error:
        return NotJson(str(error))


def decode_lenient_json(data: bytes | str) -> Json | NotJson:
    """Decode JSON from a server or a model: strictly, then with `decode_flawed_json`."""
    value = decode_json(data)
    if not isinstance(value, NotJson):
        return value
    flawed = decode_flawed_json(data)
    return value if isinstance(flawed, NotJson) else flawed


def decode_json_object(data: bytes | str) -> dict[str, Json] | NotJson:
    """Decode a JSON object from a server or a model leniently; any other value is NotJson."""
    try:
        value: Json | NotJson = _DECODER.decode(data)
    except _UNREADABLE:
        value = decode_lenient_json(data)
    match value:
        case dict() as fields:
            return fields
        case NotJson() as broken:
            return broken
        case _:
            return NotJson("not an object")


def decode_flawed_json(data: bytes | str, *, keep_surrogates: bool = False) -> Json | NotJson:
    """Decode JSON with flaws that servers and models are known to produce.

    Control characters in strings are accepted; non-finite numbers and integers of over 400 digits become null; invalid
    Unicode becomes U+FFFD. With `keep_surrogates`, lone surrogates and bytes that are not UTF-8 are kept in the strings
    as surrogates, for `UnicodeRepair` to join or replace.

    >>> decode_flawed_json('{"a": NaN, "b": "\\\\ud83d"}')
    {'a': None, 'b': '\ufffd'}
    """
    errors = "surrogateescape" if keep_surrogates else "replace"
    try:
        text = data if isinstance(data, str) else data.decode("utf-8", errors)
        if not keep_surrogates:
            text = _replace_surrogates(text)
        value: Json = json.loads(
            text, strict=False, parse_int=_parse_int, parse_float=_parse_float, parse_constant=_reject_constant
        )
    except (ValueError, RecursionError) as error:
        return NotJson(str(error))
    return value


def _replace_surrogates(text: str) -> str:
    if any(mark in text for mark in _SURROGATES):
        text = _ESCAPE.sub(_replace_surrogate_escape, text)
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _replace_surrogate_escape(escape: re.Match[str]) -> str:
    found = escape.group()
    is_lone = len(found) == 6 and found[2] in "dD"
    return "\\ufffd" if is_lone else found


def _parse_int(digits: str) -> int | None:
    return int(digits) if len(digits) <= _MAX_DIGITS else None


def _parse_float(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None


def _reject_constant(name: str) -> None:  # noqa: ARG001  NaN, Infinity or -Infinity
    return None


@final
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
        self._shape: WireShape | None = None

    def decode(self, data: bytes | memoryview) -> T | Undecodable:
        """Decode the data, or return why it cannot be decoded. Does not raise."""
        decoder = self._decoder
        if decoder is None:
            decoder = self._decoder = msgspec.json.Decoder(self._wire_type)
        try:
            return decoder.decode(data)
        except msgspec.ValidationError as mismatch:
            return self._repair(data, str(mismatch))
        except RecursionError as error:
            return Undecodable(str(error))
        except _UNREADABLE as error:
            return self._repair(data, str(error) or type(error).__name__)

    def _repair(self, data: bytes | memoryview, reason: str) -> T | Undecodable:
        from victor_fp.core.json.wire_repair import IRREPARABLE, fit_value, read_shape

        if self._shape is None:
            self._shape = read_shape(self._wire_type)
        try:
            value = decode_json(data)
            if isinstance(value, NotJson):
                value = decode_flawed_json(bytes(data), keep_surrogates=self._keep_surrogates)
            fitted = IRREPARABLE if isinstance(value, NotJson) else fit_value(self._shape, value)
            if fitted is IRREPARABLE:
                return Undecodable(reason)
            found: T = msgspec.convert(fitted, self._wire_type)
        except (*_UNREADABLE, ValueError):
            return Undecodable(reason)
        return found


def measure_depth(value: Json, most: int | None = None) -> int:
    """Return the nesting depth of a value; 0 for a scalar. Does not recurse.

    With `most`, counting stops above it, so that a value that contains itself terminates.

    >>> measure_depth({"a": [1]})
    2
    """
    depth = 0
    level: Iterable[Any] = [value] if isinstance(value, _CONTAINERS) else []
    while level:
        depth += 1
        if most is not None and depth > most:
            break
        # By identity: a value that occurs several times in one level is visited once.
        level = {
            id(inner): inner
            for item in level
            for inner in (item.values() if isinstance(item, Mapping) else item)
            if isinstance(inner, _CONTAINERS)
        }.values()
    return depth


def unroll(chain: tuple[Any, T] | None) -> list[T]:
    """Return the items of a chain, oldest first.

    >>> "".join(unroll(((None, "a"), "b")))
    'ab'
    """
    items: list[T] = []
    while chain is not None:
        chain, item = chain
        items.append(item)
    items.reverse()
    return items


def drop_nulls(fields: Mapping[str, Json]) -> dict[str, Json]:
    """Return the fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def merge_objects(objects: Iterable[Mapping[str, Json]], depth: int = _MAX_MERGE_DEPTH) -> dict[str, Json]:
    """Merge objects in order: lists are extended, objects merged, any other value is replaced by a later one.

    >>> merge_objects([{"a": [1], "b": 1}, {"a": [2], "b": 2}])
    {'a': [1, 2], 'b': 2}
    """
    values: dict[str, list[Json]] = {}
    for one in objects:
        for key, value in one.items():
            values.setdefault(key, []).append(value)
    return {key: found[0] if len(found) == 1 else _merge_values(found, depth) for key, found in values.items()}


def concatenate_objects(objects: Iterable[Mapping[str, Json]]) -> dict[str, Json]:
    """Merge objects that each continue the one before: strings and lists are appended to, other values are replaced.

    >>> concatenate_objects([{"a": "x", "b": 1}, {"a": "y", "b": 2}])
    {'a': 'xy', 'b': 2}
    """
    values: dict[str, list[Json]] = {}
    for one in objects:
        for key, value in one.items():
            values.setdefault(key, []).append(value)
    return {key: found[0] if len(found) == 1 else _concatenate(found) for key, found in values.items()}


def _concatenate(values: list[Json]) -> Json:
    last = values[-1]
    run = values[_find_run_start(values) :]
    if isinstance(last, str):
        return "".join(value for value in run if isinstance(value, str))
    if isinstance(last, list):
        return [item for value in run if isinstance(value, list) for item in value]
    return last


def _find_run_start(values: list[Json]) -> int:
    """Return the start of the run of values that have the type of the last one."""
    start = len(values) - 1
    while start and type(values[start - 1]) is type(values[-1]):
        start -= 1
    return start


def _merge_values(values: list[Json], depth: int) -> Json:
    last = values[-1]
    if depth == 0 or not isinstance(last, list | dict):
        return last
    run = values[_find_run_start(values) :]
    if isinstance(last, list):
        return [item for value in run if isinstance(value, list) for item in value]
    return merge_objects((value for value in run if isinstance(value, dict)), depth - 1)
