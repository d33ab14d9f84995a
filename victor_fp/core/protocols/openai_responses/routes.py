"""Operation, base URL and model name of a response; Azure has two forms of URL."""

from __future__ import annotations

import msgspec
from victor_fp_wire.openai_responses.operations import CreateResponse

from victor_fp.core.dialects.responses import ResponsesDialect
from victor_fp.core.protocols.openai_family.routes import find_resource_url, has_dated_version, read_version_parameter
from victor_fp.core.requests import Endpoint


class ResponseRoute(msgspec.Struct, frozen=True, kw_only=True):
    """An operation, its base URL, and the model name."""

    base_url: str
    model: str
    operation: CreateResponse = CreateResponse()


def choose_route(endpoint: Endpoint, dialect: ResponsesDialect, model: str) -> ResponseRoute | None:
    """Return the route of a response; None if no Azure resource is configured.

    On Azure, the deployment replaces the model.
    """
    if not dialect.deployment_urls:
        return ResponseRoute(base_url=endpoint.base_url, model=model)
    root = find_resource_url(endpoint)
    if root is None:
        return None
    return ResponseRoute(
        # Dated versions use the path without v1, undated ones the path with it.
        base_url=f"{root}/openai" if has_dated_version(endpoint) else f"{root}/openai/v1",
        model=endpoint.settings.get("deployment") or model,
        operation=CreateResponse(api_version=read_version_parameter(endpoint)),
    )
