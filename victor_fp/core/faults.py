"""Everything that can go wrong, as one closed union of values.

Every fault says who (`provider`, `model`), what (`message`, safe to show: no key, no prompt) and what a caller needs in
order to act. A field that the vendor did not report is None. End every `match` on a `Fault` with `assert_never`.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, TypeVar

import msgspec

Phase: TypeAlias = Literal["pool", "connect", "write", "read", "first_token", "stream"]
"""Where in a call the transport failed."""


class Partial(msgspec.Struct, frozen=True, kw_only=True):
    """What had reached the caller when a stream broke."""

    content: str = ""
    reasoning: str = ""
    tool_calls: tuple[dict[str, object], ...] = ()
    """Calls as far as they came; unfinished arguments are the original text."""
    usage: dict[str, int] | None = None


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try of a call: which target, when, and how it ended."""

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
    """Seconds of rest before this try."""


class FaultBase(msgspec.Struct, frozen=True, kw_only=True):
    """What all faults share."""

    provider: str = ""
    model: str | None = None
    message: str = ""
    status: int | None = None
    """HTTP status, where there was an answer."""
    code: str | None = None
    """The vendor's own code or type."""
    request_id: str | None = None
    retry_after: float | None = None
    """Seconds the vendor asks to wait."""
    maybe_billed: bool = False
    """The request may have been processed, and charged for, although no whole answer came."""
    partial: Partial | None = None
    attempts: tuple[Attempt, ...] = ()
    """The tries that led here, oldest first."""


class InvalidRequest(FaultBase, frozen=True, kw_only=True):
    """The request is wrong, by the vendor's word or by ours before it was sent."""


class UnsupportedParameter(FaultBase, frozen=True, kw_only=True):
    """The provider or model cannot take a parameter that was asked for."""

    parameter: str = ""


class AuthRejected(FaultBase, frozen=True, kw_only=True):
    """The key is missing at the vendor's side, wrong or expired."""


class PermissionRefused(FaultBase, frozen=True, kw_only=True):
    """The key is known but may not do this."""


class ModelNotFound(FaultBase, frozen=True, kw_only=True):
    """No such model, deployment or version."""


class ContextLengthExceeded(FaultBase, frozen=True, kw_only=True):
    """The prompt, or the prompt and the room asked for, does not fit the model."""


class ContentRefused(FaultBase, frozen=True, kw_only=True):
    """A safety system refused to read the prompt or to give the answer."""


class RateLimited(FaultBase, frozen=True, kw_only=True):
    """Too many requests or tokens for now."""


class QuotaExhausted(FaultBase, frozen=True, kw_only=True):
    """Credit or quota is used up; waiting does not help."""


class Overloaded(FaultBase, frozen=True, kw_only=True):
    """The vendor has no capacity for now (529, 503, overloaded_error, a model still loading)."""


class ServerFailed(FaultBase, frozen=True, kw_only=True):
    """The vendor's own failure."""


class TimedOut(FaultBase, frozen=True, kw_only=True):
    """Nothing came within the time allowed."""

    phase: Phase = "read"
    seconds: float | None = None
    """The bound that was passed."""


class ConnectionFailed(FaultBase, frozen=True, kw_only=True):
    """Name resolution, TLS, refusal, or a reset before the answer's headers."""

    phase: Phase = "connect"


class InvalidResponse(FaultBase, frozen=True, kw_only=True):
    """An answer that is not what the protocol says: no JSON, wrong type, too large, HTML."""


class StreamTruncated(FaultBase, frozen=True, kw_only=True):
    """The stream ended in good order but without the protocol's own ending."""


class StreamInterrupted(FaultBase, frozen=True, kw_only=True):
    """The connection broke in the middle of a stream."""

    phase: Phase = "stream"


class CircuitOpen(FaultBase, frozen=True, kw_only=True):
    """The breaker fails fast; retry_after is the time until it probes again."""


