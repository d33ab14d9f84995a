"""The raising face: exceptions that carry their fault, and the way there and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, assert_never

import msgspec

from victor_fp.core.faults import (
    AllFallbacksFailed,
    AuthRejected,
    Cancelled,
    CircuitOpen,
    ConnectionFailed,
    ContentRefused,
    ContextLengthExceeded,
    CredentialMissing,
    DeadlineExceeded,
    Fault,
    InvalidRequest,
    InvalidResponse,
    ModelNotFound,
    Overloaded,
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
)

if TYPE_CHECKING:
    from returns.result import Result

T = TypeVar("T")


class ProviderError(Exception):
    """Anything that went wrong with a provider; `fault` says exactly what.

    Built by hand, as custom providers do, it makes the fault that its class and status stand for.
    """

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
        if fault is None:
            fault = self._made_fault(message, provider or "", model, status_code, details)
        super().__init__(fault.message or message)
        self.fault = fault
        self.raw_error = raw_error
        self.details = details

    @property
    def message(self) -> str:
        """What happened, safe to show."""
        return self.fault.message

    @property
    def provider(self) -> str:
        """The provider's name."""
        return self.fault.provider

    @property
    def model(self) -> str | None:
        """The model asked for."""
        return self.fault.model

    @property
    def status_code(self) -> int | None:
        """The HTTP status, where there was one."""
        return self.fault.status

    @property
    def retry_after(self) -> float | None:
        """Seconds the vendor asks to wait."""
        return self.fault.retry_after

    def __str__(self) -> str:
        return describe(self.fault)

    def __reduce__(self) -> tuple[Any, ...]:
        return _revived, (type(self), self.fault)

    def _made_fault(
        self, message: str, provider: str, model: str | None, status: int | None, details: dict[str, Any]
    ) -> Fault:
        kind = self._kind(status)
        wait = details.get("retry_after")
        return kind(
            message=message,
            provider=provider,
            model=model,
            status=status,
            retry_after=float(wait) if isinstance(wait, int | float) else None,
        )

    def _kind(self, status: int | None) -> type[Fault]:
        """The fault that this class stands for; the plain error asks the status."""
        return _BY_STATUS.get(status or 0) or (InvalidRequest if status and 400 <= status < 500 else ServerFailed)


class ProviderAuthError(ProviderError):
    """The key is missing, wrong, or not allowed to do this."""

    def _kind(self, status: int | None) -> type[Fault]:
        return PermissionRefused if status == 403 else AuthRejected


class ProviderRateLimitError(ProviderError):
    """Too many requests for now, or no quota left; see `retry_after`."""

    def _kind(self, status: int | None) -> type[Fault]:
        return QuotaExhausted if status == 402 else RateLimited


class ProviderTimeoutError(ProviderError):
    """No answer in time."""

    def _kind(self, status: int | None) -> type[Fault]:  # noqa: ARG002  the class says it all
        return TimedOut


class ProviderConnectionError(ProviderError):
    """No connection, or one that broke."""

    def _kind(self, status: int | None) -> type[Fault]:  # noqa: ARG002
        return ConnectionFailed


class ProviderInvalidResponseError(ProviderError):
    """An answer that is none, or that broke off."""

    def _kind(self, status: int | None) -> type[Fault]:  # noqa: ARG002
        return InvalidResponse


class ProviderNotFoundError(ProviderError):
    """No provider is registered under this name."""

    def _kind(self, status: int | None) -> type[Fault]:  # noqa: ARG002
        return ProviderNotFound


class CircuitOpenError(ProviderError):
    """The circuit breaker fails fast; see `retry_after`."""

    def _kind(self, status: int | None) -> type[Fault]:  # noqa: ARG002
        return CircuitOpen


ProviderAuthenticationError = ProviderAuthError

_BY_STATUS: dict[int, type[Fault]] = {
    401: AuthRejected,
    402: QuotaExhausted,
    403: PermissionRefused,
    404: ModelNotFound,
    408: TimedOut,
    429: RateLimited,
    503: Overloaded,
    529: Overloaded,
}


def _revived(kind: type[ProviderError], fault: Fault) -> ProviderError:
    return kind(fault=fault)


def error_class(fault: Fault) -> type[ProviderError]:
    """The exception's class for a fault."""
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
            | ModelNotFound()
            | ContextLengthExceeded()
            | ContentRefused()
            | Overloaded()
            | ServerFailed()
            | Cancelled()
            | AllFallbacksFailed()
        ):
            return ProviderError
        case _:
            assert_never(fault)


def error_from(fault: Fault) -> ProviderError:
    """The exception that stands for a fault; `fault_from` gives the same fault back."""
    return error_class(fault)(fault=fault)


def fault_from(error: BaseException, *, provider: str = "", model: str | None = None) -> Fault:
    """The fault of an exception: its own, or, for a stranger, the nearest one."""
    match error:
        case ProviderError():
            fault = error.fault
            return msgspec.structs.replace(
                fault, provider=fault.provider or provider, model=fault.model if fault.model is not None else model
            )
        case TimeoutError():
            return TimedOut(provider=provider, model=model, message=str(error) or "timed out")
        case ConnectionError():
            return ConnectionFailed(provider=provider, model=model, message=_words(error))
        case _:
            return ServerFailed(provider=provider, model=model, message=_words(error))


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def value_or_raise(result: Result[T, Fault]) -> T:
    """The value of a success; the failure's exception is raised."""
    from returns.result import Failure, Success

    from victor_fp.core.result import outcome

    match outcome(result):
        case Success(value):
            return value
        case Failure(fault):
            raise error_from(fault)
