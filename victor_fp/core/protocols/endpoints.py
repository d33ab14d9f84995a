"""Endpoints: catalogue entries with their settings filled in, at the vendor's base URL or a custom one.

A custom URL replaces the origin of the entry's base URL; if it has no path, the entry's path is kept. It may end with the route
of an operation, as in URLs copied from documentation. Invalid URLs are rejected with a message that does not repeat them, since
they may contain a password.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.protocols import PROTOCOLS
from victor_fp.core.requests import Endpoint
from victor_fp.core.result import outcome

_DEPLOYMENT: Final = re.compile(r"/openai/deployments/([^/]+)(?=/|$)")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_WILDCARD_HOSTS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  not bound here
"""Loopback addresses for wildcard addresses, which servers listen on but clients cannot connect to."""


_SHARED_ROUTES: Final = (r"/embeddings", r"/rerank", r"/models")
"""Routes of operations other than chats, which an address of any protocol may end in."""
_TEXT_COMPLETIONS: Final = ("completions of texts, which is not supported", r"/completions")
"""Name and route of the API before chats; an address that ends in it is rejected."""


def build_endpoint(
    spec: ProviderSpec,
    *,
    base_url: str | None = None,
    settings: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    keyed: bool | None = None,
) -> Result[Endpoint, Fault]:
    """Build the endpoint of a catalogue entry. For base URL and settings, the precedence is keyword, environment, default."""
    environment = environment or {}
    match outcome(_read_settings(spec, settings or {}, environment)):
        case Failure(fault):
            return Failure(fault)
        case Success(found):
            pass
    given_url: object = base_url
    if given_url is not None and not isinstance(given_url, str):
        return _reject(spec, "base_url", f"must be a string, got {type(given_url).__name__}")
    url = _fill_base_url(spec, found)
    variable = next((name for name in spec.base_url_variables if environment.get(name)), "")
    sources = {
        "base_url": base_url or "",
        variable: environment.get(variable, ""),
        "endpoint": found.get("endpoint", ""),
    }
    source = next((source for source, text in sources.items() if text.strip(_STRIPPED)), None)
    if source is not None:
        match outcome(_parse_custom_url(spec, source, sources[source])):
            case Failure(fault):
                return Failure(fault)
            case Success(address):
                found = {**address.settings, **found}
                url = _join_custom_url(address, url)
    return Success(
        Endpoint(
            spec=spec,
            base_url=url.rstrip("/"),
            settings=found,
            keyed=spec.auth.kind != "none" if keyed is None else keyed,
        )
    )


def _read_settings(
    spec: ProviderSpec, given: Mapping[str, object], environment: Mapping[str, str]
) -> Result[dict[str, str], Fault]:
    """Return the settings of an entry as given, else from the environment, else their defaults."""
    found: dict[str, str] = {}
    for setting in spec.settings:
        value = given.get(setting.name)
        if value is None:
            value = next((environment[name] for name in setting.variables if environment.get(name)), setting.default)
        if value is not None and not (isinstance(value, str | int | float) or hasattr(value, "__fspath__")):
            return _reject(spec, setting.name, f"must be a string, got {type(value).__name__}")
        if value is not None:
            found[setting.name] = str(value)
            if spec.transport != "embedded" and _SURROGATE.search(found[setting.name]):  # a path of a file may have one
                return _reject(spec, setting.name, "is not valid Unicode")
        elif setting.required:
            variables = " or ".join(setting.variables)
            hint = f" (or set {variables})" if variables else ""
            message = f"{spec.title} requires {setting.name}={hint}"
            return Failure(InvalidRequest(provider=spec.name, code="setting_missing", message=message))
    return Success(found)


def apply_key_auth(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint with API key authentication, for entries that otherwise sign requests or fetch tokens."""
    spec = endpoint.spec
    if spec.key_auth is None:
        return endpoint
    base_url = endpoint.base_url
    if "{" in base_url and spec.key_base_url:
        base_url = spec.key_base_url
    return msgspec.structs.replace(
        endpoint, spec=msgspec.structs.replace(spec, auth=spec.key_auth), base_url=base_url, keyed=True
    )


