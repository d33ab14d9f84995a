"""Classification of errors as faults: error bodies, error events in streams, and wrapped upstream errors.

Precedence:

1. The vendor's typed details (codes, types, reasons): specific before general, and the responding server before its
   upstream servers.
2. The HTTP status, which limits them: a final 4xx is never retried, regardless of its code, and a 413 is never a rate
   limit.
3. Phrases in the messages, searched for with every status, which make general faults specific. Messages of upstream
   servers are searched too, and are part of the fault's message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from victor_fp.core.classification.details import ErrorDetails
from victor_fp.core.classification.headers import read_request_id, read_retry_after
from victor_fp.core.classification.phrases import REQUEST_TOO_LARGE, WRONG_ADDRESS_MESSAGES
from victor_fp.core.classification.statuses import choose_fault_type
from victor_fp.core.classification.tables import ErrorTable, FaultType, find_phrase, normalize_text
from victor_fp.core.faults import (
    RETRYABLE_REQUEST_STATUSES,
    Fault,
    InvalidRequest,
    ModelNotFound,
    RateLimited,
    ServerFailed,
    UnsupportedParameter,
    is_final_status,
)
from victor_fp.core.json import NotJson, decode_lenient_json, encode_flawed_json
from victor_fp.core.requests import Endpoint
from victor_fp.core.security.redaction import LONGEST_TEXT, cut_bytes, cut_text, redact_text, redact_url

MESSAGE_LIMIT = 2000
"""Maximum characters of a fault's message."""
EVIDENCE_LIMIT = 4096
"""Maximum bytes of an error body that a fault keeps."""
_CAPABILITY_STATUSES = RETRYABLE_REQUEST_STATUSES | {400, 422}
"""Statuses of an error that may mean a missing capability."""
_GENERAL: frozenset[FaultType] = frozenset({InvalidRequest, ServerFailed})


def classify_error(
    endpoint: Endpoint,
    table: ErrorTable,
    details: ErrorDetails,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    model: str | None = None,
    maybe_billed: bool = False,
) -> Fault:
    """Return the fault for an error.

    `status` is None for an error inside a stream or a 200 body. `body` is the error as received; it becomes the evidence.
    The message is never empty and contains no credentials.
    """
    headers = headers or {}
    details = _read_message(table, details, status)
    fault_type = decide_fault_type(table, details, status)
    wait = read_retry_after(headers)
    code = next((code for code in details.codes if code != str(status)), None)
    fault = fault_type(
        provider=endpoint.spec.name,
        model=model,
        message=write_message(details, status, endpoint.base_url if fault_type is ModelNotFound else ""),
        status=status,
        code=None if code is None else cut_text(redact_text(code[:LONGEST_TEXT]), 200),
        request_id=read_request_id(headers) or details.request_id,
        retry_after=wait if wait is not None else details.retry_after,
        maybe_billed=maybe_billed,
        evidence=make_evidence(body),
    )
    if isinstance(fault, UnsupportedParameter):
        return UnsupportedParameter(
            **{name: getattr(fault, name) for name in fault.__struct_fields__ if name != "parameter"},
            parameter=details.parameter,
        )
    if isinstance(fault, RateLimited) and find_phrase(REQUEST_TOO_LARGE, _normalize_words(details), RateLimited):
        return replace(fault, is_too_large=True)
    return fault


def decide_fault_type(table: ErrorTable, details: ErrorDetails, status: int | None) -> FaultType:
    """Return the fault type for details and a status, by the precedence in the docstring of this module."""
    known = status if status is not None and status >= 400 else _find_status(details.codes)
    by_status = choose_fault_type(known) if known is None else table.statuses.get(known, choose_fault_type(known))
    found = by_status
    typed = _find_typed(table, details, known)
    if typed is not None:
        found = typed
    if found.is_retryable and found is not ServerFailed and is_final_status(status):
        # For example a rate limit with 413. A ServerFailed keeps its type (Bedrock's ModelErrorException has status 424);
        # `can_retry` checks that its status is final.
        found = by_status
    refined = find_phrase(table.phrases, _normalize_words(details), found)
    return found if refined is None else refined


def _normalize_words(details: ErrorDetails) -> list[str]:
    return [normalize_text(text[:LONGEST_TEXT]) for text in (details.message, *details.upstream) if text]


def write_message(details: ErrorDetails, status: int | None, address: str = "") -> str:
    """Return the message of a fault: the server's message, then those of upstream servers, without credentials.

    With an `address`, a 404 from a web server that is not an API is reported as a wrong base URL.
    """
    own = details.message.strip()
    words = ": ".join(part for part in (own, *details.upstream) if part)
    if status == 404 and address and _is_wrong_address(details):
        shown = f"HTTP 404 from {redact_url(address)}: the server has no such path; check base_url"
        words = f"{shown} ({words})" if words else shown
    if not words:
        words = "the server reported an error" if status is None else f"HTTP {status}"
    return cut_text(redact_text(words[:LONGEST_TEXT]), MESSAGE_LIMIT)


def make_evidence(body: bytes | None) -> str | None:
    """Return the evidence of an error body: JSON re-encoded, anything else as text; redacted first and then truncated."""
    if not body:
        return None
    value = decode_lenient_json(body) if len(body) <= LONGEST_TEXT else NotJson("too long to rewrite")
    # Re-encoded JSON has no escape sequences that could hide a secret from the redaction.
    text = (
        body[:LONGEST_TEXT].decode("utf-8", "replace")
        if isinstance(value, NotJson)
        else encode_flawed_json(value).decode()
    )
    return cut_bytes(redact_text(text.strip(), names=True), EVIDENCE_LIMIT) or None


def _read_message(table: ErrorTable, details: ErrorDetails, status: int | None) -> ErrorDetails:
    """Add the codes and missing capabilities that the vendor's table finds in the message."""
    if table.code_in_message is not None:
        found = table.code_in_message.finditer(details.message)
        details = replace(details, codes=tuple(code for match in found for code in match.groups() if code))
    if table.missing_capability is None or not (status is None or status in _CAPABILITY_STATUSES):
        return details
    lacks = table.missing_capability.search(details.message)
    parameter = None if lacks is None else table.capabilities.get(lacks[1])
    return details if parameter is None else replace(details, fault_type=UnsupportedParameter, parameter=parameter)


def _find_typed(table: ErrorTable, details: ErrorDetails, status: int | None) -> FaultType | None:
    """Return the fault type of the vendor's typed details: the first specific one, otherwise the first general one."""
    meanings = [] if details.fault_type is None else [details.fault_type]
    for code in details.codes:
        word = code.lower()
        meaning = table.codes.get(word)
        if meaning is None and status is None:
            meaning = table.stream_codes.get(word)
        if meaning is not None:
            meanings.append(meaning)
    return next((meaning for meaning in meanings if meaning not in _GENERAL), meanings[0] if meanings else None)


def _find_status(codes: Sequence[str]) -> int | None:
    """Return the HTTP status that an error in a stream has as one of its codes."""
    return next((int(code) for code in codes if re.fullmatch(r"[45]\d\d", code, re.ASCII)), None)


def _is_wrong_address(details: ErrorDetails) -> bool:
    """Return whether a 404 is from a web server, and not from an API that does not have the model."""
    words = normalize_text(details.message[:LONGEST_TEXT])
    return not details.upstream and (
        words in WRONG_ADDRESS_MESSAGES or (not details.is_recognized and "model" not in words)
    )
