"""An answer that takes more than one exchange, as a machine: work is ordered at one place, and its answer is asked for or streams at another.

Rules. `Codec.follow` begins with the order to send the request. The shell carries out one order at a time. Send
becomes Answered or Broke, which `after` turns into the next order; Open hands the answer over as a stream, Give as a
whole body, and either is the last order. Whoever leaves before the answer is whole sends `cancel`, if there is one: the
work goes on, and is charged for, where nobody waits for it. A key stands only in requests to the endpoint's own origin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias
from urllib.parse import urlsplit

import msgspec

from victor_fp.core.faults import Fault
from victor_fp.core.requests import HttpRequest


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """An exchange brought a whole answer, of whatever status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Broke(msgspec.Struct, frozen=True):
    """An exchange brought none."""

    fault: Fault


Event: TypeAlias = Answered | Broke


class Send(msgspec.Struct, frozen=True, kw_only=True):
    """Rest, then send, and wait for the whole answer."""

    request: HttpRequest
    rest: float = 0.0
    """Seconds."""


class Open(msgspec.Struct, frozen=True):
    """Send, and read the answer as it comes."""

    request: HttpRequest


class Give(msgspec.Struct, frozen=True):
    """This is the answer: `Codec.response` or `Codec.error` reads it."""

    answered: Answered


class Stop(msgspec.Struct, frozen=True):
    """There will be no answer."""

    fault: Fault


Order: TypeAlias = Send | Open | Give | Stop


class Following(Protocol):
    """Where the pursuit of one answer stands; an immutable value."""

    @property
    def cancel(self) -> HttpRequest | None:
        """What ends the work at the vendor's side; None where nothing is known to run."""
        ...

    def after(self, event: Event) -> tuple[Following, Order]:
        """The state and the order after an event."""
        ...


Follow: TypeAlias = Callable[[HttpRequest, bool, float], tuple[Following, Send]]
"""Begins to pursue an answer: the request, whether the caller wants a stream, and the seconds allowed for the attempt."""


def same_origin(one: str, other: str) -> bool:
    """Whether two URLs agree in scheme, host and port."""
    return _origin(one) == _origin(other) is not None


def _origin(url: str) -> tuple[str, str, int | None] | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or {"http": 80, "https": 443}.get(parts.scheme)
