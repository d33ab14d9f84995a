"""Polling of long-running predictions as a state machine: created at one URL, the result is read at another.

`start_polling` of a codec returns the order to send the request. The shell carries out one order at a time. SendRequest
is followed by ExchangeDone or ExchangeFailed, which `advance` turns into the next order. OpenStream delivers the result
as a stream, UseResponse as a complete body; either is the last order. If the caller leaves before the result is
complete, the request `cancel` is sent, if there is one; otherwise the prediction continues and is billed. A key is sent
only to the endpoint's own origin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias
from urllib.parse import urlsplit

import msgspec

from victor_fp.core.faults import Fault
from victor_fp.core.requests import HttpRequest


class ExchangeDone(msgspec.Struct, frozen=True, kw_only=True):
    """An exchange returned a complete response, of any status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class ExchangeFailed(msgspec.Struct, frozen=True):
    """An exchange failed without a response."""

    fault: Fault


PollingEvent: TypeAlias = ExchangeDone | ExchangeFailed


class SendRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Wait for `delay`, send, and read the complete response."""

    request: HttpRequest
    delay: float = 0.0
    """Seconds."""
    timeout: float | None = None
    """Seconds for this exchange; None: the remaining time of the attempt."""


class OpenStream(msgspec.Struct, frozen=True):
    """Send, and read the response as a stream."""

    request: HttpRequest


class UseResponse(msgspec.Struct, frozen=True):
    """This response contains the result or the error."""

    response: ExchangeDone


class StopPolling(msgspec.Struct, frozen=True):
    """End with this fault."""

    fault: Fault


PollingOrder: TypeAlias = SendRequest | OpenStream | UseResponse | StopPolling


class Polling(Protocol):
    """The state of one prediction; an immutable value."""

    @property
    def cancel(self) -> HttpRequest | None:
        """The request that cancels the prediction; None if none is known to be running."""
        ...

    def advance(self, event: PollingEvent) -> tuple[Polling, PollingOrder]:
        """Return the state and the order after an event."""
        ...


StartPolling: TypeAlias = Callable[[HttpRequest, bool, float], tuple[Polling, SendRequest]]
"""Starts a prediction. Parameters: the request, whether the caller streams, the timeout of the attempt in seconds."""


def has_same_origin(one: str, other: str) -> bool:
    """Return whether two URLs have the same scheme, host and port."""
    return _parse_origin(one) == _parse_origin(other) is not None


def _parse_origin(url: str) -> tuple[str, str, int | None] | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or {"http": 80, "https": 443}.get(parts.scheme)
