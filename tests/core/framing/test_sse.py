"""The grammar of server-sent events, form by form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor_fp.core.framing import Frame, Framer, Overflow
from victor_fp.core.framing.sse import LONG, ServerSentEvents


def read_frames(stream: bytes) -> list[Frame]:
    framer, frames, error = ServerSentEvents().feed(stream)
    last, end = framer.finish()
    assert (error, end) == (None, None)
    return frames + last


@pytest.mark.parametrize(
    ("stream", "frames"),
    [
        pytest.param(b"data: a\n\ndata: b\n\n", [Frame(b"a"), Frame(b"b")], id="the usual form"),
        pytest.param(b"data:a\n\n", [Frame(b"a")], id="no space behind the colon"),
        pytest.param(b"data:  a\n\n", [Frame(b" a")], id="only one space is dropped"),
        pytest.param(b"data: a: b\n\n", [Frame(b"a: b")], id="a colon in the data"),
        pytest.param(b"data: a\ndata\ndata:\ndata: b\n\n", [Frame(b"a\n\n\nb")], id="several lines of data"),
        pytest.param(b"event: e\ndata: a\n\ndata: b\n\n", [Frame(b"a", "e"), Frame(b"b")], id="a name holds once"),
        pytest.param(b"data: a\nevent:e\n\n", [Frame(b"a", "e")], id="the name behind the data"),
        pytest.param(b"event: e\nevent: f\ndata: a\n\n", [Frame(b"a", "f")], id="the last name counts"),
        pytest.param(b"event: e\ndata: a\ndata: b\n\n", [Frame(b"a\nb", "e")], id="a name and several lines"),
        pytest.param(b"event: e\n\ndata: a\n\n", [Frame(b"a")], id="a name without data is no event"),
        pytest.param(b": talk\n\n:\n\ndata: a\n: talk\n\n", [Frame(b"a")], id="comments"),
        pytest.param(b"id: 1\nretry: 5\nother: x\ndata: a\n\n", [Frame(b"a")], id="other fields"),
        pytest.param(b"data: a\r\n\r\ndata: b\r\n\r\n", [Frame(b"a"), Frame(b"b")], id="CRLF"),
        pytest.param(b"data: a\r\rdata: b\r\r", [Frame(b"a"), Frame(b"b")], id="CR"),
        pytest.param(b"data: a\r\n\ndata: b\n\r\n", [Frame(b"a"), Frame(b"b")], id="mixed line ends"),
        pytest.param(b"\n\n\ndata: a\n\n\n\n\ndata: b\n\n\n", [Frame(b"a"), Frame(b"b")], id="blank lines to spare"),
        pytest.param(b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [Frame(b"a")], id="a mark further on is part of a name"),
        pytest.param(b"data: a\n\ndata: b\n", [Frame(b"a"), Frame(b"b")], id="no final blank line"),
        pytest.param(b"data: a\n\ndata: [DONE]", [Frame(b"a"), Frame(b"[DONE]")], id="no final newline"),
        pytest.param(
            b'data: {"a":1}\ndata: {"b":2}\ndata: [DONE]\n',
            [Frame(b'{"a":1}'), Frame(b'{"b":2}'), Frame(b"[DONE]")],
            id="objects without blank lines between them",
        ),
        pytest.param(b'data: {"a":\ndata: {}}\n\n', [Frame(b'{"a":\n{}}')], id="one object in two lines"),
        pytest.param(b"data: {a}\ndata: {b}\n\n", [Frame(b"{a}\n{b}")], id="lines that are not JSON"),
        pytest.param(
            b'event: output\ndata: {"a":1}\ndata: {"b":2}\n\n',
            [Frame(b'{"a":1}\n{"b":2}', "output")],
            id="text of a named event",
        ),
        pytest.param(b"data: \n\n", [Frame(b"")], id="empty data"),
        pytest.param("event: é\ndata: ü\n\n".encode(), [Frame("ü".encode(), "é")], id="UTF-8"),
        pytest.param(b"event: \xff\ndata: \xff\n\n", [Frame(b"\xff", "\ufffd")], id="not UTF-8"),
    ],
)
def test_frames_of_a_stream(stream: bytes, frames: list[Frame]) -> None:
    assert read_frames(stream) == frames


def test_an_event_is_given_as_soon_as_its_blank_line_is_read() -> None:
    framer, first, _ = ServerSentEvents().feed(b"data: a\r\n\r")
    assert first == [Frame(b"a")]
    framer, second, _ = framer.feed(b"\ndata: b\n")
    assert second == []
    assert framer.feed(b"\n")[1] == [Frame(b"b")]


def test_the_frames_before_an_overflow_are_given_with_it() -> None:
    stream = b"data: a\n\n: b\n\ndata: " + b"c" * 30 + b"\n\ndata: d\n\n"
    _, frames, error = ServerSentEvents(20).feed(stream)
    assert (frames, error) == ([Frame(b"a")], Overflow(20))


def test_comments_without_a_blank_line_are_bounded() -> None:
    framer: Framer = ServerSentEvents(100)
    error = None
    for _ in range(20):
        framer, _, error = framer.feed(b": alive\n")
    assert error == Overflow(100)


LINES = st.text("ab :{}é", max_size=6)
NAMES = st.text("abc.", max_size=4)


@given(
    st.lists(st.tuples(NAMES, st.lists(LINES, min_size=1, max_size=3), st.booleans())),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_what_an_encoder_writes_is_read_again(events: list[tuple[str, list[str], bool]], newline: str) -> None:
    written = ""
    for name, lines, talk in events:
        written += f": talk{newline}" if talk else ""
        written += f"event: {name}{newline}" if name else ""
        written += "".join(f"data: {line}{newline}" for line in lines) + newline
    assert read_frames(written.encode()) == [Frame("\n".join(lines).encode(), name) for name, lines, _ in events]


@pytest.mark.parametrize(
    "line", [b"data", b"data:", b"data: ", b"data:  x", b"dat: x", b"datax: y", b"event", b"event:e", b"e:", b":"]
)
def test_a_long_event_is_read_as_a_short_one(line: bytes) -> None:
    lines = [b"event: first", line, b"data:a", line, b"data: b"]
    comments = [b": " + b"x" * 98] * 1000

    short, long, behind = (b"\n".join(some) + b"\n\n" for some in (lines, [*lines, *comments], [*comments, *lines]))
    assert len(short) < LONG < len(long)
    assert read_frames(long) == read_frames(behind) == read_frames(short)
