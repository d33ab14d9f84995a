"""What is used in place of the network: interceptors such as recordings, test doubles of httpx, VICTOR_FP_OFFLINE.

With VICTOR_FP_OFFLINE=1 no transport of this package opens a connection. If a library such as respx or pytest-httpx has
replaced httpx's network code, requests are sent with httpx, so that they reach the test double instead of a vendor.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias
from urllib.parse import urlsplit

from victor_fp.core.faults import Fault, InvalidRequest

if TYPE_CHECKING:
    from pydantic import SecretStr

    from victor_fp.core.requests import HttpRequest
    from victor_fp.shell.transport.protocol import TransportResponse

SendFunction: TypeAlias = (
    "Callable[[HttpRequest, SecretStr | None, float | None], Awaitable[TransportResponse | Fault]]"
)
"""Sends a request with the intercepted transport."""

VARIABLE = "VICTOR_FP_OFFLINE"

_OFF = frozenset({"", "0", "false", "no", "off"})
_HTTPX_NETWORK = frozenset({"AsyncHTTPTransport", "AsyncConnectionPool"})
_AIOHTTP_NETWORK = frozenset({"AiohttpTransport", "ClientSession"})
"""Classes that open connections: of httpx, httpx2 and httpcore; of aiohttp, and of httpx transports over it."""


class Interceptor(Protocol):
    """Responds to requests in place of a transport, or sends them with it."""

    async def intercept(
        self, send: SendFunction, request: HttpRequest, secret: SecretStr | None, timeout: float | None
    ) -> TransportResponse | Fault:
        """Return the response after its headers have been received."""
        ...


active_interceptors: list[Interceptor] = []
"""Of this process; the last one is used."""


def activate(interceptor: Interceptor) -> None:
    """Activate an interceptor for all HTTP transports of this process; only the latest one is used."""
    active_interceptors.append(interceptor)


def deactivate(interceptor: Interceptor) -> None:
    """Deactivate an interceptor."""
    active_interceptors.remove(interceptor)


def is_offline() -> bool:
    """Return whether VICTOR_FP_OFFLINE is set."""
    return os.environ.get(VARIABLE, "").strip().lower() not in _OFF


def refuse_client(client: object, url: str, target: object) -> Fault | None:
    """Return InvalidRequest if VICTOR_FP_OFFLINE is set and an httpx client would open a connection for `url`.

    `target` is the URL as an object of the client. A client of unknown type is rejected.
    """
    if VARIABLE not in os.environ or not is_offline():
        return None
    choose = getattr(client, "_transport_for_url", None)
    network = _AIOHTTP_NETWORK if is_httpx_replaced() else _AIOHTTP_NETWORK | _HTTPX_NETWORK
    return build_refusal(url) if choose is None or _is_network(choose(target), network, depth=3) else None


def is_httpx_replaced() -> bool:
    """Return whether a test double has replaced the network functions of httpx or httpcore.

    This is possible only if httpx has been imported.
    """
    httpx = sys.modules.get("httpx")
    return httpx is not None and (
        _is_replaced(httpx, "AsyncClient", "_transport_for_url", "httpx._client")
        or _is_replaced(httpx, "AsyncHTTPTransport", "handle_async_request", "httpx._transports.default")
        or _is_replaced(
            sys.modules.get("httpcore"),
            "AsyncConnectionPool",
            "handle_async_request",
            "httpcore._async.connection_pool",
        )
    )


def _is_replaced(module: object, owner: str, name: str, home: str) -> bool:
    method = getattr(getattr(module, owner, None), name, None)
    return getattr(method, "__module__", home) != home


def _is_network(transport: object, network: frozenset[str], depth: int) -> bool:
    """Return whether a transport opens connections, or contains one that does."""
    if any(kind.__name__ in network for kind in type(transport).__mro__):
        return True
    held = getattr(transport, "__dict__", {}).values()
    inner = (one for one in held if hasattr(one, "handle_async_request"))
    return depth > 0 and any(_is_network(one, network, depth - 1) for one in inner)


def build_refusal(url: str) -> Fault:
    """Build the fault for a request while VICTOR_FP_OFFLINE is set."""
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    advice = f"unset {VARIABLE} to allow it, or pass a test double as transport= or http_client="
    return InvalidRequest(message=f"{VARIABLE} is set: no connection to {host or 'the host'} was opened; {advice}")
