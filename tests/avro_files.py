"""Avro files for tests, written by the format's specification: primitives, records, arrays, maps, unions, enums and fixed."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any

MARKER = bytes(range(16))

REPLY: Any = {
    "type": "record",
    "name": "Reply",
    "namespace": "com.example",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "finish_reason", "type": {"type": "enum", "name": "Reason", "symbols": ["COMPLETE", "TOOL_CALL"]}},
        {
            "name": "message",
            "type": {
                "type": "record",
                "name": "Message",
                "fields": [
                    {"name": "role", "type": "string"},
                    {
                        "name": "content",
                        "type": {
                            "type": "array",
                            "items": {
                                "type": "record",
                                "name": "Part",
                                "fields": [
                                    {"name": "type", "type": "string"},
                                    {"name": "text", "type": ["null", "string"]},
                                ],
                            },
                        },
                    },
                    {"name": "tool_plan", "type": ["null", "string"]},
                ],
            },
        },
        {"name": "usage", "type": ["null", {"type": "map", "values": {"type": "map", "values": "double"}}]},
    ],
}
RECORD: Any = {
    "type": "record",
    "name": "Row",
    "fields": [
        {"name": "custom_id", "type": "string"},
        {"name": "body", "type": ["null", REPLY]},
        {"name": "error", "type": "string"},
    ],
}
"""A row of results, as a vendor of batches may describe it."""


def write_avro(
    schema: Any, records: list[Any], codec: str = "null", *, per_block: int = 2, names: dict[str, Any] | None = None
) -> bytes:
    """A file of records, some in each block."""
    metadata = {"avro.schema": json.dumps(schema).encode(), "avro.codec": codec.encode()}
    pairs = b"".join(write_value("string", name) + write_value("bytes", value) for name, value in metadata.items())
    whole = b"Obj\x01" + write_long(len(metadata)) + pairs + write_long(0) + MARKER
    for start in range(0, len(records), per_block):
        chosen = records[start : start + per_block]
        block = b"".join(write_value(schema, record, names) for record in chosen)
        if codec == "deflate":
            deflater = zlib.compressobj(wbits=-15)
            block = deflater.compress(block) + deflater.flush()
        whole += write_long(len(chosen)) + write_long(len(block)) + block + MARKER
    return whole


def write_long(value: int) -> bytes:
    left = (value << 1) ^ (value >> 63)
    found = bytearray()
    while left > 0x7F:
        found.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([*found, left])


def write_value(schema: Any, value: Any, names: dict[str, Any] | None = None) -> bytes:
    """A value; `names` has the schemas of named types that are referred to."""
    schema = (names or {}).get(schema, schema) if isinstance(schema, str) else schema
    if isinstance(schema, list):
        index = next(index for index, branch in enumerate(schema) if (branch == "null") == (value is None))
        return write_long(index) + write_value(schema[index], value, names)
    definition: dict[str, Any] = {"type": schema} if isinstance(schema, str) else schema
    kind = definition["type"]
    match kind:
        case "null":
            return b""
        case "boolean":
            return b"\x01" if value else b"\x00"
        case "int" | "long":
            return write_long(value)
        case "float":
            return struct.pack("<f", value)
        case "double":
            return struct.pack("<d", value)
        case "bytes":
            return write_long(len(value)) + bytes(value)
        case "string":
            return write_long(len(value.encode())) + bytes(value.encode())
        case "fixed":
            return bytes(value)
        case "enum":
            return write_long(definition["symbols"].index(value))
        case "array":
            items = b"".join(write_value(definition["items"], item, names) for item in value)
            return (write_long(len(value)) + items if value else b"") + write_long(0)
        case "map":
            pairs = b"".join(
                write_value("string", name) + write_value(definition["values"], item, names)
                for name, item in value.items()
            )
            return (write_long(len(value)) + pairs if value else b"") + write_long(0)
        case "record":
            return b"".join(
                write_value(field["type"], value.get(field["name"]), names) for field in definition["fields"]
            )
        case _:
            return write_value(kind, value, names)
