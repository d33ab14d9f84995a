"""Replicate: a prediction is created, and its output is awaited, polled or streamed from another URL."""

from __future__ import annotations

from functools import partial

from victor_fp.core.dialects.replicate import ReplicateDialect
from victor_fp.core.framing import ServerSentEvents
from victor_fp.core.protocols import Codec, ProtocolRecord
from victor_fp.core.protocols.replicate.discovery import build_discovery
from victor_fp.core.protocols.replicate.errors import fault_from_response
from victor_fp.core.protocols.replicate.events import PredictionEvents
from victor_fp.core.protocols.replicate.polling import begin
from victor_fp.core.protocols.replicate.request import write
from victor_fp.core.protocols.replicate.response import read
from victor_fp.core.requests import Endpoint


def codec_for(endpoint: Endpoint, dialect: ReplicateDialect) -> Codec:
    """Return the codec of an endpoint whose dialect is of this protocol."""
    return Codec(
        protocol=dialect.protocol,
        request=partial(write, endpoint, dialect),
        response=partial(read, endpoint, dialect),
        framer=ServerSentEvents,
        events=partial(PredictionEvents, endpoint, dialect),
        error=partial(fault_from_response, endpoint, dialect),
        discovery=build_discovery(endpoint, dialect),
        start_polling=partial(begin, endpoint, dialect),
    )


PROTOCOL = ProtocolRecord(title="Replicate predictions", dialect=ReplicateDialect, bind=codec_for)
