"""A chat (`ChatRequest`), its target (`Endpoint`), and the HTTP request that is sent (`HttpRequest`).

`extra_body` is merged into a body by RFC 7396, for all protocols: objects are merged, null removes a field, other values
replace it. Every replaced or removed field of the body is reported as an `Adjustment`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Literal, TypeVar

import msgspec
from msgspec import UNSET, UnsetType
from returns.result import Failure, Result, Success

from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.faults import Fault, InvalidRequest, UnsupportedParameter
from victor_fp.core.json import Json, NotJson, decode_json, encode_json
from victor_fp.core.options import NO_OPTIONS, Options
from victor_fp.core.security.redaction import is_secret_name, redact_url
from victor_fp.core.types import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE, Message, ToolDefinition
from victor_fp.core.usage.cost import Price

S = TypeVar("S")

SECRET = "<secret>"  # noqa: S105  a placeholder
"""Placeholder in headers, which the shell replaces by the key."""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FRAMING_HEADERS = frozenset({"content-length", "transfer-encoding"})
"""Not settable: conflicting lengths of a body enable request smuggling."""
_UNPRINTABLE = "only printable ASCII characters can be sent"


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
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
    def asks_temperature(self) -> bool:
        """Whether the caller set a temperature; the default is omitted for models that accept none."""
        return self.temperature is not None and self.temperature != DEFAULT_TEMPERATURE

    @property
    def asks_max_tokens(self) -> bool:
        """Whether the caller limited the length of the response."""
        return self.max_tokens is not None and self.max_tokens != DEFAULT_MAX_TOKENS

    @property
    def has_tools(self) -> bool:
        """Whether there are tools to choose from: the caller's, or those of `extra_body`, such as server tools."""
        return bool(self.tools or self.options.extra_body.get("tools"))


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
    tool_names: Mapping[str, str] = {}
    """The caller's tool names by the names that are sent, if they differ."""
    required_call: str | None = None
    """As in `ChatRequest`, if the vendor enforces it."""
    is_presigned: bool = False
    """Whether the URL itself carries the authorization, as that of a file at another host: credentials are not added."""
    is_polled: bool = False
    """Whether the result may need several exchanges; see `Codec.start_polling`."""
    credential_headers: frozenset[str] = frozenset()
    """Names, in lower case, of the headers with credentials of a signer, besides those whose name says so."""

    def __repr__(self) -> str:
        """Omit header values and the body."""
        url = redact_url(self.url)
        return f"HttpRequest({self.method} {url}, headers={sorted(self.headers)}, body={len(self.body)} bytes)"

    def json(self) -> Json:
        """Return the decoded body; None if it is empty."""
        value = decode_json(self.body) if self.body else None
        return None if isinstance(value, NotJson) else value


def list_credentials(request: HttpRequest) -> tuple[str, ...]:
    """Return the credentials in the headers of a signed request, without their schemes; the placeholder is none."""
    carried = (
        value.rpartition(" ")[2]
        for name, value in request.headers.items()
        if name.lower() in request.credential_headers or is_secret_name(name)
    )
    return tuple(value for value in carried if value and SECRET not in value)


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


def fill_request(
    prepared: HttpRequest,
    body: msgspec.Struct,
    options: Options,
    adjustments: tuple[Adjustment, ...] = (),
    *,
    unknown: Mapping[str, object] | None = None,
    appended: frozenset[str] = frozenset(),
) -> HttpRequest:
    """Return a request that was built with an empty body, with this body and the caller's extra headers and body fields.

    `unknown` replaces `options.unknown` if some of these options are sent elsewhere in the body; for `appended` see
    `merge_extra_body`.
    """
    unknown = options.unknown if unknown is None else unknown
    overrides: tuple[Adjustment, ...] = ()
    if options.extra_body or unknown:
        data, overrides = merge_extra_body(body, options.extra_body, unknown=unknown, appended=appended)
    else:
        data = encode_json(body)
    headers = dict(prepared.headers)
    if options.extra_headers:
        headers.update({name.lower(): text for name, text in options.extra_headers.items()})
    return msgspec.structs.replace(prepared, headers=headers, body=data, adjustments=(*adjustments, *overrides))


def merge_extra_body(
    body: msgspec.Struct,
    extra: Mapping[str, object],
    *,
    unknown: Mapping[str, object] | None = None,
    appended: frozenset[str] = frozenset(),
) -> tuple[bytes, tuple[Adjustment, ...]]:
    """Encode `body` with `unknown` and then `extra` merged into it, and list the overridden fields.

    `unknown` are options without a typed field, `extra` is the option `extra_body`. `appended` names top-level arrays that are
    extended instead of replaced, such as server tools; existing entries are not repeated. Since nothing of them is lost, they are
    not listed, as new fields are not.

        >>> class Body(msgspec.Struct):
        ...     reasoning: dict[str, str]
        >>> merge_extra_body(Body({"effort": "low"}), {"reasoning": {"summary": "auto"}})
        (b'{"reasoning":{"effort":"low","summary":"auto"}}', ())
        >>> merge_extra_body(Body({"effort": "low"}), {"reasoning": None})[1][0].parameter
        'reasoning'
    """
    if not extra and not unknown:
        return encode_json(body), ()
    current: dict[str, object] = msgspec.to_builtins(body)
    adjustments: dict[Adjustment, None] = {}
    for source, given in (("an option of that name", unknown or {}), ("extra_body", extra)):
        extended = _extend_arrays(current, given, appended)
        overrides = {name: value for name, value in given.items() if name not in extended}
        for path, verb in _list_overrides(current, overrides):
            adjustments[Adjustment(parameter=path, reason=f"{verb} by {source}", action="changed")] = None
        current = merge_patch(current, {**given, **extended})
    return encode_json(current), tuple(adjustments)


