"""Errors of Responses, by the codes and words that Chat Completions has as well."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from victor_fp_wire.openai_responses.response import ErrorResponse

from victor_fp.core.classification.classifier import classify_error
from victor_fp.core.classification.details import read_body, read_details
from victor_fp.core.classification.families import OPENAI_FAMILY
from victor_fp.core.dialects.responses import ResponsesDialect
from victor_fp.core.faults import Fault
from victor_fp.core.json import Json, encode_flawed_json
from victor_fp.core.requests import Endpoint
from victor_fp.core.wire_decoding import Undecodable, WireDecoder

BODY: WireDecoder[ErrorResponse] = WireDecoder(ErrorResponse)


def fault_from_response(
    endpoint: Endpoint, dialect: ResponsesDialect, status: int, headers: Mapping[str, str], body: bytes
) -> Fault:
    """The fault of a response with status >= 400, whatever its body is."""
    details, answer = read_body(body), BODY.decode(body)
    if not isinstance(answer, Undecodable) and answer.error is not None and answer.error.param:
        details = msgspec.structs.replace(details, parameter=answer.error.param)
    table = OPENAI_FAMILY.with_codes(dialect.codes)
    return classify_error(endpoint, table, details, status=status, headers=headers, body=body)


def fault_from_error(endpoint: Endpoint, dialect: ResponsesDialect, error: Json, *, model: str | None = None) -> Fault:
    """The fault of an error inside a stream or a 200 body."""
    table = OPENAI_FAMILY.with_codes(dialect.codes)
    value: Json = {"error": error}
    return classify_error(endpoint, table, read_details(value), body=encode_flawed_json(value), model=model)


def has_known_code(dialect: ResponsesDialect, error: Json) -> bool:
    """Whether one of an error's codes says what went wrong."""
    known = OPENAI_FAMILY.with_codes(dialect.codes).codes
    return any(code.lower() in known for code in read_details(error).codes)
