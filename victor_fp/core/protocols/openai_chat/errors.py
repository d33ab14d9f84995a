"""Errors of Chat Completions and its followers: HTTP bodies, errors in a 200 body, error events inside a stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec
from victor_fp_wire.openai_chat.response import ErrorBody

from victor_fp.core.classification.classifier import classify_error
from victor_fp.core.classification.details import ErrorDetails, read_body, read_details
from victor_fp.core.classification.families import OPENAI_FAMILY
from victor_fp.core.dialects import ChatDialect, MistralDialect, ResponsesDialect
from victor_fp.core.faults import Fault
from victor_fp.core.json import Json, encode_flawed_json
from victor_fp.core.requests import Endpoint
from victor_fp.core.wire_decoding import Undecodable, WireDecoder

Dialect: TypeAlias = ChatDialect | MistralDialect | ResponsesDialect
"""Those whose vendors' errors are told apart by the same codes and words."""
BODY: WireDecoder[ErrorBody] = WireDecoder(ErrorBody)


def fault_from_response(
    endpoint: Endpoint, dialect: Dialect, status: int, headers: Mapping[str, str], body: bytes
) -> Fault:
    """The fault of a response with status >= 400, whatever its body is."""
    return classify_error(
        endpoint,
        OPENAI_FAMILY.with_codes(dialect.codes),
        read_typed(BODY.decode(body), read_body(body)),
        status=status,
        headers=headers,
        body=body,
    )


def fault_from_error(endpoint: Endpoint, dialect: Dialect, value: Json, *, model: str | None = None) -> Fault:
    """The fault of an error inside a stream or a 200 body: the whole value, or what stands under `error`."""
    table = OPENAI_FAMILY.with_codes(dialect.codes)
    return classify_error(endpoint, table, read_details(value), body=encode_flawed_json(value), model=model)


def read_typed(answer: ErrorBody | Undecodable, details: ErrorDetails) -> ErrorDetails:
    """The details with what the document's error model says: its request id, and the parameter of the flat form."""
    if isinstance(answer, Undecodable):
        return details
    parameter = details.parameter or (answer.param if isinstance(answer.param, str) else "")
    return msgspec.structs.replace(details, parameter=parameter, request_id=details.request_id or answer.request_id)
