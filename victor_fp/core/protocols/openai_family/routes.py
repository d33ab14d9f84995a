"""URLs of model lists, and components of Azure's two URL forms."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import UNSET, UnsetType
from victor_fp_wire.openai_chat.operations import GetServerProps, ListLocalModels, ListModels

from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.dialects.responses import ResponsesDialect
from victor_fp.core.protocols.operations import build_request
from victor_fp.core.requests import Endpoint, HttpRequest

RoutedDialect: TypeAlias = ChatDialect | ResponsesDialect
DEPLOYMENT_VERSION = "2024-10-21"
"""Default API version of Azure's deployment URLs: the newest stable one."""


def build_list_request(endpoint: Endpoint, dialect: RoutedDialect) -> HttpRequest:
    """Build the request for the list of models."""
    if dialect.deployment_urls:
        root = find_resource_url(endpoint)
        return build_request(endpoint, ListModels(), base_url=f"{root or endpoint.base_url}/openai/v1")
    if dialect.models_list == "lmstudio":
        return build_request(endpoint, ListLocalModels(), base_url=find_server_root(endpoint.base_url))
    return build_request(endpoint, ListModels())


def build_props_request(endpoint: Endpoint, model: str) -> HttpRequest:
    """Build the request for the settings of a running llama.cpp server; a router returns those of the given model."""
    return build_request(endpoint, GetServerProps(model=model), base_url=find_server_root(endpoint.base_url))


def find_server_root(base_url: str) -> str:
    """Return the URL of the server, one segment above the OpenAI-compatible API.

    >>> find_server_root("http://localhost:1234/v1"), find_server_root("http://localhost:1234")
    ('http://localhost:1234', 'http://localhost:1234')
    """
    return base_url.removesuffix("/v1")


def find_resource_url(endpoint: Endpoint) -> str | None:
    """Return the URL of the Azure resource: a custom base URL, else the setting, without /openai and what follows."""
    resource = endpoint.base_url if endpoint.base_url != endpoint.spec.base_url else endpoint.settings.get("endpoint")
    return resource.partition("/openai")[0].rstrip("/") if resource else None


def has_dated_version(endpoint: Endpoint) -> bool:
    """Return whether the API version is a date, which requires the older URL form, unlike `v1` and `preview`."""
    return (endpoint.settings.get("api_version") or "")[:1].isdigit()


def read_version_parameter(endpoint: Endpoint) -> str | UnsetType:
    """Return the API version for the query; UNSET if none is configured."""
    return endpoint.settings.get("api_version") or UNSET
