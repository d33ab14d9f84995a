"""Answers that are made while nobody waits: a handle to find one again, and the polling until it is there.

Rules. A response is created, and asked for by its id with rests that grow, until it no longer runs. A poll that fails for
the moment is repeated. Where the caller of a chat leaves before the answer is there, the response is cancelled; whoever
resumes one by its handle leaves it running.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NotRequired, TypedDict

import msgspec
from msgspec.structs import replace
from returns.result import Failure, Result, Success

from victor_fp.core.classification.headers import read_retry_after
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.options import Options
from victor_fp.core.polling import ExchangeFailed, PollingEvent, PollingOrder, SendRequest, StopPolling, UseResponse
from victor_fp.core.requests import HttpRequest

Progress = Literal["running", "ended", "unknown"]

FIRST_DELAY, DELAY_GROWTH, MAX_DELAY = 1.0, 1.5, 15.0
"""Seconds before the first poll, the factor from one to the next, and seconds at most."""
MAX_FAILED_POLLS = 10
"""Polls in a row that may bring nothing."""
EXCHANGE_TIMEOUT = 60.0
"""Seconds that one exchange may take, since the whole may take hours."""
RETRYABLE_STATUSES = frozenset({408, 409, 429, 500, 502, 503, 504, 529})
"""Statuses after which a poll is repeated."""


class BackgroundHandle(TypedDict):
    """Which response is being made, and where: plain JSON, to be kept and resumed by another process."""

    provider: str
    model: str
    id: str
    """The vendor's id of the response."""
    tool_names: NotRequired[dict[str, str]]
    """The caller's names of tools by the names that were sent, where the two differ."""


class BackgroundStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What a body says of the response that it holds."""

    id: str = ""
    progress: Progress = "unknown"
    """`unknown` is a body that is no response."""


class Background(msgspec.Struct, frozen=True, kw_only=True):
    """How a protocol finds a response again."""

    read_status: Callable[[bytes], BackgroundStatus]
    retrieve: Callable[[str], HttpRequest]
    """The request for a response by its id."""
    cancel: Callable[[str], HttpRequest]
    """The request that ends one."""


class BackgroundPolling(msgspec.Struct, frozen=True, kw_only=True):
    """Where the polling of one response stands."""

    background: Background
    id: str = ""
    """Empty until the response is known."""
    is_running: bool = False
    is_resumed: bool = False
    """It was created earlier, and goes on whoever waits for it."""
    polls: int = 0
    failed: int = 0
    """Polls in a row that brought nothing."""

    @property
    def cancel(self) -> HttpRequest | None:
        """The request that ends the response, while it runs for this caller alone."""
        return self.background.cancel(self.id) if self.is_running and not self.is_resumed else None

    def advance(self, event: PollingEvent) -> tuple[BackgroundPolling, PollingOrder]:
        """The state and the order after an exchange."""
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
        """The poll once more; None where it was not a poll, or failed too often."""
        if not self.is_running or self.failed >= MAX_FAILED_POLLS:
            return None
        return _poll(replace(self, failed=self.failed + 1), wait)


def begin_polling(
    background: Background,
    request: HttpRequest,
    stream: bool,  # noqa: ARG001, FBT001  the signature of StartPolling; a stream is not polled
    timeout: float,
) -> tuple[BackgroundPolling, SendRequest]:
    """The creation of a response; or, with a GET, the first poll of one that was created earlier."""
    is_resumed = request.method == "GET"
    polling = BackgroundPolling(background=background, is_resumed=is_resumed)
    return polling, SendRequest(request=request, timeout=min(timeout, EXCHANGE_TIMEOUT))


def _poll(polling: BackgroundPolling, least: float) -> tuple[BackgroundPolling, PollingOrder]:
    """Ask again, after a rest that grows with every poll."""
    delay = min(MAX_DELAY, FIRST_DELAY * DELAY_GROWTH ** min(polling.polls, 64))
    request = polling.background.retrieve(polling.id)
    order = SendRequest(request=request, delay=max(delay, least), timeout=EXCHANGE_TIMEOUT)
    return replace(polling, polls=polling.polls + 1), order


def is_background_request(options: Options) -> bool:
    """Whether a response is to be made in the background, in our words or in the vendor's."""
    return bool(options.background) or {**options.unknown, **options.extra_body}.get("background") is True


def read_handle(provider: str, handle: object) -> Result[BackgroundHandle, Fault]:
    """A handle from its JSON; InvalidRequest says what is wrong with it."""
    fields = {name: handle.get(name) for name in ("provider", "model", "id")} if isinstance(handle, Mapping) else {}
    names = handle.get("tool_names") if isinstance(handle, Mapping) else None
    match fields:
        case {"provider": str(maker), "model": str(model), "id": str(id_)} if maker and id_:
            read = BackgroundHandle(provider=maker, model=model, id=id_)
        case _:
            message = "handle: expected an object whose provider, model and id are texts"
            return Failure(InvalidRequest(provider=provider, message=message))
    if names is None:
        return Success(read)
    if isinstance(names, Mapping) and all(isinstance(text, str) for pair in names.items() for text in pair):
        read["tool_names"] = dict(names)
        return Success(read)
    message = "handle: expected tool_names to be an object of texts"
    return Failure(InvalidRequest(provider=provider, message=message))
