"""Avro files, as the specification describes them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.avro_files import MARKER, RECORD, write_avro, write_long, write_value
from victor_fp.core.protocols.batches.avro import NotAvro, read_avro

SUIT: Any = {"type": "enum", "name": "Suit", "symbols": ["HEARTS", "SPADES"]}
NAMES = {"Suit": SUIT, "a.b.Suit": SUIT}
ALL: Any = {
    "type": "record",
    "name": "All",
    "namespace": "a.b",
    "fields": [
        {"name": "nothing", "type": "null"},
        {"name": "yes", "type": "boolean"},
        {"name": "small", "type": "int"},
        {"name": "large", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "single", "type": "float"},
        {"name": "double", "type": "double"},
        {"name": "raw", "type": "bytes"},
        {"name": "text", "type": "string"},
        {"name": "four", "type": {"type": "fixed", "name": "Four", "size": 4}},
        {"name": "suit", "type": SUIT},
        {"name": "again", "type": "a.b.Suit"},
        {"name": "list", "type": {"type": "array", "items": "Suit"}},
        {"name": "counts", "type": {"type": "map", "values": "long"}},
        {"name": "maybe", "type": ["null", "string"]},
    ],
}
VALUES = {
    "yes": True,
    "small": -3,
    "large": 1_700_000_000_000,
    "single": 0.5,
    "double": -1.25,
    "raw": b"\x00\xff",
    "text": "Größe 😀",
    "four": b"abcd",
    "suit": "SPADES",
    "again": "HEARTS",
    "list": ["HEARTS", "SPADES", "HEARTS"],
    "counts": {"x": 1, "y": -(2**60)},
}


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_every_type_is_read(codec: str) -> None:
    file = write_avro(ALL, [{**VALUES, "nothing": None, "maybe": None}, {**VALUES, "maybe": "so"}], codec, names=NAMES)
    read = {**VALUES, "raw": "\x00ÿ", "four": "abcd"}
    assert read_avro(file) == [read, {**read, "maybe": "so"}]


def test_a_type_may_contain_itself() -> None:
    tree: Any = {
        "type": "record",
        "name": "Tree",
        "fields": [
            {"name": "name", "type": "string"},
            {"name": "children", "type": {"type": "array", "items": "Tree"}},
        ],
    }
    leaf = write_value("string", "leaf") + write_long(0)
    body = write_value("string", "root") + write_long(1) + leaf + write_long(0)
    file = write_avro(tree, [])
    whole = file + write_long(1) + write_long(len(body)) + body + MARKER
    assert read_avro(whole) == [{"name": "root", "children": [{"name": "leaf", "children": []}]}]


def test_a_list_may_be_in_blocks_with_their_sizes() -> None:
    block = write_long(-2) + write_long(2) + write_long(7) + write_long(8) + write_long(0)
    file = write_avro({"type": "array", "items": "int"}, [])
    assert read_avro(file + write_long(1) + write_long(len(block)) + block + MARKER) == [[7, 8]]


def test_a_file_may_have_no_records_and_several_blocks() -> None:
    assert read_avro(write_avro(RECORD, [])) == []
    rows = [{"custom_id": str(number), "error": "e"} for number in range(5)]
    assert read_avro(write_avro(RECORD, rows, per_block=1)) == rows


def with_block(schema: Any, count: int, block: bytes) -> bytes:
    return write_avro(schema, []) + write_long(count) + write_long(len(block)) + block + MARKER


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (b"", "ends early"),
        (b"PK\x03\x04" * 9, "not an Avro file"),
        (b"Obj\x01\x00" + MARKER, "avro.schema"),
        (write_avro(RECORD, [], "snappy"), "codec 'snappy'"),
        (write_avro("no.such.Type", []), "'no.such.Type' is not defined"),
        (with_block("int", 2, b"\x02"), "number of records"),
        (with_block("string", 1, write_long(2**50)), "ends early"),
        (with_block({"type": "array", "items": "null"}, 1, write_long(2**50)), "ends early"),
        (with_block(["null", "int"], 1, write_long(9)), "index 9"),
        (with_block("long", 1, b"\xff" * 12), "too long"),
        (with_block("int", 1, b"\x02")[:-1] + b"!", "marker"),
        (write_avro("string", [], "deflate") + write_long(1) + write_long(3) + b"\xff\xff\xff" + MARKER, "error"),
    ],
)
def test_an_unreadable_file_is_a_fault(file: bytes, said: str) -> None:
    found = read_avro(file)
    assert isinstance(found, NotAvro)
    assert said in found.reason


def test_a_truncated_file_yields_a_fault_or_its_first_blocks() -> None:
    whole = write_avro(ALL, [VALUES, VALUES, VALUES], "deflate", per_block=1, names=NAMES)
    for end in range(len(whole)):
        found = read_avro(whole[:end])
        assert isinstance(found, NotAvro) or len(found) < 3
