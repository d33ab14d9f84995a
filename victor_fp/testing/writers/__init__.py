"""Writers: the server side of each protocol, for tests of the codecs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any, TypeAlias

import msgspec

from victor_fp.core.json import encode_json
from victor_fp.core.protocols import PROTOCOLS
from victor_fp.testing.answers import Answer, Received
from victor_fp.testing.script import CallIds, Turn

Payload: TypeAlias = dict[str, Any]
Event: TypeAlias = tuple[str, Payload]
"""Name of an event, which may be empty, and its payload."""

SIGNATURE = "c2lnbmVk"
"""The opaque state of reasoning, for protocols that have one; base64, as required by some."""


class StreamEvents(msgspec.Struct, frozen=True, kw_only=True):
    """The events of a stream in two parts, so that the end can be omitted."""

    before: Sequence[Event]
    end: Sequence[Event]
    """From the event with the stop reason."""


class Writer(msgspec.Struct, frozen=True, kw_only=True):
    """The server side of one protocol."""

    body: Callable[[Turn], Payload]
    events: Callable[[Turn], StreamEvents]
    frame: Callable[[Event], bytes]
    error: Callable[[int, str], Answer]
    """Builds a response with status >= 400 and an error message."""
    error_frame: Callable[[str], bytes]
    """Builds an error within a stream."""
    streams: Callable[[Received], bool]
    """Returns whether a request is for a stream."""
    unknown_frame: bytes = b""
    """An event of an unknown type."""
    ending: bytes = b""
    """Bytes after the last event."""
    content_type: str = "text/event-stream"
    lead: Callable[[Received], Answer | None] | None = None
    """Returns responses to preliminary requests, for protocols that have them."""
    reasons: bool = True
    """Whether it reports stop reasons."""
    stream_usage: bool = True
    """Whether it reports usage in streams."""
    signs: bool = False
    """Whether it adds SIGNATURE to reasoning, to be sent back."""

    def build_answer(self, turn: Turn) -> Answer:
        """Build a response with the turn as a body."""
        return self.build_body_answer(self.body(CallIds().assign(turn)))

    def build_body_answer(self, body: object) -> Answer:
        """Build a response with this body."""
        return Answer(headers={"content-type": "application/json"}, pieces=(encode_json(body),))

    def stream(self, turn: Turn) -> Answer:
        """Build a response with the turn as a stream, one part per event."""
        telling = self.events(CallIds().assign(turn))
        return self.build_stream_answer([*map(self.frame, [*telling.before, *telling.end]), self.ending])

    def build_stream_answer(self, frames: Sequence[bytes]) -> Answer:
        """Build a streamed response of frames."""
        return Answer(headers={"content-type": self.content_type}, pieces=tuple(frame for frame in frames if frame))


def split_pieces(text: str, size: int = 4) -> list[str]:
    """Split a text into parts for streaming."""
    return [text[start : start + size] for start in range(0, len(text), size)]


def encode_sse(event: Event) -> bytes:
    """Encode a server-sent event, with its name, if any."""
    name, payload = event
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + encode_json(payload) + b"\n\n"


def is_stream_request(received: Received) -> bool:
    """Return whether the body has `"stream": true`, as in most protocols."""
    body = received.json()
    return isinstance(body, Mapping) and body.get("stream") is True


@cache
def load_writer(protocol: str) -> Writer:
    """Return the writer of a protocol. Raises LookupError for an unknown protocol."""
    if protocol not in PROTOCOLS:
        raise LookupError(f"unknown protocol {protocol!r}; known: {', '.join(PROTOCOLS)}")
    module = import_module(f"{__name__}.{PROTOCOLS[protocol].package}")
    found: Writer = module.WRITER
    return found
