"""Mistral's chat completions: content is text or a list of typed pieces, whole or in chunks that end with [DONE]."""

from __future__ import annotations

from functools import partial

from victor_fp.core.dialects.mistral import MistralDialect
from victor_fp.core.framing import sse
from victor_fp.core.protocols import Codec
from victor_fp.core.protocols.mistral.discovery import discovery
from victor_fp.core.protocols.mistral.events import ChatEvents
from victor_fp.core.protocols.mistral.request import build_rules, write
from victor_fp.core.protocols.mistral.response import read
from victor_fp.core.protocols.openai_chat.errors import fault_from_response
from victor_fp.core.requests import Endpoint


def codec_for(endpoint: Endpoint, dialect: MistralDialect) -> Codec:
    """The protocol's functions, bound to one place."""
    return Codec(
        protocol=dialect.protocol,
        request=partial(write, endpoint, build_rules(endpoint, dialect)),
        response=partial(read, endpoint, dialect),
        framer=sse,
        events=partial(ChatEvents, endpoint, dialect),
        error=partial(fault_from_response, endpoint, dialect),
        think_tags=dialect.think_tags,
        discovery=discovery(endpoint),
    )
