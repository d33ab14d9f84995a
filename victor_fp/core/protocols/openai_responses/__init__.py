"""OpenAI Responses and its dialects."""

from __future__ import annotations

from functools import partial

from victor_fp.core.dialects.responses import ResponsesDialect
from victor_fp.core.framing import ServerSentEvents
from victor_fp.core.long_running.background import begin_polling
from victor_fp.core.protocols import Codec, ProtocolRecord
from victor_fp.core.protocols.openai_family.discovery import build_discovery
from victor_fp.core.protocols.openai_family.errors import fault_from_response
from victor_fp.core.protocols.openai_responses.events import ResponseEvents
from victor_fp.core.protocols.openai_responses.request import write
from victor_fp.core.protocols.openai_responses.response import read, read_error
from victor_fp.core.protocols.openai_responses.rules import build_rules
from victor_fp.core.protocols.openai_responses.stored_state import bind_background
from victor_fp.core.request_building.stored_state import STATE_OPTIONS
from victor_fp.core.requests import Endpoint


def codec_for(endpoint: Endpoint, dialect: ResponsesDialect) -> Codec:
    """Return the codec of an endpoint whose dialect is of this protocol."""
    background = bind_background(endpoint, dialect)
    return Codec(
        protocol=dialect.protocol,
        request=partial(write, endpoint, build_rules(endpoint, dialect)),
        response=partial(read, endpoint, dialect),
        framer=ServerSentEvents,
        events=partial(ResponseEvents, endpoint=endpoint, dialect=dialect),
        error=partial(fault_from_response, endpoint, dialect, read_error),
        discovery=build_discovery(endpoint, dialect),
        start_polling=None if background is None else partial(begin_polling, background),
        background=background,
    )


PROTOCOL = ProtocolRecord(
    title="OpenAI Responses", dialect=ResponsesDialect, bind=codec_for, state_options=STATE_OPTIONS
)
