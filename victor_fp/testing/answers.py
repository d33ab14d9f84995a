"""Requests and responses of a scripted server, as values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from victor_fp.core.json import Json, decode_json, encode_json
from victor_fp.core.requests import HttpRequest

Ending: TypeAlias = Literal["whole", "cut", "held", "silent"]
"""`whole`: the body is complete. `cut`: the connection breaks after the last piece. `held`: nothing more is sent until
the client disconnects. `silent`: not even the headers are sent."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP response."""

    status: int = 200
    headers: Mapping[str, str] = {}
    """Names in lower case."""
    pieces: tuple[bytes, ...] = ()
    """The parts of the body, each sent separately."""
    ending: Ending = "whole"


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """A received request."""

    method: str
    path: str
    """Including the query."""
    headers: Mapping[str, str] = {}
    """Names in lower case."""
    body: bytes = b""

    def __repr__(self) -> str:
        """Omit the header values: the report of a failed test must not contain a real key."""
        return f"Received({self.method} {self.path}, headers={sorted(self.headers)}, body={self.body!r})"

    def json(self) -> Json:
        """Return the decoded body; None if it is empty or not JSON."""
        value = decode_json(self.body)
        return None if isinstance(value, msgspec.Struct) else value


Script: TypeAlias = Callable[[Received], Answer]
"""Returns the response to each request."""


def json_answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Build a response with a JSON body."""
    return Answer(
        status=status, headers={"content-type": "application/json", **(headers or {})}, pieces=(encode_json(value),)
    )


def received_from_request(request: HttpRequest) -> Received:
    """Convert a request that was not sent to one as received by a server, without the key."""
    parts = urlsplit(request.url)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return Received(
        method=request.method, path=path, headers={**request.headers, "host": parts.netloc}, body=request.body
    )
