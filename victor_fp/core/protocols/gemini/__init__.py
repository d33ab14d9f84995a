"""Gemini generateContent: responses and stream events have the same shape."""

from __future__ import annotations

from functools import partial

from victor_fp.core.dialects.gemini import GeminiDialect
from victor_fp.core.framing import ServerSentEvents
from victor_fp.core.framing.json_array import build_json_array_framer
from victor_fp.core.protocols import Codec, ProtocolRecord
from victor_fp.core.protocols.gemini.discovery import build_discovery, build_token_counting
from victor_fp.core.protocols.gemini.errors import fault_from_response
from victor_fp.core.protocols.gemini.events import build_reader
from victor_fp.core.protocols.gemini.request import write
from victor_fp.core.protocols.gemini.response import read
from victor_fp.core.requests import Endpoint


def codec_for(endpoint: Endpoint, dialect: GeminiDialect) -> Codec:
    """Return the codec of an endpoint whose dialect is of this protocol."""
    return Codec(
        protocol=dialect.protocol,
        request=partial(write, endpoint, dialect),
        response=partial(read, endpoint),
        framer=ServerSentEvents,
        array_framer=build_json_array_framer,
        events=partial(build_reader, endpoint),
        error=partial(fault_from_response, endpoint),
        discovery=build_discovery(endpoint) if dialect.lists_models else None,
        counting=build_token_counting(endpoint, dialect),
    )


PROTOCOL = ProtocolRecord(title="Gemini generateContent", dialect=GeminiDialect, bind=codec_for)