class QueueFull(FaultBase, frozen=True, kw_only=True):
    """The waiting line of a rate limiter is at its bound."""


class DeadlineExceeded(FaultBase, frozen=True, kw_only=True):
    """The caller's own deadline passed, queue, retries and waits included."""

    seconds: float | None = None


class Cancelled(FaultBase, frozen=True, kw_only=True):
    """The caller gave up; an event for the machines, never an answer."""


class CredentialMissing(FaultBase, frozen=True, kw_only=True):
    """No key was found in any of the places looked at."""

    looked_in: tuple[str, ...] = ()


class ProviderNotFound(FaultBase, frozen=True, kw_only=True):
    """No provider is registered under this name."""

    known: tuple[str, ...] = ()


class AllFallbacksFailed(FaultBase, frozen=True, kw_only=True):
    """Every target of a plan failed; `attempts` tells the whole story."""

    last: str = ""
    """Class name of the last target's fault."""


class BudgetExceeded(FaultBase, frozen=True, kw_only=True):
    """A budget of money, tokens or requests has no room for the call; nothing was sent."""


class LedgerFailed(FaultBase, frozen=True, kw_only=True):
    """A job's ledger cannot be read or written."""


Fault: TypeAlias = (
    InvalidRequest
    | UnsupportedParameter
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

FAULT_TYPES: tuple[type[Fault], ...] = (
    InvalidRequest,
    UnsupportedParameter,
    AuthRejected,
    PermissionRefused,
    ModelNotFound,
    ContextLengthExceeded,
    ContentRefused,
    RateLimited,
    QuotaExhausted,
    Overloaded,
    ServerFailed,
    TimedOut,
    ConnectionFailed,
    InvalidResponse,
    StreamTruncated,
    StreamInterrupted,
    CircuitOpen,
    QueueFull,
    DeadlineExceeded,
    Cancelled,
    CredentialMissing,
    ProviderNotFound,
    AllFallbacksFailed,
    BudgetExceeded,
    LedgerFailed,
)
"""Every member of `Fault`, for tables and tests."""


F = TypeVar("F", bound=FaultBase)


def can_retry(fault: Fault) -> bool:
    """Temporary."""
    return isinstance(fault, RateLimited | Overloaded | ServerFailed | TimedOut | ConnectionFailed | InvalidResponse | StreamTruncated | StreamInterrupted | QueueFull | DeadlineExceeded)


def recast(kind: type[F], fault: Fault, **changes: Any) -> F:
    """The same facts under another name, for when more is known than who first told."""
    return kind(**{name: getattr(fault, name) for name in FaultBase.__struct_fields__} | changes)


REDACTED = "[redacted]"
SHORTEST_SECRET = 8
"""Characters. Anything shorter is a placeholder such as "none", and would be found in innocent words."""


def redacted(fault: Fault, *secrets: str) -> Fault:
    """The fault without these texts, which a vendor may have echoed in its message, code or request id."""
    hidden = sorted({secret for secret in secrets if len(secret) >= SHORTEST_SECRET}, key=len, reverse=True)
    changes: dict[str, str] = {}
    for name in ("message", "code", "request_id"):
        said = getattr(fault, name) or ""
        shown = said
        for secret in hidden:
            shown = shown.replace(secret, REDACTED)
        if shown != said:
            changes[name] = shown
    return msgspec.structs.replace(fault, **changes) if changes else fault


def describe(fault: Fault) -> str:
    """One line for people: who, what, and the vendor's words."""
    who = " ".join(part for part in (fault.provider, fault.model) if part)
    facts = [str(part) for part in (fault.status, fault.code) if part is not None]
    what = type(fault).__name__ + (f" ({', '.join(facts)})" if facts else "")
    lead = f"{who}: {what}" if who else what
    wait = f" (retry after {fault.retry_after:g} s)" if fault.retry_after is not None else ""
    return f"{lead}: {fault.message}{wait}" if fault.message else lead + wait
