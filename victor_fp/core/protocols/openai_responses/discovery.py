"""Which models a place serves: the same lists that the vendors' chats have."""

from __future__ import annotations

from functools import partial

from victor_fp.core.dialects.responses import ResponsesDialect
from victor_fp.core.protocols import Discovery
from victor_fp.core.protocols.openai_chat.discovery import read_list, read_props
from victor_fp.core.protocols.openai_responses.places import beside
from victor_fp.core.requests import Endpoint, HttpRequest, build_headers


def discovery(endpoint: Endpoint, dialect: ResponsesDialect) -> Discovery:
    """GET /models, and where a server tells more of the model that it serves, that too."""
    shown = dialect.model_path
    return Discovery(
        list_request=partial(_asking, endpoint, dialect, dialect.models_path),
        read_list=read_list,
        model_request=(lambda _model: _asking(endpoint, dialect, shown)) if shown else None,
        read_model=read_props if shown else None,
    )


def _asking(endpoint: Endpoint, dialect: ResponsesDialect, path: str) -> HttpRequest:
    return HttpRequest(
        method="GET",
        url=beside(endpoint, dialect, path),
        headers=build_headers(endpoint, json=False),
        signing=endpoint.spec.auth.kind,
    )
