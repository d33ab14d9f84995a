"""The raising face: exceptions that carry their fault, and the way there and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, assert_never

import msgspec

from victor_fp.core.classification.statuses import fault_type_for_status
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
from victor_fp.providers.strangers import fault_of_stranger

if TYPE_CHECKING:
    from returns.result import Result

T = TypeVar("T")


class ProviderError(Exception):
    """Anything that went wrong with a provider; `fault` says exactly what.

    Built by hand, as custom providers do, it makes the fault that its class and status stand for, and where these say nothing,
    the one that `raw_error` stands for.
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
            made = self._made_fault(message, provider or "", model, status_code, details)
            fault = self._nearer(made, raw_error)
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

    def told(self) -> Fault:
        """The fault, with what the exception it was raised from says of an error made by hand."""
        apart = self._by_hand and self.raw_error is None
        return self._nearer(self.fault, self.__cause__) if apart else self.fault

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
        return fault_type_for_status(status)

    def _nearer(self, made: Fault, cause: object) -> Fault:
        """What was made by hand, told from its cause: a phase, a status, or, of a plain error that says neither, the kind.

        What the class or the status says stands.
        """
        if not isinstance(cause, BaseException):
            return made
        known = cause.fault if isinstance(cause, ProviderError) else fault_of_stranger(cause)
        says_nothing = made.status is None and self._kind(None) is ServerFailed
        if type(known) is not type(made) and not says_nothing:
            return made
        told = {name: getattr(made, name) for name in FaultBase.__struct_fields__ if getattr(made, name)}
        return msgspec.structs.replace(known, **told)


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
            | BudgetExceeded()
            | LedgerFailed()
        ):
            return ProviderError
        case _:
            assert_never(fault)


def error_from(fault: Fault) -> ProviderError:
    """The exception that stands for a fault; `fault_from` gives the same fault back."""
    return error_class(fault)(fault=fault)


def fault_from(error: BaseException, *, provider: str = "", model: str | None = None, reading: bool = False) -> Fault:
    """The fault of an exception: its own, or, for a stranger, the nearest one; `reading` once an answer had begun.

    Of an error made by hand the `raw_error`, or what it was raised `from`, tells what it leaves open: the phase of a
    timeout, or the kind of a plain `ProviderError` without a status.
    """
    fault = error.told() if isinstance(error, ProviderError) else fault_of_stranger(error, reading=reading)
    return msgspec.structs.replace(
        fault, provider=fault.provider or provider, model=fault.model if fault.model is not None else model
    )


def value_or_raise(result: Result[T, Fault]) -> T:
    """The value of a success; the failure's exception is raised."""
    from returns.result import Failure, Success

    from victor_fp.core.result import outcome

    match outcome(result):
        case Success(value):
            return value
        case Failure(fault):
            raise error_from(fault)
