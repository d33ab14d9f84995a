"""Mapping of exceptions of HTTP clients and of the system to faults.

The chain of causes is searched from the innermost exception outwards for a known class. Classes of the HTTP clients
take precedence over those of the system: a `ConnectionResetError` does not show whether it happened while connecting or
during a response, but aiohttp's `ClientConnectorError` around it does. Classes are compared by name, so that no client
is imported.
"""

from __future__ import annotations

import errno
from typing import Literal, TypeAlias

from victor_fp.core.faults import (
    ConnectionFailed,
    Fault,
    InvalidRequest,
    InvalidResponse,
    Phase,
    StreamInterrupted,
    TimedOut,
)
from victor_fp.core.security.redaction import redact_url

Stage: TypeAlias = Literal["opening", "reading"]
"""Before the response headers, or after them."""

_TIMEOUTS: dict[str, Phase] = {
    "ConnectionTimeoutError": "connect",  # aiohttp
    "SocketTimeoutError": "read",  # aiohttp
    "ServerTimeoutError": "read",  # aiohttp
    "ConnectTimeout": "connect",
    "ReadTimeout": "read",
    "WriteTimeout": "write",
    "PoolTimeout": "pool",
}
_CONNECTING = frozenset(
    {
        "ClientConnectorError",
        "ClientConnectorDNSError",
        "ClientConnectorSSLError",
        "ClientConnectorCertificateError",
        "ClientProxyConnectionError",
        "ClientHttpProxyError",
        "ConnectError",
        "ProxyError",
    }
)
_BROKEN_CONNECTIONS = frozenset(
    {
        "ClientOSError",
        "ClientConnectionResetError",
        "ReadError",
        "WriteError",
        "CloseError",
        "ClientConnectionError",
        "ClosedResourceError",
        "BrokenResourceError",
    }
)
_CUT_SHORT = frozenset(
    {
        "ClientPayloadError",
        "TransferEncodingError",
        "ContentLengthError",
        "RemoteProtocolError",
        "IncompleteBodyError",
        "ServerDisconnectedError",
    }
)
_ENDED = ("peer ", "Server disconnected", "<")
"""How the texts of RemoteProtocolError begin if the connection or the stream ended; "<" is an event of HTTP/2."""
_NOT_HTTP = frozenset(
    {
        "BadStatusLine",
        "BadHttpMessage",
        "BadHttpMethod",
        "InvalidHeader",
        "LineTooLong",
        "ClientResponseError",
        "DecodingError",
        "ContentEncodingError",
        "LocalProtocolError",
    }
)
_TOO_LARGE = {
    "Too many headers": "the response has more headers than the HTTP client accepts",
    "Got more than": "a header or the status line of the response is longer than the HTTP client accepts",
    "Receive buffer too long": "the headers of the response are longer than the HTTP client accepts",
}
"""Messages for texts of aiohttp and h11 about valid responses that exceed a limit; their texts quote the header."""
_OTHER_LOOP = ("Event loop is closed", "different event loop", "different loop")
_NOT_A_URL = frozenset({"InvalidURL", "InvalidUrlClientError", "NonHttpUrlClientError", "UnsupportedProtocol"})
_TRANSPORTS = frozenset({"ClientError", "ConnectionError", "NetworkError", "TransportError"})
"""Base classes of the exceptions of httpx, aiohttp, requests and the system, for subclasses that are not known."""

_SYSTEM_CONNECTING = frozenset({"gaierror", "SSLCertVerificationError", "SSLError", "ConnectionRefusedError"})
_SYSTEM_BROKEN = frozenset({"ConnectionResetError", "BrokenPipeError", "ConnectionAbortedError"})


def fault_from_error(error: BaseException, stage: Stage, timeout: float | None = None) -> Fault:
    """Return the fault for an exception that was raised while opening or reading."""
    if isinstance(error, AssertionError):  # of a test double, such as respx for a URL without a route
        return InvalidRequest(message=f"request rejected by a test double: {_describe(error)}")
    return known_fault_from_error(error, stage, timeout) or _cut(stage, _describe(error))


