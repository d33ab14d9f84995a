"""Recordings of HTTP exchanges, for tests without a network, bug reports, and caching.

    with Recording("recordings/weather.yaml", mode="record"):
        provider.chat("How is the weather?")          # sent, and recorded without secrets
    with Recording("recordings/weather.yaml"):
        provider.chat("How is the weather?")          # answered from the file
    with Cache(".cache/llm", lifetime=24 * 3600):
        provider.chat("How is the weather?")          # sent once a day

Files are YAML and readable in a diff. The pytest fixture `recording` uses one file for each test; see
docs/recordings.md.
"""

from __future__ import annotations

from victor_fp.shell.recording.cache import Cache
from victor_fp.shell.recording.exchange import Exchange, Piece, RecordedRequest, RecordedResponse
from victor_fp.shell.recording.matching import Matching
from victor_fp.shell.recording.recording import Mode, Recording, read_recording

__all__ = [
    "Cache",
    "Exchange",
    "Matching",
    "Mode",
    "Piece",
    "RecordedRequest",
    "RecordedResponse",
    "Recording",
    "read_recording",
]
