"""OpenAI Responses and its dialects, as pure functions bound to one place."""

from __future__ import annotations

from functools import partial

from victor_fp.core.background import begin_polling
from victor_fp.core.dialects.responses import ResponsesDialect
from victor_fp.core.framing import sse
from victor_fp.core.protocols import Codec
from victor_fp.core.protocols.openai_responses.discovery import discovery
from victor_fp.core.protocols.openai_responses.errors import fault_from_response
from victor_fp.core.protocols.openai_responses.events import ResponseEvents
from victor_fp.core.protocols.openai_responses.request import write
from victor_fp.core.protocols.openai_responses.response import read
from victor_fp.core.protocols.openai_responses.stored_state import bind_background
from victor_fp.core.requests import Endpoint


def codec_for(endpoint: Endpoint, dialect: ResponsesDialect) -> Codec:
    """The protocol's functions for this place."""
    background = bind_background(endpoint, dialect)
    return Codec(
        protocol=dialect.protocol,
        request=partial(write, endpoint, dialect),
        response=partial(read, endpoint, dialect),
        framer=sse,
        events=partial(ResponseEvents, endpoint=endpoint, dialect=dialect),
        error=partial(fault_from_response, endpoint, dialect),
        think_tags=dialect.think_tags,
        discovery=discovery(endpoint, dialect),
        start_polling=None if background is None else partial(begin_polling, background),
        background=background,
    )
