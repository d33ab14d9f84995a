"""Anthropic Messages."""

from __future__ import annotations

from functools import partial

from victor_fp.core.dialects.anthropic import AnthropicDialect
from victor_fp.core.framing import ServerSentEvents
from victor_fp.core.protocols import Codec, ProtocolRecord
from victor_fp.core.protocols.anthropic_messages.discovery import build_discovery, build_token_counting
from victor_fp.core.protocols.anthropic_messages.errors import fault_from_response
from victor_fp.core.protocols.anthropic_messages.events import MessageEvents
from victor_fp.core.protocols.anthropic_messages.request import write
from victor_fp.core.protocols.anthropic_messages.response import read
from victor_fp.core.requests import Endpoint


def codec_for(endpoint: Endpoint, dialect: AnthropicDialect) -> Codec:
    """Return the codec of an endpoint whose dialect is of this protocol."""
    return Codec(
        protocol=dialect.protocol,
        request=partial(write, endpoint, dialect),
        response=partial(read, endpoint),
        framer=ServerSentEvents,
        events=partial(MessageEvents, endpoint=endpoint),
        error=partial(fault_from_response, endpoint),
        discovery=build_discovery(endpoint, dialect),
        counting=build_token_counting(endpoint, dialect),
    )


PROTOCOL = ProtocolRecord(title="Anthropic Messages", dialect=AnthropicDialect, bind=codec_for)
