"""Faults: everything that can go wrong, as one closed union of values.

Every fault carries the provider, the model and a message that is safe to show (no key, no prompt). A field that the
vendor did not report is None. The properties that the state machines depend on are class attributes, so that adding a
fault means one class and its line in `Fault`. End every `match` on a `Fault` with `assert_never`.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, TypeAlias, TypeVar, get_args

import msgspec

from victor_fp.core.security.redaction import hide_secrets, redact_url

Phase: TypeAlias = Literal["pool", "connect", "write", "read", "first_token", "stream"]
"""The phase of a call in which the transport failed."""

RETRYABLE_REQUEST_STATUSES = frozenset({408, 409, 425, 429})
"""The only 4xx statuses after which the same request may succeed: timeout, conflict, too early, rate limit."""


class Partial(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a response that was received before a stream failed."""

    content: str = ""
    reasoning: str = ""
    tool_calls: tuple[dict[str, object], ...] = ()
    """Tool calls as far as they were received; unfinished arguments are the original text."""
    usage: dict[str, int] | None = None


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt of a call: which target, when, and how it ended."""

    provider: str
    model: str | None = None
    started: float = 0.0
    """Seconds since the call began."""
    seconds: float = 0.0
    outcome: str = "ok"
    """"ok", or the fault's class name."""
    status: int | None = None
    message: str = ""
    waited: float = 0.0
    """Seconds of backoff before this attempt."""


class FaultBase(msgspec.Struct, frozen=True, kw_only=True):
    """The fields and class attributes that all faults share."""

    is_retryable: ClassVar[bool] = False
    """The same request may succeed if it is sent again. Use `can_retry`, which applies the exceptions."""
    retry_limit: ClassVar[int | None] = None
    """Maximum number of retries after this fault within one call; None: that of the retry policy."""
    counts_against_breaker: ClassVar[bool] = False
    """The server failed, not the caller or its quota. Use `is_breaker_failure`, which applies the exceptions."""
    allows_fallback: ClassVar[bool] = False
    """Another target may succeed."""
    is_local: ClassVar[bool] = False
    """Raised on the client side, not from a server's response."""
    is_unsent: ClassVar[bool] = False
    """Nothing was sent."""
    is_shared: ClassVar[bool] = False
    """Every other call would fail in the same way, in any process: key, permission, quota, budget. Use `is_shared_fault`, which
    applies the exceptions."""

    provider: str = ""
    model: str | None = None
    message: str = ""
    status: int | None = None
    """HTTP status, if there was a response."""
    code: str | None = None
    """The vendor's error code or type; never just the HTTP status."""
    request_id: str | None = None
    retry_after: float | None = None
    """Seconds to wait before a retry, as reported by the vendor."""
    maybe_billed: bool = False
    """The request may have been processed and billed, although no complete response was received."""
    partial: Partial | None = None
    attempts: tuple[Attempt, ...] = ()
    """The attempts of the call, oldest first."""
    url: str | None = None
    """The URL of the request, without user info, fragment and secret query values."""
    evidence: str | None = None
    """The vendor's error body, secrets removed, at most 4 KiB. It may quote the request: do not log it blindly."""

    def __post_init__(self) -> None:
        """Replace lone surrogates, which a message may quote from the caller's text: it could not be printed."""
        for name in ("message", "model"):
            text = getattr(self, name)
            if isinstance(text, str) and not text.isascii():
                repaired = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
                if repaired != text:
                    msgspec.structs.force_setattr(self, name, repaired)


class InvalidRequest(FaultBase, frozen=True, kw_only=True):
    """The request is invalid, according to the vendor or to a check before sending."""


class UnsupportedParameter(FaultBase, frozen=True, kw_only=True):
    """The provider or model does not support a parameter of the request."""

    parameter: str = ""


class OperationUnsupported(FaultBase, frozen=True, kw_only=True):
    """The provider does not support the operation: chat, embeddings or reranking. Nothing was sent."""

    allows_fallback = True
    is_local = True
    is_unsent = True

    operation: str = ""


class AuthRejected(FaultBase, frozen=True, kw_only=True):
    """The API key is missing, wrong or expired, according to the vendor."""

    allows_fallback = True
    is_shared = True


class PermissionRefused(FaultBase, frozen=True, kw_only=True):
    """The API key is valid but lacks the permission."""

    allows_fallback = True
    is_shared = True


class ModelNotFound(FaultBase, frozen=True, kw_only=True):
    """The model, deployment or version does not exist."""

    allows_fallback = True


