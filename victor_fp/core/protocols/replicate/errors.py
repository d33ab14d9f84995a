"""What went wrong: a problem with a status, a prediction that failed, or an error event; codes stand inside the words."""

from __future__ import annotations

import re
from collections.abc import Mapping

from victor_fp_wire.replicate.response import Prediction

from victor_fp.core.classify import TOO_LONG, by_prose, classified, prose
from victor_fp.core.dialects.replicate import ReplicateDialect
from victor_fp.core.faults import (
    Cancelled,
    ContextLengthExceeded,
    Fault,
    InvalidRequest,
    ModelNotFound,
    ServerFailed,
    TimedOut,
)
from victor_fp.core.json import Json, NotJson, decode_json, encode_json
from victor_fp.core.requests import Endpoint

CODE = re.compile(r"\((?:code: )?(E\d{3,5}|PA)\)|^(E\d{3,5})\b")
NO_VERSION = re.compile(r"version does not exist|invalid version", re.IGNORECASE)
"""A 422 that names no field: the model is not there, or not for this key."""


def fault(endpoint: Endpoint, dialect: ReplicateDialect, status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """The fault of a body with status >= 400, whatever it is."""
    value = decode_json(body)
    return fault_of(
        endpoint, dialect, prose(body) if isinstance(value, NotJson) else value, status=status, headers=headers
    )


def fault_of(
    endpoint: Endpoint,
    dialect: ReplicateDialect,
    value: Json,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    maybe_billed: bool = False,
) -> Fault:
    """The fault that a decoded error means. `status` None: in a stream or a 200 body."""
    words = _words(value) or ("the prediction failed" if status is None else "")
    wait = value.get("retry_after") if isinstance(value, Mapping) else None
    found = classified(
        endpoint,
        status=status,
        message=words,
        codes=dialect.codes,
        said=_codes(words),
        headers=headers,
        retry_after=float(wait) if isinstance(wait, int | float) and not isinstance(wait, bool) else None,
        maybe_billed=maybe_billed,
    )
    fields = {name: getattr(found, name) for name in found.__struct_fields__}
    if isinstance(found, InvalidRequest) and NO_VERSION.search(words):
        return ModelNotFound(**fields)
    if isinstance(found, ServerFailed) and status is None and TOO_LONG.search(words):
        return ContextLengthExceeded(**fields)
    return by_prose(found)


def fault_of_prediction(endpoint: Endpoint, dialect: ReplicateDialect, prediction: Prediction) -> Fault:
    """Why a prediction that is over has no answer."""
    return fault_of_status(endpoint, dialect, prediction.status or "", _words(prediction.error))


def fault_of_status(endpoint: Endpoint, dialect: ReplicateDialect, status: str, words: str) -> Fault:
    """The fault of a prediction's last status; `words` are its error."""
    name = endpoint.spec.name
    match status:
        case "canceled":
            message = words or "the prediction was canceled"
            return Cancelled(provider=name, message=message, code=status, maybe_billed=True)
        case "aborted":
            message = words or "the prediction did not begin before its deadline"
            return TimedOut(provider=name, message=message, code=status, phase="read")
        case _:
            return fault_of(endpoint, dialect, words, maybe_billed=True)


def _codes(words: str) -> list[str | int | None]:
    return [code for match in CODE.finditer(words) for code in match.groups() if code]


def _words(value: Json) -> str:
    """The text of an error: `detail`, with its title before it where they differ."""
    match value:
        case str():
            return value.strip()
        case Mapping():
            told = [text for key in ("title", "detail", "error", "message") if (text := _words(value.get(key)))]
            return ": ".join(dict.fromkeys(told))
        case [_, *_]:
            return encode_json(value).decode()
        case _:
            return ""
