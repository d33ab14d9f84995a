"""Framing of byte streams: incremental, bounded, and independent of how the bytes are split.

A framer is an immutable value. `feed` returns the next framer, the completed frames, and a fatal error, if any; after an error
a framer always returns that error. Frames that precede an error are delivered with it or before it.

Other framings than server-sent events are imported from their modules: `aws`, `json_array` and `ndjson`.
"""

from __future__ import annotations

from victor_fp.core.framing.frames import DEFAULT_LIMIT, Broken, Frame, Framer, Garbled, Overflow, append_held
from victor_fp.core.framing.sse import ServerSentEvents

__all__ = [
    "DEFAULT_LIMIT",
    "Broken",
    "Frame",
    "Framer",
    "Garbled",
    "Overflow",
    "ServerSentEvents",
    "append_held",
]
