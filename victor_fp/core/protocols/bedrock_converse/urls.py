"""Where requests go: the runtime for answers, the control plane for the list of models."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from victor_fp.core.requests import Endpoint

if TYPE_CHECKING:
    from victor_fp.core.dialects.bedrock import BedrockDialect

_SIGNS = "-._~!$&'()*+,;=:@"
"""RFC 3986: what a segment holds beside letters and digits without being encoded."""


def runtime_url(endpoint: Endpoint, model: str, action: str) -> str:
    """The URL of an action on a model."""
    return f"{endpoint.base_url}/model/{segment(model)}/{action}"


def segment(model: str) -> str:
    """A model's id as one segment of a path, which is sent as it is written here: a signature covers every sign of it.

    HTTP clients write signs that a segment may hold, such as the colon, as they are, whatever they are given.

    >>> segment("arn:aws:bedrock:eu-west-1:1:inference-profile/a")
    'arn:aws:bedrock:eu-west-1:1:inference-profile%2Fa'
    """
    return quote(model, safe=_SIGNS)


def control_url(endpoint: Endpoint, dialect: BedrockDialect, path: str) -> str:
    """The URL of the control plane beside the runtime.

    >>> from victor_fp.core.catalogue import built_in
    >>> spec = built_in()["bedrock"]
    >>> at = Endpoint(spec=spec, base_url="https://bedrock-runtime.eu-west-1.amazonaws.com")
    >>> control_url(at, spec.dialect, "foundation-models")
    'https://bedrock.eu-west-1.amazonaws.com/foundation-models'
    """
    base = endpoint.base_url
    for runtime, control in dialect.control_host.items():
        base = base.replace(runtime, control)
    return f"{base}/{path}"
