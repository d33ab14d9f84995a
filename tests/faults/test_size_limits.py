"""Oversized responses: each is a typed fault, and memory stays within a small multiple of the limit."""

from __future__ import annotations

import gzip
import json
import zlib

import httpx
import pytest

from tests import openai_shapes as shapes
from tests.acme import HI, build_acme
from tests.faults.calls import CLIENTS, call_once, get_fault, measure_peak_memory, stream_once
from tests.loopback import Received, Talk, serving
from victor_fp.core.faults import ConnectionFailed, DeadlineExceeded, InvalidResponse, StreamInterrupted
from victor_fp.core.framing import DEFAULT_LIMIT
from victor_fp.core.responses.streams import BODY_LIMIT
from victor_fp.core.types import StreamChunk

MIB = 1024 * 1024
ZEROS = gzip.compress(bytes(16 * MIB), 9)
"""16 KiB in place of 16 MiB."""


def pack_with(data: bytes, bits: int) -> bytes:
    packer = zlib.compressobj(wbits=bits)
    return packer.compress(data) + packer.flush()


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_a_line_of_100_mb_in_a_stream(client: str) -> None:
    sent = 0

    async def send_long_line(talk: Talk, _: Received) -> None:
        nonlocal sent
        await talk.send_head(content_type="text/event-stream")
        await talk.send_event(shapes.build_chunk("Hel"))
        await talk.send_chunk(b'data: {"choices": "')
        filler = b"x" * MIB
        for _mib in range(100):
            await talk.send_chunk(filler)
            sent += 1

    with measure_peak_memory() as peak:
        streamed = await stream_once(send_long_line, client)
    assert isinstance(streamed.end, InvalidResponse), streamed.end
    assert str(DEFAULT_LIMIT) in streamed.end.message
    assert streamed.end.partial is not None
    assert (streamed.text, streamed.end.partial.content) == ("Hel", "Hel")
    assert sent < 60, "a stream without a reader was read on"
    assert peak.size < 4 * DEFAULT_LIMIT


async def test_a_body_past_its_limit_is_not_read_on() -> None:
    sent = 0

    async def send_long_body(talk: Talk, _: Received) -> None:
        nonlocal sent
        await talk.send_head()
        filler = b" " * MIB
        for _mib in range(500):
            await talk.send_chunk(filler)
            sent += 1

    with measure_peak_memory() as peak:
        fault = await get_fault(send_long_body)
    assert isinstance(fault, InvalidResponse)
    assert str(BODY_LIMIT) in fault.message
    assert sent < 90
    assert peak.size < 2 * BODY_LIMIT


async def test_a_body_that_inflates_past_the_limit(client: str) -> None:
    async def send_bomb(talk: Talk, _: Received) -> None:
        await talk.answer(ZEROS * 20, content_encoding="gzip")

    with measure_peak_memory() as peak:
        fault = await get_fault(send_bomb, client)
    assert isinstance(fault, InvalidResponse)
    assert str(BODY_LIMIT) in fault.message
    assert peak.size < 2 * BODY_LIMIT


async def test_a_stream_that_inflates_past_the_limit_of_a_line(client: str) -> None:
    async def stream_bomb(talk: Talk, _: Received) -> None:
        await talk.send_head(content_type="text/event-stream", content_encoding="gzip")
        await talk.send_chunk(gzip.compress(b"data: ") + ZEROS * 20)

    with measure_peak_memory() as peak:
        streamed = await stream_once(stream_bomb, client)
    assert isinstance(streamed.end, InvalidResponse), streamed.end
    assert str(DEFAULT_LIMIT) in streamed.end.message
    assert peak.size < 4 * DEFAULT_LIMIT


async def test_nested_compression_bombs(client: str) -> None:
    bomb = gzip.compress(ZEROS * 64, 9)  # 1 GiB
    assert len(bomb) < 20_000

    async def send_nested_bombs(talk: Talk, _: Received) -> None:
        await talk.answer(bomb, content_encoding="gzip, gzip")

    with measure_peak_memory() as peak:
        fault = await get_fault(send_nested_bombs, client)
        streamed = await stream_once(send_nested_bombs, client)
    assert isinstance(fault, InvalidResponse)
    assert isinstance(streamed.end, InvalidResponse)
    assert "compressed more than once" in fault.message
    assert peak.size < 8 * MIB