class ContextLengthExceeded(FaultBase, frozen=True, kw_only=True):
    """The prompt, or the prompt and the requested output, does not fit the model."""


class ContentRefused(FaultBase, frozen=True, kw_only=True):
    """A safety system refused the prompt or the response."""


class RateLimited(FaultBase, frozen=True, kw_only=True):
    """A rate limit of requests or tokens was exceeded."""

    is_retryable = True
    allows_fallback = True

    is_too_large: bool = False
    """The request alone exceeds the limit: a retry would be rejected again."""


class QuotaExhausted(FaultBase, frozen=True, kw_only=True):
    """Credit or quota is exhausted; a retry does not help."""

    allows_fallback = True
    is_shared = True


class Overloaded(FaultBase, frozen=True, kw_only=True):
    """The vendor is temporarily out of capacity (529, 503, overloaded_error, a model still loading)."""

    is_retryable = True
    counts_against_breaker = True
    allows_fallback = True


class ServerFailed(FaultBase, frozen=True, kw_only=True):
    """The vendor reported an internal failure."""

    is_retryable = True
    counts_against_breaker = True
    allows_fallback = True


class TimedOut(FaultBase, frozen=True, kw_only=True):
    """Nothing was received within the timeout."""

    is_retryable = True
    counts_against_breaker = True
    allows_fallback = True

    phase: Phase = "read"
    seconds: float | None = None
    """The timeout that was exceeded."""


class ConnectionFailed(FaultBase, frozen=True, kw_only=True):
    """Name resolution, TLS, refusal, or a reset before the response headers."""

    is_retryable = True
    counts_against_breaker = True
    allows_fallback = True

    phase: Phase = "connect"


class InvalidResponse(FaultBase, frozen=True, kw_only=True):
    """A response that violates the protocol: not JSON, of the wrong type, too large, HTML."""

    is_retryable = True
    retry_limit = 1
    """A second unreadable response means that this is not a model server."""
    counts_against_breaker = True
    allows_fallback = True


class StreamTruncated(FaultBase, frozen=True, kw_only=True):
    """The stream was closed cleanly, but without the protocol's final event."""

    is_retryable = True
    counts_against_breaker = True
    allows_fallback = True


class StreamInterrupted(FaultBase, frozen=True, kw_only=True):
    """The connection broke during a stream."""

    is_retryable = True
    counts_against_breaker = True
    allows_fallback = True

    phase: Phase = "stream"


class CircuitOpen(FaultBase, frozen=True, kw_only=True):
    """The circuit breaker is open; `retry_after` is the time until its next probe."""

    allows_fallback = True
    is_local = True
    is_unsent = True


class QueueFull(FaultBase, frozen=True, kw_only=True):
    """The queue of a rate limiter is full."""

    allows_fallback = True
    is_local = True
    is_unsent = True


class DeadlineExceeded(FaultBase, frozen=True, kw_only=True):
    """The caller's deadline passed; it includes queueing, retries and backoff."""

    is_local = True

    seconds: float | None = None


class Cancelled(FaultBase, frozen=True, kw_only=True):
    """The caller cancelled the call; used by the state machines, never returned."""

    is_local = True


class CredentialMissing(FaultBase, frozen=True, kw_only=True):
    """No key was found in any of the places searched."""

    allows_fallback = True
    is_local = True
    is_unsent = True
    is_shared = True

    looked_in: tuple[str, ...] = ()


class ProviderNotFound(FaultBase, frozen=True, kw_only=True):
    """No provider is registered under this name."""

    allows_fallback = True
    is_local = True
    is_unsent = True
    is_shared = True

    known: tuple[str, ...] = ()
    """The names of all providers, sorted."""
    suggestions: tuple[str, ...] = ()
    """Similar names, the most similar first."""


class AllFallbacksFailed(FaultBase, frozen=True, kw_only=True):
    """Every target of a plan failed; `attempts` lists all attempts."""

    allows_fallback = True
    is_local = True

    last: str = ""
    """Class name of the last target's fault."""


class BudgetExceeded(FaultBase, frozen=True, kw_only=True):
    """The call would exceed a budget of money, tokens or requests; nothing was sent."""

    is_local = True
    is_unsent = True
    is_shared = True


class LedgerFailed(FaultBase, frozen=True, kw_only=True):
    """A job's ledger cannot be read or written."""

    is_local = True


_SETUP_CODES = frozenset(
    {"cache_unusable", "engine_start_failed", "extra_missing", "model_fetch_failed", "setting_missing"}
)
"""Codes of local faults that are not in the request: of the installation, of settings, or of a model that is downloaded."""

