"""Mistral chat completions: content is text or a list of typed chunks; streams end with [DONE]."""

from __future__ import annotations

from functools import partial

from victor_fp.core.dialects.mistral import MistralDialect
from victor_fp.core.framing import ServerSentEvents
from victor_fp.core.protocols import Codec, ProtocolRecord
from victor_fp.core.protocols.mistral.completions import FORMAT, read_error
from victor_fp.core.protocols.mistral.discovery import build_discovery
from victor_fp.core.protocols.mistral.request import build_rules, write
from victor_fp.core.protocols.openai_family.completions import CompletionEvents
from victor_fp.core.protocols.openai_family.errors import fault_from_response
from victor_fp.core.requests import Endpoint


def codec_for(endpoint: Endpoint, dialect: MistralDialect) -> Codec:
    """Return the codec of an endpoint whose dialect is of this protocol."""
    return Codec(
        protocol=dialect.protocol,
        request=partial(write, endpoint, build_rules(endpoint, dialect)),
        response=CompletionEvents(endpoint, dialect, FORMAT).read_body,
        framer=ServerSentEvents,
        events=partial(CompletionEvents, endpoint, dialect, FORMAT),
        error=partial(fault_from_response, endpoint, dialect, read_error),
        discovery=build_discovery(endpoint),
    )


PROTOCOL = ProtocolRecord(title="Mistral chat completions", dialect=MistralDialect, bind=codec_for)
