"""Results as the ledger keeps them: JSON of an answer or of a fault, and back."""

from __future__ import annotations

from typing import Any

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import FAULT_TYPES, Fault, InvalidResponse
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse

_ANSWER = b"a"
_FAULT = b"f"
_encoder = msgspec.json.Encoder(enc_hook=str)
_FAULT_TYPES = {fault_type.__name__: fault_type for fault_type in FAULT_TYPES}


def encode_result(result: Result[CompletionResponse, Fault], *, keep_raw: bool = False) -> bytes:
    """A result as bytes. The vendor's raw body is left out unless `keep_raw`: it would double the ledger."""
    match outcome(result):
        case Success(response):
            return _ANSWER + _encode_response(response, keep_raw=keep_raw)
        case Failure(fault):
            fields = msgspec.to_builtins(fault, enc_hook=str)
            return _FAULT + msgspec.json.encode([type(fault).__name__, fields])


def _encode_response(response: CompletionResponse, *, keep_raw: bool) -> bytes:
    fields = response.__dict__.copy()
    if not keep_raw:
        del fields["raw_response"]
    try:
        return _encoder.encode(fields)
    except (ValueError, TypeError, RecursionError):  # a custom provider may return texts that are not Unicode, and more
        excluded = None if keep_raw else {"raw_response"}
        text = response.model_dump_json(exclude=excluded, exclude_none=True, fallback=str, warnings=False)
        return text.encode("utf-8", "replace")


def decode_result(body: bytes) -> Result[CompletionResponse, Fault]:
    """The result that `encode_result` wrote; bytes of another form are a Failure."""
    try:
        if body[:1] == _ANSWER:
            return Success(CompletionResponse.model_validate_json(body[1:]))
        name, fields = msgspec.json.decode(body[1:], type=tuple[str, dict[str, Any]])
        return Failure(msgspec.convert(fields, _FAULT_TYPES[name]))
    except (ValueError, KeyError, msgspec.MsgspecError) as error:
        return Failure(
            InvalidResponse(message=f"the ledger holds a result that cannot be read: {type(error).__name__}")
        )