def merge_patch(target: object, patch: Mapping[str, object]) -> dict[str, object]:
    """Apply a JSON merge patch to a JSON value (RFC 7396); neither argument is changed."""
    merged: dict[str, object] = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            merged[name] = merge_patch(merged.get(name), value)
        else:
            merged[name] = value
    return merged


def _extend_arrays(
    body: Mapping[str, object], patch: Mapping[str, object], appended: frozenset[str]
) -> dict[str, object]:
    """Return the body's arrays named by `appended`, followed by the patch's new entries."""
    extended: dict[str, object] = {}
    for name in appended & patch.keys():
        before, after = body.get(name), patch[name]
        if isinstance(before, list) and isinstance(after, list | tuple):
            extended[name] = [*before, *(entry for entry in after if entry not in before)]
    return extended


def _list_overrides(
    body: Mapping[str, object], patch: Mapping[str, object], path: str = ""
) -> Iterator[tuple[str, str]]:
    """Yield the dotted path of every field that the patch replaces or removes, and "replaced" or "removed"."""
    for name, value in patch.items():
        if name not in body:
            continue
        before = body[name]
        if value is None:
            yield path + name, "removed"
        elif isinstance(before, Mapping) and isinstance(value, Mapping):
            yield from _list_overrides(before, value, f"{path}{name}.")
        elif before not in (value, []):  # of an empty array nothing is lost
            yield path + name, "replaced"


def find_header_problem(headers: Mapping[str, str]) -> str | None:
    """Return an error message for the first header that cannot be sent; None if all can be."""
    for name, text in headers.items():
        if not (text.isascii() and text.isprintable()):
            return f"header {name!r}: {_UNPRINTABLE}"
        if (problem := _find_name_problem(name)) is not None:
            return f"header {name!r}: {problem}"
    return None


@lru_cache(maxsize=256)
def _find_name_problem(name: str) -> str | None:
    """Return why a header of this name cannot be sent. Cached, since requests share their few names."""
    if not (name.isascii() and name.isprintable()):
        return _UNPRINTABLE
    if not _HEADER_NAME.fullmatch(name):
        return "not a valid HTTP header name"
    return "computed from the body and cannot be set" if name.lower() in _FRAMING_HEADERS else None


def find_missing_setting(endpoint: Endpoint, model: str | None = None) -> Fault | None:
    """Return the fault for a setting that the base URL requires and that is missing; None if there is none."""
    missing = _PLACEHOLDER.search(endpoint.base_url)
    return None if missing is None else build_missing_setting(endpoint, missing[1], model)


def build_missing_setting(endpoint: Endpoint, name: str, model: str | None = None) -> Fault:
    """Build the fault for a setting that is missing."""
    spec = endpoint.spec
    variables = next((setting.variables for setting in spec.settings if setting.name == name), ())
    hint = f" (or set {' or '.join(variables)})" if variables else ""
    message = f"{spec.title} requires the setting {name}{hint}"
    return InvalidRequest(provider=spec.name, model=model, code="setting_missing", message=message)


def list_missing_fields(requested: Mapping[str, bool]) -> tuple[Adjustment, ...]:
    """List the parameters that are requested although the protocol has no field for them."""
    return tuple(
        Adjustment(parameter=name, reason="the protocol has no such parameter")
        for name, is_set in requested.items()
        if is_set
    )


def choose_service_tier(
    options: Options, tiers: Mapping[str, S], names: str
) -> tuple[S | UnsetType, tuple[Adjustment, ...]]:
    """Return the vendor's tier for the option, by lower-case name; `names` lists the tiers for the adjustment of another name."""
    if options.service_tier is None:
        return UNSET, ()
    tier = tiers.get(options.service_tier.lower(), UNSET)
    if tier is not UNSET:
        return tier, ()
    reason = f"the tiers are {names}, not {options.service_tier}"
    return UNSET, (Adjustment(parameter="service_tier", reason=reason),)


def resolve_unsupported(
    endpoint: Endpoint, request: ChatRequest, unsupported: Sequence[Adjustment]
) -> Result[tuple[Adjustment, ...], Fault]:
    """Return unsupported parameters as adjustments or, depending on `on_unsupported`, the fault for the first one."""
    if not unsupported or request.options.on_unsupported == "adjust":
        return Success(tuple(unsupported))
    first = unsupported[0]
    without = "continue without it" if first.action == "dropped" else "continue with the change"
    instead = "describe the format in the prompt instead" if first.drops_form else without
    return Failure(
        UnsupportedParameter(
            provider=endpoint.spec.name,
            model=request.model,
            parameter=first.parameter,
            message=f"{first.parameter}: {first.reason}. Pass on_unsupported='adjust' to {instead}.",
        )
    )
