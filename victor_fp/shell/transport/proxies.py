"""Choice of the proxy for a URL: the one that was passed, or the environment's, with its exceptions.

Read from HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY (in lower case too, which comes first), or from the system's settings
where no variable is set. NO_PROXY is a list, separated by commas or spaces, of `*`, host names (each stands for its subdomains
too; a leading `.` or `*.` changes nothing), IP addresses and networks in CIDR notation; each may end in `:port`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, getproxies_environment, proxy_bypass

import msgspec

from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.secrets import Secret

Network: TypeAlias = IPv4Network | IPv6Network

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Proxy(msgspec.Struct, frozen=True):
    """A proxy. Its credentials are kept apart from its URL, so that the URL can be shown."""

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
    """None is every port. With neither domain nor network, the rule is for all hosts."""

    def is_match(self, host: str, address: IPv4Address | IPv6Address | None, port: int | None) -> bool:
        """Whether requests to this host, whose address is given where its name is one, use no proxy."""
        if self.port is not None and self.port != port:
            return False
        if self.network is not None:
            return address is not None and address in self.network
        return self.domain is None or host == self.domain or host.endswith(f".{self.domain}")


class ProxySettings(msgspec.Struct, frozen=True):
    """The proxies in force."""

    every: Proxy | Fault | None = None
    """For every URL: the proxy that was passed."""
    by_scheme: Mapping[str, str] = {}
    """The environment's proxies as they were written; "all" is for schemes that are not named."""
    exceptions: Sequence[NoProxyRule] = ()
    is_system: bool = False
    """Whether these are the system's settings, which have exceptions of their own."""

    def __repr__(self) -> str:
        """Without the proxies, which may hold passwords."""
        return f"ProxySettings(every={self.every!r}, by_scheme={sorted(self.by_scheme)})"

    def choose(self, url: str) -> Proxy | Fault | None:
        """The proxy for a URL; InvalidRequest where it cannot be used."""
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
    """Read the environment, unless a proxy was passed or the environment is not to be used."""
    if proxy is not None or not trust_env:
        return ProxySettings(every=proxy)
    proxies = getproxies()
    return ProxySettings(
        by_scheme=proxies,
        exceptions=read_exceptions(proxies.get("no", "")),
        is_system=not getproxies_environment(),
    )


def parse_proxy(text: object, source: str = "proxy=") -> Proxy | Fault:
    """Read a proxy's URL; a fault about it names `source` and shows no user and no password."""
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
    """InvalidRequest for a proxy of a kind that a client does not speak to."""
    scheme = proxy.url.partition(":")[0]
    if scheme in schemes:
        return None
    message = f"proxy {proxy.url}: scheme {scheme!r} is not supported; supported: {', '.join(schemes)}"
    return InvalidRequest(message=f"{message}. {advice}" if advice else message)


def read_exceptions(text: str) -> tuple[NoProxyRule, ...]:
    """Read NO_PROXY.

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
    # An entry without a name, such as ".", matches no host.
    domain = None if host == "*" else host.removeprefix("*").strip(".") or "."
    return NoProxyRule(domain=domain, port=port)


def _read_network(text: str) -> Network | None:
    """An address, with or without brackets, or a network; None for anything else."""
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
