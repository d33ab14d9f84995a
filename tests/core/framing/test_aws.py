"""AWS's event stream: the encoder of the tests and botocore's decoder agree on the same bytes."""

from __future__ import annotations

import struct
from binascii import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor_fp.core.framing import Frame, Framer, Garbled, Overflow
from victor_fp.core.framing.aws import build_event_stream_framer, read_headers

Header = tuple[str, int, bool | int | bytes | str]
INTEGERS = {2: "b", 3: "h", 4: "i", 5: "q", 8: "q"}


def encode_headers(headers: list[Header]) -> bytes:
    block = b""
    for name, type_, value in headers:
        block += bytes([len(name.encode())]) + name.encode() + bytes([type_])
        if type_ in INTEGERS:
            block += struct.pack(">" + INTEGERS[type_], value)
        elif isinstance(value, (bytes, str)):
            raw = value.encode() if isinstance(value, str) else value
            block += raw if type_ == 9 else struct.pack(">H", len(raw)) + raw
    return block


def encode_message(headers: list[Header], payload: bytes = b"") -> bytes:
    block = encode_headers(headers)
    lengths = struct.pack(">II", 16 + len(block) + len(payload), len(block))
    start = lengths + struct.pack(">I", crc32(lengths)) + block + payload
    return start + struct.pack(">I", crc32(start))


def build_headers(type_: str, **headers: str) -> list[Header]:
    spelled: list[Header] = [(":" + name.replace("_", "-"), 7, value) for name, value in headers.items()]
    return [(":message-type", 7, type_), (":content-type", 7, "application/json"), *spelled]


EVENT = encode_message(build_headers("event", event_type="contentBlockDelta"), b'{"delta":1}')
EVENT_FRAME = Frame(b'{"delta":1}', "contentBlockDelta", "event")


def read_frames(stream: bytes) -> list[Frame]:
    framer, frames, error = build_event_stream_framer().feed(stream)
    assert (error, framer.finish()) == (None, ([], None))
    return frames


@pytest.mark.parametrize(
    ("stream", "frames"),
    [
        pytest.param(EVENT + EVENT, [EVENT_FRAME, EVENT_FRAME], id="events"),
        pytest.param(
            encode_message(build_headers("exception", exception_type="throttlingException"), b'{"message":"slow"}'),
            [Frame(b'{"message":"slow"}', "throttlingException", "exception")],
            id="exception",
        ),
        pytest.param(
            encode_message(build_headers("error", error_code="InternalError", error_message="it broke")),
            [Frame(b"it broke", "InternalError", "error")],
            id="error, whose text is a header",
        ),
        pytest.param(
            encode_message([(":event-type", 7, "chunk")], b"{}"), [Frame(b"{}", "chunk", "event")], id="no message type"
        ),
        pytest.param(encode_message([], b"{}"), [Frame(b"{}")], id="no headers"),
        pytest.param(
            encode_message(build_headers("event", event_type="chunk")), [Frame(b"", "chunk", "event")], id="no payload"
        ),
        pytest.param(EVENT + EVENT[:30], [EVENT_FRAME], id="a message cut by the end"),
    ],
)
def test_message(stream: bytes, frames: list[Frame]) -> None:
    assert read_frames(stream) == frames


@pytest.mark.parametrize("place", range(len(EVENT)))
def test_one_flipped_bit_anywhere_is_noticed(place: int) -> None:
    broken = EVENT[:place] + bytes([EVENT[place] ^ 4]) + EVENT[place + 1 :]
    _, frames, error = build_event_stream_framer().feed(EVENT + broken)
    assert frames == [EVENT_FRAME]
    assert error == Garbled(
        "invalid checksum of the lengths of a message" if place < 12 else "invalid checksum of a message"
    )


def test_a_length_past_the_limit_is_refused_before_its_bytes_come() -> None:
    assert build_event_stream_framer(64).feed(EVENT[:12])[1:] == ([], Overflow(64))


def test_a_length_too_short_for_its_parts_is_malformed() -> None:
    lengths = struct.pack(">II", 20, 30)
    prelude = lengths + struct.pack(">I", crc32(lengths))
    assert build_event_stream_framer().feed(prelude + bytes(8))[2] == Garbled("a message is shorter than its parts")


def test_a_broken_stream_stays_broken() -> None:
    framer: Framer = build_event_stream_framer().feed(bytes(16))[0]
    assert framer.feed(EVENT)[1:] == ([], Garbled("invalid checksum of the lengths of a message"))


EVERY_TYPE: list[Header] = [
    ("yes", 0, True),
    ("no", 1, False),
    ("byte", 2, -7),
    ("short", 3, -700),
    ("int", 4, -70_000),
    ("long", 5, -(1 << 40)),
    ("bytes", 6, b"\x00\xff"),
    ("text", 7, "é"),
    ("time", 8, 1_700_000_000_000),
    ("uuid", 9, bytes(range(16))),
]


def test_every_type_of_header_is_read() -> None:
    assert read_headers(encode_headers(EVERY_TYPE)) == {name: value for name, _, value in EVERY_TYPE}


@pytest.mark.parametrize("header", EVERY_TYPE, ids=lambda header: header[0])
def test_a_truncated_header_is_malformed(header: Header) -> None:
    block = encode_headers([header])
    for end in range(1, len(block)):
        assert read_headers(block[:end]) == Garbled("a header is truncated")


def test_a_header_of_an_unknown_type_is_malformed() -> None:
    assert read_headers(b"\x01a\x0a") == Garbled("a header has an unknown type")


HEADERS = st.lists(
    st.tuples(st.text("abc:-", min_size=1, max_size=8), st.just(7), st.text(max_size=8))
    | st.tuples(st.text("abc:-", min_size=1, max_size=8), st.just(6), st.binary(max_size=8))
    | st.tuples(st.text("abc:-", min_size=1, max_size=8), st.sampled_from([5, 8]), st.integers(-(2**63), 2**63 - 1))
    | st.tuples(st.text("abc:-", min_size=1, max_size=8), st.just(4), st.integers(-(2**31), 2**31 - 1)),
    max_size=5,
    unique_by=lambda header: header[0],
)


@given(HEADERS)
def test_headers_are_read_as_they_were_written(headers: list[Header]) -> None:
    assert read_headers(encode_headers(headers)) == {name: value for name, _, value in headers}


@given(st.lists(st.tuples(HEADERS, st.binary(max_size=40)), max_size=4))
def test_botocore_reads_the_same(messages: list[tuple[list[Header], bytes]]) -> None:
    eventstream = pytest.importorskip("botocore.eventstream", reason="botocore is an optional dependency")
    stream = b"".join(encode_message(headers, payload) for headers, payload in messages)
    buffer = eventstream.EventStreamBuffer()
    buffer.add_data(stream)
    theirs = [(event.headers, event.payload) for event in buffer]
    ours = [frame.data for frame in read_frames(stream)]
    assert [payload for _, payload in theirs] == ours
    for (headers, _), (read, _) in zip(messages, theirs, strict=True):
        assert read_headers(encode_headers(headers)) == read
