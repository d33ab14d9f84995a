"""What is asked (`ChatRequest`), of whom (`Endpoint`), and what goes onto the wire (`HttpRequest`)."""

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
"""Stands in headers where the shell puts the key."""

_OPEN = re.compile(r"\{(\w+)\}")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FRAMING_HEADERS = frozenset({"content-length", "transfer-encoding"})
"""Two different lengths of one body let a proxy and a server disagree about where the next request begins."""


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A chat as the caller sees it; `stream` is a field, so both ways share one builder."""

    messages: tuple[Message, ...]
    model: str
    temperature: float | None = DEFAULT_TEMPERATURE
    max_tokens: int | None = DEFAULT_MAX_TOKENS
    tools: tuple[ToolDefinition, ...] = ()
    stream: bool = False
    options: Options = NO_OPTIONS
    text_tools: tuple[ToolDefinition, ...] = ()
    """Tools whose calls are looked for in the answer's text, too."""
    required_call: str | None = None
    """What the choice among the tools demands: a call of the tool of this name, of any tool where it is empty, or none."""

    @property
    def is_plain(self) -> bool:
        """Whether there are only texts and instructions of the caller, without options: no vendor needs them adapted."""
        return (
            self.options is NO_OPTIONS
            and not self.tools
            and all(message.role not in {"assistant", "tool"} for message in self.messages)
        )

    @property
    def asks_temperature(self) -> bool:
        """Whether the caller chose a temperature: the default one yields where a model takes none."""
        return self.temperature is not None and self.temperature != DEFAULT_TEMPERATURE

    @property
    def asks_max_tokens(self) -> bool:
        """Whether the caller chose a bound on the answer's length."""
        return self.max_tokens is not None and self.max_tokens != DEFAULT_MAX_TOKENS


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One provider at one place: its catalogue entry with the settings filled in."""

    spec: ProviderSpec
    base_url: str
    """Without a trailing slash."""
    settings: Mapping[str, str] = {}
    keyed: bool = True
    """Whether a key will be sent."""
    price: Price | None = None
    """Works out what an answer cost whose vendor does not say."""

    def __repr__(self) -> str:
        """Without a password in the address."""
        return f"Endpoint({self.spec.name} at {redact_url(self.base_url)}, settings={dict(self.settings)})"


class Adjustment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something the caller asked for that was left out or changed, and why; ends in `metadata["adjustments"]`."""

    parameter: str
    reason: str
    action: Literal["dropped", "changed"] = "dropped"

    @property
    def drops_form(self) -> bool:
        """Whether nothing of the answer's form is asked for; see `form_in_words`."""
        return self.parameter == "response_format" and self.action == "dropped"


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request ready to send, but for the secret, which stands in headers as `SECRET`."""

    method: Literal["GET", "POST", "DELETE"] = "POST"
    url: str
    headers: dict[str, str] = {}
    body: bytes = b""
    adjustments: tuple[Adjustment, ...] = ()
    signing: AuthKind = "key"
    tool_names: Mapping[str, str] = {}
    """The caller's names of tools by the names that are sent, where the two differ."""
    required_call: str | None = None
    """As in `ChatRequest`, where the vendor is asked for it."""
    is_polled: bool = False
    """Its answer may take several exchanges, as `Codec.start_polling` says."""

    def __repr__(self) -> str:
        """Without what a signed request's headers and a conversation say."""
        url = redact_url(self.url)
        return f"HttpRequest({self.method} {url}, headers={sorted(self.headers)}, body={len(self.body)} bytes)"

    def json(self) -> Json:
        """The body as a value; None where it is empty."""
        value = decode_json(self.body) if self.body else None
        return None if isinstance(value, NotJson) else value


def build_headers(endpoint: Endpoint, extra: Mapping[str, str] | None = None, *, json: bool = True) -> dict[str, str]:
    """The headers that every request to this place carries: content type, auth placeholder, fixed ones, the caller's."""
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
    """A sentence about the first header that cannot be sent; None where all can be."""
    for name, text in headers.items():
        if not (text.isascii() and text.isprintable() and name.isascii() and name.isprintable()):
            return f"header {name!r}: only printable ASCII characters can be sent"
        if not _HEADER_NAME.fullmatch(name):
            return f"header {name!r}: not a name that HTTP allows"
        if name.lower() in _FRAMING_HEADERS:
            return f"header {name!r}: follows from the body and cannot be set"
    return None


def find_missing_setting(endpoint: Endpoint, model: str | None = None) -> Fault | None:
    """What is wrong with a place whose base URL still wants a setting; None where it wants none."""
    missing = _OPEN.search(endpoint.base_url)
    if missing is None:
        return None
    spec, name = endpoint.spec, missing[1]
    variables = next((setting.variables for setting in spec.settings if setting.name == name), ())
    hint = f" (or set {' or '.join(variables)})" if variables else ""
    return InvalidRequest(provider=spec.name, model=model, message=f"{spec.title} needs the setting {name}{hint}")


def resolve_unsupported(
    endpoint: Endpoint, request: ChatRequest, unsupported: Sequence[Adjustment]
) -> Result[tuple[Adjustment, ...], Fault]:
    """Return what is unsupported as visible adjustments, or, as `on_unsupported` says, the fault for the first of it."""
    if not unsupported or request.options.on_unsupported == "adjust":
        return Success(tuple(unsupported))
    first = unsupported[0]
    without = "go on without it" if first.action == "dropped" else "go on with the change"
    instead = "have it told in words" if first.drops_form else without
    return Failure(
        UnsupportedParameter(
            provider=endpoint.spec.name,
            model=request.model,
            parameter=first.parameter,
            message=f"{first.parameter}: {first.reason}. Pass on_unsupported='adjust' to {instead}.",
        )
    )
