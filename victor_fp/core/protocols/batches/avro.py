"""Avro object container files, decoded to JSON values (Apache Avro 1.12, "Object Container Files" and "Binary Encoding").

Fields of records that are null are left out, as JSON APIs leave out absent fields. Bytes become text, one character per
byte, as in Avro's JSON encoding. Logical types are not interpreted.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from victor_fp.core.json import Json, NotJson, decode_json

MAGIC = b"Obj\x01"
SYNC = 16
"""Bytes of the marker between blocks."""
MAX_BYTES = 1_000_000_000
"""Maximum size of the decompressed blocks of one file."""


class NotAvro(msgspec.Struct, frozen=True):
    """Why data cannot be decoded."""

    reason: str


class _Cursor:
    """Position in the data; owned by one call."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def remaining(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        if not 0 <= count <= self.remaining:
            raise ValueError("the data ends early")
        start, self._at = self._at, self._at + count
        return self._data[start : self._at]

    def read_long(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return (value >> 1) ^ -(value & 1)
        raise ValueError("an integer is too long")

    def read_count(self) -> int:
        """Read the number of items of a block. Each has at least one byte, so a large number cannot exhaust the memory."""
        count = self.read_long()
        if count < 0:
            count = -count
            self.read_long()  # the size of the block in bytes
        if count > self.remaining:
            raise ValueError("the data ends early")
        return count


_Read: TypeAlias = Callable[[_Cursor], Json]


def read_avro(data: bytes) -> list[Json] | NotAvro:
    """Decode all records of a file."""
    try:
        return _read_file(_Cursor(data))
    except (ValueError, KeyError, TypeError, RecursionError, zlib.error) as error:
        return NotAvro(f"{type(error).__name__}: {error}"[:200])


def _read_file(cursor: _Cursor) -> list[Json]:
    if cursor.take(len(MAGIC)) != MAGIC:
        raise ValueError("not an Avro file")
    metadata: dict[str, bytes] = {}
    while count := cursor.read_count():
        for _ in range(count):
            name = _read_text(cursor)
            metadata[name] = _read_bytes(cursor)
    schema = decode_json(metadata["avro.schema"])
    if isinstance(schema, NotJson):
        raise TypeError(f"the schema is not JSON: {schema.reason}")
    codec = metadata.get("avro.codec", b"null").decode("utf-8", "replace")
    if codec not in ("null", "deflate"):
        raise ValueError(f"codec {codec!r} is not supported")
    read, marker = _Compiler().compile(schema, ""), cursor.take(SYNC)
    records: list[Json] = []
    budget = MAX_BYTES
    while cursor.remaining:
        count = cursor.read_long()
        block = cursor.take(cursor.read_long())
        if codec == "deflate":
            block = _decompress(block, budget)
        budget -= len(block)
        inner = _Cursor(block)
        if not 0 <= count <= len(block):
            raise ValueError("the number of records is not that of the block")
        records += [read(inner) for _ in range(count)]
        if cursor.take(SYNC) != marker:
            raise ValueError("a block does not end with the marker")
    return records


def _decompress(block: bytes, limit: int) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    found = inflater.decompress(block, limit + 1)
    if len(found) > limit:
        raise ValueError(f"the blocks have more than {MAX_BYTES} bytes")
    return found


class _Compiler:
    """The named types of one schema, which refer to each other and to themselves; owned by one call."""

    __slots__ = ("_names",)

    def __init__(self) -> None:
        self._names: dict[str, _Read] = {}

    def compile(self, schema: Json, namespace: str) -> _Read:
        """Return the function that reads values of a schema."""
        if isinstance(schema, str):
            simple = _PRIMITIVES.get(schema)
            if simple is not None:
                return simple
            name = _resolve_name(schema, namespace)
            if name not in self._names:
                raise ValueError(f"type {name!r} is not defined")
            return self._names[name]
        if isinstance(schema, list):
            return _compile_union([self.compile(branch, namespace) for branch in schema])
        if not isinstance(schema, dict):
            raise TypeError("a schema is neither a name, a union nor an object")
        kind = schema["type"]
        match kind:
            case "record" | "error" | "enum" | "fixed":
                return self._compile_named(schema, str(kind), namespace)
            case "array":
                return _compile_array(self.compile(schema["items"], namespace))
            case "map":
                return _compile_map(self.compile(schema["values"], namespace))
            case _:
                return self.compile(kind, namespace)

    def _compile_named(self, schema: Mapping[str, Json], kind: str, namespace: str) -> _Read:
        given = schema.get("namespace")
        name = _resolve_name(str(schema["name"]), given if isinstance(given, str) else namespace)
        match kind:
            case "enum":
                read = _compile_enum([str(symbol) for symbol in _check_list(schema["symbols"])])
            case "fixed":
                read = _compile_fixed(int(str(schema["size"])))
            case _:
                fields: list[tuple[str, _Read]] = []
                read = _compile_record(fields)
                self._names[name] = read
                for field in _check_list(schema["fields"]):
                    if not isinstance(field, dict):
                        raise TypeError("a field of a record is not an object")
                    fields.append((str(field["name"]), self.compile(field["type"], name.rpartition(".")[0])))
        self._names[name] = read
        return read


def _resolve_name(name: str, namespace: str) -> str:
    return f"{namespace}.{name}" if namespace and "." not in name else name


def _check_list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise TypeError("a schema has no list where one is expected")
    return value


def _compile_record(fields: Sequence[tuple[str, _Read]]) -> _Read:
    def read(cursor: _Cursor) -> Json:
        found = {name: read_field(cursor) for name, read_field in fields}
        return {name: value for name, value in found.items() if value is not None}

    return read


def _compile_union(branches: Sequence[_Read]) -> _Read:
    def read(cursor: _Cursor) -> Json:
        return branches[_check_index(cursor.read_long(), len(branches))](cursor)

    return read


def _compile_enum(symbols: Sequence[str]) -> _Read:
    return lambda cursor: symbols[_check_index(cursor.read_long(), len(symbols))]


def _check_index(index: int, length: int) -> int:
    if not 0 <= index < length:
        raise ValueError(f"index {index} is not below {length}")
    return index


def _compile_fixed(size: int) -> _Read:
    return lambda cursor: cursor.take(size).decode("latin-1")


def _compile_array(read_item: _Read) -> _Read:
    def read(cursor: _Cursor) -> Json:
        found: list[Json] = []
        while count := cursor.read_count():
            found += [read_item(cursor) for _ in range(count)]
        return found

    return read


def _compile_map(read_value: _Read) -> _Read:
    def read(cursor: _Cursor) -> Json:
        found: dict[str, Json] = {}
        while count := cursor.read_count():
            for _ in range(count):
                name = _read_text(cursor)
                found[name] = read_value(cursor)
        return found

    return read


def _read_bytes(cursor: _Cursor) -> bytes:
    return cursor.take(cursor.read_long())


def _read_text(cursor: _Cursor) -> str:
    return _read_bytes(cursor).decode("utf-8", "replace")


def _read_float(cursor: _Cursor) -> float:
    value: float = struct.unpack("<f", cursor.take(4))[0]
    return value


def _read_double(cursor: _Cursor) -> float:
    value: float = struct.unpack("<d", cursor.take(8))[0]
    return value


_PRIMITIVES: Mapping[str, _Read] = {
    "null": lambda _: None,
    "boolean": lambda cursor: cursor.take(1) != b"\x00",
    "int": _Cursor.read_long,
    "long": _Cursor.read_long,
    "float": _read_float,
    "double": _read_double,
    "bytes": lambda cursor: _read_bytes(cursor).decode("latin-1"),
    "string": _read_text,
}
