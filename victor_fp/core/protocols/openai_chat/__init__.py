"""OpenAI Chat Completions and its dialects."""

from __future__ import annotations

from functools import partial

from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.framing import ServerSentEvents
from victor_fp.core.protocols import Codec, ProtocolRecord
from victor_fp.core.protocols.openai_chat.completions import build_format, read_error
from victor_fp.core.protocols.openai_chat.request import write
from victor_fp.core.protocols.openai_chat.routes import choose_route
from victor_fp.core.protocols.openai_chat.rules import build_rules
from victor_fp.core.protocols.openai_family.completions import CompletionEvents
from victor_fp.core.protocols.openai_family.discovery import build_discovery
from victor_fp.core.protocols.openai_family.errors import fault_from_response
from victor_fp.core.requests import Endpoint


def codec_for(endpoint: Endpoint, dialect: ChatDialect) -> Codec:
    """Return the codec of an endpoint whose dialect is of this protocol."""
    completions = build_format(dialect)
    route = None if dialect.deployment_urls else choose_route(endpoint, dialect, "")
    return Codec(
        protocol=dialect.protocol,
        request=partial(write, endpoint, build_rules(endpoint, dialect), route),
        response=CompletionEvents(endpoint, dialect, completions).read_body,
        framer=ServerSentEvents,
        events=partial(CompletionEvents, endpoint, dialect, completions),
        error=partial(fault_from_response, endpoint, dialect, read_error),
        discovery=None if dialect.models_list == "none" else build_discovery(endpoint, dialect),
    )


PROTOCOL = ProtocolRecord(
    title="OpenAI Chat Completions",
    dialect=ChatDialect,
    bind=codec_for,
    # Stored for the vendor's dashboard only: a chat completion cannot be continued.
    state_options=frozenset({"store"}),
)
