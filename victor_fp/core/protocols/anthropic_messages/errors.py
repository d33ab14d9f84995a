"""What went wrong, from an error's type, then its status: one classifier for bodies, streams and answers with 200."""

from __future__ import annotations

from collections.abc import Mapping

from victor_fp_wire.anthropic_messages.response import Error, ErrorResponse

from victor_fp.core.classify import Codes, by_prose, classified, prose
from victor_fp.core.faults import (
    AuthRejected,
    ContextLengthExceeded,
    Fault,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    PermissionRefused,
    QuotaExhausted,
    RateLimited,
    ServerFailed,
    TimedOut,
)
from victor_fp.core.json import decode_json, encode_json
from victor_fp.core.requests import Endpoint
from victor_fp.core.wire_decoding import Undecodable, WireDecoder

BODY: WireDecoder[ErrorResponse] = WireDecoder(ErrorResponse)

CODES: Codes = {
    "authentication_error": AuthRejected,
    "permission_error": PermissionRefused,
    "billing_error": QuotaExhausted,
    "rate_limit_error": RateLimited,
    "overloaded_error": Overloaded,
    "timeout_error": TimedOut,
    # Servers of this format: llama.cpp, gateways in front of others.
    "exceed_context_size_error": ContextLengthExceeded,
    "context_length_exceeded": ContextLengthExceeded,
    "model_not_found": ModelNotFound,
    "insufficient_quota": QuotaExhausted,
    # Google's canonical codes, on Vertex AI.
    "unauthenticated": AuthRejected,
    "permission_denied": PermissionRefused,
    "resource_exhausted": RateLimited,
    "unavailable": Overloaded,
    "deadline_exceeded": TimedOut,
}
"""Types that say more than a status. invalid_request_error does not: gateways send it with every 4xx."""

CODES_WITHOUT_STATUS: Codes = {
    **CODES,
    "invalid_request_error": InvalidRequest,
    "request_too_large": InvalidRequest,
    "not_found_error": ModelNotFound,
    "api_error": ServerFailed,
}
"""Inside a stream or a 200 answer the type alone decides."""


def fault(endpoint: Endpoint, status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """The fault for a body with an error status, of whatever form."""
    match BODY.decode(_unwrapped(body)):
        case Undecodable():
            return _classified(endpoint, None, status=status, headers=headers, text=prose(body))
        case ErrorResponse() as answer:
            named = headers if answer.request_id is None else {"request-id": answer.request_id, **headers}
            text = answer.message or ("" if answer.error else prose(body))
            return _classified(endpoint, answer.error, status=status, headers=named, text=text)


def fault_within(
    endpoint: Endpoint, error: Error | str | None, *, request_id: str | None = None, maybe_billed: bool = False
) -> Fault:
    """The fault for an error inside a stream or an answer with status 200."""
    headers = {} if request_id is None else {"request-id": request_id}
    return _classified(endpoint, error, status=None, headers=headers, text="", maybe_billed=maybe_billed)


def _classified(
    endpoint: Endpoint,
    error: Error | str | None,
    *,
    status: int | None,
    headers: Mapping[str, str],
    text: str,
    maybe_billed: bool = False,
) -> Fault:
    said: tuple[str | int | None, ...] = ()
    message = error if isinstance(error, str) else text
    if isinstance(error, Error):
        word = error.code if isinstance(error.code, str) else None
        said = (word, error.type, error.status, error.code)
        message = error.message or text
    return by_prose(
        classified(
            endpoint,
            status=status,
            message=message,
            codes=CODES if status is not None else CODES_WITHOUT_STATUS,
            said=said,
            headers=headers,
            maybe_billed=maybe_billed,
        )
    )


def _unwrapped(body: bytes) -> bytes:
    """The object in a list of one, as Google's servers send it; anything else as it is."""
    if not body.lstrip().startswith(b"["):
        return body
    value = decode_json(body)
    return encode_json(value[0]) if isinstance(value, list) and value else body
