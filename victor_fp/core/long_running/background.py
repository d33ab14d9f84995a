"""Background responses: a handle to find a response again, and polling until it is complete.

A response is created and then polled by its id, with increasing delays, until it is no longer running. A poll that
fails temporarily is repeated. If the caller of a chat leaves before the response is complete, the response is
cancelled; a response that was resumed by its handle keeps running.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NotRequired, TypedDict

import msgspec
from msgspec.structs import replace
from returns.result import Failure, Result, Success

from victor_fp.core.classification.headers import read_retry_after
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.long_running.polling import (
    ExchangeFailed,
    PollingEvent,
    PollingOrder,
    SendRequest,
    StopPolling,
    UseResponse,
)
from victor_fp.core.options import Options
from victor_fp.core.requests import HttpRequest

Progress = Literal["running", "ended", "unknown"]

FIRST_DELAY, DELAY_GROWTH, MAX_DELAY = 1.0, 1.5, 15.0
"""Seconds before the first poll, growth factor, and maximum seconds between polls."""
MAX_FAILED_POLLS = 10
"""Consecutive polls that may fail."""
EXCHANGE_TIMEOUT = 60.0
"""Seconds for one exchange; the response itself may take hours."""
RETRYABLE_STATUSES = frozenset({408, 409, 429, 500, 502, 503, 504, 529})
"""Statuses after which a poll is repeated."""


class BackgroundHandle(TypedDict):
    """Identifies a background response. Plain JSON: another process can resume the response with it."""

    provider: str
    model: str
    id: str
    """The vendor's id of the response."""
    tool_names: NotRequired[dict[str, str]]
    """The caller's tool names by the names that were sent, if they differ."""


class BackgroundStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The status of a response, as reported in a body."""

    id: str = ""
    progress: Progress = "unknown"
    """`unknown`: the body is not a response."""


class Background(msgspec.Struct, frozen=True, kw_only=True):
    """A protocol's functions for background responses."""

    read_status: Callable[[bytes], BackgroundStatus]
    retrieve: Callable[[str], HttpRequest]
    """Build the request that retrieves a response by its id."""
    cancel: Callable[[str], HttpRequest]
    """Build the request that cancels a response."""


class BackgroundPolling(msgspec.Struct, frozen=True, kw_only=True):
    """The state of polling one response."""

    background: Background
    id: str = ""
    """Empty until the response is known."""
    is_running: bool = False
    is_resumed: bool = False
    """Whether it was created earlier; it is then not cancelled with the caller."""
    polls: int = 0
    failed: int = 0
    """Consecutive failed polls."""

    @property
    def cancel(self) -> HttpRequest | None:
        """The request that cancels the response; None if it is not running or was resumed."""
        return self.background.cancel(self.id) if self.is_running and not self.is_resumed else None

    def advance(self, event: PollingEvent) -> tuple[BackgroundPolling, PollingOrder]:
        """Return the state and the order after an exchange."""
        if isinstance(event, ExchangeFailed):
            return self._repeat(0.0) or (self, StopPolling(event.fault))
        if event.status >= 400:
            wait = read_retry_after(event.headers) or 0.0
            repeated = self._repeat(wait) if event.status in RETRYABLE_STATUSES else None
            return repeated or (self, UseResponse(event))
        status = self.background.read_status(event.body)
        if status.progress != "running" or not status.id:
            return replace(self, is_running=False), UseResponse(event)
        return _poll(replace(self, id=status.id, is_running=True, failed=0), 0.0)

    def _repeat(self, wait: float) -> tuple[BackgroundPolling, PollingOrder] | None:
        """Repeat the poll; None if the exchange was not a poll or too many polls failed."""
        if not self.is_running or self.failed >= MAX_FAILED_POLLS:
            return None
        return _poll(replace(self, failed=self.failed + 1), wait)


def begin_polling(
    background: Background,
    request: HttpRequest,
    stream: bool,  # noqa: ARG001, FBT001  the signature of StartPolling; a stream is not polled
    timeout: float,
) -> tuple[BackgroundPolling, SendRequest]:
    """Start polling with the creation of a response or, for a GET, with the first poll of an existing one."""
    is_resumed = request.method == "GET"
    polling = BackgroundPolling(background=background, is_resumed=is_resumed)
    return polling, SendRequest(request=request, timeout=min(timeout, EXCHANGE_TIMEOUT))


def _poll(polling: BackgroundPolling, least: float) -> tuple[BackgroundPolling, PollingOrder]:
    """Poll after a delay that grows with every poll."""
    delay = min(MAX_DELAY, FIRST_DELAY * DELAY_GROWTH ** min(polling.polls, 64))
    request = polling.background.retrieve(polling.id)
    order = SendRequest(request=request, delay=max(delay, least), timeout=EXCHANGE_TIMEOUT)
    return replace(polling, polls=polling.polls + 1), order


def is_background_request(options: Options) -> bool:
    """Return whether the options request a background response, by our option or the vendor's field."""
    return bool(options.background) or {**options.unknown, **options.extra_body}.get("background") is True


def read_handle(provider: str, handle: object) -> Result[BackgroundHandle, Fault]:
    """Read a handle from its JSON; InvalidRequest describes what is wrong with it."""
    fields = {name: handle.get(name) for name in ("provider", "model", "id")} if isinstance(handle, Mapping) else {}
    names = handle.get("tool_names") if isinstance(handle, Mapping) else None
    match fields:
        case {"provider": str(maker), "model": str(model), "id": str(id_)} if maker and id_:
            read = BackgroundHandle(provider=maker, model=model, id=id_)
        case _:
            message = "handle: expected an object with the strings provider, model and id"
            return Failure(InvalidRequest(provider=provider, message=message))
    if names is None:
        return Success(read)
    if isinstance(names, Mapping) and all(isinstance(text, str) for pair in names.items() for text in pair):
        read["tool_names"] = dict(names)
        return Success(read)
    message = "handle: expected tool_names to be an object of strings"
    return Failure(InvalidRequest(provider=provider, message=message))
