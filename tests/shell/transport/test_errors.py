"""Exceptions of HTTP clients are classified by class and causes."""

from __future__ import annotations

import errno
import socket
import ssl
from typing import Any

import aiohttp
import httpcore
import httpx
import pytest
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.http_exceptions import BadHttpMessage

from victor_fp.core.faults import ConnectionFailed, Fault, InvalidRequest, InvalidResponse, StreamInterrupted, TimedOut
from victor_fp.shell.transport.errors import Stage, fault_from_error, known_fault_from_error

KEY = ConnectionKey("vendor.test", 443, True, True, None, None, None)


def chain(*errors: BaseException) -> BaseException:
    """The first error, caused by the second, and so on."""
    for outer, inner in zip(errors, errors[1:], strict=False):
        outer.__cause__ = inner
    return errors[0]


def get_facts(fault: Fault) -> tuple[str, str | None, bool]:
    return type(fault).__name__, getattr(fault, "phase", None), fault.maybe_billed


REFUSED = OSError(errno.ECONNREFUSED, "refused")
CASES: list[tuple[BaseException, Stage, tuple[str, str | None, bool]]] = [
    (chain(aiohttp.ConnectionTimeoutError(), TimeoutError()), "opening", ("TimedOut", "connect", False)),
    (
        chain(httpx.ConnectTimeout(""), httpcore.ConnectTimeout(), TimeoutError()),
        "opening",
        ("TimedOut", "connect", False),
    ),
    (httpx.PoolTimeout(""), "opening", ("TimedOut", "pool", False)),
    (chain(httpx.WriteTimeout(""), TimeoutError()), "opening", ("TimedOut", "write", True)),
    (aiohttp.SocketTimeoutError(), "opening", ("TimedOut", "read", True)),
    (aiohttp.SocketTimeoutError(), "reading", ("TimedOut", "stream", True)),
    (TimeoutError(), "opening", ("TimedOut", "read", True)),
    (chain(aiohttp.ClientConnectorError(KEY, REFUSED), REFUSED), "opening", ("ConnectionFailed", "connect", False)),
    (
        chain(aiohttp.ClientConnectorError(KEY, ConnectionResetError()), ConnectionResetError()),
        "opening",
        ("ConnectionFailed", "connect", False),
    ),
    (
        chain(aiohttp.ClientConnectorDNSError(KEY, socket.gaierror()), socket.gaierror()),
        "opening",
        ("ConnectionFailed", "connect", False),
    ),
    (aiohttp.ServerDisconnectedError(), "opening", ("ConnectionFailed", "read", True)),
    # httpx-aiohttp's name for a connection that broke while the response was waited for
    (chain(httpx.ConnectTimeout(""), aiohttp.ServerDisconnectedError()), "opening", ("ConnectionFailed", "read", True)),
    (chain(httpx.ReadError(""), ConnectionResetError()), "opening", ("ConnectionFailed", "read", True)),
    (chain(httpx.ReadError(""), ConnectionResetError()), "reading", ("StreamInterrupted", "stream", True)),
    (ConnectionResetError(), "reading", ("StreamInterrupted", "stream", True)),
    (chain(aiohttp.ClientOSError(), ssl.SSLError("bad record")), "reading", ("StreamInterrupted", "stream", True)),
    (ssl.SSLError("handshake"), "opening", ("ConnectionFailed", "connect", False)),
    (ssl.SSLError("bad record"), "reading", ("StreamInterrupted", "stream", True)),
    (aiohttp.ClientPayloadError(), "reading", ("StreamInterrupted", "stream", True)),
    (httpx.RemoteProtocolError(""), "opening", ("ConnectionFailed", "read", True)),
    (httpx.RemoteProtocolError("illegal status line: b'SSH-2.0'"), "opening", ("InvalidResponse", None, True)),
    (httpx.RemoteProtocolError("Server disconnected without ..."), "opening", ("ConnectionFailed", "read", True)),
    (httpx.RemoteProtocolError("<StreamReset error_code:8>"), "reading", ("StreamInterrupted", "stream", True)),
    (httpx.RemoteProtocolError("peer closed connection ..."), "reading", ("StreamInterrupted", "stream", True)),
    (httpx.InvalidURL("x"), "opening", ("InvalidRequest", None, False)),
    (AssertionError("no route"), "opening", ("InvalidRequest", None, False)),
    (RuntimeError("odd"), "opening", ("ConnectionFailed", "read", True)),
    (RuntimeError("Event loop is closed"), "opening", ("InvalidRequest", None, True)),
    (RuntimeError("<Event> is bound to a different event loop"), "opening", ("InvalidRequest", None, True)),
    (RuntimeError("Task <x> got Future <y> attached to a different loop"), "reading", ("InvalidRequest", None, True)),
    (RuntimeError("odd"), "reading", ("StreamInterrupted", "stream", True)),
]


@pytest.mark.parametrize(("error", "stage", "expected"), CASES)
def test_errors_are_classified_by_their_causes(
    error: BaseException, stage: Stage, expected: tuple[str, str | None, bool]
) -> None:
    assert get_facts(fault_from_error(error, stage, 5)) == expected


def test_subclass_maps_like_its_base_class() -> None:
    class OwnTimeout(httpx.ReadTimeout):
        pass

    assert get_facts(fault_from_error(OwnTimeout(""), "opening")) == ("TimedOut", "read", True)


@pytest.mark.parametrize("error", [RuntimeError("odd"), ValueError(), KeyError("x"), AssertionError()])
def test_exceptions_of_other_code_are_not_mapped(error: Exception) -> None:
    assert known_fault_from_error(error, "opening") is None


def test_a_url_in_an_error_is_shown_without_its_user() -> None:
    fault = fault_from_error(httpx.UnsupportedProtocol("bad URL ftp://me:hunter2@vendor.test"), "opening")
    assert isinstance(fault, InvalidRequest)
    assert "hunter2" not in fault.message


@pytest.mark.parametrize(
    ("phase_error", "message"),
    [
        (httpx.ConnectTimeout(""), "timed out connecting after 2.5 s"),
        (httpx.WriteTimeout(""), "timed out sending the request after 2.5 s"),
        (httpx.ReadTimeout(""), "timed out waiting for the response after 2.5 s"),
    ],
)
def test_timeout_messages_name_the_phase(phase_error: Exception, message: str) -> None:
    fault: Any = fault_from_error(phase_error, "opening", 2.5)
    assert isinstance(fault, TimedOut)
    assert (fault.message, fault.seconds) == (message, 2.5)


def test_the_message_about_malformed_http_says_what_is_wrong() -> None:
    fault = fault_from_error(BadHttpMessage("Invalid header token"), "opening")
    assert fault.message == "response is not valid HTTP: BadHttpMessage: Invalid header token"


def test_what_is_left_of_a_deadline_is_shown_in_milliseconds() -> None:
    fault = fault_from_error(httpx.ReadTimeout(""), "opening", 0.2997683)
    assert fault.message == "timed out waiting for the response after 0.3 s"


def test_every_fault_of_a_transport_is_of_a_known_kind() -> None:
    kinds = (ConnectionFailed, InvalidRequest, InvalidResponse, StreamInterrupted, TimedOut)
    assert all(isinstance(fault_from_error(error, stage), kinds) for error, stage, _ in CASES)


def test_a_client_of_another_event_loop_is_named() -> None:
    fault = fault_from_error(RuntimeError("Event loop is closed"), "opening")
    assert fault.message == "the HTTP client was used in another event loop: create one client for each event loop"
