"""Decoding of a whole 200 body: a completion, or the stream that some servers send in its place."""

from __future__ import annotations

import re

from returns.result import Failure, Result, Success

from victor_fp.core.deltas import run_filters
from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.json import BYTE_ORDER_MARK
from victor_fp.core.protocols import Codec
from victor_fp.core.request_building.tool_names import restore_names
from victor_fp.core.responses.completions import TOO_DEEP, ResponseContext, build_completion, fold_chunks, with_context
from victor_fp.core.responses.streams import begin_reading, feed, finish
from victor_fp.core.streaming.unicode_repair import UnicodeRepair
from victor_fp.core.transcript import fold
from victor_fp.core.types import CompletionResponse

_SSE_FIELD = re.compile(rb"(?:data|event|id|retry)?:")


def read_completion(context: ResponseContext, codec: Codec, body: bytes) -> Result[CompletionResponse, Fault]:
    """Read a 200 body, with the same deltas and the same fold as a stream.

    Some servers always stream. The body is then read as the stream that it is; its response has no `raw_response`.
    """
    body = body.removeprefix(BYTE_ORDER_MARK)
    filters, names = codec.filters, context.tool_names
    if not body.isascii() or (b"\\" in body and b"\\u" in body):  # a single byte is found much faster
        filters = (UnicodeRepair(), *filters)
    try:
        deltas = codec.response(body)
        if filters:
            _, deltas = run_filters(filters, deltas, last=True)
        transcript = fold(restore_names(deltas, names) if names else deltas)
    except RecursionError:
        return Failure(with_context(context, InvalidResponse(message=TOO_DEEP, maybe_billed=True)))
    if isinstance(transcript.fault, InvalidResponse) and _is_stream(codec, body.lstrip()):
        return _read_stream(context, codec, body)
    return build_completion(context, transcript, body)


def _is_stream(codec: Codec, body: bytes) -> bool:
    """Return whether a body that is not a completion is a stream in the protocol's framing."""
    if codec.json_frames:
        return body.startswith(b"{") and b"\n" in body
    is_array = codec.array_framer is not None and body.startswith(b"[") and b"{" in body
    return is_array or _SSE_FIELD.match(body) is not None


def _read_stream(context: ResponseContext, codec: Codec, body: bytes) -> Result[CompletionResponse, Fault]:
    """Read a stream that is complete, with the status 200."""
    read = feed(begin_reading(context, codec, 200, {}), body)
    rest = finish(read.reading)
    fault = read.fault or rest.fault
    return Success(fold_chunks([*read.chunks, *rest.chunks])) if fault is None else Failure(fault)
