"""Writers: how the server of each protocol would say a turn, so that readers can be tested against them."""

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
"""An event's name, empty where the protocol names none, and what it says."""

SIGNATURE = "c2lnbmVk"
"""The opaque state that writers put beside reasoning where their protocol has such; base64, as some want it."""


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """A stream in two parts, so that it can be told without its end."""

    before: Sequence[Event]
    end: Sequence[Event]
    """From the event that says why the answer ended."""


class Writer(msgspec.Struct, frozen=True, kw_only=True):
    """How one protocol's server writes."""

    body: Callable[[Turn], Payload]
    events: Callable[[Turn], Telling]
    frame: Callable[[Event], bytes]
    error: Callable[[int, str], Answer]
    """An answer with status >= 400, and the vendor's words in it."""
    error_frame: Callable[[str], bytes]
    """An error in the middle of a stream."""
    streams: Callable[[Received], bool]
    """Whether a request asks for a stream."""
    unknown_frame: bytes = b""
    """An event of a kind that nobody knows yet."""
    ending: bytes = b""
    """What follows the last event."""
    content_type: str = "text/event-stream"
    lead: Callable[[Received], Answer | None] | None = None
    """Answers to requests that only lead to the answer, where a protocol has such."""
    reasons: bool = True
    """Says why it stopped."""
    stream_usage: bool = True
    """Reports usage in streams."""
    signs: bool = False
    """Puts SIGNATURE beside reasoning, to be sent back."""

    def build_answer(self, turn: Turn) -> Answer:
        """The turn as a body."""
        return self.build_body_answer(self.body(CallIds().assign(turn)))

    def build_body_answer(self, body: object) -> Answer:
        """A body."""
        return Answer(headers={"content-type": "application/json"}, pieces=(encode_json(body),))

    def stream(self, turn: Turn) -> Answer:
        """The turn as a stream, a piece for each event."""
        telling = self.events(CallIds().assign(turn))
        return self.build_stream_answer([*map(self.frame, [*telling.before, *telling.end]), self.ending])

    def build_stream_answer(self, frames: Sequence[bytes]) -> Answer:
        """Frames as a stream."""
        return Answer(headers={"content-type": self.content_type}, pieces=tuple(frame for frame in frames if frame))


def split_pieces(text: str, size: int = 4) -> list[str]:
    """A text as a model streams it."""
    return [text[start : start + size] for start in range(0, len(text), size)]


def encode_sse(event: Event) -> bytes:
    """A server-sent event, with its name where it has one."""
    name, payload = event
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + encode_json(payload) + b"\n\n"


def is_stream_request(received: Received) -> bool:
    """Most protocols ask for a stream with `"stream": true`."""
    body = received.json()
    return isinstance(body, Mapping) and body.get("stream") is True


@cache
def load_writer(protocol: str) -> Writer:
    """The writer of a protocol. Raises LookupError for one that nobody wrote."""
    if protocol not in PROTOCOLS:
        raise LookupError(f"no protocol is named {protocol!r}; there are: {', '.join(PROTOCOLS)}")
    module = import_module(f"{__name__}.{PROTOCOLS[protocol]}")
    found: Writer = module.WRITER
    return found
