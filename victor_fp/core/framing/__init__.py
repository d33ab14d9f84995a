"""Bytes from the network become frames: incremental, bounded, and the same however the bytes were cut.

A framer is an immutable value. `feed` gives the framer to go on with, the frames that these bytes completed, and what
makes going on senseless, if anything; a framer that reported it reports it again for ever. Frames that precede an
error are always delivered with it or before it.
"""

from __future__ import annotations

from victor_fp.core.framing.aws import build_event_stream_framer
from victor_fp.core.framing.frames import DEFAULT_LIMIT, Broken, Frame, Framer, Garbled, Overflow, append_held
from victor_fp.core.framing.json_array import build_json_array_framer
from victor_fp.core.framing.ndjson import build_ndjson_framer
from victor_fp.core.framing.sse import build_sse_framer

__all__ = [
    "DEFAULT_LIMIT",
    "Broken",
    "Frame",
    "Framer",
    "Garbled",
    "Overflow",
    "build_event_stream_framer",
    "append_held",
    "build_json_array_framer",
    "build_ndjson_framer",
    "build_sse_framer",
]
