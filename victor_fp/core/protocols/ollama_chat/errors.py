"""Faults from errors of Ollama: `{"error": text}` with a status or as a line of a stream, without codes."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace
from victor_fp_wire.ollama_chat.response import ErrorResponse

from victor_fp.core.classification.classifier import classify_error
from victor_fp.core.classification.details import read_body, read_details
from victor_fp.core.classification.families import OLLAMA_FAMILY
from victor_fp.core.dialects.ollama import OllamaDialect
from victor_fp.core.faults import Fault
from victor_fp.core.json import Json, Undecodable, WireDecoder, encode_flawed_json
from victor_fp.core.requests import Endpoint

BODY: WireDecoder[ErrorResponse] = WireDecoder(ErrorResponse)


def fault_from_response(
    endpoint: Endpoint, dialect: OllamaDialect, status: int, headers: Mapping[str, str], body: bytes
) -> Fault:
    """Return the fault for a response with status >= 400. Accepts any body."""
    decoded = BODY.decode(body)
    is_recognized = not isinstance(decoded, Undecodable) and decoded.error is not None
    details = read_body(body)
    if not is_recognized:
        details = replace(details, is_recognized=False)
    table = replace(OLLAMA_FAMILY, capabilities=dialect.refused_capabilities)
    return classify_error(endpoint, table, details, status=status, headers=headers, body=body)


def fault_from_error(endpoint: Endpoint, dialect: OllamaDialect, error: Json, *, model: str | None = None) -> Fault:
    """Return the fault for an `error` in a stream or a 200 body."""
    value: Json = {"error": error}
    table = replace(OLLAMA_FAMILY, capabilities=dialect.refused_capabilities)
    return classify_error(endpoint, table, read_details(value), body=encode_flawed_json(value), model=model)
