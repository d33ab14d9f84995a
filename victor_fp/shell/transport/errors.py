"""What an exception of the HTTP client means, by its cause and not by its outer class.

The aiohttp transport reports a refused connection and a reset before the headers as connect timeouts, and lets some
errors of its own through. So the chain of causes is read from the inside out, and the first class that is known decides.
Names are compared, so that neither client need be loaded to be understood.
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

Stage: TypeAlias = Literal["opening", "reading"]
"""Before the answer's headers, or after."""

_TIMEOUTS: dict[str, Phase] = {
    "ConnectionTimeoutError": "connect",  # aiohttp
    "SocketTimeoutError": "read",  # aiohttp
    "ServerTimeoutError": "read",  # aiohttp
    "ConnectTimeout": "connect",
    "ReadTimeout": "read",
    "WriteTimeout": "write",
    "PoolTimeout": "pool",
    "TimeoutError": "read",
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
        "gaierror",
        "SSLCertVerificationError",
        "SSLError",
        "ConnectionRefusedError",
    }
)
_BROKEN_PIPES = frozenset(
    {
        "ServerDisconnectedError",
        "ClientOSError",
        "ClientConnectionResetError",
        "ConnectionResetError",
        "BrokenPipeError",
        "ConnectionAbortedError",
        "ReadError",
        "WriteError",
        "CloseError",
        "ClientConnectionError",
        "ClosedResourceError",
        "BrokenResourceError",
    }
)
_CUT_SHORT = frozenset({"ClientPayloadError", "TransferEncodingError", "ContentLengthError", "RemoteProtocolError"})
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
_TRANSPORTS = frozenset({"ClientError", "ConnectionError", "NetworkError", "TransportError"})
"""What is left of httpx's, aiohttp's, requests' and the system's own when nothing nearer is known."""
_NOT_A_URL = frozenset({"InvalidURL", "InvalidUrlClientError", "NonHttpUrlClientError", "UnsupportedProtocol"})


def fault_from_error(error: BaseException, stage: Stage, timeout: float | None = None) -> Fault:
    """The fault for an exception that came while opening or reading."""
    return known_fault_from_error(error, stage, timeout) or _cut(stage, _words(error))


def known_fault_from_error(error: BaseException, stage: Stage, timeout: float | None = None) -> Fault | None:
    """The same for an exception that may be anything; None where neither it nor its causes are a transport's."""
    chain = _list_causes(error)
    for cause in chain:
        if isinstance(cause, OSError) and cause.errno == errno.ECONNREFUSED:
            return ConnectionFailed(message="the connection was refused")
        fault = _fault_from_name(type(cause).__name__, cause, stage, timeout)
        if fault is not None:
            return fault
    # A class of somebody's own stands for the nearest one that is known.
    bases = ((cause, base.__name__) for cause in chain for base in type(cause).__mro__)
    named = (_fault_from_name(name, cause, stage, timeout) for cause, name in bases)
    return next((fault for fault in named if fault is not None), None)


def _fault_from_name(name: str, cause: BaseException, stage: Stage, timeout: float | None) -> Fault | None:
    if name in _TIMEOUTS:
        return timeout_fault(_TIMEOUTS[name], stage, timeout)
    if name in _NOT_A_URL:
        return InvalidRequest(message=f"the URL cannot be used: {cause}")
    if name in _CONNECTING:
        return ConnectionFailed(message=_words(cause))
    if name in _NOT_HTTP:
        return InvalidResponse(message=f"the answer is no valid HTTP: {_words(cause)}", maybe_billed=True)
    if name in _CUT_SHORT:
        return _cut(stage, "the answer was cut short")
    if name in _BROKEN_PIPES:
        return _cut(stage, "the connection was reset")
    if name in _TRANSPORTS:
        return _cut(stage, _words(cause))
    return None


def timeout_fault(phase: Phase, stage: Stage, timeout: float | None) -> TimedOut:
    """Nothing came in time."""
    phase = "stream" if stage == "reading" else phase
    bound = "" if timeout is None else f" within {timeout:g} s"
    doing = "connecting" if phase in ("connect", "pool") else "waiting for an answer"
    return TimedOut(
        message=f"timed out {doing}{bound}", phase=phase, seconds=timeout, maybe_billed=phase not in ("connect", "pool")
    )


def _cut(stage: Stage, message: str) -> Fault:
    if stage == "opening":
        return ConnectionFailed(message=f"{message} before the answer began", phase="read", maybe_billed=True)
    return StreamInterrupted(message=f"{message} in the middle of the answer", maybe_billed=True)


def _list_causes(error: BaseException) -> list[BaseException]:
    """The chain of causes, innermost first; implicit contexts count where there is no explicit cause."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return chain[::-1]


def _words(error: BaseException) -> str:
    """Its class and first line: enough to act on, short enough to show."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:300]}" if text else type(error).__name__
