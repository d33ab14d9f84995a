"""Selection of the proxy for a URL: the one that was passed, or that of the environment, with its exceptions.

The environment is HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY (lower case takes precedence), or the system settings
if no variable is set. NO_PROXY is a list, separated by commas or spaces, of `*`, host names (which include their
subdomains; a leading `.` or `*.` is ignored), IP addresses and networks in CIDR notation; each may end in `:port`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, getproxies_environment, proxy_bypass

import msgspec

from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.security.secrets import Secret

Network: TypeAlias = IPv4Network | IPv6Network

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Proxy(msgspec.Struct, frozen=True):
    """A proxy. Its credentials are separate from its URL, so that the URL can be shown."""

    url: str
    user: str | None = None
    password: Secret | None = None


class NoProxyRule(msgspec.Struct, frozen=True):
    """One entry of NO_PROXY."""

    domain: str | None = None
    """A host name and its subdomains."""
    network: Network | None = None
    """Addresses."""
    port: int | None = None
    """None: all ports. Without domain and network, the rule applies to all hosts."""

    def is_match(self, host: str, address: IPv4Address | IPv6Address | None, port: int | None) -> bool:
        """Return whether requests to this host bypass the proxy; `address` is that of a host given as IP address."""
        if self.port is not None and self.port != port:
            return False
        if self.network is not None:
            return address is not None and address in self.network
        return self.domain is None or host == self.domain or host.endswith(f".{self.domain}")


class ProxySettings(msgspec.Struct, frozen=True):
    """The proxy settings in effect."""

    every: Proxy | Fault | None = None
    """The proxy that was passed, for all URLs."""
    by_scheme: Mapping[str, str] = {}
    """The unparsed proxies of the environment; "all" applies to other schemes."""
    exceptions: Sequence[NoProxyRule] = ()
    is_system: bool = False
    """Whether these are the system settings, which have their own exceptions."""

    def __repr__(self) -> str:
        """Omit the proxies, which may contain passwords."""
        return f"ProxySettings(every={self.every!r}, by_scheme={sorted(self.by_scheme)})"

    def choose(self, url: str) -> Proxy | Fault | None:
        """Return the proxy for a URL, if any; InvalidRequest if it cannot be used."""
        if self.every is not None:
            return self.every
        parts = urlsplit(url)
        text = self.by_scheme.get(parts.scheme) or self.by_scheme.get("all")
        host = (parts.hostname or "").rstrip(".")
        if not text or not host:
            return None
        address = _read_address(host)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
        if any(rule.is_match(host, address, port) for rule in self.exceptions):
            return None
        if self.is_system and proxy_bypass(host):
            return None
        return parse_proxy(text, f"the {parts.scheme} proxy of the environment")


def read_settings(proxy: Proxy | Fault | None, *, trust_env: bool) -> ProxySettings:
    """Read the environment, unless a proxy was passed or `trust_env` is False."""
    if proxy is not None or not trust_env:
        return ProxySettings(every=proxy)
    proxies = getproxies()
    return ProxySettings(
        by_scheme=proxies,
        exceptions=read_exceptions(proxies.get("no", "")),
        is_system=not getproxies_environment(),
    )


def parse_proxy(text: object, source: str = "proxy=") -> Proxy | Fault:
    """Parse a proxy URL; its fault names `source` and contains neither user nor password."""
    if not isinstance(text, str):
        return InvalidRequest(message=f"{source}: expected a URL, got {type(text).__name__}")
    invalid = InvalidRequest(message=f"{source}: not a valid URL; expected http://user:password@host:port")
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return invalid
    if not host or not host.isprintable() or " " in host:
        return invalid
    shown = f"[{host}]" if ":" in host else host
    return Proxy(
        url=f"{parts.scheme}://{shown}" if port is None else f"{parts.scheme}://{shown}:{port}",
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else Secret(unquote(parts.password)),
    )


def refuse_scheme(proxy: Proxy, schemes: Sequence[str], advice: str = "") -> Fault | None:
    """Return InvalidRequest for a proxy scheme that a client does not support."""
    scheme = proxy.url.partition(":")[0]
    if scheme in schemes:
        return None
    message = f"proxy {proxy.url}: scheme {scheme!r} is not supported; supported: {', '.join(schemes)}"
    return InvalidRequest(message=f"{message}. {advice}" if advice else message)


def read_exceptions(text: str) -> tuple[NoProxyRule, ...]:
    """Parse NO_PROXY.

    >>> read_exceptions("internal.test:8080")
    (NoProxyRule(domain='internal.test', network=None, port=8080),)
    """
    return tuple(_read_rule(entry) for entry in text.replace(",", " ").split())


def _read_rule(entry: str) -> NoProxyRule:
    entry = entry.lower()
    if (network := _read_network(entry)) is not None:
        return NoProxyRule(network=network)
    host, colon, digits = entry.rpartition(":")
    port = int(digits) if colon and digits.isascii() and digits.isdigit() and len(digits) <= 5 else None
    if port is None:
        host = entry
    if (network := _read_network(host)) is not None:
        return NoProxyRule(network=network, port=port)
    # An entry without a name, such as ".", does not match any host.
    domain = None if host == "*" else host.removeprefix("*").strip(".") or "."
    return NoProxyRule(domain=domain, port=port)


def _read_network(text: str) -> Network | None:
    """Parse an address, with or without brackets, or a network; None for anything else."""
    if "]:" in text:
        return None
    try:
        return ip_network(text.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return None


def _read_address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
