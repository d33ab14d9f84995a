"""Decoding of a streamed response to chunks: framing, events, filters and the fold, one batch per read.

A response with status >= 400 is read completely and becomes a fault. A 200 response that starts with a JSON object
where frames are expected is a complete body; one that starts with a JSON array is framed as such if the protocol
supports it; one that starts with markup is an invalid response. Everything else is decoded as frames. The final chunk
is emitted at the protocol's final event, or at the end of the data if a stop reason was received.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
from returns.result import Failure, Success

from victor_fp.core.deltas import Delta, DeltaFilter, Stopped, run_filters
from victor_fp.core.faults import Cancelled, Fault, InvalidResponse, StreamTruncated, convert_fault
from victor_fp.core.framing import Framer, Garbled, Overflow, append_held
from victor_fp.core.json import BYTE_ORDER_MARK
from victor_fp.core.protocols import Codec, EventReader, Headers
from victor_fp.core.request_building.tool_names import restore_names
from victor_fp.core.responses.completions import (
    TOO_DEEP,
    ResponseContext,
    build_final_chunk,
    with_context,
    with_partial,
)
from victor_fp.core.result import outcome
from victor_fp.core.streaming.unicode_repair import UnicodeRepair
from victor_fp.core.transcript import EMPTY, Transcript, advance
from victor_fp.core.types import StreamChunk

StreamForm: TypeAlias = Literal["unknown", "frames", "body", "refusal"]
BODY_LIMIT = 64 * 1024 * 1024
"""Maximum size of a complete body in bytes, decompressed."""
LEAD_LIMIT = 1024 * 1024
"""Maximum bytes of white space before a response: servers send it to keep a connection alive."""


class StreamReading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of reading one stream."""

    context: ResponseContext
    codec: Codec
    status: int
    headers: Headers
    form: StreamForm
    framer: Framer
    events: EventReader
    filters: tuple[DeltaFilter, ...] = ()
    repairs: bool = False
    """Whether the first filter repairs invalid Unicode."""
    transcript: Transcript = EMPTY
    body: tuple[bytes, ...] = ()
    """Parts of a complete body, or the last line of leading white space."""
    size: int = 0
    """Bytes of `body`, or of white space so far."""
    over: bool = False
    """Whether the final chunk or the fault has been returned."""


class ReadResult(msgspec.Struct, frozen=True, gc=False):
    """The result of one read: chunks, the last of which may be final, then at most one fault."""

    reading: StreamReading
    chunks: list[StreamChunk]
    fault: Fault | None = None


def begin_reading(context: ResponseContext, codec: Codec, status: int, headers: Headers) -> StreamReading:
    """Return the state before the first byte."""
    return StreamReading(
        context=context,
        codec=codec,
        status=status,
        headers=headers,
        form="refusal" if status >= 400 else "unknown",
        framer=codec.framer(),
        events=codec.events(),
        filters=codec.filters,
    )


def feed(reading: StreamReading, data: bytes) -> ReadResult:
    """Decode the data of one read, of any size."""
    if reading.over or not data:
        return ReadResult(reading, [])
    if reading.form == "unknown" and not reading.size and data[:1].isalpha():  # as nearly all streams
        reading = msgspec.structs.replace(reading, form="frames")
    elif reading.form == "unknown":
        reading, data = _recognise_form(reading, data)
        if not data:
            if reading.size > LEAD_LIMIT:
                message = f"the response begins with more than {LEAD_LIMIT} bytes of white space"
                return _fail(reading, [], InvalidResponse(message=message))
            return ReadResult(reading, [])
    # Invalid Unicode is in escapes, of which a read may end with the first byte, or in bytes that are not ASCII.
    if not reading.repairs and (not data.isascii() or (b"\\" in data and (b"\\u" in data or data.endswith(b"\\")))):
        reading = msgspec.structs.replace(reading, filters=(UnicodeRepair(), *reading.filters), repairs=True)
    if reading.form != "frames":
        return _keep_body(reading, data)
    try:
        framer, frames, error = reading.framer.feed(data)
        events, deltas = reading.events.read(frames) if frames else (reading.events, [])
        return _advance(reading, framer, events, deltas, error)
    except RecursionError:
        return _fail(reading, [], InvalidResponse(message=TOO_DEEP))


def finish(reading: StreamReading) -> ReadResult:
    """Handle the end of the data. The result ends with a final chunk or a fault, unless one was returned before."""
    try:
        return _finish(reading)
    except RecursionError:
        return _fail(reading, [], InvalidResponse(message=TOO_DEEP))


def _finish(reading: StreamReading) -> ReadResult:
    if reading.over:
        return ReadResult(reading, [])
    if reading.form == "refusal":
        fault = reading.codec.error(reading.status, reading.headers, b"".join(reading.body))
        return _fail(reading, [], fault)
    if reading.form == "body":
        deltas = list(reading.codec.response(b"".join(reading.body)))
        return _advance(reading, reading.framer, reading.events, deltas, None, is_last=True)
    frames, error = reading.framer.finish()
    events, deltas = reading.events.read(frames) if frames else (reading.events, [])
    read = _advance(reading, reading.framer, reading.events, [*deltas, *events.finish()], error, is_last=True)
    if frames and isinstance(read.fault, InvalidResponse) and (error is not None or read.reading.transcript.over):
        return msgspec.structs.replace(read, fault=_cut_off(read.fault))
    return read


