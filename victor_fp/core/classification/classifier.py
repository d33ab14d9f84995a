"""The one way from an error to a Fault, for error bodies, error events in streams and wrapped upstream errors alike.

Precedence: (1) typed details of the vendor (codes, types, reasons), the specific before the general, the server that answered
before those behind it; (2) the HTTP status, which bounds them: a final 4xx is never retried whatever its code says, and a
413 is never a rate limit; (3) phrases, looked for on every status, which make general faults specific; the words of
upstream servers count like the first one's, and are shown.
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
from victor_fp.core.redaction import LONGEST_TEXT, cut_bytes, cut_text, redact_text, redact_url
from victor_fp.core.requests import Endpoint

MESSAGE_LIMIT = 2000
"""Characters of a vendor's words in a message."""
EVIDENCE_LIMIT = 4096
"""Bytes of an error body that a fault keeps."""
_CAPABILITY_STATUSES = RETRYABLE_REQUEST_STATUSES | {400, 422}
"""Statuses of an error that may mean a missing capability; others say for themselves what they mean."""
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
    """The fault for an error.

    `status` None is an error inside a stream or a 200 body. `body` is the error as received, and becomes the evidence.
    The message is never empty and holds no credentials.
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
    """The type of fault that details and a status mean; see the precedence at the top of this module."""
    known = status if status is not None else _find_status(details.codes)
    by_status = choose_fault_type(known) if known is None else table.statuses.get(known, choose_fault_type(known))
    found = by_status
    typed = _find_typed(table, details, status)
    if typed is not None:
        found = typed
    if found.is_retryable and found is not ServerFailed and is_final_status(status):
        # Such as a rate limit with 413. A ServerFailed keeps its name (Bedrock's ModelErrorException is a 424); `can_retry`
        # knows that its status is final.
        found = by_status
    refined = find_phrase(table.phrases, _normalize_words(details), found)
    return found if refined is None else refined


def _normalize_words(details: ErrorDetails) -> list[str]:
    return [normalize_text(text[:LONGEST_TEXT]) for text in (details.message, *details.upstream) if text]


def write_message(details: ErrorDetails, status: int | None, address: str = "") -> str:
    """The message of a fault: the server's words, then those of the servers behind it, without credentials.

    With an `address`, a 404 that no API wrote is reported as the wrong address that it is.
    """
    own = details.message.strip()
    words = ": ".join(part for part in (own, *details.upstream) if part)
    if status == 404 and address and _is_wrong_address(details):
        shown = f"HTTP 404 from {redact_url(address)}: the server knows no such address; check base_url"
        words = f"{shown} ({words})" if words else shown
    if not words:
        words = "the server reported an error" if status is None else f"HTTP {status}"
    return cut_text(redact_text(words[:LONGEST_TEXT]), MESSAGE_LIMIT)


def make_evidence(body: bytes | None) -> str | None:
    """The evidence of an error body: JSON written plainly, anything else as text, redacted whole and then cut."""
    if not body:
        return None
    value = decode_lenient_json(body) if len(body) <= LONGEST_TEXT else NotJson("too long to rewrite")
    # Rewritten JSON has no escapes in which a secret would not be found.
    text = (
        body[:LONGEST_TEXT].decode("utf-8", "replace")
        if isinstance(value, NotJson)
        else encode_flawed_json(value).decode()
    )
    return cut_bytes(redact_text(text.strip(), names=True), EVIDENCE_LIMIT) or None


def _read_message(table: ErrorTable, details: ErrorDetails, status: int | None) -> ErrorDetails:
    """The details with what a vendor without typed details says in its message, as its table knows."""
    if table.code_in_message is not None:
        found = table.code_in_message.finditer(details.message)
        details = replace(details, codes=tuple(code for match in found for code in match.groups() if code))
    if table.missing_capability is None or not (status is None or status in _CAPABILITY_STATUSES):
        return details
    lacks = table.missing_capability.search(details.message)
    parameter = None if lacks is None else table.capabilities.get(lacks[1])
    return details if parameter is None else replace(details, fault_type=UnsupportedParameter, parameter=parameter)


def _find_typed(table: ErrorTable, details: ErrorDetails, status: int | None) -> FaultType | None:
    """What the vendor's typed details mean: the first specific meaning, else the first general one."""
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
    """A status that a vendor repeats as a code inside a stream's error."""
    return next((int(code) for code in codes if re.fullmatch(r"[45]\d\d", code, re.ASCII)), None)


def _is_wrong_address(details: ErrorDetails) -> bool:
    """Whether a 404 was written by a web server and not by an API that looked for a model."""
    words = normalize_text(details.message[:LONGEST_TEXT])
    return not details.upstream and (
        words in WRONG_ADDRESS_MESSAGES or (not details.is_recognized and "model" not in words)
    )
