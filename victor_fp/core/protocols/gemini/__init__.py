"""Gemini generateContent: one shape for the whole answer and for every piece of a streamed one."""

from __future__ import annotations

from functools import partial

from victor_fp.core.dialects.gemini import GeminiDialect
from victor_fp.core.framing import json_array, sse
from victor_fp.core.protocols import Codec
from victor_fp.core.protocols.gemini.discovery import describe_token_counting, discovery
from victor_fp.core.protocols.gemini.errors import fault_from_response
from victor_fp.core.protocols.gemini.events import reader
from victor_fp.core.protocols.gemini.request import write
from victor_fp.core.protocols.gemini.response import read
from victor_fp.core.requests import Endpoint


def codec_for(endpoint: Endpoint, dialect: GeminiDialect) -> Codec:
    """The protocol's functions, bound to one place."""
    return Codec(
        protocol=dialect.protocol,
        request=partial(write, endpoint, dialect),
        response=partial(read, endpoint),
        framer=sse,
        array_framer=json_array,
        events=partial(reader, endpoint),
        error=partial(fault_from_response, endpoint),
        think_tags=dialect.think_tags,
        discovery=discovery(endpoint) if dialect.lists_models else None,
        counting=describe_token_counting(endpoint, dialect),
    )
