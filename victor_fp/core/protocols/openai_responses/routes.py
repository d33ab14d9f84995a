"""Which base URL a response is created below, and the model's name there."""

from __future__ import annotations

import msgspec
from victor_fp_wire.openai_responses.operations import CreateResponse

from victor_fp.core.dialects.responses import ResponsesDialect
from victor_fp.core.protocols.openai_family.routes import find_resource_url, has_dated_version, read_version_parameter
from victor_fp.core.requests import Endpoint


class ResponseRoute(msgspec.Struct, frozen=True, kw_only=True):
    """The operation, the base URL it is sent below, and the model's name there."""

    base_url: str
    model: str
    operation: CreateResponse = CreateResponse()


def choose_route(endpoint: Endpoint, dialect: ResponsesDialect, model: str) -> ResponseRoute | None:
    """Return where a response is created; None where an Azure resource is not configured.

    On Azure the deployment takes the model's place.
    """
    if not dialect.deployment_urls:
        return ResponseRoute(base_url=endpoint.base_url, model=model)
    root = find_resource_url(endpoint)
    if root is None:
        return None
    return ResponseRoute(
        # Versions with a date know the path without v1, which came with those that have none.
        base_url=f"{root}/openai" if has_dated_version(endpoint) else f"{root}/openai/v1",
        model=endpoint.settings.get("deployment") or model,
        operation=CreateResponse(api_version=read_version_parameter(endpoint)),
    )
