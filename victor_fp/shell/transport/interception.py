"""Interception of the HTTP transports of this process, for example by a recording that replays responses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from pydantic import SecretStr

    from victor_fp.core.faults import Fault
    from victor_fp.core.requests import HttpRequest
    from victor_fp.shell.transport.protocol import TransportResponse

SendFunction: TypeAlias = (
    "Callable[[HttpRequest, SecretStr | None, float | None], Awaitable[TransportResponse | Fault]]"
)
"""Sends a request with the intercepted transport."""


class Interceptor(Protocol):
    """Responds to requests in place of a transport, or sends them with it."""

    async def intercept(
        self, send: SendFunction, request: HttpRequest, secret: SecretStr | None, timeout: float | None
    ) -> TransportResponse | Fault:
        """Return the response after its headers have been received."""
        ...


_active: list[Interceptor] = []


def activate(interceptor: Interceptor) -> None:
    """Activate an interceptor for all HTTP transports of this process; only the latest one is used."""
    _active.append(interceptor)


def deactivate(interceptor: Interceptor) -> None:
    """Deactivate an interceptor."""
    _active.remove(interceptor)


def find_interceptor() -> Interceptor | None:
    """Return the active interceptor, if any."""
    return _active[-1] if _active else None
