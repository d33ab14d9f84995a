"""What a scripted server says and is asked, as values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from victor_fp.core.json import Json, decode_json, encode_json
from victor_fp.core.requests import HttpRequest

Ending: TypeAlias = Literal["whole", "cut", "held", "silent"]
"""`whole`: the body ends as it should. `cut`: the connection breaks behind the last piece. `held`: nothing more comes until
the client leaves. `silent`: not even the headers come."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP answer."""

    status: int = 200
    headers: Mapping[str, str] = {}
    """Names in lower case."""
    pieces: tuple[bytes, ...] = ()
    """The body, in the pieces in which it is sent."""
    ending: Ending = "whole"


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """One request as it arrived."""

    method: str
    path: str
    """With its query."""
    headers: Mapping[str, str] = {}
    """Names in lower case."""
    body: bytes = b""

    def __repr__(self) -> str:
        """Without what the headers say: a failed test's report is no place for a real key."""
        return f"Received({self.method} {self.path}, headers={sorted(self.headers)}, body={self.body!r})"

    def json(self) -> Json:
        """The body as a value; None where it is empty or no JSON."""
        value = decode_json(self.body)
        return None if isinstance(value, msgspec.Struct) else value


Script: TypeAlias = Callable[[Received], Answer]
"""What a server says to each request."""


def json_answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """A JSON body in one piece."""
    return Answer(
        status=status, headers={"content-type": "application/json", **(headers or {})}, pieces=(encode_json(value),)
    )


def received_from_request(request: HttpRequest) -> Received:
    """A request that never left the process, as its server would have seen it, but for the key."""
    parts = urlsplit(request.url)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return Received(
        method=request.method, path=path, headers={**request.headers, "host": parts.netloc}, body=request.body
    )