def _cut_off(fault: InvalidResponse) -> StreamTruncated:
    """Convert the fault of an unterminated last frame: the stream was truncated, the frame is not malformed."""
    return convert_fault(StreamTruncated, fault, message="the stream ended within an event")


def interrupt(reading: StreamReading, fault: Fault) -> ReadResult:
    """Handle a broken connection or a timeout; a response that has its stop reason is complete."""
    try:
        return _interrupt(reading, fault)
    except RecursionError:
        return _fail(reading, [], fault)


def _interrupt(reading: StreamReading, fault: Fault) -> ReadResult:
    if reading.over:
        return ReadResult(reading, [])
    if reading.transcript.stopped is not None and reading.transcript.fault is None:
        return _advance(reading, reading.framer, reading.events, reading.events.finish(), None, is_last=True)
    if reading.form == "refusal" and not isinstance(fault, Cancelled):  # the status says more than how the body ended
        return _finish(reading)
    return _fail(reading, [], fault)


def _recognise_form(reading: StreamReading, data: bytes) -> tuple[StreamReading, bytes]:
    """Determine the form of a 200 response by its first byte after white space and a byte order mark.

    Lines of white space are dropped.
    """
    replace = msgspec.structs.replace
    size = reading.size + len(data)
    held = reading.body
    if held and held[0].startswith(BYTE_ORDER_MARK[:1]):
        held, data = (), b"".join((*held, data))
    data = data.removeprefix(BYTE_ORDER_MARK)
    lead = data.lstrip()
    if not lead or (len(lead) < len(BYTE_ORDER_MARK) and BYTE_ORDER_MARK.startswith(lead)):
        line = data.rpartition(b"\n")[2]
        held = held if len(line) == len(data) else ()
        return replace(reading, body=append_held(held, line) if line else held, size=size), b""
    whole = b"".join((*held, data)) if held else data
    first = lead[:1]
    array = reading.codec.array_framer
    if first == b"[" and array is not None:
        return replace(reading, form="frames", framer=array(), body=(), size=0), lead
    if first in (b"{", b"<") and not reading.codec.json_frames:
        return replace(reading, form="body", body=(), size=0), whole
    return replace(reading, form="frames", body=(), size=0), whole


def _keep_body(reading: StreamReading, data: bytes) -> ReadResult:
    size = reading.size + len(data)
    if size > BODY_LIMIT:
        return _fail(reading, [], InvalidResponse(message=f"the body is larger than {BODY_LIMIT} bytes"))
    reading = msgspec.structs.replace(reading, body=append_held(reading.body, data), size=size)
    return ReadResult(reading, [])


def _advance(
    reading: StreamReading,
    framer: Framer,
    events: EventReader,
    deltas: list[Delta],
    error: Overflow | Garbled | None,
    *,
    is_last: bool = False,
) -> ReadResult:
    """Apply the deltas of one read, and emit the final chunk at the end. All parts of the state change in one copy of it."""
    filters = reading.filters
    if filters and (deltas or is_last):
        filters, deltas = run_filters(filters, deltas, last=is_last)
    if (names := reading.context.tool_names) and deltas:
        deltas = restore_names(deltas, names)
    transcript, chunks = advance(reading.transcript, deltas)
    has_ended = transcript.fault is not None or transcript.ended or (is_last and error is None)
    reading = msgspec.structs.replace(
        reading, framer=framer, events=events, transcript=transcript, filters=filters, over=has_ended
    )
    if not has_ended:
        if error is not None:
            return _fail(reading, chunks, InvalidResponse(message=_describe(error)))
        return ReadResult(reading, chunks)
    if reading.form == "body" and transcript.stopped is None and transcript.ended:
        transcript = msgspec.structs.replace(transcript, stopped=Stopped("stop"))
    match outcome(build_final_chunk(reading.context, transcript)):
        case Success(chunk):
            return ReadResult(reading, [*chunks, chunk])
        case Failure(fault):
            return ReadResult(reading, chunks, fault)


def _describe(error: Overflow | Garbled) -> str:
    match error:
        case Overflow(limit):
            return f"one event of the stream is larger than {limit} bytes"
        case Garbled(reason):
            return f"the stream's framing is broken: {reason}"


def _fail(reading: StreamReading, chunks: list[StreamChunk], fault: Fault) -> ReadResult:
    over = msgspec.structs.replace(reading, over=True)
    transcript = reading.transcript
    fault = (
        with_context(reading.context, fault)
        if reading.status >= 400
        else with_partial(reading.context, transcript, fault)
    )
    return ReadResult(over, chunks, fault)
