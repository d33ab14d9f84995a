"""The protocol between victor_fp and what carries its requests: two methods, so that a test double is a few lines.

A transport does not raise for what a network can do; it returns a `Fault`, whose provider and model the caller fills in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from pydantic import SecretStr

from victor_fp.core.faults import Fault
from victor_fp.core.requests import HttpRequest


class TransportResponse(Protocol):
    """A response whose headers have come and whose body is still to be read."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case; the values of a repeated header are joined by commas."""
        ...

    async def read(self, limit: int) -> bytes | Fault:
        """The whole body, decompressed; InvalidResponse where it is larger than `limit` bytes."""
        ...

    async def receive(self) -> bytes | Fault | None:
        """The next bytes of the body, decompressed; None at its end, or the fault that broke it."""
        ...

    async def aclose(self) -> None:
        """Give the connection back, or close it where the body was not read to its end. Does not raise."""
        ...


class Transport(Protocol):
    """Carries requests."""

    async def open(
        self, request: HttpRequest, secret: SecretStr | None, timeout: float | None
    ) -> TransportResponse | Fault:
        """Send, and wait for the response headers. `timeout` (seconds) bounds connecting, sending, and each silence."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


@runtime_checkable
class PreparingTransport(Protocol):
    """A transport that has something to do before a model's first request, which no timeout of a call bounds."""

    async def prepare(self, model: str) -> Fault | None:
        """Fetch or load what the model needs; the fault says what prevented it."""
        ...


async def prepare_model(transport: Transport, model: str) -> Fault | None:
    """Prepare a model where the transport is one that does."""
    return await transport.prepare(model) if isinstance(transport, PreparingTransport) else None
