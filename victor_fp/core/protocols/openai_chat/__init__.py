"""OpenAI Chat Completions and its many dialects, as pure functions bound to one place."""

from __future__ import annotations

from functools import partial

from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.framing import sse
from victor_fp.core.protocols import Codec
from victor_fp.core.protocols.openai_chat.discovery import discovery
from victor_fp.core.protocols.openai_chat.errors import fault_from_response
from victor_fp.core.protocols.openai_chat.events import ChatEvents
from victor_fp.core.protocols.openai_chat.request import write
from victor_fp.core.protocols.openai_chat.response import read
from victor_fp.core.protocols.openai_chat.rules import build_rules
from victor_fp.core.requests import Endpoint


def codec_for(endpoint: Endpoint, dialect: ChatDialect) -> Codec:
    """The protocol's functions for this place."""
    return Codec(
        protocol=dialect.protocol,
        request=partial(write, endpoint, build_rules(endpoint, dialect)),
        response=partial(read, endpoint, dialect),
        framer=sse,
        events=partial(ChatEvents, endpoint, dialect),
        error=partial(fault_from_response, endpoint, dialect),
        think_tags=dialect.think_tags,
        discovery=discovery(endpoint, dialect),
    )
