"""Which transport a provider gets: HTTP, made when something is first sent, or the engine in this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from victor_fp.shell.transport.interception import active_interceptor

if TYPE_CHECKING:
    from victor_fp.core.faults import Fault
    from victor_fp.core.requests import Endpoint, HttpRequest
    from victor_fp.shell.transport.protocol import Transport, TransportResponse


class LazyTransport:
    """An HTTP transport that is made when something is first sent, so that making a provider loads no HTTP client."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._transport: Transport | None = None

    async def open(
        self, request: HttpRequest, secret: SecretStr | None, timeout: float | None
    ) -> TransportResponse | Fault:
        """Send over the transport, or let the interceptor that is active answer."""
        interceptor = active_interceptor()
        if interceptor is not None:
            return await interceptor.intercept(self._send, request, secret, timeout)
        return await self._send(request, secret, timeout)

    async def _send(
        self, request: HttpRequest, secret: SecretStr | None, timeout: float | None
    ) -> TransportResponse | Fault:
        """Send over the transport, made now if need be."""
        if self._transport is None:
            from victor_fp.shell.transport.http import http_transport

            self._transport = http_transport(**self._options)
        return await self._transport.open(request, secret, timeout)

    async def aclose(self) -> None:
        """Close the transport, if it was made."""
        if self._transport is not None:
            await self._transport.aclose()


def transport_for(endpoint: Endpoint, **options: Any) -> Transport:
    """HTTP, or the engine in this process for the entry that is one."""
    if endpoint.spec.transport == "in_process":
        from victor_fp.shell.local.engine import local_wire

        return local_wire(endpoint.settings)
    return LazyTransport(options)


def default_transport() -> Transport:
    """HTTP with the default settings."""
    return LazyTransport({})
