"""Faults from errors of Bedrock, by exception name (in a header, body or frame), then status."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from victor_fp_wire.bedrock_converse.response import ExceptionBody, StreamException

from victor_fp.core.classification.classifier import classify_error
from victor_fp.core.classification.details import read_body
from victor_fp.core.classification.families import AWS_FAMILY
from victor_fp.core.faults import Fault
from victor_fp.core.json import Undecodable, WireDecoder
from victor_fp.core.requests import Endpoint

EXCEPTION: WireDecoder[StreamException] = WireDecoder(StreamException)
_BODY: WireDecoder[ExceptionBody] = WireDecoder(ExceptionBody)
TYPE_HEADER = "x-amzn-errortype"


def fault_from_response(endpoint: Endpoint, status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """Return the fault for a response with an error status. Accepts any body."""
    details = read_body(body)
    names = (headers.get(TYPE_HEADER), _find_type(body), *details.codes)
    codes = tuple(dict.fromkeys(strip_exception_name(name) for name in names if name))
    details = msgspec.structs.replace(details, codes=codes)
    return classify_error(endpoint, AWS_FAMILY, details, status=status, headers=headers, body=body)


def fault_from_exception(endpoint: Endpoint, name: str, payload: bytes, *, maybe_billed: bool) -> Fault:
    """Return the fault for an exception or error frame of a stream; an error frame's payload is plain text."""
    details, exception = read_body(payload), EXCEPTION.decode(payload)
    status_codes: tuple[str, ...] = ()
    if not isinstance(exception, Undecodable) and exception.original_status_code is not None:
        status_codes = (str(exception.original_status_code),)
    details = msgspec.structs.replace(
        details, codes=(*filter(None, [strip_exception_name(name)]), *status_codes, *details.codes)
    )
    return classify_error(endpoint, AWS_FAMILY, details, body=payload, maybe_billed=maybe_billed)


def is_exception(name: str) -> bool:
    """Return whether a frame of this name is a failure, regardless of its message type."""
    return name.lower() in AWS_FAMILY.codes or name.endswith("Exception")


def strip_exception_name(name: str) -> str:
    """Return an exception's name without the namespace before it and the URL after it.

    >>> strip_exception_name("ValidationException:http://internal.amazon.com/coral/")
    'ValidationException'
    >>> strip_exception_name("com.amazon.coral#ExpiredToken")
    'ExpiredToken'
    """
    return name.partition(":")[0].rpartition("#")[2].strip()


def _find_type(body: bytes) -> str | None:
    """Return the exception's name from the body, where older services put it."""
    decoded = _BODY.decode(body)
    return None if isinstance(decoded, Undecodable) else decoded.field__type
