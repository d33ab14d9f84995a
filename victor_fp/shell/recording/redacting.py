"""Redaction of exchanges: known keys, credentials by their format or name, and headers with secrets."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from victor_fp.core.faults import Fault, FaultBase
from victor_fp.core.requests import SECRET, HttpRequest, list_credentials
from victor_fp.core.security.redaction import REDACTED, hide_secrets, is_secret_name, redact_text, redact_url
from victor_fp.shell.recording.bodies import parse_document
from victor_fp.shell.recording.exchange import Exchange, Piece, RecordedRequest, RecordedResponse

Clean: TypeAlias = Callable[[str], str]
"""Removes secrets from a text."""

_TRANSFER_HEADERS = frozenset(
    {
        "alt-svc", "connection", "content-encoding", "content-length", "keep-alive", "nel", "report-to", "server-timing",
        "set-cookie", "strict-transport-security", "transfer-encoding", "vary",
    }
)  # fmt: skip
"""Headers about the transfer, the connection or the network, which are not part of the response's content."""
_DATA = ("data: ", "data:")


def collect_secrets(request: HttpRequest, secret: str | None) -> tuple[str, ...]:
    """Return the secrets of a request: its key, and credentials in headers of a signed request."""
    return (*([secret] if secret else ()), *list_credentials(request))


def make_cleaner(secrets: Collection[str], scrub: Clean | None = None) -> Clean:
    """Return a function that removes these secrets and other credentials, and applies `scrub`."""

    def clean(text: str) -> str:
        text = redact_text(hide_secrets(text, secrets))
        return text if scrub is None else scrub(text)

    return clean


def redact_request(request: HttpRequest | RecordedRequest, clean: Clean) -> RecordedRequest:
    """Redact a request for the recording. The placeholder of the key is kept."""
    return RecordedRequest(
        method=request.method,
        url=clean(redact_url(request.url)),
        headers=_redact_headers(request.headers, clean),
        body=_redact_body(request.body, clean),
    )


def redact_exchange(exchange: Exchange, clean: Clean) -> Exchange:
    """Redact the response of an exchange; its request has already been redacted."""
    response = exchange.response
    if isinstance(response, FaultBase):
        return msgspec.structs.replace(exchange, response=_redact_fault(response, clean))
    fault = response.fault
    redacted = RecordedResponse(
        status=response.status,
        headers=_redact_headers(response.headers, clean),
        pieces=_redact_pieces(response.pieces, clean),
        is_stream=response.is_stream,
        after=response.after,
        ending=response.ending,
        fault=None if fault is None else _redact_fault(fault, clean),
    )
    return msgspec.structs.replace(exchange, response=redacted)


def _redact_fault(fault: Fault, clean: Clean) -> Fault:
    texts = {name: clean(text) for name in ("message", "code", "url", "evidence") if (text := getattr(fault, name))}
    return msgspec.structs.replace(fault, **texts, attempts=(), partial=None)


def _redact_headers(headers: Mapping[str, str], clean: Clean) -> dict[str, str]:
    kept: dict[str, str] = {}
    for given, value in sorted(headers.items()):
        name = given.lower()
        if name in _TRANSFER_HEADERS or name.startswith("cf-"):
            continue
        is_secret = is_secret_name(name) and "ratelimit" not in name.replace("-", "") and SECRET not in value
        kept[name] = REDACTED if is_secret else clean(value)
    return kept


def _redact_body(data: bytes, clean: Clean) -> bytes:
    (piece,) = _redact_pieces((Piece(data),), clean)
    return piece.data


def _redact_pieces(pieces: Sequence[Piece], clean: Clean) -> tuple[Piece, ...]:
    """Redact the pieces of a body, including secrets that are split across pieces.

    Boundaries of pieces are kept if nothing is removed. A boundary inside a redacted line is moved to the end of
    that line.
    """
    body = b"".join(piece.data for piece in pieces)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        # One character per byte: credentials are ASCII.
        cleaned = [clean(body.decode("latin-1")).encode("latin-1")]
        lines = [body]
    else:
        parts = _split_lines(text)
        lines = [part.encode() for part in parts]
        cleaned = [_redact_line(part, clean).encode() for part in parts]
    if cleaned == lines:
        return tuple(pieces)
    return _cut_again(pieces, lines, cleaned)


def _split_lines(text: str) -> list[str]:
    """Split a body into lines with their ends; a JSON document is one line."""
    return [text] if parse_document(text) is not None else text.splitlines(keepends=True)


def _redact_line(line: str, clean: Clean) -> str:
    """Redact one line: a JSON document, the data of an event, or any other text."""
    payload = line.rstrip("\r\n")
    ending = line[len(payload) :]
    lead = next((lead for lead in _DATA if payload.startswith(lead)), "")
    document = parse_document(payload[len(lead) :] if lead else payload)
    if document is None:
        return clean(line)
    cleaned = redact_json(document.value, clean)
    return line if cleaned == document.value else lead + document.write(cleaned) + ending


def redact_json(value: Any, clean: Clean) -> Any:
    """Redact the strings of a JSON value, and remove those under names of credentials."""
    match value:
        case str():
            return clean(value)
        case list():
            return [redact_json(item, clean) for item in value]
        case dict():
            return {
                clean(key): REDACTED
                if isinstance(item, str) and item and _is_credential(key)
                else redact_json(item, clean)
                for key, item in value.items()
            }
        case _:
            return value


def _is_credential(name: str) -> bool:
    """Return whether a name indicates a credential, as in the redaction of messages and evidence."""
    return redact_text(f"{name}:x", names=True) != f"{name}:x"


def _cut_again(pieces: Sequence[Piece], lines: Sequence[bytes], cleaned: Sequence[bytes]) -> tuple[Piece, ...]:
    """Split the cleaned lines at the boundaries of the pieces."""
    body = b"".join(cleaned)
    cuts: list[int] = []
    at = was = now = 0  # the line, and where it began before and begins now
    end = 0
    for piece in pieces:
        end += len(piece.data)
        while at < len(lines) and was + len(lines[at]) <= end:
            was += len(lines[at])
            now += len(cleaned[at])
            at += 1
        inside = end - was
        is_same = at < len(lines) and lines[at] == cleaned[at]
        cuts.append(now + (inside if is_same else len(cleaned[at]) if inside and at < len(lines) else 0))
    starts = [0, *cuts[:-1]]
    return tuple(Piece(body[start:stop], piece.after) for piece, start, stop in zip(pieces, starts, cuts, strict=True))
