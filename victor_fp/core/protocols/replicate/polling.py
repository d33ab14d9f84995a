"""Polling of one prediction: it is created, then polled until it ends, or streamed from the URL in its body.

Rules: API requests go to the endpoint's base URL, with the prediction's id. Of the URLs in a body, only that of the stream is
used, if it has the endpoint's origin or a host that the dialect allows; the latter receives no key. A prediction that cannot
stream, or streams from another host, is polled. A poll with a temporary failure is repeated.
"""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace
from victor_fp_wire.replicate.operations import CancelPrediction, GetPrediction
from victor_fp_wire.replicate.response import Prediction

from victor_fp.core.classification.headers import read_retry_after
from victor_fp.core.dialects.replicate import ReplicateDialect
from victor_fp.core.json import Undecodable
from victor_fp.core.long_running.polling import (
    ExchangeFailed,
    OpenStream,
    PollingEvent,
    PollingOrder,
    SendRequest,
    StopPolling,
    UseResponse,
    has_same_origin,
)
from victor_fp.core.protocols.operations import build_request
from victor_fp.core.protocols.replicate.request import PREFER
from victor_fp.core.protocols.replicate.response import PREDICTIONS, RUNNING
from victor_fp.core.requests import Endpoint, HttpRequest, build_headers

RETRYABLE_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses after which a poll is repeated."""
BACKOFF_FACTOR = 1.5


class PredictionPolling(msgspec.Struct, frozen=True, kw_only=True):
    """State of polling one prediction."""

    endpoint: Endpoint
    dialect: ReplicateDialect
    stream: bool
    id: str = ""
    """ID of the prediction; empty until it is created."""
    running: bool = False
    polls: int = 0
    failed: int = 0
    """Number of consecutive failed polls."""

    @property
    def cancel(self) -> HttpRequest | None:
        """POST /predictions/{id}/cancel while the prediction is running, else None."""
        if not self.running:
            return None
        return build_request(self.endpoint, CancelPrediction(id=self.id))

    def advance(self, event: PollingEvent) -> tuple[PredictionPolling, PollingOrder]:
        """Return the next state and order after an exchange."""
        if isinstance(event, ExchangeFailed):
            return self._poll_again(0.0) or (self, StopPolling(event.fault))
        if event.status >= 400:
            wait = read_retry_after(event.headers) or 0.0
            repeated = self._poll_again(wait) if event.status in RETRYABLE_STATUSES else None
            return repeated or (self, UseResponse(event))
        prediction = PREDICTIONS.decode(event.body)
        if isinstance(prediction, Undecodable) or not prediction.id or prediction.status not in RUNNING:
            return replace(self, running=False), UseResponse(event)
        created = replace(self, id=prediction.id, running=True, failed=0)
        url = _find_stream_url(prediction) if self.stream and not self.polls else ""
        if url and self._may_open(url):
            return created, OpenStream(self._build_stream_request(url))
        return _schedule_poll(created, 0.0)

    def _poll_again(self, wait: float) -> tuple[PredictionPolling, PollingOrder] | None:
        """Repeat a failed poll; None if it was not a poll, or failed too often."""
        if not self.running or self.failed >= self.dialect.max_poll_failures:
            return None
        return _schedule_poll(replace(self, failed=self.failed + 1), wait)

    def _may_open(self, url: str) -> bool:
        if has_same_origin(url, self.endpoint.base_url):
            return True
        try:
            parts = urlsplit(url)
            host = parts.hostname if parts.port in (None, 443) else None
        except ValueError:
            return False
        hosts = self.dialect.stream_hosts
        return parts.scheme == "https" and host is not None and any(fnmatchcase(host, allowed) for allowed in hosts)

    def _build_stream_request(self, url: str) -> HttpRequest:
        """Build the stream request. The key is sent to the endpoint's origin only."""
        auth_headers = build_headers(self.endpoint, json=False) if has_same_origin(url, self.endpoint.base_url) else {}
        headers = {**auth_headers, "accept": "text/event-stream", "cache-control": "no-store"}
        return HttpRequest(method="GET", url=url, headers=headers)


def _schedule_poll(polling: PredictionPolling, minimum: float) -> tuple[PredictionPolling, PollingOrder]:
    """Schedule the next poll, with a delay that grows exponentially."""
    endpoint, dialect = polling.endpoint, polling.dialect
    delay = min(dialect.max_poll_interval, dialect.poll_interval * BACKOFF_FACTOR ** min(polling.polls, 64))
    request = build_request(endpoint, GetPrediction(id=polling.id))
    return replace(polling, polls=polling.polls + 1), SendRequest(request=request, delay=max(delay, minimum))


def begin(
    endpoint: Endpoint,
    dialect: ReplicateDialect,
    request: HttpRequest,
    stream: bool,  # noqa: FBT001  Follow's signature
    timeout: float,
) -> tuple[PredictionPolling, SendRequest]:
    """Start polling with the creation of the prediction.

    A synchronous wait is at most half of the timeout, which leaves time to poll. `Cancel-After` ends the prediction with the
    attempt even if the caller is gone before its id is created.
    """
    polling = PredictionPolling(endpoint=endpoint, dialect=dialect, stream=stream)
    if stream or PREFER not in request.headers:
        return polling, SendRequest(request=request)
    headers = dict(request.headers)
    if headers[PREFER] == f"wait={dialect.wait}":
        headers[PREFER] = f"wait={max(1, min(dialect.wait, int(timeout / 2)))}"
    headers.setdefault("cancel-after", f"{max(dialect.min_lifetime, math.ceil(timeout))}s")
    return polling, SendRequest(request=replace(request, headers=headers))


def _find_stream_url(prediction: Prediction) -> str:
    return (prediction.urls.stream if prediction.urls is not None else None) or ""
