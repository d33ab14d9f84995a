"""Responses that violate HTTP, JSON or the protocol: a typed fault or the complete response, never a wrong one."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests import openai_shapes as shapes
from tests.acme import HI, build_acme
from tests.faults.calls import CLIENTS, call_once, get_fault, open_client, stream_once
from tests.loopback import Received, Script, Talk, serving
from victor_fp.core.faults import (
    ConnectionFailed,
    DeadlineExceeded,
    Fault,
    InvalidRequest,
    InvalidResponse,
    Overloaded,
    RateLimited,
    StreamInterrupted,
    StreamTruncated,
    TimedOut,
)
from victor_fp.core.types import Message, StreamChunk
from victor_fp.shell.transport.errors import fault_from_error


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def build_frames(*payloads: object) -> bytes:
    texts = [payload if isinstance(payload, str) else json.dumps(payload) for payload in payloads]
    return b"".join(f"data: {text}\n\n".encode() for text in texts)


def stream_of(*pieces: bytes, content_type: str = "text/event-stream", end: bool = True) -> Script:
    """A stream of exactly these pieces; without an end the connection is closed instead."""

    async def send_stream(talk: Talk, _: Received) -> None:
        await talk.send_head(content_type=content_type)
        for piece in pieces:
            await talk.send_chunk(piece)
            await asyncio.sleep(0.01)
        if not end:
            raise ConnectionError
        await talk.end()

    return send_stream


def give_body(data: bytes, status: int = 200, **headers: str) -> Script:
    async def send_body(talk: Talk, _: Received) -> None:
        await talk.answer(data, status, **headers)

    return send_body


FIRST, SECOND, LAST, USAGE = shapes.build_chunks("Hel", "lo")
REFUSED = shapes.build_error("busy", "overloaded_error", "overloaded_error")
BAD_TEXT = json.dumps(shapes.build_body("X")).encode().replace(b"X", b"caf\xe9 \xff\xfe")
BAD_EVENT = build_frames(shapes.build_chunk("X")).replace(b"X", b"caf\xe9 \xff\xfe")


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfe\xfd\x00" * 50,
        b"",
        b"null",
        b"[]",
        b'"fine"',
        b"17",
        b"{}",
        b'{"choices": []}',
        b'{"choices": "none"}',
        b'{"choices": [null]}',
        b'{"id": 1' * 3,
        json.dumps(shapes.build_body()).encode()[:-20],
        b"[" * 100_000,
        b'{"choices":' * 100_000,
        b"\x1f\x8b\x08" + bytes(40),
    ],
    ids=lambda data: repr(data[:16]),
)
async def test_a_body_that_is_not_a_completion(data: bytes) -> None:
    fault = await get_fault(give_body(data))
    assert isinstance(fault, InvalidResponse), fault
    assert (fault.provider, fault.model) == ("acme", "m-1")
    assert len(fault.message) < 1000


async def test_text_that_is_not_unicode_is_replaced_and_the_answer_kept(client: str) -> None:
    response = (await call_once(give_body(BAD_TEXT), client)).unwrap()
    assert response.content == "caf\ufffd \ufffd\ufffd"
    assert (response.metadata or {})["replaced_characters"] == 3
    seen = await stream_once(stream_of(BAD_EVENT, build_frames(LAST, "[DONE]")), client)
    assert isinstance(seen.end, StreamChunk)
    assert seen.text == "caf\ufffd \ufffd\ufffd"


@pytest.mark.parametrize("content_type", ["text/html", "text/plain", "image/png", "application/x-ndjson", ""])
async def test_a_valid_response_with_a_wrong_content_type_is_accepted(client: str, content_type: str) -> None:
    right = json.dumps(shapes.build_body()).encode()
    response = (await call_once(give_body(right, content_type=content_type), client)).unwrap()
    assert response.content == "Hello!"
    streamed = await stream_once(
        stream_of(build_frames(FIRST, LAST, "[DONE]"), content_type=content_type or "x"), client
    )
    assert isinstance(streamed.end, StreamChunk)
    assert streamed.text == "Hel"


async def test_html_in_place_of_a_stream(client: str) -> None:
    streamed = await stream_once(stream_of(b"<html><body>Sign in</body></html>", content_type="text/html"), client)
    assert isinstance(streamed.end, InvalidResponse), streamed.end


async def test_bytes_that_are_not_unicode_are_replaced_and_the_answer_is_kept(client: str) -> None:
    streamed = await stream_once(
        stream_of(build_frames(FIRST), BAD_EVENT, build_frames(SECOND, LAST, "[DONE]")), client
    )
    assert isinstance(streamed.end, StreamChunk), streamed.end
    assert streamed.text.startswith("Hel")
    assert streamed.text.endswith("lo")
    assert "\N{REPLACEMENT CHARACTER}" in streamed.text
    assert streamed.end.typed_metadata["replaced_characters"] == streamed.text.count("\N{REPLACEMENT CHARACTER}")
    whole = (await call_once(give_body(BAD_TEXT), client)).unwrap()
    assert "\N{REPLACEMENT CHARACTER}" in whole.content


@pytest.mark.parametrize(
    "garbage", [build_frames("{not json"), build_frames("[1]"), build_frames("17"), build_frames('{"a": ')]
)
async def test_malformed_data_between_events_ends_the_stream_with_partial_content(client: str, garbage: bytes) -> None:
    streamed = await stream_once(stream_of(build_frames(FIRST), garbage, build_frames(SECOND, LAST, "[DONE]")), client)
    assert isinstance(streamed.end, InvalidResponse), streamed.end
    assert streamed.text == "Hel"
    assert streamed.end.partial is not None
    assert streamed.end.partial.content == "Hel"


@pytest.mark.parametrize(
    "harmless",
    [
        b": ping\n\n",
        b"\n\n\n\n",
        b"event: ping\n\n",
        b"id: 7\nretry: 10\n\n",
        b"unknown-field: \xff\xfe\n\n",
        b"\x00\x01\x02 no field at all\n\n",
        build_frames({"object": "something.new", "choices": []}),
    ],
    ids=lambda piece: repr(piece[:16]),
)
async def test_comments_and_blank_lines_between_events_are_ignored(harmless: bytes) -> None:
    streamed = await stream_once(
        stream_of(build_frames(FIRST), harmless, build_frames(SECOND, LAST), harmless, build_frames(USAGE, "[DONE]"))
    )
    assert isinstance(streamed.end, StreamChunk), streamed.end
    assert (streamed.text, streamed.end.stop_reason) == ("Hello", "stop")


@pytest.mark.parametrize(
    "ending",
    [
        build_frames(LAST, USAGE, "[DONE]", "[DONE]"),
        build_frames(LAST, LAST, USAGE, "[DONE]"),
        build_frames(LAST, USAGE, USAGE, "[DONE]"),
        build_frames(LAST, USAGE, "[DONE]", LAST, SECOND, REFUSED, "{garbage"),
        build_frames(LAST, USAGE),
        build_frames(LAST, USAGE)[:-1],
        build_frames(LAST, USAGE)[:-2],
        build_frames(LAST, USAGE) + b"data: [DONE]",
    ],
    ids=[
        "done-twice",
        "finish-twice",
        "usage-twice",
        "more-after-done",
        "no-done",
        "half-blank",
        "no-blank",
        "cut-done",
    ],
)
async def test_repeated_or_partial_end_markers_are_one_end(client: str, ending: bytes) -> None:
    streamed = await stream_once(stream_of(build_frames(FIRST, SECOND), ending), client)
    assert isinstance(streamed.end, StreamChunk), streamed.end
    assert (streamed.text, streamed.end.stop_reason) == ("Hello", "stop")
    assert streamed.end.usage == {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        (build_frames("[DONE]"), StreamTruncated),
        (b"", StreamTruncated),
        (build_frames(LAST)[:20], StreamTruncated),
        (build_frames(REFUSED), Overloaded),
        (build_frames(REFUSED, SECOND, LAST, "[DONE]"), Overloaded),
        (b"event: error\n" + build_frames(shapes.build_error("slow down", "rate_limit_exceeded")), RateLimited),
    ],
    ids=["done-alone", "nothing", "cut", "error", "error-then-more", "named-error"],
)
async def test_a_stream_without_its_end_is_never_complete(client: str, ending: bytes, kind: type[Fault]) -> None:
    streamed = await stream_once(stream_of(build_frames(FIRST), *([ending] if ending else [])), client)
    assert isinstance(streamed.end, kind), streamed.end
    assert streamed.text == "Hel"
    assert streamed.end.partial is not None
    assert streamed.end.maybe_billed


async def test_an_error_in_a_200_body_is_that_error(client: str) -> None:
    fault = await get_fault(give_body(json.dumps(REFUSED).encode()), client)
    assert isinstance(fault, Overloaded), fault


async def test_a_connection_closed_between_events(client: str) -> None:
    streamed = await stream_once(stream_of(build_frames(FIRST), end=False), client)
    assert isinstance(streamed.end, StreamInterrupted), streamed.end
    assert streamed.end.partial is not None
    assert streamed.end.partial.content == streamed.text == "Hel"


async def test_a_connection_closed_after_the_end_does_not_fail_the_response(client: str) -> None:
    streamed = await stream_once(stream_of(build_frames(FIRST, LAST), end=False), client)
    assert isinstance(streamed.end, StreamChunk), streamed.end
    assert (streamed.text, streamed.end.stop_reason) == ("Hel", "stop")


@pytest.mark.parametrize("interim", ["100 Continue", "102 Processing", "103 Early Hints"])
async def test_interim_responses_are_ignored(client: str, interim: str) -> None:
    async def call(talk: Talk, _: Received) -> None:
        await talk.send_bytes(f"HTTP/1.1 {interim}\r\nlink: </style.css>\r\n\r\n".encode() * 3)
        await talk.answer(shapes.build_body())

    async def stream(talk: Talk, _: Received) -> None:
        await talk.send_bytes(f"HTTP/1.1 {interim}\r\n\r\n".encode())
        await talk.send_events(FIRST, LAST)

    assert (await call_once(call, client)).unwrap().content == "Hello!"
    assert (await stream_once(stream, client)).text == "Hel"


async def test_endless_interim_responses_are_a_timeout(client: str) -> None:
    async def send_interim_responses(talk: Talk, _: Received) -> None:
        while True:
            await talk.send_bytes(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            await asyncio.sleep(0.02)

    fault = await get_fault(send_interim_responses, client, timeout=0.3)
    assert isinstance(fault, TimedOut), fault


async def test_comments_without_an_answer_end_with_the_default_deadline(client: str) -> None:
    async def send_comments(talk: Talk, _: Received) -> None:
        await talk.send_head(content_type="text/event-stream")
        while True:
            await talk.send_chunk(b": still thinking\n\n")
            await asyncio.sleep(0.02)

    streamed = await asyncio.wait_for(stream_once(send_comments, client, timeout=0.2), 2)
    assert isinstance(streamed.end, TimedOut | DeadlineExceeded), streamed.end


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_loop_is_not_followed(client: str, status: int) -> None:
    async with open_client(client) as own:
        seen: list[str] = []

        async def answer_redirect(talk: Talk, received: Received) -> None:
            seen.append(received.path)
            await talk.answer(b"", status, location="/v1/chat/completions")

        async with serving(answer_redirect) as server:
            async with build_acme(server.url, max_retries=0, http_client=own) as provider:
                fault = (await provider.chat_result(HI, model="m-1")).failure()
                async for result in provider.stream_result(HI, model="m-1"):
                    assert isinstance(result.failure(), InvalidResponse)
    assert isinstance(fault, InvalidResponse)
    assert (fault.status, len(seen)) == (status, 2)


async def test_an_answer_before_the_request_was_read(client: str) -> None:
    """A server that turns a large request away reads none of it; whichever end notices first, the fault has a type."""

    open_tasks: set[asyncio.Task[object]] = set()

    async def turn_away(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_tasks.add(task)
        try:
            await reader.readuntil(b"\r\n\r\n")
            said = json.dumps(shapes.build_error("request too large", "request_too_large")).encode()
            head = (
                f"HTTP/1.1 413 X\r\ncontent-type: application/json\r\ncontent-length: {len(said)}\r\nconnection: close"
            )
            writer.write(head.encode() + b"\r\n\r\n" + said)
            await asyncio.sleep(0.05)
        finally:
            writer.close()

    server = await asyncio.start_server(turn_away, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    large = [Message(role="user", content="x" * 20_000_000)]
    async with server, open_client(client) as own:
        async with build_acme(f"http://127.0.0.1:{port}", max_retries=0, http_client=own) as provider:
            fault = (await provider.chat_result(large, model="m-1")).failure()
            small = (await provider.chat_result(HI, model="m-1")).failure()
        await asyncio.wait(open_tasks, timeout=5)
    assert fault.status == 413 or isinstance(fault, ConnectionFailed), fault
    assert small.status == 413


@pytest.mark.parametrize("value", ["a\r\nx-other: b", "caf\u00e9", "a\0b"], ids=["newline", "accent", "zero"])
async def test_a_header_that_cannot_be_sent_is_an_invalid_request(client: str, value: str) -> None:
    async with open_client(client) as own, serving(give_body(b"{}")) as server:
        async with build_acme(server.url, http_client=own) as provider:
            result = await provider.chat_result(HI, model="m-1", extra_headers={"x-note": value})
    fault = result.failure()
    assert len(server.received) == 0
    assert isinstance(fault, InvalidRequest)
    assert (fault.maybe_billed, fault.attempts) == (False, ())
    assert "x-note" in fault.message
    assert "x-other" not in repr(fault)


def test_an_unknown_exception_is_a_fault() -> None:
    fault = fault_from_error(type("NewKindOfError", (Exception,), {})("who knows"), "opening")
    assert isinstance(fault, ConnectionFailed)
    assert "NewKindOfError" in fault.message
