"""Ollama /api/chat: one JSON body, or NDJSON whose last line has `done` set."""

from __future__ import annotations

from functools import partial

from victor_fp.core.dialects.ollama import OllamaDialect
from victor_fp.core.framing.ndjson import build_ndjson_framer
from victor_fp.core.protocols import Codec, ProtocolRecord
from victor_fp.core.protocols.ollama_chat.discovery import build_discovery
from victor_fp.core.protocols.ollama_chat.errors import fault_from_response
from victor_fp.core.protocols.ollama_chat.events import LineReader
from victor_fp.core.protocols.ollama_chat.request import write
from victor_fp.core.protocols.ollama_chat.response import read
from victor_fp.core.requests import Endpoint


def codec_for(endpoint: Endpoint, dialect: OllamaDialect) -> Codec:
    """Return the codec of an endpoint whose dialect is of this protocol."""
    return Codec(
        protocol=dialect.protocol,
        request=partial(write, endpoint, dialect),
        response=partial(read, endpoint, dialect),
        framer=build_ndjson_framer,
        events=partial(LineReader, endpoint, dialect),
        error=partial(fault_from_response, endpoint, dialect),
        json_frames=True,
        discovery=build_discovery(endpoint),
    )


PROTOCOL = ProtocolRecord(title="Ollama chat", dialect=OllamaDialect, bind=codec_for)