Fault: TypeAlias = (
    InvalidRequest
    | UnsupportedParameter
    | OperationUnsupported
    | AuthRejected
    | PermissionRefused
    | ModelNotFound
    | ContextLengthExceeded
    | ContentRefused
    | RateLimited
    | QuotaExhausted
    | Overloaded
    | ServerFailed
    | TimedOut
    | ConnectionFailed
    | InvalidResponse
    | StreamTruncated
    | StreamInterrupted
    | CircuitOpen
    | QueueFull
    | DeadlineExceeded
    | Cancelled
    | CredentialMissing
    | ProviderNotFound
    | AllFallbacksFailed
    | BudgetExceeded
    | LedgerFailed
)

FAULT_TYPES: tuple[type[Fault], ...] = get_args(Fault)
"""Every member of `Fault`, for tables and tests."""

F = TypeVar("F", bound=FaultBase)


def is_final_status(status: int | None) -> bool:
    """Return whether an HTTP status rejects the request finally: a 4xx other than 408, 409, 425 and 429.

    >>> is_final_status(413), is_final_status(429), is_final_status(500), is_final_status(None)
    (True, False, False, False)
    """
    return status is not None and 400 <= status < 500 and status not in RETRYABLE_REQUEST_STATUSES


def is_shared_fault(fault: Fault) -> bool:
    """Return whether every other call would fail in the same way, which stops a job.

    The class decides; faults of the installation and of settings, such as a missing extra, are shared as well.
    """
    return fault.is_shared or (fault.status is None and fault.code in _SETUP_CODES)


def can_retry(fault: Fault) -> bool:
    """Return whether sending the same request again may succeed.

    The class decides, with exceptions: a final 4xx is never retried, 408, 409 and 425 are always retried, and a request
    that alone exceeds a rate limit is not retried.
    """
    if isinstance(fault, RateLimited) and fault.is_too_large:
        return False
    if isinstance(fault, InvalidRequest):
        return fault.status in (408, 409, 425)
    return fault.is_retryable and not is_final_status(fault.status)


def is_breaker_failure(fault: Fault) -> bool:
    """Return whether the fault counts against the server's circuit breaker.

    The class decides, except for a timeout in the connection pool: no request reached the server.
    """
    return fault.counts_against_breaker and not (isinstance(fault, TimedOut) and fault.phase == "pool")


def convert_fault(fault_type: type[F], fault: Fault, **changes: Any) -> F:
    """Convert a fault to another type, with the shared fields."""
    return fault_type(**{name: getattr(fault, name) for name in FaultBase.__struct_fields__} | changes)


def with_context(fault: Fault, provider: str, model: str | None = None, url: str | None = None) -> Fault:
    """Add provider, model and URL to a fault, where they are not set. The URL is stored without secrets."""
    if fault.provider and (fault.model or model is None) and (fault.url is not None or url is None):
        return fault
    return msgspec.structs.replace(
        fault,
        provider=fault.provider or provider,
        model=fault.model or model,
        url=fault.url if fault.url is not None or url is None else redact_url(url),
    )


def redact_fault(fault: Fault, *secrets: str) -> Fault:
    """Remove secrets from a fault; a vendor may have repeated them in its error."""
    changes: dict[str, str] = {}
    for name in ("message", "code", "request_id", "url", "evidence"):
        text = getattr(fault, name) or ""
        redacted = hide_secrets(text, secrets)
        if redacted != text:
            changes[name] = redacted
    return msgspec.structs.replace(fault, **changes) if changes else fault


_ADDRESS_STATUSES = frozenset({301, 302, 303, 307, 308, 404, 405})
"""Statuses that a wrong base URL may cause."""


def describe(fault: Fault) -> str:
    """Describe a fault in one line: target, type, message, and the URL if it may be wrong."""
    target = " ".join(part for part in (fault.provider, fault.model) if part)
    details = [str(part) for part in (fault.status, fault.code) if part is not None]
    kind = type(fault).__name__ + (f" ({', '.join(details)})" if details else "")
    lead = f"{target}: {kind}" if target else kind
    wait = f" (retry after {fault.retry_after:g} s)" if fault.retry_after is not None else ""
    shows_url = not fault.is_local and (fault.status is None or fault.status in _ADDRESS_STATUSES)
    url = f" ({fault.url})" if fault.url and shows_url else ""
    return f"{lead}: {fault.message}{wait}{url}" if fault.message else f"{lead}{wait}{url}"
