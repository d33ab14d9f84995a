"""Discovery of models for Responses: the lists are those of Chat Completions."""

from __future__ import annotations

from functools import partial

from victor_fp.core.dialects.responses import ResponsesDialect
from victor_fp.core.protocols import Discovery
from victor_fp.core.protocols.openai_chat.discovery import read_list, read_props
from victor_fp.core.protocols.openai_chat.routes import build_list_request, build_props_request
from victor_fp.core.requests import Endpoint


def discovery(endpoint: Endpoint, dialect: ResponsesDialect) -> Discovery:
    """Return how to list models, and how to ask a llama.cpp server for the settings of one."""
    return Discovery(
        list_request=partial(build_list_request, endpoint, dialect),
        read_list=read_list,
        model_request=partial(build_props_request, endpoint) if dialect.has_server_props else None,
        read_model=read_props if dialect.has_server_props else None,
        list_has_limits=dialect.has_server_props,
    )
