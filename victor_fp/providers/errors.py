"""Exceptions with faults, and the mapping of other exceptions to faults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, assert_never

import msgspec

from victor_fp.core.classification.statuses import choose_fault_type
from victor_fp.core.faults import (
    AllFallbacksFailed,
    AuthRejected,
    BudgetExceeded,
    Cancelled,
    CircuitOpen,
    ConnectionFailed,
    ContentRefused,
    ContextLengthExceeded,
    CredentialMissing,
    DeadlineExceeded,
    Fault,
    FaultBase,
    InvalidRequest,
    InvalidResponse,
    LedgerFailed,
    ModelNotFound,
    OperationUnsupported,
    Overloaded,
    Partial,
    PermissionRefused,
    ProviderNotFound,
    QueueFull,
    QuotaExhausted,
    RateLimited,
    ServerFailed,
    StreamInterrupted,
    StreamTruncated,
    TimedOut,
    UnsupportedParameter,
    describe,
    redact_fault,
)
from victor_fp.core.resilience.breaker import BreakerVerdict, judge_fault
from victor_fp.core.security.redaction import SHORTEST_SECRET
from victor_fp.core.security.secrets import find_secrets
from victor_fp.shell.transport.errors import Stage, fault_from_error, known_fault_from_error

if TYPE_CHECKING:
    from returns.result import Result

    from victor_fp.providers.base import BaseProvider

T = TypeVar("T")


class ProviderError(Exception):
    """An error of a provider; `fault` describes it exactly.

    If it is created without a fault, as by custom providers, the fault is derived from its class and status, or else
    from `raw_error`.
    """

    _by_hand = False

    def __init__(
        self,
        message: str = "",
        provider: str | None = None,
        status_code: int | None = None,
        raw_error: Any = None,
        *,
        model: str | None = None,
        fault: Fault | None = None,
        **details: Any,
    ) -> None:
        self._by_hand = fault is None
        if fault is None:
            made = self._make_fault(message, provider or "", model, status_code, details)
            fault = self._complete_fault(made, raw_error)
        super().__init__(fault.message or message)
        self.fault = fault
        self.raw_error = raw_error
        self.details = details

    @property
    def message(self) -> str:
        """The message, safe to show."""
        return self.fault.message

    @property
    def provider(self) -> str:
        """The provider's name."""
        return self.fault.provider

    @property
    def model(self) -> str | None:
        """The requested model."""
        return self.fault.model

    @property
    def status_code(self) -> int | None:
        """The HTTP status, if there was a response."""
        return self.fault.status

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait before a retry, as reported by the vendor."""
        return self.fault.retry_after

    def __str__(self) -> str:
        return describe(self.fault)

    def __reduce__(self) -> tuple[Any, ...]:
        return _revive, (type(self), self.fault)

    def full_fault(self) -> Fault:
        """Return the fault; for an error created without one, completed from its cause."""
        apart = self._by_hand and self.raw_error is None
        return self._complete_fault(self.fault, self.__cause__) if apart else self.fault

    def _make_fault(
        self, message: str, provider: str, model: str | None, status: int | None, details: dict[str, Any]
    ) -> Fault:
        kind = self._choose_fault_type(status)
        wait = details.get("retry_after")
        return kind(
            message=message,
            provider=provider,
            model=model,
            status=status,
            retry_after=float(wait) if isinstance(wait, int | float) else None,
        )

    def _choose_fault_type(self, status: int | None) -> type[Fault]:
        """Return the fault type of this class; for the base class it depends on the status."""
        return choose_fault_type(status)

    def _complete_fault(self, made: Fault, cause: object) -> Fault:
        """Complete a fault from its cause: the phase, the status, or, for a base-class error without these, the type.

        A type that follows from the class or the status is kept.
        """
        if not isinstance(cause, BaseException):
            return made
        known = cause.fault if isinstance(cause, ProviderError) else fault_from_foreign(cause)
        says_nothing = made.status is None and self._choose_fault_type(None) is ServerFailed
        if type(known) is not type(made) and not says_nothing:
            return made
        fields = {name: getattr(made, name) for name in FaultBase.__struct_fields__ if getattr(made, name)}
        return msgspec.structs.replace(known, **fields)


class ProviderAuthError(ProviderError):
    """The API key is missing, wrong, or lacks the permission."""

    def _choose_fault_type(self, status: int | None) -> type[Fault]:
        return PermissionRefused if status == 403 else AuthRejected


class ProviderRateLimitError(ProviderError):
    """A rate limit was exceeded or the quota is exhausted; see `retry_after`."""

    def _choose_fault_type(self, status: int | None) -> type[Fault]:
        return QuotaExhausted if status == 402 else RateLimited


class ProviderTimeoutError(ProviderError):
    """A timeout or deadline passed."""

    def _choose_fault_type(self, status: int | None) -> type[Fault]:  # noqa: ARG002  depends on the class only
        return TimedOut


class ProviderConnectionError(ProviderError):
    """The connection failed or broke."""

    def _choose_fault_type(self, status: int | None) -> type[Fault]:  # noqa: ARG002
        return ConnectionFailed


class ProviderInvalidResponseError(ProviderError):
    """The response is invalid or incomplete."""

    def _choose_fault_type(self, status: int | None) -> type[Fault]:  # noqa: ARG002
        return InvalidResponse


class ProviderNotFoundError(ProviderError):
    """No provider is registered under this name."""

    def _choose_fault_type(self, status: int | None) -> type[Fault]:  # noqa: ARG002
        return ProviderNotFound


class CircuitOpenError(ProviderError):
    """The circuit breaker is open; see `retry_after`."""

    def _choose_fault_type(self, status: int | None) -> type[Fault]:  # noqa: ARG002
        return CircuitOpen


ProviderAuthenticationError = ProviderAuthError


def _revive(kind: type[ProviderError], fault: Fault) -> ProviderError:
    return kind(fault=fault)


def choose_error_class(fault: Fault) -> type[ProviderError]:
    """Return the exception class for a fault."""
    match fault:
        case AuthRejected() | PermissionRefused() | CredentialMissing():
            return ProviderAuthError
        case RateLimited() | QuotaExhausted() | QueueFull():
            return ProviderRateLimitError
        case TimedOut() | DeadlineExceeded():
            return ProviderTimeoutError
        case ConnectionFailed() | StreamInterrupted():
            return ProviderConnectionError
        case InvalidResponse() | StreamTruncated():
            return ProviderInvalidResponseError
        case ProviderNotFound():
            return ProviderNotFoundError
        case CircuitOpen():
            return CircuitOpenError
        case (
            InvalidRequest()
            | UnsupportedParameter()
            | OperationUnsupported()
            | ModelNotFound()
            | ContextLengthExceeded()
            | ContentRefused()
            | Overloaded()
            | ServerFailed()
            | Cancelled()
            | AllFallbacksFailed()
            | BudgetExceeded()
            | LedgerFailed()
        ):
            return ProviderError
        case _:
            assert_never(fault)


def error_from(fault: Fault) -> ProviderError:
    """Return the exception for a fault; `fault_from` returns the fault."""
    return choose_error_class(fault)(fault=fault)


def fault_from(error: BaseException, *, provider: str = "", model: str | None = None, reading: bool = False) -> Fault:
    """Return the fault of an exception: its own, or the closest one for other exceptions.

    `reading` is whether the response had begun. For an error created without a fault, `raw_error` or its cause
    completes the phase of a timeout, or the type of a `ProviderError` without a status.
    """
    fault = error.full_fault() if isinstance(error, ProviderError) else fault_from_foreign(error, reading=reading)
    return msgspec.structs.replace(
        fault, provider=fault.provider or provider, model=fault.model if fault.model is not None else model
    )


def unwrap_or_raise(result: Result[T, Fault]) -> T:
    """Return the value of a success, or raise the exception of a failure."""
    from returns.result import Failure, Success

    from victor_fp.core.result import outcome

    match outcome(result):
        case Success(value):
            return value
        case Failure(fault):
            raise error_from(fault)


_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, NameError, AssertionError, NotImplementedError)
"""Exceptions of code that fails to read a response, or that is defective."""
_DECODERS = frozenset({"msgspec", "pydantic_core", "orjson", "simplejson", "ujson"})


def fault_from_foreign(error: BaseException, *, reading: bool = False) -> Fault:
    """Return the closest fault for a foreign exception; `reading` is whether the response had begun."""
    message_ = f"{type(error).__name__}: {error}"
    status = _find_status(error)
    if status is not None:
        return choose_fault_type(status)(message=message_, status=status)
    stage: Stage = "reading" if reading else "opening"
    known = known_fault_from_error(error, stage)
    if known is not None:
        return known
    if isinstance(error, _UNREADABLE) or type(error).__module__.partition(".")[0] in _DECODERS:
        return InvalidResponse(message=message_, maybe_billed=True)
    return (
        fault_from_error(error, stage)
        if isinstance(error, OSError)
        else ServerFailed(message=message_, maybe_billed=True)
    )


def _find_status(error: BaseException) -> int | None:
    """Return the HTTP error status, which clients set on the response or on the exception."""
    response = getattr(error, "response", None)
    found = [getattr(thing, name, None) for thing in (response, error) for name in ("status_code", "status", "code")]
    if isinstance(response, Mapping) and isinstance(facts := response.get("ResponseMetadata"), Mapping):  # botocore's
        found.append(facts.get("HTTPStatusCode"))
    return next((status for status in found if isinstance(status, int) and 400 <= status < 600), None)


def build_provider_fault(
    provider: BaseProvider, error: Exception, model: str | None, received: Sequence[str] = ()
) -> Fault:
    """Build the fault for an exception of a provider; it is logged if the provider failed to read a response.

    `received` are the texts of a stream that were delivered to the caller.
    """
    fault = build_raised_fault(provider, error, model, reading=bool(received))
    if isinstance(fault, InvalidResponse) and not isinstance(error, ProviderError):
        _log_defect(provider, error)
    if received and fault.partial is None:
        fault = msgspec.structs.replace(fault, partial=Partial(content="".join(received)), maybe_billed=True)
    return fault


def build_raised_fault(
    provider: BaseProvider, error: BaseException, model: str | None = None, *, reading: bool = False
) -> Fault:
    """Like `build_provider_fault`, without logging. Secrets are removed: an exception may quote the key in a header."""
    return redact_fault(
        fault_from(error, provider=provider.name, model=model, reading=reading), *find_provider_secrets(provider)
    )


def find_provider_secrets(provider: BaseProvider) -> tuple[str, ...]:
    """Return the key and the secret keyword arguments of a provider."""
    key = getattr(provider, "api_key", None)
    config = getattr(provider, "extra_config", None) or {}
    found = (*((key,) if isinstance(key, str) else ()), *find_secrets(config))
    return tuple(secret for secret in found if len(secret) >= SHORTEST_SECRET)


def _log_defect(provider: BaseProvider, error: Exception) -> None:
    """Log with the traceback, unless it contains a secret."""
    import logging
    import traceback

    from victor_fp.shell.engine.telemetry import to_log_line

    text = "".join(traceback.format_exception(error))
    trace = None if any(secret in text for secret in find_provider_secrets(provider)) else error
    logging.getLogger("victor_fp").warning("%s failed to read a response", to_log_line(provider.name), exc_info=trace)


def judge_value(value: object) -> BreakerVerdict:
    """Return the verdict of a returned value: by its HTTP status, if it has one, else success."""
    status = getattr(value, "status_code", None)
    return (
        "succeeded"
        if not isinstance(status, int) or status < 400
        else judge_fault(choose_fault_type(status)(status=status))
    )


def judge_error(error: Exception) -> BreakerVerdict:
    """Return the verdict of an exception, that of its fault."""
    return judge_fault(fault_from(error))
