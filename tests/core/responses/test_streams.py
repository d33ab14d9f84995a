"""Detection of the kind of a streamed body, and its bounds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from returns.result import Failure, Success

from victor_fp import replay
from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.responses.streams import LEAD_LIMIT
from victor_fp.core.result import outcome
from victor_fp.core.types import StreamChunk

FRAMES = (
    b'data: {"id":"1","choices":[{"delta":{"content":"Hi"}}]}\n\n'
    b'data: {"id":"1","choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)
BODY = b'{"id":"1","choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}'


def read(pieces: list[bytes], provider: str = "openai") -> tuple[str, Fault | None]:
    chunks, fault = list[StreamChunk](), None
    for step in replay.stream(provider, 200, {}, pieces):
        match outcome(step):
            case Success(chunk):
                chunks.append(chunk)
            case Failure(found):
                fault = found
    return "".join(chunk.content for chunk in chunks), fault


@pytest.mark.parametrize("content", [FRAMES, BODY], ids=["frames", "body"])
@pytest.mark.parametrize(
    "lead", [b"", b"\n\n \t\r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n\n", b"\n" * 5000, b" \n" * 3000], ids=repr
)
def test_white_space_and_a_byte_order_mark_may_precede_a_response(lead: bytes, content: bytes) -> None:
    assert read([lead + content]) == ("Hi", None)
    assert read([bytes([byte]) for byte in lead[:300] + content]) == ("Hi", None)


def test_spaces_before_a_body_are_part_of_its_first_line() -> None:
    assert read([b"  ", b" ", BODY]) == ("Hi", None)


@pytest.mark.parametrize("piece", [b"\n" * 4096, b" " * 4096], ids=["lines", "spaces"])
def test_white_space_without_end_is_an_invalid_response(piece: bytes) -> None:
    fed = 0

    def yield_pieces() -> Iterator[bytes]:
        nonlocal fed
        while fed < 4 * LEAD_LIMIT:
            fed += len(piece)
            yield piece

    steps = list(replay.stream("openai", 200, {}, yield_pieces()))
    match outcome(steps[-1]):
        case Failure(InvalidResponse(message=message)):
            assert "white space" in message
        case other:
            raise AssertionError(other)


def test_keep_alives_between_events_are_not_bounded() -> None:
    head, end = FRAMES[:57], FRAMES[57:]
    assert read([head, *([b"\n\n: ping\n\n" * 1000] * 300), end]) == ("Hi", None)
