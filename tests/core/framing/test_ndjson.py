"""Lines of JSON."""

from __future__ import annotations

import pytest

from victor_fp.core.framing import Frame, Overflow
from victor_fp.core.framing.ndjson import build_ndjson_framer


def read_frames(stream: bytes) -> list[Frame]:
    framer, frames, error = build_ndjson_framer().feed(stream)
    last, end = framer.finish()
    assert (error, end) == (None, None)
    return frames + last


@pytest.mark.parametrize(
    ("stream", "frames"),
    [
        pytest.param(b'{"a":1}\n{"b":2}\n', [Frame(b'{"a":1}'), Frame(b'{"b":2}')], id="a frame a line"),
        pytest.param(b"{}\r\n{}\r\n", [Frame(b"{}"), Frame(b"{}")], id="CRLF"),
        pytest.param(b"\n\n{}\n\r\n \n{}\n", [Frame(b"{}"), Frame(b"{}")], id="blank lines"),
        pytest.param(b'{}\n{"done":true}', [Frame(b"{}"), Frame(b'{"done":true}')], id="no final newline"),
        pytest.param(b"\n", [], id="nothing"),
    ],
)
def test_frames_of_a_stream(stream: bytes, frames: list[Frame]) -> None:
    assert read_frames(stream) == frames


def test_the_frames_before_an_overflow_are_given_with_it() -> None:
    _, frames, error = build_ndjson_framer(4).feed(b"{}\n\n12345\n{}\n")
    assert (frames, error) == ([Frame(b"{}")], Overflow(4))
