"""Polling of a background response: the next request, the end of polling, and cancellation."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from returns.result import Failure, Success

from tests.example_counts import scale_examples
from victor_fp.core.faults import ConnectionFailed
from victor_fp.core.long_running.background import (
    EXCHANGE_TIMEOUT,
    MAX_DELAY,
    MAX_FAILED_POLLS,
    Background,
    BackgroundPolling,
    BackgroundStatus,
    begin_polling,
    read_handle,
)
from victor_fp.core.long_running.polling import (
    ExchangeDone,
    ExchangeFailed,
    PollingEvent,
    PollingOrder,
    SendRequest,
    StopPolling,
    UseResponse,
)
from victor_fp.core.requests import HttpRequest
from victor_fp.core.result import outcome

CREATE = HttpRequest(url="https://api.example/responses", body=b"{}")
DOWN = ExchangeFailed(ConnectionFailed(message="reset"))


def get(id_: str) -> HttpRequest:
    return HttpRequest(method="GET", url=f"https://api.example/responses/{id_}")


def cancel(id_: str) -> HttpRequest:
    return HttpRequest(url=f"https://api.example/responses/{id_}/cancel")


def read_status(body: bytes) -> BackgroundStatus:
    return BackgroundStatus(**json.loads(body))


BACKGROUND = Background(read_status=read_status, retrieve=get, cancel=cancel)


def make_exchange(progress: str = "running", status: int = 200, **headers: str) -> ExchangeDone:
    body = json.dumps({"id": "r1", "progress": progress}).encode()
    return ExchangeDone(status=status, headers={name.replace("_", "-"): it for name, it in headers.items()}, body=body)


def begun(request: HttpRequest = CREATE, timeout: float = 1e6) -> tuple[BackgroundPolling, SendRequest]:
    return begin_polling(BACKGROUND, request, False, timeout)


def apply_events(*events: PollingEvent, request: HttpRequest = CREATE) -> tuple[Any, list[PollingOrder]]:
    polling: Any = begun(request)[0]
    orders: list[PollingOrder] = []
    for event in events:
        polling, order = polling.advance(event)
        orders.append(order)
    return polling, orders


def test_it_begins_with_the_request_itself_which_has_its_own_timeout() -> None:
    assert begun()[1] == SendRequest(request=CREATE, timeout=EXCHANGE_TIMEOUT)
    assert begun(timeout=2.0)[1].timeout == 2.0


def test_a_response_that_has_ended_is_used_as_it_is() -> None:
    ended = make_exchange("ended")
    polling, orders = apply_events(ended)
    assert orders == [UseResponse(ended)]
    assert polling.cancel is None


def test_polling_delays_increase() -> None:
    polling, orders = apply_events(*[make_exchange()] * 12)
    assert all(isinstance(order, SendRequest) and order.request == get("r1") for order in orders)
    delays = [order.delay for order in orders if isinstance(order, SendRequest)]
    assert delays[:3] == [1.0, 1.5, 2.25]
    assert (delays, delays[-1]) == (sorted(delays), MAX_DELAY)
    assert polling.cancel == cancel("r1")


def test_temporary_poll_failures_are_retried_and_may_set_the_delay() -> None:
    _, orders = apply_events(
        make_exchange(), DOWN, make_exchange(status=503), make_exchange(status=429, retry_after="30"), make_exchange()
    )
    delays = [order.delay for order in orders if isinstance(order, SendRequest)]
    assert (len(delays), delays[3]) == (5, 30.0)


def test_polls_that_keep_failing_end_the_waiting() -> None:
    polling, orders = apply_events(make_exchange(), *[DOWN] * (MAX_FAILED_POLLS + 1))
    assert orders[-1] == StopPolling(DOWN.fault)
    assert polling.cancel == cancel("r1")


@pytest.mark.parametrize("event", [make_exchange(status=429), make_exchange(status=500), make_exchange(status=401)])
def test_a_failed_creation_is_not_retried_by_polling(event: ExchangeDone) -> None:
    assert apply_events(event)[1] == [UseResponse(event)]
    assert apply_events(DOWN)[1] == [StopPolling(DOWN.fault)]


def test_a_poll_that_is_refused_ends_the_waiting() -> None:
    gone = make_exchange(status=404)
    assert apply_events(make_exchange(), gone)[1][-1] == UseResponse(gone)


def test_resumed_response_is_never_cancelled() -> None:
    polling, orders = apply_events(make_exchange(), make_exchange(), request=get("r1"))
    assert isinstance(orders[-1], SendRequest)
    assert polling.cancel is None


@settings(max_examples=scale_examples(200), deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                make_exchange(),
                make_exchange("ended"),
                make_exchange("unknown"),
                DOWN,
                make_exchange(status=500),
                make_exchange(status=403),
            ]
        ),
        max_size=40,
    )
)
def test_only_the_response_itself_is_polled(events: list[PollingEvent]) -> None:
    polling: Any = begun()[0]
    for event in events:
        polling, order = polling.advance(event)
        if not isinstance(order, SendRequest):
            break
        assert order.request == get("r1")
        assert 0 < order.delay <= MAX_DELAY
    if polling.cancel is not None:
        assert polling.cancel == cancel("r1")


def test_a_handle_is_read_from_plain_json() -> None:
    handle = {"provider": "openai-responses", "model": "m", "id": "r1"}
    assert outcome(read_handle("p", json.loads(json.dumps({**handle, "note": 1})))) == Success(handle)
    named = {**handle, "tool_names": {"fs_read": "fs.read"}}
    assert outcome(read_handle("p", json.loads(json.dumps(named)))) == Success(named)
    for wrong in ("fs_read", {"fs_read": 1}, ["fs_read"]):
        assert "tool_names" in read_handle("p", {**handle, "tool_names": wrong}).failure().message


@settings(max_examples=scale_examples(100), deadline=None)
@given(
    st.none()
    | st.text()
    | st.dictionaries(st.sampled_from(["provider", "model", "id"]), st.none() | st.text(max_size=2))
)
def test_invalid_handle_is_rejected(value: object) -> None:
    match outcome(read_handle("p", value)):
        case Success(handle):
            assert handle == value
            assert handle["id"]
        case Failure(fault):
            assert type(fault).__name__ == "InvalidRequest"
            assert "handle" in fault.message
