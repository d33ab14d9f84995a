"""Amazon Bedrock Converse."""

from __future__ import annotations

from functools import partial

from victor_fp.core.dialects.bedrock import BedrockDialect
from victor_fp.core.framing.aws import build_event_stream_framer
from victor_fp.core.protocols import Codec, ProtocolRecord
from victor_fp.core.protocols.bedrock_converse.discovery import build_discovery, build_token_counting
from victor_fp.core.protocols.bedrock_converse.errors import fault_from_response
from victor_fp.core.protocols.bedrock_converse.events import ConverseEvents
from victor_fp.core.protocols.bedrock_converse.request import write
from victor_fp.core.protocols.bedrock_converse.response import read
from victor_fp.core.requests import Endpoint


def codec_for(endpoint: Endpoint, dialect: BedrockDialect) -> Codec:
    """Return the codec of an endpoint whose dialect is of this protocol."""
    return Codec(
        protocol=dialect.protocol,
        request=partial(write, endpoint, dialect),
        response=partial(read, endpoint),
        # A message begins with its length, whose first byte is never a brace: a body with one is not a stream.
        framer=build_event_stream_framer,
        events=partial(ConverseEvents, endpoint=endpoint),
        error=partial(fault_from_response, endpoint),
        discovery=build_discovery(endpoint, dialect),
        counting=build_token_counting(endpoint, dialect),
    )


PROTOCOL = ProtocolRecord(title="Amazon Bedrock Converse", dialect=BedrockDialect, bind=codec_for)
