"""Requests and decoders built from operation descriptors, which are compiled from a protocol's OpenAPI document.

A descriptor's class describes an operation, its instance holds the values of the parameters:

    build_request(endpoint, GetModel(model_id="claude-sonnet-4-5"))
    MODEL = build_decoder(GetModel.RESPONSE)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import UNSET, UnsetType
from victor_fp_wire import Body, Operation, Parameter

from victor_fp.core.json import WireDecoder
from victor_fp.core.options import Options
from victor_fp.core.requests import Adjustment, Endpoint, HttpRequest, build_headers, fill_request

T = TypeVar("T")

SEGMENT_SAFE = "-._~!$&'()*+,;=:@"
"""RFC 3986: characters, besides letters and digits, that are unencoded in a path segment. Signatures cover the encoded path."""
QUERY_SAFE = "-._~!$'()*,;:@/"

_METHODS: Mapping[str, Literal["GET", "POST", "DELETE"]] = {"GET": "GET", "POST": "POST", "DELETE": "DELETE"}
_SHARED_PREFIX = re.compile(r"/(v\d\w*|api)(?=/)")
"""First segment of a path, which a base URL may already end with."""

_DOTS = re.compile(r"(?<![^/])\.{1,2}(?![^/])")


def build_decoder(body: Body[T], *, keep_surrogates: bool = False) -> WireDecoder[T]:
    """Return a decoder for the bodies or events of a descriptor.

    `keep_surrogates` keeps lone surrogates, since a stream may split a surrogate pair; `UnicodeRepair` joins them afterwards.
    """
    return WireDecoder(body.wire_type, keep_surrogates=keep_surrogates)


def build_request(
    endpoint: Endpoint,
    operation: Operation,
    *,
    base_url: str | None = None,
    body: bytes | None = None,
    extra_headers: Mapping[str, str] | None = None,
    adjustments: tuple[Adjustment, ...] = (),
) -> HttpRequest:
    """Build the request for an operation of the endpoint, or of `base_url` if the API has several hosts.

    An empty body is one that is filled in later.
    """
    headers = build_headers(endpoint, extra_headers, json=body is not None)
    for name, text in _list_values(operation, "header"):
        headers.setdefault(name.lower(), text)
    return HttpRequest(
        method=_METHODS[operation.METHOD],
        url=build_url(endpoint.base_url if base_url is None else base_url, operation),
        headers=headers,
        body=body or b"",
        adjustments=adjustments,
    )


def build_chat(
    endpoint: Endpoint,
    operation: Operation,
    body: msgspec.Struct,
    options: Options,
    adjustments: tuple[Adjustment, ...] = (),
    *,
    base_url: str | None = None,
    unknown: Mapping[str, object] | None = None,
    appended: frozenset[str] = frozenset(),
) -> HttpRequest:
    """Build the request for an operation that accepts the caller's extra headers and body fields.

    For `unknown` and `appended` see `fill_request`; `base_url` is for APIs with several hosts.
    """
    prepared = build_request(endpoint, operation, base_url=base_url, body=b"")
    return fill_request(prepared, body, options, adjustments, unknown=unknown, appended=appended)


def build_url(base_url: str, operation: Operation) -> str:
    """Join a base URL and the operation's path; a version segment that both have is written once.

    >>> from victor_fp_wire.anthropic_messages.operations import GetModel
    >>> build_url("http://localhost:8080/v1", GetModel(model_id="a/b"))
    'http://localhost:8080/v1/models/a%2Fb'
    """
    path = build_path(operation)
    shared = _SHARED_PREFIX.match(path)
    if shared is not None and base_url.endswith(shared[0]):
        base_url = base_url.removesuffix(shared[0])
    query = "&".join(f"{name}={quote(text, safe=QUERY_SAFE)}" for name, text in _list_values(operation, "query"))
    return f"{base_url}{path}?{query}" if query else f"{base_url}{path}"


def build_path(operation: Operation) -> str:
    """Return the operation's path with its parameters filled in, percent-encoded."""
    path = operation.PATH
    for parameter in operation.PARAMETERS:
        if parameter.location == "path":
            placeholder = f"{{{parameter.name}}}"
            path = path.replace(
                placeholder, _encode(parameter, _to_text(getattr(operation, parameter.field)), path, placeholder)
            )
    return path


def _encode(parameter: Parameter, text: str, path: str, placeholder: str) -> str:
    # In paths such as `/models/{model}:generateContent`, the only colon must be the one before the verb.
    safe = SEGMENT_SAFE.replace(":", "") if f"{placeholder}:" in path else SEGMENT_SAFE
    encoded = quote(text, safe=safe + "/" if parameter.reserved else safe)
    # Dot segments are encoded to prevent path traversal: ids come from servers, names from callers.
    return _DOTS.sub(lambda dots: dots[0].replace(".", "%2E"), encoded)


def _list_values(operation: Operation, location: Literal["query", "header"]) -> list[tuple[str, str]]:
    """Return names and values of the parameters that are set; a tuple repeats its name for each item."""
    found: list[tuple[str, str]] = []
    for parameter in operation.PARAMETERS:
        if parameter.location != location:
            continue
        value = getattr(operation, parameter.field)
        if value is not UNSET:
            items = value if isinstance(value, tuple) else (value,)
            found += [(parameter.name, _to_text(item)) for item in items]
    return found


def _to_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def replace_none(value: T | None) -> T | UnsetType:
    """Return UNSET, which is not sent, for None; otherwise the value."""
    return UNSET if value is None else value
