"""Polling of a prediction: the next request, and which origins are sent the key."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.protocols.replicate.answers import API, build_prediction
from tests.core.protocols.replicate.requests import request
from tests.example_counts import scale_examples
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.faults import ConnectionFailed
from victor_fp.core.long_running.polling import (
    ExchangeDone,
    ExchangeFailed,
    OpenStream,
    Polling,
    PollingOrder,
    SendRequest,
    StopPolling,
    UseResponse,
)
from victor_fp.core.protocols import codec_for
from victor_fp.core.protocols.endpoints import build_endpoint

ENDPOINT = build_endpoint(CATALOGUE.find("replicate").unwrap()).unwrap()
STREAM = "https://stream.replicate.com/v1/files/abc"
DOWN = ExchangeFailed(ConnectionFailed(message="reset"))


def begun(*, stream: bool = False, timeout: float = 60.0, **more: Any) -> tuple[Polling, SendRequest]:
    follow = codec_for(ENDPOINT).start_polling
    assert follow is not None
    return follow(request(stream=stream, **more), stream, timeout)


def make_exchange(
    status: str = "processing", code: int = 200, headers: dict[str, str] | None = None, **changes: Any
) -> ExchangeDone:
    body = json.dumps(build_prediction(status, **changes)).encode()
    return ExchangeDone(status=code, headers=headers or {}, body=body)


def start_prediction(stream_url: str, *, stream: bool = True) -> PollingOrder:
    """The order after a prediction that says where it streams."""
    urls = {"get": f"{API}/predictions/pred1", "stream": stream_url}
    return begun(stream=stream)[0].advance(make_exchange("starting", 201, urls=urls))[1]


def test_it_begins_with_the_request_itself() -> None:
    _, order = begun(stream=True)
    assert order == SendRequest(request=request(stream=True))


@pytest.mark.parametrize(
    ("timeout", "wait", "lifetime"),
    [(60.0, "wait=10", "60s"), (4.2, "wait=2", "5s"), (0.2, "wait=1", "5s"), (7.5, "wait=3", "8s")],
)
def test_the_wait_header_leaves_time_for_a_poll_and_ends_with_the_attempt(
    timeout: float, wait: str, lifetime: str
) -> None:
    headers = begun(timeout=timeout)[1].request.headers
    assert (headers["prefer"], headers["cancel-after"]) == (wait, lifetime)


def test_a_wait_header_of_the_caller_is_kept() -> None:
    headers = begun(extra_headers={"Prefer": "wait=60", "Cancel-After": "1h"})[1].request.headers
    assert (headers["prefer"], headers["cancel-after"]) == ("wait=60", "1h")


@pytest.mark.parametrize("status", ["succeeded", "failed", "canceled", "aborted", "yet_unknown"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_finished_prediction_is_returned(status: str, stream: bool) -> None:
    event = make_exchange(status, 201)
    following, order = begun(stream=stream)[0].advance(event)
    assert (order, following.cancel) == (UseResponse(event), None)


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"status": "processing"}', b"[]"])
def test_a_body_that_is_not_a_prediction_is_returned_for_decoding(body: bytes) -> None:
    event = ExchangeDone(status=200, headers={}, body=body)
    assert begun()[0].advance(event)[1] == UseResponse(event)


def test_a_running_prediction_is_polled_at_the_endpoint_with_increasing_delays() -> None:
    following, order = begun()[0].advance(make_exchange("starting", 201, urls={"get": "https://evil.example/x"}))
    delays = []
    for _ in range(8):
        assert isinstance(order, SendRequest)
        assert (order.request.method, order.request.url) == ("GET", f"{API}/predictions/pred1")
        assert order.request.headers == {"authorization": "Bearer <secret>"}
        delays.append(order.delay)
        following, order = following.advance(make_exchange())
    assert delays[0] == 0.5
    assert delays == sorted(delays)
    assert delays[-1] == 3.0


def test_leaving_cancels_a_running_prediction() -> None:
    fresh, _ = begun()
    assert fresh.cancel is None
    following, _ = fresh.advance(make_exchange("starting", 201))
    assert following.cancel is not None
    assert (following.cancel.method, following.cancel.url) == ("POST", f"{API}/predictions/pred1/cancel")
    assert following.cancel.headers == {"authorization": "Bearer <secret>"}
    assert following.advance(make_exchange("succeeded"))[0].cancel is None


def test_an_id_is_escaped_in_the_path() -> None:
    following, order = begun()[0].advance(make_exchange("starting", 201, id="../account?x=1"))
    assert isinstance(order, SendRequest)
    assert order.request.url == f"{API}/predictions/..%2Faccount%3Fx=1"
    assert following.cancel is not None
    assert following.cancel.url == f"{API}/predictions/..%2Faccount%3Fx=1/cancel"


@pytest.mark.parametrize(
    "address", [STREAM, "https://streaming-api.svc.us.c.replicate.net/v1/streams/abc", f"{STREAM}:443"]
)
def test_a_stream_is_opened_without_a_key(address: str) -> None:
    order = start_prediction(address)
    assert isinstance(order, OpenStream)
    assert (order.request.method, order.request.url) == ("GET", address)
    assert order.request.headers == {"accept": "text/event-stream", "cache-control": "no-store"}


def test_a_stream_at_the_origin_of_the_endpoint_is_sent_the_key() -> None:
    order = start_prediction("https://api.replicate.com/streams/abc")
    assert isinstance(order, OpenStream)
    assert order.request.headers["authorization"] == "Bearer <secret>"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "https://evil.example/stream.replicate.com",
        "https://stream.replicate.com.evil.example/x",
        "https://stream.replicate.com@evil.example/x",
        "https://evilreplicate.net/x",
        "http://stream.replicate.com/v1/files/abc",
        "https://stream.replicate.com:8443/x",
        "https://stream.replicate.com:x/",
        "http://api.replicate.com/x",
        "https://169.254.169.254/x",
        "file:///etc/passwd",
        "//stream.replicate.com/x",
    ],
)
def test_a_stream_at_another_origin_is_not_opened_and_the_prediction_is_polled(address: str) -> None:
    order = start_prediction(address)
    assert isinstance(order, SendRequest)
    assert order.request.url == f"{API}/predictions/pred1"


def test_a_call_does_not_open_a_stream() -> None:
    assert isinstance(start_prediction(STREAM, stream=False), SendRequest)


def test_a_failed_creation_is_returned_or_ends_polling() -> None:
    event = ExchangeDone(status=503, headers={}, body=b"")
    assert begun()[0].advance(event)[1] == UseResponse(event)
    assert begun()[0].advance(DOWN)[1] == StopPolling(DOWN.fault)


def test_temporary_poll_failures_are_retried_a_few_times() -> None:
    following, _ = begun()[0].advance(make_exchange("starting", 201))
    busy = ExchangeDone(status=502, headers={}, body=b"")
    for event in (DOWN, busy, DOWN):
        following, order = following.advance(event)
        assert isinstance(order, SendRequest)
    assert following.advance(busy)[1] == UseResponse(busy)
    assert following.advance(DOWN)[1] == StopPolling(DOWN.fault)
    assert following.cancel is not None
    recovered, _ = following.advance(make_exchange())
    assert isinstance(recovered.advance(DOWN)[1], SendRequest)


def test_retry_after_of_a_poll_is_honoured() -> None:
    following, _ = begun()[0].advance(make_exchange("starting", 201))
    _, order = following.advance(ExchangeDone(status=429, headers={"retry-after": "9"}, body=b""))
    assert isinstance(order, SendRequest)
    assert order.delay == 9.0


def test_a_rejected_poll_is_returned() -> None:
    following, _ = begun()[0].advance(make_exchange("starting", 201))
    gone = ExchangeDone(status=404, headers={}, body=b"{}")
    assert following.advance(gone)[1] == UseResponse(gone)


EVENTS = st.one_of(
    st.sampled_from(["starting", "processing", "succeeded", "failed", "canceled"]).map(make_exchange),
    st.sampled_from(
        [DOWN, ExchangeDone(status=500, headers={}, body=b""), ExchangeDone(status=401, headers={}, body=b"x")]
    ),
    st.binary(max_size=20).map(lambda body: ExchangeDone(status=200, headers={}, body=body)),
)


@settings(max_examples=scale_examples(80), deadline=None)
@given(st.booleans(), st.lists(EVENTS, min_size=1, max_size=12))
def test_the_secret_never_leaves_the_endpoint_s_origin(
    stream: bool, events: list[ExchangeDone | ExchangeFailed]
) -> None:
    order: PollingOrder
    following, order = begun(stream=stream)
    for event in events:
        following, order = following.advance(event)
        asked = order.request if isinstance(order, SendRequest | OpenStream) else None
        for sent in (asked, following.cancel):
            if sent is not None and any("<secret>" in value for value in sent.headers.values()):
                assert sent.url.startswith(f"{API}/predictions/")
        if not isinstance(order, SendRequest):
            break
