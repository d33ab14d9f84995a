"""Selection of a provider's transport: aiohttp, httpx, one passed by the caller, or the embedded engine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias

from typing_extensions import TypeIs

from victor_fp.shell.transport.http import LazyTransport

if TYPE_CHECKING:
    import httpx

    from victor_fp.core.faults import Fault
    from victor_fp.core.requests import Endpoint
    from victor_fp.shell.transport.protocol import Transport
    from victor_fp.shell.transport.proxies import Proxy
    from victor_fp.shell.transport.tls import Verify

TransportChoice: TypeAlias = "Transport | httpx.AsyncBaseTransport | Literal['aiohttp', 'httpx'] | None"
"""What a provider accepts as its `transport`; None is "aiohttp"."""


def build_transport(
    endpoint: Endpoint,
    *,
    transport: TransportChoice = None,
    http_client: httpx.AsyncClient | None = None,
    verify: Verify = True,
    proxy: str | None = None,
    trust_env: bool = True,
) -> Transport:
    """Build the transport for a provider's arguments. Raises TypeError for arguments of a wrong type."""
    if transport is not None and not isinstance(transport, str):
        if _is_of_httpx(transport):
            mounted = transport
            return LazyTransport(lambda: _wrap_transport(mounted))
        if not (hasattr(transport, "open") and hasattr(transport, "aclose")):
            raise TypeError(
                f"transport: expected 'aiohttp', 'httpx' or a transport object, got {type(transport).__name__}"
            )
        return transport
    if transport not in (None, "aiohttp", "httpx"):
        raise TypeError(f"transport: expected 'aiohttp', 'httpx' or a transport object, got {transport!r}")
    if transport is None and endpoint.spec.transport == "embedded":
        return LazyTransport(partial(_make_local, endpoint.settings))
    if http_client is not None:
        client = http_client
        if transport == "aiohttp":
            raise TypeError("http_client cannot be combined with transport='aiohttp': pass one of them")
        if not (hasattr(client, "aclose") and hasattr(client, "build_request")):
            raise TypeError(f"http_client: expected an httpx.AsyncClient, got {type(client).__name__}")
        return LazyTransport(lambda: _use_client(client))
    # The proxy's password is a Secret from here on.
    address = None if proxy is None else _parse_proxy(proxy)
    make = _make_httpx if transport == "httpx" else _make_aiohttp
    return LazyTransport(partial(make, verify, address, trust_env))


def _is_of_httpx(transport: Transport | httpx.AsyncBaseTransport) -> TypeIs[httpx.AsyncBaseTransport]:
    return hasattr(transport, "handle_async_request")


def _parse_proxy(proxy: str) -> Proxy | Fault:
    from victor_fp.shell.transport.proxies import parse_proxy

    return parse_proxy(proxy)


def _make_local(settings: Mapping[str, str]) -> Transport:
    from victor_fp.shell.transport.local.transport import LocalTransport

    return LocalTransport.from_settings(settings)


def _make_aiohttp(verify: Verify, proxy: Proxy | Fault | None, trust_env: bool) -> Transport:  # noqa: FBT001
    from victor_fp.shell.transport.aiohttp_transport import AiohttpTransport

    return AiohttpTransport(verify=verify, proxy=proxy, trust_env=trust_env)


def _make_httpx(verify: Verify, proxy: Proxy | Fault | None, trust_env: bool) -> Transport:  # noqa: FBT001
    from victor_fp.shell.transport.httpx_transport import HttpxTransport

    return HttpxTransport(verify=verify, proxy=proxy, trust_env=trust_env)


def _use_client(client: httpx.AsyncClient) -> Transport:
    from victor_fp.shell.transport.httpx_transport import ClientTransport

    return ClientTransport(client)


def _wrap_transport(transport: httpx.AsyncBaseTransport) -> Transport:
    import httpx

    return _use_client(httpx.AsyncClient(transport=transport, trust_env=False))


def build_default_transport() -> Transport:
    """Return the default HTTP transport."""
    return LazyTransport(partial(_make_aiohttp, True, None, True))  # noqa: FBT003
