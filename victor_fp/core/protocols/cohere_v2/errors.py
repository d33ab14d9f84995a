"""Faults from errors of Cohere: a status and `{"message": text}`, without codes; phrases refine the status."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from victor_fp_wire.cohere_v2.response import ErrorBody

from victor_fp.core.classification.classifier import classify_error
from victor_fp.core.classification.details import read_body, read_details
from victor_fp.core.classification.families import COHERE_FAMILY
from victor_fp.core.dialects.cohere import CohereDialect
from victor_fp.core.faults import Fault
from victor_fp.core.json import Json, Undecodable, WireDecoder, encode_flawed_json
from victor_fp.core.requests import Endpoint

BODY: WireDecoder[ErrorBody] = WireDecoder(ErrorBody)


def fault_from_response(
    endpoint: Endpoint, dialect: CohereDialect, status: int, headers: Mapping[str, str], body: bytes
) -> Fault:
    """Return the fault for a response with status >= 400. Accepts any body."""
    details, decoded = read_body(body), BODY.decode(body)
    if not isinstance(decoded, Undecodable) and decoded.id:
        details = msgspec.structs.replace(details, request_id=decoded.id)
    table = COHERE_FAMILY.with_codes(dialect.codes)
    return classify_error(endpoint, table, details, status=status, headers=headers, body=body)


def fault_from_error(endpoint: Endpoint, dialect: CohereDialect, value: Json, *, maybe_billed: bool = False) -> Fault:
    """Return the fault for an error in a stream or a 200 body."""
    table = COHERE_FAMILY.with_codes(dialect.codes)
    return classify_error(
        endpoint, table, read_details(value), body=encode_flawed_json(value), maybe_billed=maybe_billed
    )
