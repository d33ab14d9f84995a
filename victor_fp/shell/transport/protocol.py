"""The transport protocol: two methods, so that a test double is a few lines.

A transport does not raise for network errors; it returns a `Fault`, to which the caller adds provider and model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from pydantic import SecretStr

from victor_fp.core.faults import Fault
from victor_fp.core.requests import HttpRequest


class TransportResponse(Protocol):
    """A response whose headers have been received and whose body has not been read."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case; the values of a repeated header are joined by commas."""
        ...

    async def read(self, limit: int) -> bytes | Fault:
        """Return the complete body, decompressed; InvalidResponse if it is larger than `limit` bytes."""
        ...

    async def receive(self) -> bytes | Fault | None:
        """Return the next bytes of the body, decompressed; None at its end; or the fault of a broken response."""
        ...

    async def aclose(self) -> None:
        """Release the connection, or close it if the body was not read to its end. Does not raise."""
        ...


class Transport(Protocol):
    """Sends requests."""

    async def open(
        self, request: HttpRequest, secret: SecretStr | None, timeout: float | None
    ) -> TransportResponse | Fault:
        """Send, and wait for the response headers. `timeout` (seconds) applies to connect, write and each read."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


@runtime_checkable
class PreparingTransport(Protocol):
    """A transport with work to do before a model's first request, to which the timeouts of calls do not apply."""

    async def prepare(self, model: str) -> Fault | None:
        """Download or load the model; return the fault if this fails."""
        ...


async def prepare_model(transport: Transport, model: str) -> Fault | None:
    """Prepare a model, if the transport supports it."""
    return await transport.prepare(model) if isinstance(transport, PreparingTransport) else None
