"""Cohere's errors: a status and `{"message": text}`. There are no codes; where the status leaves it open, phrases tell."""

from __future__ import annotations

import re
from collections.abc import Mapping

from victor_fp.core.classify import Codes, by_prose, classified, prose
from victor_fp.core.dialects.cohere import CohereDialect
from victor_fp.core.faults import ContentRefused, Fault, QuotaExhausted, RateLimited
from victor_fp.core.json import Json, NotJson, decode_json
from victor_fp.core.requests import Endpoint

STATUSES: Codes = {
    # API reference: the request or the answer holds a token that is not allowed.
    "498": ContentRefused,
}
USED_UP = re.compile(r"(calls?|requests?) ?(/|per|a) ?month|monthly", re.IGNORECASE)
"""A trial key's limit of a month, which comes with the status of a rate limit."""


def fault(endpoint: Endpoint, dialect: CohereDialect, status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """The fault of a body with status >= 400, whatever it is."""
    value = decode_json(body)
    if isinstance(value, NotJson):
        value = prose(body)
    return fault_of(endpoint, dialect, value, status=status, headers=headers)


def fault_of(
    endpoint: Endpoint,
    dialect: CohereDialect,
    value: Json,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    maybe_billed: bool = False,
) -> Fault:
    """The fault that a decoded error means. `status` None: inside a stream or a 200 body."""
    headers = dict(headers or {})
    if "x-debug-trace-id" in headers:
        headers.setdefault("x-request-id", headers["x-debug-trace-id"])
    message = _message(value)
    found = classified(
        endpoint,
        status=status,
        message=message,
        codes={**STATUSES, **dialect.codes},
        said=_codes(value, status),
        headers=headers,
        maybe_billed=maybe_billed,
    )
    if isinstance(found, RateLimited) and USED_UP.search(message):
        return QuotaExhausted(**{name: getattr(found, name) for name in found.__struct_fields__})
    return by_prose(found)


def _codes(value: Json, status: int | None) -> list[str | int | None]:
    """Gateways put codes beside the message or under `error`; Cohere's own word is the status."""
    said: list[str | int | None] = []
    if isinstance(value, Mapping):
        places = (value, value.get("error"))
        said = [
            word
            for place in places
            if isinstance(place, Mapping)
            for key in ("code", "type")
            if isinstance(word := place.get(key), str | int)
        ]
    return said if status is None or str(status) not in STATUSES else [*said, status]


def _message(value: Json) -> str:
    """The text of an error: Cohere's own is `message`; proxies in front of it nest objects."""
    match value:
        case str():
            return value.strip()
        case Mapping():
            return next((text for key in ("message", "error", "detail") if (text := _message(value.get(key)))), "")
        case [first, *_]:
            return _message(first)
        case _:
            return ""
