"""Where requests go: the dialect's paths behind the endpoint's base URL."""

from __future__ import annotations

from urllib.parse import quote

from victor_fp.core.requests import Endpoint


def url_for(endpoint: Endpoint, path: str, *, model: str = "") -> str:
    """The path behind the base URL; a version that both end and begin with stands once.

    >>> from victor_fp.core.catalogue import built_in
    >>> at = Endpoint(spec=built_in()["anthropic"], base_url="http://localhost:8080/v1")
    >>> url_for(at, "/v1/messages")
    'http://localhost:8080/v1/messages'
    """
    base = endpoint.base_url
    if path.startswith("/v1/") and base.endswith("/v1"):
        base = base.removesuffix("/v1")
    return base + path.replace("{model}", quote(model, safe="@:-._~"))
