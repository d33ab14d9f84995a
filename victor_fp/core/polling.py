"""The polling of a long-running prediction as a machine: work is created at one URL, and its answer is polled or streams at another.

Rules. `start_polling` of a codec gives the order to send the request. The shell carries out one order at a time. SendRequest
becomes ExchangeDone or ExchangeFailed, which `advance` turns into the next order; OpenStream hands the answer over as a stream,
UseResponse as a whole body, and either is the last order. A caller who leaves before the answer is whole has `cancel` sent,
if there is one: otherwise the prediction goes on, and is charged for, although nobody waits for it. A key is sent only to the
endpoint's own origin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias
from urllib.parse import urlsplit

import msgspec

from victor_fp.core.faults import Fault
from victor_fp.core.requests import HttpRequest


class ExchangeDone(msgspec.Struct, frozen=True, kw_only=True):
    """An exchange brought a whole response, of any status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class ExchangeFailed(msgspec.Struct, frozen=True):
    """An exchange brought no response."""

    fault: Fault


PollingEvent: TypeAlias = ExchangeDone | ExchangeFailed


class SendRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Wait, then send, and read the whole response."""

    request: HttpRequest
    delay: float = 0.0
    """Seconds."""
    timeout: float | None = None
    """Seconds that this exchange may take; None is whatever is left of the attempt."""


class OpenStream(msgspec.Struct, frozen=True):
    """Send, and read the response as it comes."""

    request: HttpRequest


class UseResponse(msgspec.Struct, frozen=True):
    """This response holds the answer, or the error."""

    response: ExchangeDone


class StopPolling(msgspec.Struct, frozen=True):
    """There will be no answer."""

    fault: Fault


PollingOrder: TypeAlias = SendRequest | OpenStream | UseResponse | StopPolling


class Polling(Protocol):
    """The state of one prediction; an immutable value."""

    @property
    def cancel(self) -> HttpRequest | None:
        """The request that cancels the prediction; None where nothing is known to run."""
        ...

    def advance(self, event: PollingEvent) -> tuple[Polling, PollingOrder]:
        """The state and the order after an event."""
        ...


StartPolling: TypeAlias = Callable[[HttpRequest, bool, float], tuple[Polling, SendRequest]]
"""Starts a prediction: the request, whether the caller wants a stream, and the seconds allowed for the attempt."""


def has_same_origin(one: str, other: str) -> bool:
    """Whether two URLs agree in scheme, host and port."""
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
