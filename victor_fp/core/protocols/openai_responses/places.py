"""Where requests go: below the base URL, or below an Azure resource."""

from __future__ import annotations

from urllib.parse import urljoin

import msgspec

from victor_fp.core.dialects.responses import ResponsesDialect
from victor_fp.core.protocols.openai_chat.places import dated, resource, version_query
from victor_fp.core.requests import Endpoint


class Place(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A URL, and the model's name there."""

    url: str
    model: str


def responses_url(endpoint: Endpoint, dialect: ResponsesDialect, model: str) -> Place | None:
    """Where responses are made; None where the settings do not say. A deployment stands where the model does."""
    if not dialect.deployment_urls:
        return Place(url=f"{endpoint.base_url}/responses", model=model)
    root = resource(endpoint)
    if root is None:
        return None
    version = endpoint.settings.get("api_version")
    # Versions with a date know the path without v1, which came with those that have none.
    path = "openai/responses" if dated(version) else "openai/v1/responses"
    return Place(url=f"{root}/{path}{version_query(version)}", model=endpoint.settings.get("deployment") or model)


def beside(endpoint: Endpoint, dialect: ResponsesDialect, path: str) -> str:
    """A URL relative to the base URL; `..` climbs."""
    if dialect.deployment_urls:
        return f"{resource(endpoint) or endpoint.base_url}/openai/v1/{path}"
    return urljoin(f"{endpoint.base_url}/", path)
