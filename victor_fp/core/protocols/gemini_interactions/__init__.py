"""Gemini Interactions: a conversation as steps, stored by the server if requested."""

from __future__ import annotations

from functools import partial

from victor_fp.core.dialects.interactions import InteractionsDialect
from victor_fp.core.framing import ServerSentEvents
from victor_fp.core.long_running.background import begin_polling
from victor_fp.core.protocols import Codec, ProtocolRecord
from victor_fp.core.protocols.gemini.discovery import build_discovery
from victor_fp.core.protocols.gemini.errors import fault_from_response
from victor_fp.core.protocols.gemini_interactions.events import begin_reading
from victor_fp.core.protocols.gemini_interactions.request import build_interaction
from victor_fp.core.protocols.gemini_interactions.response import read_interaction
from victor_fp.core.protocols.gemini_interactions.stored_state import bind_background
from victor_fp.core.request_building.stored_state import STATE_OPTIONS
from victor_fp.core.requests import Endpoint


def codec_for(endpoint: Endpoint, dialect: InteractionsDialect) -> Codec:
    """Return the codec of an endpoint. Model discovery and errors are those of the Gemini API."""
    background = bind_background(endpoint)
    return Codec(
        protocol=dialect.protocol,
        request=partial(build_interaction, endpoint, dialect),
        response=partial(read_interaction, endpoint),
        framer=ServerSentEvents,
        events=partial(begin_reading, endpoint),
        error=partial(fault_from_response, endpoint),
        discovery=build_discovery(endpoint),
        start_polling=partial(begin_polling, background),
        background=background,
    )


PROTOCOL = ProtocolRecord(
    title="Gemini Interactions", dialect=InteractionsDialect, bind=codec_for, state_options=STATE_OPTIONS
)