def known_fault_from_error(error: BaseException, stage: Stage, timeout: float | None = None) -> Fault | None:
    """Return the fault for an exception of any kind, or None if neither it nor its causes come from a transport."""
    chain = _list_causes(error)
    for cause in chain:
        if isinstance(cause, OSError) and cause.errno == errno.ECONNREFUSED:
            is_proxy = any(type(outer).__name__ == "ClientProxyConnectionError" for outer in chain)
            return ConnectionFailed(message="connection refused by the proxy" if is_proxy else "connection refused")
        if type(cause) is RuntimeError and any(text in str(cause) for text in _OTHER_LOOP):
            # The request may have been sent on a connection whose response the other loop would read.
            message = "the HTTP client was used in another event loop: create one client for each event loop"
            return InvalidRequest(message=message, maybe_billed=True)
    for read in (_fault_from_client, _fault_from_system):
        for cause in chain:
            if (fault := read(type(cause).__name__, cause, stage, timeout)) is not None:
                return fault
    # Classes that are not known by name are mapped by their nearest known base class.
    bases = [(cause, base.__name__) for cause in chain for base in type(cause).__mro__]
    for read in (_fault_from_client, _fault_from_system):
        for cause, name in bases:
            if (fault := read(name, cause, stage, timeout)) is not None:
                return fault
    return None


def _fault_from_client(name: str, cause: BaseException, stage: Stage, timeout: float | None) -> Fault | None:
    """Return the fault for a class of an HTTP client."""
    if name in _TIMEOUTS:
        return build_timeout_fault(_TIMEOUTS[name], stage, timeout)
    if name in _NOT_A_URL:
        return InvalidRequest(message=f"URL is not valid: {redact_url(str(cause))[:200]}")
    if name in _CONNECTING:
        return ConnectionFailed(message=_describe(cause))
    if name in _NOT_HTTP or _is_malformed(name, str(cause)):
        for text, message in _TOO_LARGE.items():
            if text in str(cause):
                return InvalidResponse(message=message, maybe_billed=True)
        return InvalidResponse(message=f"response is not valid HTTP: {_describe(cause)}", maybe_billed=True)
    if name in _CUT_SHORT:
        return _cut(stage, "connection was closed" if stage == "opening" else "response was truncated")
    if name in _BROKEN_CONNECTIONS:
        return _cut(stage, "connection was reset")
    return None


def _is_malformed(name: str, text: str) -> bool:
    """Return whether an exception of httpx means a malformed response; it has one class for these and truncated ones."""
    return name == "RemoteProtocolError" and text != "" and not text.startswith(_ENDED)


def _fault_from_system(name: str, cause: BaseException, stage: Stage, timeout: float | None) -> Fault | None:
    """Return the fault for a class of the system, or for a base class of a client."""
    if name == "TimeoutError":
        return build_timeout_fault("read", stage, timeout)
    if name in _SYSTEM_CONNECTING and stage == "opening":
        return ConnectionFailed(message=_describe(cause))
    if name in _SYSTEM_CONNECTING:
        return _cut(stage, _describe(cause))
    if name in _SYSTEM_BROKEN:
        return _cut(stage, "connection was reset")
    if name in _TRANSPORTS:
        return _cut(stage, _describe(cause))
    return None


def build_timeout_fault(phase: Phase, stage: Stage, timeout: float | None) -> TimedOut:
    """Return the fault for a timeout of `timeout` seconds."""
    phase = "stream" if stage == "reading" else phase
    bound = "" if timeout is None else f" after {round(timeout, 3):g} s"  # what is left of a deadline has many digits
    match phase:
        case "connect" | "pool":
            doing = "connecting"
        case "write":
            doing = "sending the request"
        case _:
            doing = "waiting for the response"
    return TimedOut(
        message=f"timed out {doing}{bound}", phase=phase, seconds=timeout, maybe_billed=phase not in ("connect", "pool")
    )


def _cut(stage: Stage, message: str) -> Fault:
    if stage == "opening":
        return ConnectionFailed(message=f"{message} before the response began", phase="read", maybe_billed=True)
    return StreamInterrupted(message=f"{message} before the response was complete", maybe_billed=True)


def _list_causes(error: BaseException) -> list[BaseException]:
    """Return the chain of causes, innermost first; `__context__` is used if there is no `__cause__`."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return chain[::-1]


def _describe(error: BaseException) -> str:
    """Return the class and the first line of the message."""
    # The texts of aiohttp's exceptions about malformed HTTP begin with a status that no server sent.
    lines = str(error).removeprefix("400, message:\n").strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
