"""Each phase that can stall ends in time, as a fault that names the phase."""

from __future__ import annotations

import asyncio

import pytest

from tests.acme import HI, build_acme
from tests.shell.transport.certificates import get_authority, make_server_context
from tests.shell.transport.conftest import MakeTransport
from tests.shell.transport.peers import answer, close_at_end, fill_backlog, make_transport, send_request, serve_raw
from victor_fp.core.faults import Fault, FaultBase, TimedOut
from victor_fp.core.requests import HttpRequest
from victor_fp.shell.transport.protocol import Transport

SHORT = 0.15
"""Seconds after which the tests' requests time out."""
LARGE = b"x" * (8 * 1024 * 1024)
"""More than the system's buffers hold."""


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read whatever comes and say nothing."""
    while await reader.read(65536):
        pass


async def read_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read nothing. asyncio reads a little ahead, and stops."""
    await asyncio.Event().wait()


def check_timed_out(fault: object, phase: str, *, maybe_billed: bool) -> None:
    assert isinstance(fault, TimedOut), fault
    assert (fault.phase, fault.seconds, fault.maybe_billed) == (phase, SHORT, maybe_billed)


async def test_a_connect_stall_is_not_billed(transport: Transport) -> None:
    with fill_backlog() as url:
        check_timed_out(await send_request(transport, url, timeout=SHORT), "connect", maybe_billed=False)


async def test_a_stalled_tls_handshake_is_a_connect_timeout(make: MakeTransport) -> None:
    async with serve_raw(silence) as peer:
        url = f"https://127.0.0.1:{peer.port}"
        check_timed_out(await send_request(make(verify=False), url, timeout=SHORT), "connect", maybe_billed=False)


async def test_a_proxy_that_opens_no_tunnel_is_a_connect_timeout() -> None:
    # httpx waits for the proxy's response as for any other, and reports a read timeout.
    async with serve_raw(silence) as proxy, close_at_end(make_transport("aiohttp", proxy=proxy.url)) as transport:
        fault = await send_request(transport, "https://vendor.test", timeout=SHORT)
    check_timed_out(fault, "connect", maybe_billed=False)


async def test_a_stalled_write_is_bounded(transport: Transport) -> None:
    async with serve_raw(read_nothing) as peer:
        fault = await send_request(transport, peer.url, LARGE, timeout=SHORT)
    check_timed_out(fault, "write", maybe_billed=True)
    assert isinstance(fault, TimedOut)
    assert "sending the request" in fault.message


async def test_a_stalled_write_over_tls_is_bounded(make: MakeTransport) -> None:
    async with serve_raw(read_nothing, tls=make_server_context()) as peer:
        fault = await send_request(make(verify=str(get_authority().file)), peer.url, LARGE * 2, timeout=SHORT)
    check_timed_out(fault, "write", maybe_billed=True)


async def test_no_response_is_a_read_timeout(transport: Transport) -> None:
    async with serve_raw(silence) as peer:
        check_timed_out(await send_request(transport, peer.url, timeout=SHORT), "read", maybe_billed=True)


async def test_a_stall_within_the_body_is_a_stream_timeout(transport: Transport) -> None:
    async def send_half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(answer(b"half", "200 OK").replace(b"content-length: 4", b"content-length: 8"))
        await silence(reader, writer)

    async with serve_raw(send_half) as peer:
        response = await transport.open(HttpRequest(url=peer.url, body=b"{}"), None, SHORT)
        assert not isinstance(response, FaultBase)
        assert await response.receive() == b"half"
        check_timed_out(await response.receive(), "stream", maybe_billed=True)
        await response.aclose()


async def test_a_body_that_comes_slowly_but_steadily_does_not_time_out(transport: Transport) -> None:
    async def send_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n")
        for _ in range(8):
            await writer.drain()
            await asyncio.sleep(0.05)  # the time that passes is what is tested
            writer.write(b".")

    async with serve_raw(send_slowly) as peer:
        answered = await send_request(transport, peer.url, timeout=0.3)
    assert not isinstance(answered, FaultBase), answered
    assert answered.body == b"." * 8


async def test_the_time_between_two_reads_does_not_count(transport: Transport) -> None:
    async def send_halves(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf")
        await writer.drain()
        await asyncio.sleep(3 * SHORT)  # the time that passes is what is tested
        writer.write(b"more")
        await silence(reader, writer)

    async with serve_raw(send_halves) as peer:
        response = await transport.open(HttpRequest(url=peer.url, body=b"{}"), None, SHORT)
        assert not isinstance(response, FaultBase)
        assert await response.receive() == b"half"
        await asyncio.sleep(2.5 * SHORT)
        assert await response.receive() == b"more"
        await response.aclose()


async def test_a_response_that_comes_before_the_request_was_read_is_read(transport: Transport) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(b"too large", "413 Content Too Large", "connection: close"))
        await writer.drain()
        await silence(reader, writer)

    async with serve_raw(refuse) as peer:
        answered = await send_request(transport, peer.url, LARGE)
    assert not isinstance(answered, FaultBase), answered
    assert (answered.status, answered.body) == (413, b"too large")


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 64 * 1024 + 1, 3_000_000])
async def test_bodies_of_every_size_are_sent_completely(transport: Transport, size: int) -> None:
    received: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        received.append(await reader.readexactly(size))
        writer.write(answer())
        await writer.drain()

    body = bytes(range(256)) * (size // 256 + 1)
    async with serve_raw(take) as peer:
        answered = await send_request(transport, peer.url, body[:size], timeout=10)
    assert not isinstance(answered, FaultBase), answered
    assert received == [body[:size]]


async def test_a_provider_reports_a_connect_stall_as_not_billed(name: str) -> None:
    with fill_backlog() as url:
        async with build_acme(url, transport=name, timeout=SHORT, max_retries=0) as provider:
            fault: Fault = (await provider.chat_result(HI, model="m-1")).failure()
            check_timed_out(fault, "connect", maybe_billed=False)
            ends = [result async for result in provider.stream_result(HI, model="m-1")]
            check_timed_out(ends[-1].failure(), "connect", maybe_billed=False)
