"""The seam between victor_fp and whatever carries its requests: one method, so a double is a few lines.

A wire never raises for what a network can do; it gives a `Fault` whose provider and model the caller fills in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from pydantic import SecretStr

from victor_fp.core.faults import Fault
from victor_fp.core.requests import HttpRequest


class TransportResponse(Protocol):
    """An answer whose headers have come and whose body is still to be read."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case; of a repeated header the values are joined by commas."""
        ...

    async def read(self, limit: int) -> bytes | Fault:
        """The whole body, decompressed; InvalidResponse where it is larger than `limit` bytes."""
        ...

    async def receive(self) -> bytes | Fault | None:
        """The next bytes of the body, decompressed; None at its end, or the fault that broke it."""
        ...

    async def aclose(self) -> None:
        """Give the connection back, or close it where the body was not read to its end. Never raises."""
        ...


class Transport(Protocol):
    """Carries requests."""

    async def open(
        self, request: HttpRequest, secret: SecretStr | None, timeout: float | None
    ) -> TransportResponse | Fault:
        """Send, and wait for the answer's headers. `timeout` (seconds) bounds connecting and each silence."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


@runtime_checkable
class PreparingTransport(Protocol):
    """A wire that has something to do before a model's first request, which no timeout of a call bounds."""

    async def prepare(self, model: str) -> Fault | None:
        """Fetch or load what the model needs; what kept it from that is the fault."""
        ...


async def prepare_model(wire: Transport, model: str) -> Fault | None:
    """Have a wire prepare, if it is one that does."""
    return await wire.prepare(model) if isinstance(wire, PreparingTransport) else None
