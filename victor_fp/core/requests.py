"""A chat (`ChatRequest`), its target (`Endpoint`), and the HTTP request that is sent (`HttpRequest`)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.catalogue.spec import AuthKind, ProviderSpec
from victor_fp.core.cost import Price
from victor_fp.core.defaults import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE
from victor_fp.core.faults import Fault, InvalidRequest, UnsupportedParameter
from victor_fp.core.json import Json, NotJson, decode_json
from victor_fp.core.options import NO_OPTIONS, Options
from victor_fp.core.redaction import redact_url
from victor_fp.core.types import Message, ToolDefinition

SECRET = "<secret>"  # noqa: S105  a placeholder
"""Placeholder in headers, which the shell replaces by the key."""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FRAMING_HEADERS = frozenset({"content-length", "transfer-encoding"})
"""Not settable: conflicting lengths of a body enable request smuggling."""


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A chat request independent of the protocol."""

    messages: tuple[Message, ...]
    model: str
    temperature: float | None = DEFAULT_TEMPERATURE
    max_tokens: int | None = DEFAULT_MAX_TOKENS
    tools: tuple[ToolDefinition, ...] = ()
    stream: bool = False
    options: Options = NO_OPTIONS
    text_tools: tuple[ToolDefinition, ...] = ()
    """Tools whose calls are also detected in the text of the response."""
    required_call: str | None = None
    """The tool that must be called according to `tool_choice`; empty: any tool; None: no call is required."""

    @property
    def is_plain(self) -> bool:
        """Whether there are no options, tools, calls or states of earlier turns, so that no adaptation is needed."""
        if self.options is not NO_OPTIONS or self.tools:
            return False
        return not any(message.role == "tool" or message.tool_calls or message.metadata for message in self.messages)

    @property
    def asks_temperature(self) -> bool:
        """Whether the caller set a temperature; the default is omitted for models that accept none."""
        return self.temperature is not None and self.temperature != DEFAULT_TEMPERATURE

    @property
    def asks_max_tokens(self) -> bool:
        """Whether the caller limited the length of the response."""
        return self.max_tokens is not None and self.max_tokens != DEFAULT_MAX_TOKENS


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One provider at one base URL: its catalogue entry with the settings filled in."""

    spec: ProviderSpec
    base_url: str
    """Without a trailing slash."""
    settings: Mapping[str, str] = {}
    keyed: bool = True
    """Whether a key will be sent."""
    price: Price | None = None
    """Computes the cost of responses for which the vendor reports none."""

    def __repr__(self) -> str:
        """Omit a password in the URL."""
        return f"Endpoint({self.spec.name} at {redact_url(self.base_url)}, settings={dict(self.settings)})"


class Adjustment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A parameter of the request that was omitted or changed, and why; reported in `metadata["adjustments"]`."""

    parameter: str
    reason: str
    action: Literal["dropped", "changed"] = "dropped"

    @property
    def drops_form(self) -> bool:
        """Whether the response format was dropped; see `schema_prompt`."""
        return self.parameter == "response_format" and self.action == "dropped"


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request ready to send, except for the key: headers contain the placeholder `SECRET`."""

    method: Literal["GET", "POST", "DELETE"] = "POST"
    url: str
    headers: dict[str, str] = {}
    body: bytes = b""
    adjustments: tuple[Adjustment, ...] = ()
    signing: AuthKind = "key"
    tool_names: Mapping[str, str] = {}
    """The caller's tool names by the names that are sent, if they differ."""
    required_call: str | None = None
    """As in `ChatRequest`, if the vendor enforces it."""
    is_polled: bool = False
    """Whether the result may need several exchanges; see `Codec.start_polling`."""

    def __repr__(self) -> str:
        """Omit header values and the body."""
        url = redact_url(self.url)
        return f"HttpRequest({self.method} {url}, headers={sorted(self.headers)}, body={len(self.body)} bytes)"

    def json(self) -> Json:
        """Return the decoded body; None if it is empty."""
        value = decode_json(self.body) if self.body else None
        return None if isinstance(value, NotJson) else value


def build_headers(endpoint: Endpoint, extra: Mapping[str, str] | None = None, *, json: bool = True) -> dict[str, str]:
    """Build the headers of a request to this endpoint: content type, auth placeholder, fixed and caller's headers."""
    headers = {"content-type": "application/json"} if json else {}
    auth = endpoint.spec.auth
    if endpoint.keyed and auth.header:
        headers[auth.header] = f"{auth.scheme} {SECRET}" if auth.scheme else SECRET
        if auth.second_header:
            headers[auth.second_header] = SECRET
    headers.update(endpoint.spec.headers)
    for setting in endpoint.spec.settings:
        if setting.header and (value := endpoint.settings.get(setting.name)):
            headers[setting.header] = value
    if extra:
        headers.update({name.lower(): value for name, value in extra.items()})
    return headers


def find_header_problem(headers: Mapping[str, str]) -> str | None:
    """Return an error message for the first header that cannot be sent; None if all can be."""
    for name, text in headers.items():
        if not (text.isascii() and text.isprintable() and name.isascii() and name.isprintable()):
            return f"header {name!r}: only printable ASCII characters can be sent"
        if not _HEADER_NAME.fullmatch(name):
            return f"header {name!r}: not a valid HTTP header name"
        if name.lower() in _FRAMING_HEADERS:
            return f"header {name!r}: computed from the body and cannot be set"
    return None


def find_missing_setting(endpoint: Endpoint, model: str | None = None) -> Fault | None:
    """Return the fault for a setting that the base URL requires and that is missing; None if there is none."""
    missing = _PLACEHOLDER.search(endpoint.base_url)
    if missing is None:
        return None
    spec, name = endpoint.spec, missing[1]
    variables = next((setting.variables for setting in spec.settings if setting.name == name), ())
    hint = f" (or set {' or '.join(variables)})" if variables else ""
    return InvalidRequest(provider=spec.name, model=model, message=f"{spec.title} requires the setting {name}{hint}")


def resolve_unsupported(
    endpoint: Endpoint, request: ChatRequest, unsupported: Sequence[Adjustment]
) -> Result[tuple[Adjustment, ...], Fault]:
    """Return unsupported parameters as adjustments or, depending on `on_unsupported`, the fault for the first one."""
    if not unsupported or request.options.on_unsupported == "adjust":
        return Success(tuple(unsupported))
    first = unsupported[0]
    without = "go on without it" if first.action == "dropped" else "go on with the change"
    instead = "describe the format in the prompt instead" if first.drops_form else without
    return Failure(
        UnsupportedParameter(
            provider=endpoint.spec.name,
            model=request.model,
            parameter=first.parameter,
            message=f"{first.parameter}: {first.reason}. Pass on_unsupported='adjust' to {instead}.",
        )
    )
