"""Cassettes of vcrpy and pytest-recording, for httpx, aiohttp, requests and urllib3."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

from returns.result import Failure, Result, Success

from victor_fp.shell.recording.exchange import Exchange, Piece, RecordedRequest, RecordedResponse
from victor_fp.shell.recording.redacting import make_cleaner, redact_exchange, redact_request

_GZIP_OR_ZLIB = 47
"""zlib's window bits for either header."""
_COMPRESSED = (b"\x1f\x8b", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")


def is_cassette(documents: list[Any]) -> bool:
    """Return whether a file is a cassette of vcrpy."""
    return len(documents) == 1 and isinstance(documents[0], Mapping) and "interactions" in documents[0]


def decode_cassette(documents: list[Any]) -> Result[tuple[Exchange, ...], str]:
    """Decode the exchanges of a cassette, or return an error message."""
    clean = make_cleaner(())
    found: list[Exchange] = []
    for number, interaction in enumerate(documents[0]["interactions"], 1):
        try:
            exchange = _read_interaction(interaction)
        except (KeyError, TypeError, ValueError, AttributeError, zlib.error) as error:
            return Failure(f"interaction {number}: {type(error).__name__}: {error}")
        request = redact_request(exchange.request, clean)
        found.append(redact_exchange(Exchange(request=request, response=exchange.response), clean))
    return Success(tuple(found))


def _read_interaction(interaction: Mapping[str, Any]) -> Exchange:
    request, response = interaction["request"], interaction["response"]
    headers = _read_headers(response.get("headers") or {})
    body = (
        response["body"]["string"] if "body" in response else response.get("content")
    )  # the form of older versions for httpx
    status = response["status"]["code"] if "status" in response else response["status_code"]
    data = _decompress(_read_body(body), headers.get("content-encoding", ""))
    is_stream = "event-stream" in headers.get("content-type", "") or "x-ndjson" in headers.get("content-type", "")
    return Exchange(
        request=RecordedRequest(
            method=str(request["method"]),
            url=str(request["uri"]),
            headers=_read_headers(request.get("headers") or {}),
            body=_read_body(request.get("body")),
        ),
        response=RecordedResponse(
            status=int(status), headers=headers, pieces=(Piece(data),) if data else (), is_stream=is_stream
        ),
    )


def _read_headers(headers: Mapping[Any, Any]) -> dict[str, str]:
    return {
        str(name).lower(): ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in headers.items()
    }


def _read_body(body: Any) -> bytes:
    match body:
        case None:
            return b""
        case bytes():
            return body
        case str():
            return body.encode()
        case {"string": inner}:
            return _read_body(inner)
        case _:  # JSON as passed to aiohttp
            return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _decompress(data: bytes, encoding: str) -> bytes:
    """Decompress a body; some clients have decompressed it and kept the header."""
    if encoding.strip().lower() in {"gzip", "deflate"} and data.startswith(_COMPRESSED):
        return zlib.decompress(data, wbits=_GZIP_OR_ZLIB)
    return data
