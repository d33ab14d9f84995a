"""Exceptions carry their fault, and lead back to it."""

from __future__ import annotations

import copy
import json
import pickle

import aiohttp
import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor_fp.core import faults
from victor_fp.core.faults import FAULT_TYPES, Attempt, Fault, Partial, describe
from victor_fp.providers.errors import (
    ProviderAuthError,
    ProviderError,
    ProviderRateLimitError,
    ProviderTimeoutError,
    error_from,
    fault_from,
)

ATTEMPTS = st.lists(st.builds(Attempt, provider=st.just("p")), max_size=2).map(tuple)
FAULT: st.SearchStrategy[Fault] = st.one_of(
    *(
        st.builds(
            kind,
            provider=st.sampled_from(["", "p"]),
            model=st.none() | st.just("m"),
            message=st.text(max_size=10),
            status=st.none() | st.just(500),
            retry_after=st.none() | st.floats(0, 100),
            partial=st.none() | st.builds(Partial, content=st.text(max_size=5)),
            attempts=ATTEMPTS,
        )
        for kind in FAULT_TYPES
    )
)


@given(FAULT)
def test_error_from_and_fault_from_are_inverse(fault: Fault) -> None:
    assert fault_from(error_from(fault)) == fault


@given(FAULT)
def test_errors_survive_pickle_and_copy(fault: Fault) -> None:
    error = error_from(fault)
    assert pickle.loads(pickle.dumps(error)).fault == fault
    assert type(copy.copy(error)) is type(error)


@given(FAULT)
def test_error_messages_name_target_and_fault(fault: Fault) -> None:
    error = error_from(fault)
    assert isinstance(error, ProviderError)
    assert str(error) == describe(fault)
    assert type(fault).__name__ in str(error)


@pytest.mark.parametrize("kind", FAULT_TYPES)
def test_every_fault_has_an_exception_of_its_family(kind: type[Fault]) -> None:
    assert isinstance(error_from(kind()), ProviderError)


def make_decode_error() -> Exception:
    try:
        json.loads("<html>")
    except ValueError as error:
        return error
    raise AssertionError


class Slow(httpx.ReadTimeout):
    """Somebody's own name for a timeout."""


class Refused(Exception):
    """An SDK's error: the status is on it."""

    status_code = 429


def make_status_error(status: int) -> httpx.HTTPStatusError:
    request = httpx.Request("POST", "http://own.test")
    return httpx.HTTPStatusError("no", request=request, response=httpx.Response(status, request=request))


CAUSES: list[tuple[Exception, dict[str, object]]] = [
    (httpx.ConnectError("nobody there"), {"kind": faults.ConnectionFailed, "phase": "connect"}),
    (httpx.ConnectTimeout("slow"), {"kind": faults.TimedOut, "phase": "connect"}),
    (httpx.ReadTimeout("slow"), {"kind": faults.TimedOut, "phase": "read"}),
    (httpx.PoolTimeout("full"), {"kind": faults.TimedOut, "phase": "pool"}),
    (Slow("slow"), {"kind": faults.TimedOut, "phase": "read"}),
    (aiohttp.ServerDisconnectedError(), {"kind": faults.ConnectionFailed, "phase": "read"}),
    (TimeoutError(), {"kind": faults.TimedOut, "phase": "read"}),
    (ConnectionResetError(), {"kind": faults.ConnectionFailed, "phase": "read"}),
    (OSError("odd"), {"kind": faults.ConnectionFailed}),
    (make_decode_error(), {"kind": faults.InvalidResponse, "maybe_billed": True}),
    (KeyError("choices"), {"kind": faults.InvalidResponse, "maybe_billed": True}),
    (msgspec.DecodeError("bad"), {"kind": faults.InvalidResponse}),
    (httpx.DecodingError("bad"), {"kind": faults.InvalidResponse}),
    (make_status_error(429), {"kind": faults.RateLimited, "status": 429}),
    (make_status_error(503), {"kind": faults.Overloaded, "status": 503}),
    (Refused(), {"kind": faults.RateLimited, "status": 429}),
    (RuntimeError("odd"), {"kind": faults.ServerFailed}),
]


@pytest.mark.parametrize(("cause", "expected"), CAUSES, ids=lambda part: type(part).__name__)
def test_exceptions_of_clients_map_to_faults(cause: Exception, expected: dict[str, object]) -> None:
    facts = {name: value for name, value in expected.items() if name != "kind"}
    raised_from = ProviderError("no answer")
    raised_from.__cause__ = cause
    for error in (cause, ProviderError("no answer", raw_error=cause), raised_from):
        fault = fault_from(error, provider="p", model="m")
        assert type(fault) is expected["kind"]
        assert {name: getattr(fault, name) for name in facts} == facts
        assert (fault.provider, fault.model) == ("p", "m")
        if error is not cause:
            assert fault.message == "no answer"


def test_class_and_status_of_a_custom_error_are_kept() -> None:
    cause = httpx.ConnectTimeout("slow")
    for error, kind in (
        (ProviderAuthError("no", raw_error=cause), faults.AuthRejected),
        (ProviderRateLimitError("no", raw_error=cause, retry_after=3), faults.RateLimited),
        (ProviderError("no", status_code=404, raw_error=cause), faults.ModelNotFound),
        (ProviderError("no", status_code=500, raw_error=cause), faults.ServerFailed),
        (error_from(faults.ServerFailed(message="no")), faults.ServerFailed),
    ):
        error.__cause__ = cause
        assert type(fault_from(error)) is kind
    timeout = fault_from(ProviderTimeoutError("no", raw_error=cause))
    assert isinstance(timeout, faults.TimedOut)
    assert timeout.phase == "connect"
    assert ProviderError("no", raw_error="only words").fault == faults.ServerFailed(message="no")


def test_a_connection_that_breaks_in_the_middle_is_an_interruption() -> None:
    assert isinstance(fault_from(httpx.ReadError("reset"), reading=True), faults.StreamInterrupted)
    timeout = fault_from(httpx.ReadTimeout("slow"), reading=True)
    assert isinstance(timeout, faults.TimedOut)
    assert timeout.phase == "stream"


def test_foreign_exceptions_map_to_the_closest_fault() -> None:
    assert type(fault_from(TimeoutError("late"), provider="p")).__name__ == "TimedOut"
    assert type(fault_from(ConnectionResetError())).__name__ == "ConnectionFailed"
    assert type(fault_from(ValueError("odd"))).__name__ == "InvalidResponse"
    assert type(fault_from(RuntimeError("odd"))).__name__ == "ServerFailed"
