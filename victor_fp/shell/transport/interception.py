"""Interception: something that stands before the HTTP transports of this process, such as a recording that answers for them."""

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
"""Sends a request over the transport that was asked for it."""


class Interceptor(Protocol):
    """Answers requests in place of a transport, or sends them over it."""

    async def intercept(
        self, send: SendFunction, request: HttpRequest, secret: SecretStr | None, timeout: float | None
    ) -> TransportResponse | Fault:
        """The response, whose headers have come."""
        ...


_active: list[Interceptor] = []


def activate(interceptor: Interceptor) -> None:
    """Put an interceptor before every HTTP transport of this process; the latest one is asked."""
    _active.append(interceptor)


def deactivate(interceptor: Interceptor) -> None:
    """Take it away again."""
    _active.remove(interceptor)


def find_interceptor() -> Interceptor | None:
    """The one that is asked; None where requests go straight to their transports."""
    return _active[-1] if _active else None