class _CustomUrl(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed custom URL."""

    origin: str
    path: str | None
    """Path without the route of an operation and without a trailing slash; None if there is none."""
    settings: Mapping[str, str] = {}
    """Settings contained in the URL, such as Azure's deployment and API version."""


_STRIPPED = " \t\r\n\"'"
"""Characters stripped around a value, as from shells and .env files; Ollama strips the same."""


def _parse_custom_url(spec: ProviderSpec, source: str, text: str) -> Result[_CustomUrl, Fault]:
    """Parse a custom URL; InvalidRequest names what is wrong with it."""
    text = text.strip(_STRIPPED)
    if re.search(r"[\x00-\x20\x7f\ud800-\udfff]", text):  # urlsplit drops most of these, which could change the host
        return _reject(spec, source, "is not a valid URL: it has white space, a control character or invalid Unicode")
    try:
        parts = urlsplit(_with_scheme(spec, text))
        port = parts.port
    except ValueError:
        return _reject(spec, source, "is not a valid URL")
    if parts.scheme not in ("http", "https"):
        return _reject(spec, source, f"has the scheme {parts.scheme!r}; expected http or https")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        advice = "pass credentials as api_key= or in extra_headers="
        return _reject(spec, source, f"has a user name or password, which is not supported: {advice}")
    if parts.fragment:
        return _reject(spec, source, "has a fragment (#...)")
    if not parts.hostname or re.search(r"[\s\\<>\"^`|]", parts.netloc + parts.path):
        return _reject(spec, source, "is not a valid URL")
    path = parts.path.rstrip("/") or None
    settings: dict[str, str] = {}
    known = {setting.name for setting in spec.settings}
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if "api_version" in known and "api-version" in query:
        settings["api_version"] = query.pop("api-version")
    if query or (parts.query and not settings):
        names = ", ".join(sorted(query)) or "no names"
        return _reject(spec, source, f"has a query ({names}), which is not supported: pass settings by their names")
    if "deployment" in known and (deployment := _DEPLOYMENT.search(path or "")) is not None:
        settings["deployment"] = unquote(deployment[1])
    dialects = (spec.dialect, *(route.dialect for route in spec.model_routes))
    for dialect in dialects:
        path = path and _strip_route(path, dialect.routes)
    path = path and _strip_route(path, tuple(PROTOCOLS[dialect.protocol].route for dialect in dialects))
    foreign = path and _find_protocol_route(path)
    if foreign:
        protocol, ending = foreign
        advice = f"{spec.name} uses {spec.dialect.protocol}: remove the route from the URL, or select another provider"
        return _reject(spec, source, f"ends in {ending[:80]}, a route of {protocol}; {advice}")
    path = path and _strip_route(path, _SHARED_ROUTES)
    return Success(_CustomUrl(origin=_format_origin(parts, port), path=path, settings=settings))


def _strip_route(path: str, routes: tuple[str, ...]) -> str:
    """Strip the first matching route from the end of a path."""
    found = next((match for route in routes if (match := re.search(rf"{route}(:\w+)?$", path)) is not None), None)
    return path if found is None else path[: found.start()].rstrip("/")


def _find_protocol_route(path: str) -> tuple[str, str] | None:
    """Return the name of the first protocol with a route that the path ends in, and that route; None if there is none."""
    routes = (*((name, protocol.route) for name, protocol in PROTOCOLS.items()), _TEXT_COMPLETIONS)
    matches = ((name, re.search(rf"{route}$", path)) for name, route in routes)
    return next(((name, match[0]) for name, match in matches if match is not None), None)


def _with_scheme(spec: ProviderSpec, text: str) -> str:
    """Add a scheme to a URL without one: HTTP, with the default port of the entry's server, or HTTPS for `https_hosts`.

    Ollama's forms for OLLAMA_HOST (envconfig/config.go) are `host`, `host:port`, `:port`, `[v6]`, `[v6]:port` and a URL.
    """
    if "://" in text:
        return text
    if text in spec.https_hosts:
        return f"https://{text}"
    host, slash, path = text.partition("/")
    if host.count(":") > 1 and not host.startswith("["):
        host = f"[{host}]"
    if host.startswith(":"):
        host = f"127.0.0.1{host}"
    if spec.default_port is not None and not re.search(r":\d+$", host) and "@" not in host:
        host = f"{host.rstrip(':')}:{spec.default_port}"
    return f"http://{host}{slash}{path}"


def _format_origin(parts: SplitResult, port: int | None) -> str:
    host = (parts.hostname or "").lower()
    host = _WILDCARD_HOSTS.get(host, host)
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port is not None else "")


def _join_custom_url(address: _CustomUrl, url: str) -> str:
    """Join a custom URL with the entry's path if it has none; a path with missing settings is omitted."""
    own = _read_path(url)
    return address.origin + (address.path if address.path is not None else "" if "{" in own else own)


def _read_path(url: str) -> str:
    return "/" + url.partition("://")[2].partition("/")[2].rstrip("/") if "/" in url.partition("://")[2] else ""


def _reject(spec: ProviderSpec, source: str, problem: str) -> Failure[Fault]:
    return Failure(InvalidRequest(provider=spec.name, message=f"{source} {problem}"))


def _fill_base_url(spec: ProviderSpec, settings: Mapping[str, str]) -> str:
    """Fill settings into the entry's base URL; missing ones stay as placeholders, see `find_missing_setting`."""
    chosen = (spec.base_urls.get(f"{name}={value}") for name, value in settings.items())
    url = next((url for url in chosen if url is not None), spec.base_url)
    for name, value in settings.items():
        placeholder = f"{{{name}}}"
        if placeholder not in url:
            continue
        # A host is often given as a URL.
        text = (value.partition("://")[2] or value).partition("/")[0] if f"://{placeholder}/" in url else value
        url = url.replace(placeholder, quote(text, safe=""))
    return url