async def test_a_compression_bomb_of_comments_ends_at_the_deadline() -> None:
    comments = gzip.compress(b":\n\n" * MIB, 9)

    async def send_comments(talk: Talk, _: Received) -> None:
        await talk.send_head(content_type="text/event-stream", content_encoding="gzip")
        while True:
            await talk.send_chunk(comments)

    with measure_peak_memory() as peak:
        streamed = await stream_once(send_comments, deadline=0.2)
    assert isinstance(streamed.end, DeadlineExceeded), streamed.end
    assert peak.size < 16 * MIB


@pytest.mark.parametrize("error", [False, True])
async def test_headers_above_the_limit(client: str, error: bool) -> None:
    async def send_long_headers(talk: Talk, _: Received) -> None:
        await talk.send_head(500 if error else 200, x_filler="x" * (2 * MIB))
        await talk.end()

    with measure_peak_memory() as peak:
        fault = await get_fault(send_long_headers, client)
    assert isinstance(fault, InvalidResponse | ConnectionFailed), fault  # plain httpx does not tell these apart
    assert len(fault.message) < 500
    assert peak.size < 16 * MIB


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("x-gzip", gzip.compress),
        ("gzip", lambda data: gzip.compress(data[:40]) + gzip.compress(data[40:])),
        ("gzip", lambda data: gzip.compress(data) + bytes(9)),
        ("deflate", zlib.compress),
        ("deflate", lambda data: pack_with(data, -15)),
        ("identity", bytes),
        ("utf-8", bytes),
    ],
    ids=["gzip", "upper", "x-gzip", "two-members", "padded", "deflate", "raw-deflate", "identity", "mislabelled"],
)
async def test_compressed_responses_are_read(client: str, coding: str, pack: object) -> None:
    assert callable(pack)
    packed = pack(json.dumps(shapes.build_body()).encode())

    async def send_packed(talk: Talk, _: Received) -> None:
        await talk.answer(packed, content_encoding=coding)

    assert (await call_once(send_packed, client)).unwrap().content == "Hello!"


async def test_a_compressed_stream_is_read_incrementally(client: str) -> None:
    packer = zlib.compressobj(wbits=31)

    async def stream_packed(talk: Talk, _: Received) -> None:
        await talk.send_head(content_type="text/event-stream", content_encoding="gzip")
        for chunk in shapes.build_chunks("Hel", "lo"):
            data = packer.compress(f"data: {json.dumps(chunk)}\n\n".encode()) + packer.flush(zlib.Z_SYNC_FLUSH)
            for byte in data:
                await talk.send_chunk(bytes([byte]))
        await talk.send_chunk(packer.flush())
        await talk.end()

    streamed = await stream_once(stream_packed, client)
    assert isinstance(streamed.end, StreamChunk), streamed.end
    assert (streamed.text, streamed.end.stop_reason) == ("Hello", "stop")


async def test_truncated_compressed_bytes_are_a_truncated_response(client: str) -> None:
    async def send_truncated(talk: Talk, _: Received) -> None:
        await talk.send_head(content_encoding="gzip")
        await talk.send_chunk(ZEROS[:2000])
        raise ConnectionError

    assert isinstance(await get_fault(send_truncated, client), StreamInterrupted)


async def test_a_response_read_by_an_event_hook_is_decompressed_once() -> None:
    async def send_packed(talk: Talk, _: Received) -> None:
        await talk.answer(gzip.compress(json.dumps(shapes.build_body()).encode()), content_encoding="gzip")

    async def read_response(response: httpx.Response) -> None:
        await response.aread()

    async with (
        httpx.AsyncClient(verify=False, event_hooks={"response": [read_response]}) as own,
        serving(send_packed) as server,
    ):
        async with build_acme(server.url, http_client=own) as provider:
            assert (await provider.chat(HI, model="m-1")).content == "Hello!"


async def test_a_mock_transport_may_return_a_complete_response() -> None:
    packed = gzip.compress(json.dumps(shapes.build_body()).encode())
    double = httpx.MockTransport(lambda _: httpx.Response(200, headers={"content-encoding": "gzip"}, content=packed))
    async with httpx.AsyncClient(transport=double) as own, build_acme("http://x.test", http_client=own) as provider:
        assert (await provider.chat(HI, model="m-1")).content == "Hello!"
