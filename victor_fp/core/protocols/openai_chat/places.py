"""Where requests go: below the base URL, or in the two forms that Azure has."""

from __future__ import annotations

from urllib.parse import quote, urlencode, urljoin

import msgspec

from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.requests import Endpoint

DEPLOYMENT_VERSION = "2024-10-21"
"""Azure's newest stable version of the deployment URLs, for callers who name none."""


class Place(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A URL, and whether the body still has to name the model."""

    url: str
    names_model: bool = True


def chat_url(endpoint: Endpoint, dialect: ChatDialect, model: str) -> Place | None:
    """Where chats go; None where the settings do not say."""
    if not dialect.deployment_urls:
        return Place(url=f"{endpoint.base_url}/chat/completions")
    root = resource(endpoint)
    if root is None:
        return None
    deployment, version = endpoint.settings.get("deployment"), endpoint.settings.get("api_version")
    if deployment or dated(version):
        path = f"{root}/openai/deployments/{quote(deployment or model, safe='')}/chat/completions"
        return Place(url=f"{path}?{urlencode({'api-version': version or DEPLOYMENT_VERSION})}", names_model=False)
    return Place(url=f"{root}/openai/v1/chat/completions{version_query(version)}")


def beside(endpoint: Endpoint, dialect: ChatDialect, path: str) -> str:
    """A URL relative to the base URL; `..` climbs."""
    if dialect.deployment_urls:
        root = resource(endpoint) or endpoint.base_url
        return f"{root}/openai/v1/{path}"
    return urljoin(f"{endpoint.base_url}/", path)


def resource(endpoint: Endpoint) -> str | None:
    """The resource: a base URL of the caller's own, else the setting. What is behind /openai is ours to write."""
    own = endpoint.base_url if endpoint.base_url != endpoint.spec.base_url else endpoint.settings.get("endpoint")
    return own.partition("/openai")[0].rstrip("/") if own else None


def dated(version: str | None) -> bool:
    """Versions with a date belong to the deployment URLs, `v1` and `preview` to the other form."""
    return version is not None and version[:1].isdigit()


def version_query(version: str | None) -> str:
    """The version as a query, where one is given."""
    return f"?{urlencode({'api-version': version})}" if version else ""
