"""Ollama's errors: a status and `{"error": text}`, or the same object as a line of a stream. There are no codes."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec
from victor_fp_wire.ollama_chat.response import ErrorResponse

from victor_fp.core.classification.classifier import classify_error
from victor_fp.core.classification.details import ErrorDetails, read_body, read_details
from victor_fp.core.classification.families import OLLAMA_FAMILY
from victor_fp.core.dialects.ollama import OllamaDialect
from victor_fp.core.faults import Fault, UnsupportedParameter, is_final_status
from victor_fp.core.json import Json, encode_flawed_json
from victor_fp.core.requests import Endpoint
from victor_fp.core.wire_decoding import Undecodable, WireDecoder

BODY: WireDecoder[ErrorResponse] = WireDecoder(ErrorResponse)
_LACKS = re.compile(r"does not support (\w{1,40})")
"""server/routes.go of ollama/ollama: a capability that the model lacks."""


def fault_from_response(
    endpoint: Endpoint, dialect: OllamaDialect, status: int, headers: Mapping[str, str], body: bytes
) -> Fault:
    """The fault of a response with status >= 400, whatever its body is."""
    answer = BODY.decode(body)
    known = not isinstance(answer, Undecodable) and answer.error is not None
    details = read_body(body)
    if not known:
        details = msgspec.structs.replace(details, is_recognized=False)
    if status in (400, 422) or not is_final_status(status):
        details = _with_capability(dialect, details, status)
    return classify_error(endpoint, OLLAMA_FAMILY, details, status=status, headers=headers, body=body)


def fault_from_error(endpoint: Endpoint, dialect: OllamaDialect, error: Json, *, model: str | None = None) -> Fault:
    """The fault of an `error` in a stream or a 200 body."""
    value: Json = {"error": error}
    details = _with_capability(dialect, read_details(value), None)
    return classify_error(endpoint, OLLAMA_FAMILY, details, body=encode_flawed_json(value), model=model)


def _with_capability(dialect: OllamaDialect, details: ErrorDetails, status: int | None) -> ErrorDetails:
    """The details with the parameter that stands for a capability which the model lacks."""
    lacks = _LACKS.search(details.message)
    parameter = None if lacks is None else dialect.refused_capabilities.get(lacks[1])
    if parameter is None or (status is not None and status >= 500):
        return details
    return msgspec.structs.replace(details, fault_type=UnsupportedParameter, parameter=parameter)
