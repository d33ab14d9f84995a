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
from victor_fp.core.requests import Endpoint


class ChatRoute(msgspec.Struct, frozen=True, kw_only=True):
    """An operation and its base URL."""

    base_url: str
    operation: CreateChatCompletion | CreateDeploymentChatCompletion

    @property
    def names_model(self) -> bool:
        """Whether the body must contain the model."""
        return isinstance(self.operation, CreateChatCompletion)


def choose_route(endpoint: Endpoint, dialect: ChatDialect, model: str) -> ChatRoute | None:
    """Return the route of a chat; None if no Azure resource is configured."""
    if not dialect.deployment_urls:
        return ChatRoute(base_url=endpoint.base_url, operation=CreateChatCompletion())
    root = find_resource_url(endpoint)
    if root is None:
        return None
    deployment, version = endpoint.settings.get("deployment"), endpoint.settings.get("api_version")
    if deployment or has_dated_version(endpoint):
        operation = CreateDeploymentChatCompletion(
            deployment=deployment or model, api_version=version or DEPLOYMENT_VERSION
        )
        return ChatRoute(base_url=f"{root}/openai", operation=operation)
    return ChatRoute(
        base_url=f"{root}/openai/v1", operation=CreateChatCompletion(api_version=read_version_parameter(endpoint))
    )
