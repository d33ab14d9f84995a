"""Cohere v2 chat: one JSON body, or a stream of typed events that ends with message-end."""

from __future__ import annotations

from functools import partial

from victor_fp.core.dialects.cohere import CohereDialect
from victor_fp.core.framing import ServerSentEvents
from victor_fp.core.protocols import Codec, ProtocolRecord
from victor_fp.core.protocols.cohere_v2.discovery import build_discovery
from victor_fp.core.protocols.cohere_v2.errors import fault_from_response
from victor_fp.core.protocols.cohere_v2.events import ChatEvents
from victor_fp.core.protocols.cohere_v2.request import write
from victor_fp.core.protocols.cohere_v2.response import read
from victor_fp.core.requests import Endpoint


def codec_for(endpoint: Endpoint, dialect: CohereDialect) -> Codec:
    """Return the codec of an endpoint whose dialect is of this protocol."""
    return Codec(
        protocol=dialect.protocol,
        request=partial(write, endpoint, dialect),
        response=partial(read, endpoint, dialect),
        framer=ServerSentEvents,
        events=partial(ChatEvents, endpoint=endpoint, dialect=dialect),
        error=partial(fault_from_response, endpoint, dialect),
        discovery=build_discovery(endpoint),
    )


PROTOCOL = ProtocolRecord(title="Cohere v2 chat", dialect=CohereDialect, bind=codec_for)
