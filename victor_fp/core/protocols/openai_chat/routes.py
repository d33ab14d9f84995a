"""Operation and base URL of a chat; Azure has two forms of URL."""

from __future__ import annotations

import msgspec
from victor_fp_wire.openai_chat.operations import CreateChatCompletion, CreateDeploymentChatCompletion

from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.protocols.openai_family.routes import (
    DEPLOYMENT_VERSION,
    find_resource_url,
    has_dated_version,
    read_version_parameter,
)
from victor_fp.core.protocols.operations import build_request
from victor_fp.core.requests import Endpoint, HttpRequest


class ChatRoute(msgspec.Struct, frozen=True, kw_only=True):
    """Where chats are sent."""

    request: HttpRequest
    """The request with an empty body."""
    names_model: bool
    """Whether the body must contain the model."""


def choose_route(endpoint: Endpoint, dialect: ChatDialect, model: str) -> ChatRoute | None:
    """Return the route of a chat; None if no Azure resource is configured. Only on Azure it depends on the model."""
    if not dialect.deployment_urls:
        return ChatRoute(request=build_request(endpoint, CreateChatCompletion(), body=b""), names_model=True)
    root = find_resource_url(endpoint)
    if root is None:
        return None
    deployment, version = endpoint.settings.get("deployment"), endpoint.settings.get("api_version")
    if deployment or has_dated_version(endpoint):
        by_deployment = CreateDeploymentChatCompletion(
            deployment=deployment or model, api_version=version or DEPLOYMENT_VERSION
        )
        request = build_request(endpoint, by_deployment, base_url=f"{root}/openai", body=b"")
        return ChatRoute(request=request, names_model=False)
    by_model = CreateChatCompletion(api_version=read_version_parameter(endpoint))
    request = build_request(endpoint, by_model, base_url=f"{root}/openai/v1", body=b"")
    return ChatRoute(request=request, names_model=True)
