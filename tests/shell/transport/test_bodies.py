"""Bodies and headers of responses, well-formed and not."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import struct
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from tests.acme import HI, build_acme
from tests.shell.transport.peers import answer, read_request, send_request, serve_answers, serve_raw
from victor_fp.core.faults import AuthRejected, ConnectionFailed, Fault, FaultBase, InvalidResponse, StreamInterrupted
from victor_fp.core.requests import HttpRequest
from victor_fp.shell.transport.protocol import Transport

CHUNKED = "transfer-encoding: chunked"
MIB = 1024 * 1024


def build_chunked(body: bytes, status: str, *headers: str) -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", CHUNKED, *headers])
    return f"{head}\r\n\r\n{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"


async def receive_all(transport: Transport, url: str) -> tuple[bytes, Fault | None]:
    """A body read piece by piece, and the fault that ended it."""
    response = await transport.open(HttpRequest(url=url, body=b"{}"), None, 5)
    assert not isinstance(response, FaultBase), response
    received = b""
    while isinstance(piece := await response.receive(), bytes):
        assert piece, "an empty piece is not the end"
        received += piece
    assert await response.receive() == piece, "the end is the end"
    await response.aclose()
    return received, piece


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
@pytest.mark.parametrize(
    "encode", [lambda status: answer(b"surprise", status), lambda status: build_chunked(b"x", status)]
)
async def test_the_body_of_a_response_that_has_none_is_not_the_next_response(
    transport: Transport, status: str, encode: Callable[[str], bytes]
) -> None:
    async with serve_answers(encode(status), answer(b"second")) as peer:
        first = await send_request(transport, peer.url)
        second = await send_request(transport, peer.url)
    # aiohttp refuses what comes in one packet with its body, because it is not valid HTTP.
    if isinstance(first, FaultBase):
        assert isinstance(first, InvalidResponse), first
    else:
        assert (first.status, first.body) == (int(status[:3]), b"")
    assert not isinstance(second, FaultBase), second
    assert second.body == b"second"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_a_connection_on_which_such_a_body_may_still_come_is_not_used_again(
    transport: Transport, status: str
) -> None:
    async with serve_answers(answer(b"late", status).removesuffix(b"late"), answer(b"second")) as peer:
        first = await send_request(transport, peer.url)
        second = await send_request(transport, peer.url)
        assert not isinstance(first, FaultBase), first
        assert (first.status, first.body) == (int(status[:3]), b"")
        assert not isinstance(second, FaultBase), second
        assert (second.body, peer.connections) == (b"second", 2)


async def test_the_connection_of_an_empty_response_is_used_again(transport: Transport) -> None:
    async with serve_answers(b"HTTP/1.1 204 No Content\r\n\r\n", answer(b"second")) as peer:
        await send_request(transport, peer.url)
        second = await send_request(transport, peer.url)
        assert not isinstance(second, FaultBase)
        assert (second.body, peer.connections) == (b"second", 1)


PACKED = gzip.compress(json.dumps({"text": "x" * 400}).encode())


@pytest.mark.parametrize("cut", [1, 8, 12, len(PACKED) - 3])
@pytest.mark.parametrize("coding", ["gzip", "deflate", "raw"])
async def test_a_compressed_body_cut_short_is_a_fault(transport: Transport, coding: str, cut: int) -> None:
    text = json.dumps({"text": "x" * 400, "more": list(range(200))}).encode()
    packer = zlib.compressobj(wbits={"gzip": 31, "deflate": 15, "raw": -15}[coding])
    packed = packer.compress(text) + packer.flush()
    short = packed[: min(len(packed) - 1, max(cut, 3))]
    header = f"content-encoding: {coding.replace('raw', 'deflate')}"
    async with serve_answers(answer(short, "200 OK", header), build_chunked(short, "200 OK", header)) as peer:
        for _ in range(2):
            fault = await send_request(transport, peer.url)
            assert isinstance(fault, StreamInterrupted), fault
            assert fault.maybe_billed


async def test_a_truncated_compressed_stream_gives_partial_content(transport: Transport) -> None:
    packer = zlib.compressobj(wbits=31)
    packed = packer.compress(b"data: 1\n\n") + packer.flush(zlib.Z_SYNC_FLUSH)
    async with serve_answers(build_chunked(packed, "200 OK", "content-encoding: gzip")) as peer:
        received, fault = await receive_all(transport, peer.url)
    assert received == b"data: 1\n\n"
    assert isinstance(fault, StreamInterrupted)


async def test_an_empty_body_with_a_coding_is_empty(transport: Transport) -> None:
    async with serve_answers(answer(b"", "200 OK", "content-encoding: gzip")) as peer:
        assert await receive_all(transport, peer.url) == (b"", None)


@pytest.mark.parametrize("size", [0, 1, 16 * 1024, 300_000])
async def test_bodies_of_every_size_are_read_completely(transport: Transport, size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    async with serve_answers(
        answer(body[:size]), build_chunked(body[:size], "200 OK") if size else answer(b"")
    ) as peer:
        for _ in range(2):
            assert await receive_all(transport, peer.url) == (body[:size], None)


async def test_a_body_without_a_length_ends_with_the_connection(transport: Transport) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        await writer.drain()

    async with serve_raw(serve) as peer:
        assert await receive_all(transport, peer.url) == (b"all of it", None)


async def test_a_body_shorter_than_its_length_is_a_fault(transport: Transport) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        await writer.drain()

    async with serve_raw(serve) as peer:
        received, fault = await receive_all(transport, peer.url)
    assert received == b"half"
    assert isinstance(fault, StreamInterrupted)


async def test_data_before_a_reset_is_not_lost_by_a_slow_reader(transport: Transport) -> None:
    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nfirst")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        closed.set()

    async with serve_raw(serve) as peer:
        response = await transport.open(HttpRequest(url=peer.url, body=b"{}"), None, 5)
        assert not isinstance(response, FaultBase), response
        await closed.wait()
        for _ in range(50):  # the client's side learns of it
            await asyncio.sleep(0)
        assert await response.receive() == b"first"
        assert isinstance(await response.receive(), StreamInterrupted)
        await response.aclose()


@pytest.mark.parametrize("framing", ["none", "chunked"])
async def test_a_reset_within_a_body_is_a_fault(transport: Transport, framing: str) -> None:
    """Also of a body without a length, which ends with the connection."""
    head = b"HTTP/1.1 200 OK\r\n\r\n" if framing == "none" else f"HTTP/1.1 200 OK\r\n{CHUNKED}\r\n\r\n5\r\n".encode()
    read = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(head + b"first")
        await writer.drain()
        await read.wait()
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async with serve_raw(serve) as peer:
        response = await transport.open(HttpRequest(url=peer.url, body=b"{}"), None, 5)
        assert not isinstance(response, FaultBase), response
        assert await response.receive() == b"first"
        read.set()
        assert isinstance(await response.receive(), StreamInterrupted)
        await response.aclose()


async def test_malformed_data_within_a_body_is_a_fault_at_once(transport: Transport) -> None:
    read = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(f"HTTP/1.1 200 OK\r\n{CHUNKED}\r\n\r\n5\r\nfirst\r\n".encode())
        await writer.drain()
        await read.wait()
        writer.write(b"no size\r\n")
        await reader.read()

    async with serve_raw(serve) as peer:
        response = await transport.open(HttpRequest(url=peer.url, body=b"{}"), None, 5)
        assert not isinstance(response, FaultBase), response
        assert await response.receive() == b"first"
        read.set()
        fault = await response.receive()
        await response.aclose()
    assert isinstance(fault, InvalidResponse), fault
    assert fault.message.startswith("response is not valid HTTP")


@pytest.mark.parametrize("header", ["x-note: 1", "content-encoding: gzip"])
async def test_the_body_of_an_error_is_returned_as_far_as_it_was_received(transport: Transport, header: str) -> None:
    body = b"half" if header.startswith("x") else gzip.compress(b"half")[:-4]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answer(body, "429 Too Many Requests", header).replace(b"length: ", b"length: 9"))
        await writer.drain()

    async with serve_raw(serve) as peer:
        answered = await send_request(transport, peer.url)
    assert not isinstance(answered, FaultBase), answered
    assert (answered.status, answered.body) == (429, b"half")


@pytest.mark.parametrize("is_stream", [False, True])
async def test_an_error_whose_body_breaks_off_is_classified_by_its_status(name: str, is_stream: bool) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 100\r\n\r\n{")
        await writer.drain()

    async with serve_raw(serve) as peer, build_acme(peer.url, transport=name) as provider:
        if is_stream:
            fault = [result async for result in provider.stream_result(HI, model="m-1")][-1].failure()
        else:
            fault = (await provider.chat_result(HI, model="m-1")).failure()
        assert peer.connections == 1, "a rejected key is not sent again"
    assert isinstance(fault, AuthRejected), fault
    assert (fault.status, fault.maybe_billed) == (401, False)


INFORMATIONAL = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        (INFORMATIONAL + answer(), b"ok"),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", b"ok"),
        (answer(b"moved", "302 Found", "location: http://127.0.0.1:9/"), b"moved"),
        (f"HTTP/1.1 200 OK\r\n{CHUNKED}\r\n\r\n2;a=b\r\nok\r\n0\r\nx-trailer: 1\r\n\r\n".encode(), b"ok"),
        (answer(b"ok", "200 " + "O" * 9000), b"ok"),
        (b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok", b"ok"),
    ],
    ids=["informational", "http-1.0", "redirect", "trailers", "long-reason", "no-reason"],
)
async def test_unusual_responses_are_read(transport: Transport, sent: bytes, body: bytes) -> None:
    async with serve_answers(sent) as peer:
        answered = await send_request(transport, peer.url)
    assert not isinstance(answered, FaultBase), answered
    assert answered.body == body


async def test_white_space_around_a_header_value_is_removed(transport: Transport) -> None:
    async with serve_answers(answer(b"ok", "200 OK", "x-a: \t 1 2 \t ", "x-b:")) as peer:
        answered = await send_request(transport, peer.url)
    assert not isinstance(answered, FaultBase), answered
    assert (answered.headers["x-a"], answered.headers["x-b"]) == ("1 2", "")


async def test_a_connection_closed_before_the_response_is_a_fault(transport: Transport) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nx-no")

    async with serve_raw(serve) as peer:
        fault = await send_request(transport, peer.url)
    assert isinstance(fault, ConnectionFailed), fault
    assert (fault.message, fault.maybe_billed) == ("connection was closed before the response began", True)


@pytest.mark.parametrize(
    ("sent", "read"), [("caf\xe9", "caf\xe9"), ("caf\xc3\xa9", "caf\xe9"), ("\xff\xfe", "\xff\xfe"), ("plain", "plain")]
)
async def test_a_header_in_any_encoding_is_read(transport: Transport, sent: str, read: str) -> None:
    async with serve_answers(answer(b"ok", "200 OK", f"x-note: {sent}", "x-other: 1")) as peer:
        answered = await send_request(transport, peer.url)
    assert not isinstance(answered, FaultBase), answered
    assert (answered.headers["x-note"], answered.headers["x-other"]) == (read, "1")
    assert answered.headers["x-note"].encode()  # no lone surrogates


async def test_header_names_are_lower_case_and_repeated_values_joined(transport: Transport) -> None:
    async with serve_answers(answer(b"ok", "200 OK", "X-Limit: 1", "x-limit: 2")) as peer:
        answered = await send_request(transport, peer.url)
    assert not isinstance(answered, FaultBase), answered
    assert answered.headers["x-limit"] == "1, 2"
    assert set(answered.headers) == {"content-length", "x-limit"}


async def test_a_long_header_is_read(transport: Transport) -> None:
    async with serve_answers(answer(b"ok", "200 OK", f"content-security-policy: {'x' * 40_000}")) as peer:
        answered = await send_request(transport, peer.url)
    assert not isinstance(answered, FaultBase), answered
    assert len(answered.headers["content-security-policy"]) == 40_000


@pytest.mark.parametrize("garbage", [b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 two hundred\r\n\r\n", b"\x00" * 100])
async def test_response_that_is_not_http_is_invalid(transport: Transport, garbage: bytes) -> None:
    async with serve_answers(garbage) as peer:
        fault = await send_request(transport, peer.url)
    assert isinstance(fault, InvalidResponse), fault
    assert fault.maybe_billed
    assert len(fault.message) < 400


async def test_a_body_is_not_read_past_the_callers_limit(transport: Transport) -> None:
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_request(reader)
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: {64 * MIB}\r\n\r\n".encode())
        block = bytes(MIB)
        for _ in range(64):
            writer.write(block)
            await writer.drain()
            sent += 1

    async with serve_raw(serve) as peer:
        tracemalloc.start()
        try:
            response = await transport.open(HttpRequest(url=peer.url, body=b"{}"), None, 5)
            assert not isinstance(response, FaultBase), response
            fault = await response.read(2 * MIB)
            peak = tracemalloc.get_traced_memory()[1]
            await response.aclose()
        finally:
            tracemalloc.stop()
    assert isinstance(fault, InvalidResponse), fault
    assert str(2 * MIB) in fault.message
    assert sent < 32
    assert peak < 12 * MIB


async def test_a_paused_reader_applies_backpressure(transport: Transport) -> None:
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_request(reader)
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: {256 * MIB}\r\n\r\n".encode())
        block = bytes(MIB)
        for _ in range(256):
            writer.write(block)
            await writer.drain()
            sent += 1

    async with serve_raw(serve) as peer:
        response = await transport.open(HttpRequest(url=peer.url, body=b"{}"), None, 5)
        assert not isinstance(response, FaultBase), response
        assert await response.receive()
        for _ in range(2000):
            await asyncio.sleep(0)
        assert sent < 64
        await response.aclose()


@pytest.mark.parametrize("coding", ["br", "zstd", "BR, x-new"])
async def test_a_coding_that_was_not_requested_is_named(transport: Transport, coding: str) -> None:
    body = b"\x1b\x2c\x00\xf8\xff" * 5
    async with serve_answers(answer(body, "200 OK", f"content-encoding: {coding}")) as peer:
        fault = await send_request(transport, peer.url)
    assert isinstance(fault, InvalidResponse), fault
    assert f"content coding '{coding.lower().partition(',')[0]}', which was not requested" in fault.message


@pytest.mark.parametrize("coding", ["br", "utf-8", "identity", "aws-chunked"])
async def test_text_with_a_wrong_coding_is_read(transport: Transport, coding: str) -> None:
    body = '{"text": "caf\u00e9"}'.encode()
    async with serve_answers(build_chunked(body, "200 OK", f"content-encoding: {coding}")) as peer:
        assert await receive_all(transport, peer.url) == (body, None)


async def test_headers_above_the_limits_of_the_client_are_named(transport: Transport) -> None:
    many = [f"x-{number}: 1" for number in range(200)]
    long = "x-long: " + "secret" * 50_000
    async with serve_answers(answer(b"{}", "200 OK", *many), answer(b"{}", "200 OK", long)) as peer:
        first, second = [await send_request(transport, peer.url) for _ in range(2)]
    if isinstance(first, FaultBase):  # plain httpx has no limit of their number
        assert first.message == "the response has more headers than the HTTP client accepts"
    assert isinstance(second, InvalidResponse), second
    assert "longer than the HTTP client accepts" in second.message
    assert "secret" not in second.message
