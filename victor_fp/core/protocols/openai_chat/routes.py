"""Which operation a chat is sent through, and below which base URL: Azure has two forms of URL."""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from msgspec import UNSET, UnsetType
from victor_fp_wire.openai_chat.operations import (
    CreateChatCompletion,
    CreateDeploymentChatCompletion,
    GetServerProps,
    ListLocalModels,
    ListModels,
)

from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.dialects.responses import ResponsesDialect
from victor_fp.core.protocols.operations import build_request, build_url
from victor_fp.core.requests import Endpoint, HttpRequest

Dialect: TypeAlias = ChatDialect | ResponsesDialect

DEPLOYMENT_VERSION = "2024-10-21"
"""Azure's newest stable version of the deployment URLs, for callers who name none."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """An operation and the base URL it is sent below."""

    base_url: str
    operation: CreateChatCompletion | CreateDeploymentChatCompletion

    @property
    def url(self) -> str:
        """The whole URL."""
        return build_url(self.base_url, self.operation)

    @property
    def names_model(self) -> bool:
        """Whether the body still has to name the model."""
        return isinstance(self.operation, CreateChatCompletion)


def choose_route(endpoint: Endpoint, dialect: ChatDialect, model: str) -> Route | None:
    """Return where a chat goes; None where an Azure resource is not configured."""
    if not dialect.deployment_urls:
        return Route(base_url=endpoint.base_url, operation=CreateChatCompletion())
    root = resource_url(endpoint)
    if root is None:
        return None
    deployment, version = endpoint.settings.get("deployment"), endpoint.settings.get("api_version")
    if deployment or has_dated_version(endpoint):
        operation = CreateDeploymentChatCompletion(
            deployment=deployment or model, api_version=version or DEPLOYMENT_VERSION
        )
        return Route(base_url=f"{root}/openai", operation=operation)
    return Route(base_url=f"{root}/openai/v1", operation=CreateChatCompletion(api_version=version_parameter(endpoint)))


def build_list_request(endpoint: Endpoint, dialect: Dialect) -> HttpRequest:
    """Build the request for the list of models."""
    if dialect.deployment_urls:
        root = resource_url(endpoint)
        return build_request(endpoint, ListModels(), base_url=f"{root or endpoint.base_url}/openai/v1")
    if dialect.models_list == "lmstudio":
        return build_request(endpoint, ListLocalModels(), base_url=server_root(endpoint.base_url))
    return build_request(endpoint, ListModels())


def build_props_request(endpoint: Endpoint, model: str) -> HttpRequest:
    """Build the request for the settings of a running llama.cpp server; a router answers for the named model."""
    return build_request(endpoint, GetServerProps(model=model), base_url=server_root(endpoint.base_url))


def server_root(base_url: str) -> str:
    """Return the address of the server, one segment above the OpenAI-compatible API.

    >>> server_root("http://localhost:1234/v1"), server_root("http://localhost:1234")
    ('http://localhost:1234', 'http://localhost:1234')
    """
    return base_url.removesuffix("/v1")


def resource_url(endpoint: Endpoint) -> str | None:
    """Return the Azure resource: the caller's own base URL, else the setting, without what begins with /openai."""
    own = endpoint.base_url if endpoint.base_url != endpoint.spec.base_url else endpoint.settings.get("endpoint")
    return own.partition("/openai")[0].rstrip("/") if own else None


def has_dated_version(endpoint: Endpoint) -> bool:
    """Return whether the API version is a date: these belong to the older form of URLs, `v1` and `preview` do not."""
    return (endpoint.settings.get("api_version") or "")[:1].isdigit()


def version_parameter(endpoint: Endpoint) -> str | UnsetType:
    """Return the API version for the query, where one is configured."""
    return endpoint.settings.get("api_version") or UNSET
