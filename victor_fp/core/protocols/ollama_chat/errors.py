"""Ollama's errors: a status and `{"error": text}`, or the same object as a line of a stream.

There are no codes. Where the status leaves a 400 open, a few fixed phrases of the server tell more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from victor_fp.core.classify import NO_MODEL, TOO_LONG, classified, prose
from victor_fp.core.dialects.ollama import OllamaDialect
from victor_fp.core.faults import (
    ContextLengthExceeded,
    Fault,
    InvalidRequest,
    ModelNotFound,
    ServerFailed,
    UnsupportedParameter,
)
from victor_fp.core.json import Json, NotJson, decode_json
from victor_fp.core.requests import Endpoint

# server/routes.go and server/prompt.go of ollama/ollama.
LACKS = re.compile(r"does not support (\w+)")
OVERFULL = re.compile(r"input length exceeds|exceeds (the )?(maximum )?context", re.IGNORECASE)


def fault(endpoint: Endpoint, dialect: OllamaDialect, status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """The fault of a body with status >= 400, whatever it is."""
    value = decode_json(body)
    message = prose(body) if isinstance(value, NotJson) else _message(value)
    return _told(endpoint, dialect, message, status=status, headers=headers)


def fault_of_error(endpoint: Endpoint, dialect: OllamaDialect, error: Json, *, model: str | None = None) -> Fault:
    """The fault of an `error` in a stream or a 200 body."""
    return _told(endpoint, dialect, _message(error), model=model)


def _told(
    endpoint: Endpoint,
    dialect: OllamaDialect,
    message: str,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    model: str | None = None,
) -> Fault:
    plain = classified(endpoint, status=status, message=message, codes={}, headers=headers, model=model)
    if not isinstance(plain, InvalidRequest) and not (status is None and isinstance(plain, ServerFailed)):
        return plain
    same = {name: getattr(plain, name) for name in plain.__struct_fields__}
    if (lacks := LACKS.search(message)) is not None and lacks[1] in dialect.refused_capabilities:
        return UnsupportedParameter(parameter=dialect.refused_capabilities[lacks[1]], **same)
    if TOO_LONG.search(message) or OVERFULL.search(message):
        return ContextLengthExceeded(**same)
    if NO_MODEL.search(message):
        return ModelNotFound(**same)
    return plain


def _message(value: Json) -> str:
    """The text of an error: Ollama's own is a text under `error`; proxies in front of it nest objects."""
    match value:
        case str():
            return value.strip()
        case Mapping():
            return next((text for key in ("error", "message", "detail") if (text := _message(value.get(key)))), "")
        case _:
            return ""
