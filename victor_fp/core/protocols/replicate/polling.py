"""The pursuit of one prediction: created, then asked for until it is over, or streamed from where its body says.

Rules. What is asked of the API goes to the endpoint's own address by the prediction's id; of the addresses in a body only
that of the stream is followed, to the endpoint's own origin or to a host that the dialect allows, and there without a key.
A prediction that cannot stream, or streams elsewhere, is polled. A poll that fails for the moment is repeated.
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
from victor_fp.core.polling import (
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
from victor_fp.core.wire_decoding import Undecodable

PASSING = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses after which a poll is repeated."""
GROWTH = 1.5


class PredictionPolling(msgspec.Struct, frozen=True, kw_only=True):
    """Where the pursuit stands."""

    endpoint: Endpoint
    dialect: ReplicateDialect
    stream: bool
    id: str = ""
    """Empty until the prediction is known."""
    running: bool = False
    polls: int = 0
    failed: int = 0
    """Polls in a row that brought nothing."""

    @property
    def cancel(self) -> HttpRequest | None:
        """POST /predictions/{id}/cancel, while the prediction runs."""
        if not self.running:
            return None
        return build_request(self.endpoint, CancelPrediction(id=self.id))

    def advance(self, event: PollingEvent) -> tuple[PredictionPolling, PollingOrder]:
        """The state and the order after an exchange."""
        if isinstance(event, ExchangeFailed):
            return self._poll_again(0.0) or (self, StopPolling(event.fault))
        if event.status >= 400:
            wait = read_retry_after(event.headers) or 0.0
            repeated = self._poll_again(wait) if event.status in PASSING else None
            return repeated or (self, UseResponse(event))
        prediction = PREDICTIONS.decode(event.body)
        if isinstance(prediction, Undecodable) or not prediction.id or prediction.status not in RUNNING:
            return replace(self, running=False), UseResponse(event)
        known = replace(self, id=prediction.id, running=True, failed=0)
        address = _find_stream_url(prediction) if self.stream and not self.polls else ""
        if address and self._may_open(address):
            return known, OpenStream(self._build_stream_request(address))
        return _schedule_poll(known, 0.0)

    def _poll_again(self, wait: float) -> tuple[PredictionPolling, PollingOrder] | None:
        """The poll once more; None where it was not a poll, or failed too often."""
        if not self.running or self.failed >= self.dialect.patience:
            return None
        return _schedule_poll(replace(self, failed=self.failed + 1), wait)

    def _may_open(self, address: str) -> bool:
        if has_same_origin(address, self.endpoint.base_url):
            return True
        try:
            parts = urlsplit(address)
            host = parts.hostname if parts.port in (None, 443) else None
        except ValueError:
            return False
        hosts = self.dialect.stream_hosts
        return parts.scheme == "https" and host is not None and any(fnmatchcase(host, allowed) for allowed in hosts)

    def _build_stream_request(self, address: str) -> HttpRequest:
        """A key goes to the endpoint's own origin only."""
        own = build_headers(self.endpoint, json=False) if has_same_origin(address, self.endpoint.base_url) else {}
        headers = {**own, "accept": "text/event-stream", "cache-control": "no-store"}
        return HttpRequest(method="GET", url=address, headers=headers)


def _schedule_poll(pursuit: PredictionPolling, least: float) -> tuple[PredictionPolling, PollingOrder]:
    """Ask again, after a delay that grows with every poll."""
    endpoint, dialect = pursuit.endpoint, pursuit.dialect
    delay = min(dialect.slowest_poll, dialect.poll * GROWTH ** min(pursuit.polls, 64))
    request = build_request(endpoint, GetPrediction(id=pursuit.id))
    return replace(pursuit, polls=pursuit.polls + 1), SendRequest(request=request, delay=max(delay, least))


def begin(
    endpoint: Endpoint,
    dialect: ReplicateDialect,
    request: HttpRequest,
    stream: bool,  # noqa: FBT001  Follow's signature
    timeout: float,
) -> tuple[PredictionPolling, SendRequest]:
    """The creation. A whole answer is waited for no longer than half the time allowed, so that there is some left to ask
    again, and the prediction ends with the attempt even if the caller is gone before its id is known."""
    pursuit = PredictionPolling(endpoint=endpoint, dialect=dialect, stream=stream)
    if stream or PREFER not in request.headers:
        return pursuit, SendRequest(request=request)
    headers = dict(request.headers)
    if headers[PREFER] == f"wait={dialect.wait}":
        headers[PREFER] = f"wait={max(1, min(dialect.wait, int(timeout / 2)))}"
    headers.setdefault("cancel-after", f"{max(dialect.least_lifetime, math.ceil(timeout))}s")
    return pursuit, SendRequest(request=replace(request, headers=headers))


def _find_stream_url(prediction: Prediction) -> str:
    return (prediction.urls.stream if prediction.urls is not None else None) or ""
