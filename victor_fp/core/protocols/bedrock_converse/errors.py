"""What went wrong: the exception's name in a header, in a body or on a frame, then the status."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec
from victor_fp_wire.bedrock_converse.response import StreamException

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
from victor_fp.core.json import Json, decode_json
from victor_fp.core.requests import Endpoint
from victor_fp.core.wire_decoding import Undecodable, WireDecoder

CODES: Codes = {
    # Converse and ConverseStream of the service model
    "validationexception": InvalidRequest,
    "accessdeniedexception": PermissionRefused,
    "resourcenotfoundexception": ModelNotFound,
    "throttlingexception": RateLimited,
    "toomanyrequestsexception": RateLimited,
    "servicequotaexceededexception": QuotaExhausted,
    "modelnotreadyexception": Overloaded,
    "serviceunavailableexception": Overloaded,
    "modeltimeoutexception": TimedOut,
    "modelerrorexception": ServerFailed,
    "internalserverexception": ServerFailed,
    "internalfailure": ServerFailed,
    # "Common error types" of every AWS service: the caller is not who the signature says
    "unrecognizedclientexception": AuthRejected,
    "invalidsignatureexception": AuthRejected,
    "signaturedoesnotmatch": AuthRejected,
    "incompletesignature": AuthRejected,
    "incompletesignatureexception": AuthRejected,
    "missingauthenticationtoken": AuthRejected,
    "missingauthenticationtokenexception": AuthRejected,
    "expiredtoken": AuthRejected,
    "expiredtokenexception": AuthRejected,
    "invalidclienttokenid": AuthRejected,
    "requestexpired": AuthRejected,
}
"""modelStreamErrorException is left to the model's own status, which it repeats."""

_EXCEPTION: WireDecoder[StreamException] = WireDecoder(StreamException)
_TYPE_HEADER = "x-amzn-errortype"
_TOO_LONG = re.compile(r"input is too long", re.IGNORECASE)
_KEYLESS = re.compile(r"api key|bearer token|security token", re.IGNORECASE)
"""Prose of a wrong bearer key, which comes as AccessDeniedException."""


def fault(endpoint: Endpoint, status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """The fault for a body with an error status, of whatever form."""
    value = decode_json(body)
    fields: Mapping[str, Json] = value if isinstance(value, Mapping) else {}
    words = (headers.get(_TYPE_HEADER), fields.get("__type"), fields.get("code"))
    message = _text(fields, "message") or _text(fields, "Message") or _text(fields, "error")
    if not message and value:
        message = prose(body)
    return _made_exact(
        classified(
            endpoint,
            status=status,
            message=message,
            codes=CODES,
            said=[bare_name(word) for word in words if isinstance(word, str)],
            headers=headers,
        )
    )


def fault_in(endpoint: Endpoint, name: str, payload: bytes, *, maybe_billed: bool) -> Fault:
    """The fault for an exception or an error among the frames of a stream; an error's payload is plain text."""
    read = _EXCEPTION.decode(payload)
    exception = StreamException(message=prose(payload)) if isinstance(read, Undecodable) else read
    return _made_exact(
        classified(
            endpoint,
            status=None,
            message=exception.message or exception.original_message or "",
            codes=CODES,
            said=(bare_name(name), exception.original_status_code),
            maybe_billed=maybe_billed,
        )
    )


def is_exception(name: str) -> bool:
    """Whether a frame of this name is a failure, whatever kind of message carries it."""
    return name.lower() in CODES or name.endswith("Exception")


def bare_name(word: str) -> str:
    """An exception's name without what servers put before and behind it.

    >>> bare_name("ValidationException:http://internal.amazon.com/coral/"), bare_name("com.amazon.coral#ExpiredToken")
    ('ValidationException', 'ExpiredToken')
    """
    return word.partition(":")[0].rpartition("#")[2].strip()


def _made_exact(found: Fault) -> Fault:
    if isinstance(found, InvalidRequest) and _TOO_LONG.search(found.message):
        return _as(ContextLengthExceeded, found)
    if isinstance(found, PermissionRefused) and _KEYLESS.search(found.message):
        return _as(AuthRejected, found)
    return by_prose(found)


def _as(kind: type[ContextLengthExceeded | AuthRejected], found: Fault) -> Fault:
    return kind(**{name: getattr(found, name) for name in msgspec.structs.asdict(found)})


def _text(fields: Mapping[str, Json], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""
