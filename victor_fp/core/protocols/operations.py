"""Requests and decoders from the descriptors of operations that are compiled from a protocol's document.

A descriptor's class holds the facts of an operation, its instance the values of the parameters:

    build_request(endpoint, GetModel(model_id="claude-sonnet-4-5"))
    MODEL = build_decoder(GetModel.RESPONSE)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import UNSET
from victor_fp_wire import Body, Operation, Parameter

from victor_fp.core.catalogue.spec import AuthKind
from victor_fp.core.json import encode_json
from victor_fp.core.options import Options
from victor_fp.core.request_building.extra_body import merge_extra_body
from victor_fp.core.requests import Adjustment, Endpoint, HttpRequest, build_headers
from victor_fp.core.wire_decoding import WireDecoder

T = TypeVar("T")

SEGMENT_SIGNS = "-._~!$&'()*+,;=:@"
"""RFC 3986: what a path segment holds unencoded beside letters and digits. A signature covers the path as written."""
QUERY_SIGNS = "-._~!$'()*,;:@/"

_METHODS: Mapping[str, Literal["GET", "POST", "DELETE"]] = {"GET": "GET", "POST": "POST", "DELETE": "DELETE"}
_SHARED_PREFIX = re.compile(r"/(v\d\w*|api)(?=/)")
"""The first segment of a path that a base URL may end with already."""

_DOTS = re.compile(r"(?<![^/])\.{1,2}(?![^/])")


def build_decoder(body: Body[T], *, keep_halves: bool = False) -> WireDecoder[T]:
    """Return a decoder for the bodies or events that a descriptor names.

    Readers of completions keep halves of surrogate pairs, since a stream may cut a pair: `UnicodeRepair` follows them.
    """
    return WireDecoder(body.wire_type, keep_halves=keep_halves)


def build_request(
    endpoint: Endpoint,
    operation: Operation,
    *,
    base_url: str | None = None,
    body: bytes = b"",
    extra_headers: Mapping[str, str] | None = None,
    adjustments: tuple[Adjustment, ...] = (),
) -> HttpRequest:
    """Build the request that performs the operation at the endpoint, or at `base_url` where the API has several hosts."""
    headers = build_headers(endpoint, extra_headers, json=bool(body))
    for name, text in _list_values(operation, "header"):
        headers.setdefault(name.lower(), text)
    return HttpRequest(
        method=_METHODS[operation.METHOD],
        url=build_url(endpoint.base_url if base_url is None else base_url, operation),
        headers=headers,
        body=body,
        adjustments=adjustments,
        signing=choose_signing(endpoint),
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
    """Build the request for an operation that takes the caller's own headers and fields of the body.

    `unknown` replaces `options.unknown` where some of these options have a place of their own; `appended` is explained
    at `merge_extra_body`; `base_url` is for APIs that have several hosts.
    """
    unknown = options.unknown if unknown is None else unknown
    overrides: tuple[Adjustment, ...] = ()
    if options.extra_body or unknown:
        data, overrides = merge_extra_body(body, options.extra_body, unknown=unknown, appended=appended)
    else:
        data = encode_json(body)
    return build_request(
        endpoint,
        operation,
        base_url=base_url,
        body=data,
        extra_headers=options.extra_headers,
        adjustments=(*adjustments, *overrides),
    )


def choose_signing(endpoint: Endpoint) -> AuthKind:
    """Return what authenticates a request to the endpoint."""
    return endpoint.spec.auth.kind if endpoint.keyed else "none"


def build_url(base_url: str, operation: Operation) -> str:
    """Join a base URL and the operation's path; a version that ends one and begins the other is written once.

    >>> from victor_fp_wire.anthropic_messages.operations import GetModel
    >>> build_url("http://localhost:8080/v1", GetModel(model_id="a/b"))
    'http://localhost:8080/v1/models/a%2Fb'
    """
    path = build_path(operation)
    shared = _SHARED_PREFIX.match(path)
    if shared is not None and base_url.endswith(shared[0]):
        base_url = base_url.removesuffix(shared[0])
    query = "&".join(f"{name}={quote(text, safe=QUERY_SIGNS)}" for name, text in _list_values(operation, "query"))
    return f"{base_url}{path}?{query}" if query else f"{base_url}{path}"


def build_path(operation: Operation) -> str:
    """Return the operation's path with its parameters percent-encoded in their places."""
    path = operation.PATH
    for parameter in operation.PARAMETERS:
        if parameter.location == "path":
            hole = f"{{{parameter.name}}}"
            path = path.replace(hole, _encode(parameter, _to_text(getattr(operation, parameter.field)), path, hole))
    return path


def _encode(parameter: Parameter, text: str, path: str, hole: str) -> str:
    # A verb behind the value, as in `/models/{model}:generateContent`, begins at the path's only colon.
    signs = SEGMENT_SIGNS.replace(":", "") if f"{hole}:" in path else SEGMENT_SIGNS
    encoded = quote(text, safe=signs + "/" if parameter.reserved else signs)
    # A segment of dots alone would climb: ids come from servers, names from callers.
    return _DOTS.sub(lambda dots: dots[0].replace(".", "%2E"), encoded)


def _list_values(operation: Operation, location: Literal["query", "header"]) -> list[tuple[str, str]]:
    """Names and texts of the parameters that are set; a tuple gives its name once per item."""
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
