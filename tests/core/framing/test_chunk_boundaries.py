"""For all framings: chunk boundaries do not change the frames, and buffers are bounded."""

from __future__ import annotations

import time
from binascii import crc32
from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from victor_fp.core.framing import Frame, Framer, Garbled, Overflow, append_held
from victor_fp.core.framing.aws import build_event_stream_framer
from victor_fp.core.framing.json_array import build_json_array_framer
from victor_fp.core.framing.ndjson import build_ndjson_framer
from victor_fp.core.framing.sse import ServerSentEvents

Make = Callable[[int], Framer]
LIMIT = 1 << 20


def feed_all(framer: Framer, reads: Iterable[bytes]) -> tuple[list[Frame], Overflow | Garbled | None]:
    frames: list[Frame] = []
    for data in reads:
        framer, more, error = framer.feed(data)
        frames += more
        if error is not None:
            return frames, error
    more, error = framer.finish()
    return frames + more, error


def split_by_seven(data: bytes) -> list[bytes]:
    return [data[start : start + 7] for start in range(0, len(data), 7)]


def encode_aws_message(payload: bytes) -> bytes:
    headers = b"\x0b:event-type\x07\x00\x05chunk"
    lengths = (16 + len(headers) + len(payload)).to_bytes(4, "big") + len(headers).to_bytes(4, "big")
    message = lengths + crc32(lengths).to_bytes(4, "big") + headers + payload
    return message + crc32(message).to_bytes(4, "big")


SSE_PIECES = st.sampled_from(
    b"data: {}|data:x|data|event: e|event:|id: 7|: talk|\n|\n\n|\r\n|\r|\n\r|\xef\xbb\xbf|x| |retry: 3\r\r".split(b"|")
) | st.sampled_from(["data: é\n\n".encode(), b"event: a\ndata: b\n\n"])
JSON_VALUES = st.recursive(
    st.sampled_from(['"a"', '"]},{[\\""', '"\\\\"', '"\\u00e9,"', "12", "null", '"\\\\\\""']),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[" + " ,".join(items) + "]")
        | st.lists(inner, max_size=3).map(lambda items: "{" + ",\n".join(f'"k":{item}' for item in items) + "}")
    ),
    max_leaves=6,
)
JSON_ARRAYS = st.lists(JSON_VALUES, max_size=5).map(lambda items: ("[" + ",\r\n".join(items) + "]\n").encode())
STREAMS: dict[str, tuple[Make, st.SearchStrategy[bytes]]] = {
    "sse": (ServerSentEvents, st.lists(SSE_PIECES, max_size=14).map(b"".join)),
    "ndjson": (
        build_ndjson_framer,
        st.lists(st.sampled_from([b'{"a":1}', b"\n", b"\r\n", b" ", b"x\n"]), max_size=12).map(b"".join),
    ),
    "json array": (build_json_array_framer, JSON_ARRAYS),
    "json array, broken": (build_json_array_framer, st.text('[]{},"\\ 1', max_size=20).map(str.encode)),
    "aws": (
        build_event_stream_framer,
        st.lists(st.binary(max_size=20).map(encode_aws_message), max_size=4).map(b"".join),
    ),
    "aws, broken": (
        build_event_stream_framer,
        st.tuples(st.binary(max_size=9).map(encode_aws_message), st.binary()).map(b"".join),
    ),
}
EACH_STREAM = pytest.mark.parametrize("name", STREAMS)


@EACH_STREAM
@given(draw=st.data())
def test_chunk_boundaries_do_not_change_the_frames(name: str, draw: st.DataObject) -> None:
    make, streams = STREAMS[name]
    stream = draw.draw(streams)
    edges = sorted(draw.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    reads = [stream[a:b] for a, b in zip([0, *edges], [*edges, len(stream)], strict=True)]
    whole = feed_all(make(LIMIT), [stream])
    assert feed_all(make(LIMIT), reads) == whole
    assert feed_all(make(LIMIT), [stream[i : i + 1] for i in range(len(stream))]) == whole


@pytest.mark.parametrize("name", ["sse", "ndjson", "json array", "aws"])
@given(draw=st.data())
def test_chunk_boundaries_do_not_change_where_an_overflow_occurs(name: str, draw: st.DataObject) -> None:
    make, streams = STREAMS[name]
    stream, limit = draw.draw(streams), draw.draw(st.integers(1, 60))
    whole = feed_all(make(limit), [stream])
    assert feed_all(make(limit), split_by_seven(stream)) == whole
    assert feed_all(make(limit), [stream[i : i + 1] for i in range(len(stream))]) == whole
    assert all(len(frame.data) <= limit for frame in whole[0])


LONG: list[tuple[Make, Callable[[int], bytes]]] = [
    (ServerSentEvents, lambda size: b"data: " + b"x" * size + b"\n\n"),
    (ServerSentEvents, lambda size: (b"data: x\n" * (size // 8)) + b"\n"),
    (build_ndjson_framer, lambda size: b"x" * size + b"\n"),
    (build_json_array_framer, lambda size: b'[{"a":"' + b"\\n" * (size // 2) + b'"}]'),
    (build_json_array_framer, lambda size: b'[{"a":[' + b"{}," * (size // 3) + b"{}]}]"),
    (build_event_stream_framer, lambda size: encode_aws_message(b"x" * size)),
]


@pytest.mark.parametrize(("make", "long"), LONG)
def test_a_stream_without_an_end_is_cut_off_at_the_limit(make: Make, long: Callable[[int], bytes]) -> None:
    framer, taken, error = make(1000), 0, None
    for data in split_by_seven(long(20_000)):
        framer, frames, error = framer.feed(data)
        taken += len(data)
        assert not frames
        if error is not None:
            break
    assert (error, taken < 1100) == (Overflow(1000), True)
    assert framer.feed(b"\n\n]")[1:] == ([], Overflow(1000))
    assert framer.finish() == ([], Overflow(1000))


@pytest.mark.parametrize(("make", "long"), LONG)
def test_a_long_event_in_small_reads_costs_in_proportion_to_its_length(
    make: Make, long: Callable[[int], bytes]
) -> None:
    def measure_time(size: int) -> float:
        reads = split_by_seven(long(size))
        began = time.process_time()
        frames, error = feed_all(make(1 << 30), reads)
        assert (len(frames), error) == (1, None)
        return time.process_time() - began

    # Sixteen times the bytes: quadratic would be 256 times the work.
    assert measure_time(400_000) < 80 * max(min(measure_time(25_000) for _ in range(3)), 0.002)


@example([b"a"] * 5)
@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=60))
def test_held_pieces_stay_few_and_join_to_what_was_read(reads: list[bytes]) -> None:
    held: tuple[bytes, ...] = ()
    for data in reads:
        held = append_held(held, data)
        assert all(len(left) > 2 * len(right) for left, right in pairwise(held))
    assert b"".join(held) == b"".join(reads)


@pytest.mark.parametrize(
    "make", [ServerSentEvents, build_ndjson_framer, build_json_array_framer, build_event_stream_framer]
)
def test_an_empty_stream_has_no_frames(make: Make) -> None:
    assert feed_all(make(10), []) == feed_all(make(10), [b"", b""]) == ([], None)
