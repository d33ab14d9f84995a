"""How a command ends: an exit code, and for people one line that says what, why and what to do."""

from __future__ import annotations

from difflib import get_close_matches
from enum import IntEnum
from typing import assert_never

import msgspec

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
)
from victor_fp.core.json import encode_json
from victor_fp.shell.credentials.key_file import StoreUnusable

LONGEST = 1200
"""Characters of an error line: a vendor may answer with a page."""


class ExitCode(IntEnum):
    """What the shell sees."""

    OK = 0
    FAILED = 1
    USAGE = 2
    KEY = 3
    NOT_FOUND = 4
    LIMITED = 5
    UNREACHABLE = 6
    REFUSED = 7
    BUG = 70
    INTERRUPTED = 130
    PIPE_CLOSED = 141


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """A command that did not do what was asked."""

    code: ExitCode
    what: str
    why: str = ""
    todo: str = ""
    fault: Fault | None = None
    """What happened, where it has a type."""

    @property
    def line(self) -> str:
        """One line for people."""
        told = ": ".join(" ".join(part.split()).rstrip(".") for part in (self.what, self.why) if part)
        told = told if len(told) <= LONGEST else told[:LONGEST] + " ..."
        return f"victor: {told}. {self.todo}" if self.todo else f"victor: {told}"


def ending_json(ending: Ending) -> str:
    """An ending as one line of JSON; what is not known is absent."""
    if ending.fault is None:
        message = ": ".join(part for part in (ending.what, ending.why) if part)
        return encode_json({"error": {"type": "WrongUsage", "message": message}}).decode()
    fields = msgspec.to_builtins(ending.fault)
    told = {name: value for name, value in fields.items() if value not in (None, "", [], False)}
    return encode_json({"error": {"type": type(ending.fault).__name__, **told}}).decode()


def wrong_usage(what: str, why: str = "", todo: str = "") -> Ending:
    """The command line, or a file it names, cannot be used."""
    return Ending(code=ExitCode.USAGE, what=what, why=why, todo=todo)


def store_ending(unusable: StoreUnusable) -> Ending:
    """A keyring or file of keys that cannot be used."""
    what = f"the {unusable.store} ({unusable.place}) cannot be used"
    return Ending(code=ExitCode.KEY, what=what, why=unusable.reason, todo=_order(unusable.remedy))


def fault_ending(fault: Fault, place: str | None = None) -> Ending:
    """What a fault means for the shell, and what its reader can do; `place` is the server's address."""
    code, what, todo = _meaning(fault)
    if place and code == ExitCode.UNREACHABLE:
        what = f"{what} from {place}" if not isinstance(fault, ConnectionFailed) else f"{what} to {place}"
    who = " ".join(part for part in (fault.provider, fault.model) if part)
    facts = ", ".join(str(part) for part in (fault.status, fault.code, fault.request_id) if part is not None)
    lead = f"{who}: {what}" if who else what
    what = f"{lead} ({facts})" if facts else lead
    return Ending(code=code, what=what, why=fault.message, todo=todo, fault=fault)


def _meaning(fault: Fault) -> tuple[ExitCode, str, str]:
    name = fault.provider or "NAME"
    match fault:
        case InvalidRequest():
            return ExitCode.USAGE, "the request is not valid", ""
        case UnsupportedParameter():
            return ExitCode.USAGE, f"{fault.parameter or 'a parameter'} cannot be used here", "Leave it out."
        case ContextLengthExceeded():
            return ExitCode.USAGE, "the prompt is too long for the model", "Shorten it or choose a larger model."
        case CredentialMissing():
            return ExitCode.KEY, "the key is missing", ""
        case AuthRejected():
            return ExitCode.KEY, "the key was not accepted", f"Give another: victor keys set {name}"
        case PermissionRefused():
            return ExitCode.KEY, "the key may not do this", "Ask for access or use another model."
        case ProviderNotFound():
            return ExitCode.NOT_FOUND, "no such provider", _nearest(fault)
        case ModelNotFound():
            return ExitCode.NOT_FOUND, "no such model", f"See: victor models -p {name}"
        case RateLimited() | QueueFull():
            return ExitCode.LIMITED, "too many requests", _wait(fault)
        case QuotaExhausted():
            return (
                ExitCode.LIMITED,
                "the quota or credit is used up",
                "Waiting does not help; see the vendor's billing page.",
            )
        case Overloaded():
            return ExitCode.LIMITED, "the server has no capacity now", _wait(fault)
        case ConnectionFailed():
            return ExitCode.UNREACHABLE, "no connection", "Is the server running, and its address right?"
        case TimedOut() | DeadlineExceeded():
            return ExitCode.UNREACHABLE, "no answer in time", "Try again."
        case StreamTruncated() | StreamInterrupted():
            return ExitCode.UNREACHABLE, "the answer broke off", "Try again."
        case ContentRefused():
            return ExitCode.REFUSED, "refused by the provider's safety system", ""
        case ServerFailed():
            return ExitCode.FAILED, "the server failed", "Try again."
        case InvalidResponse():
            return ExitCode.FAILED, "the answer cannot be understood", "Is this the right address for this provider?"
        case CircuitOpen():
            return ExitCode.FAILED, "not tried after repeated failures", _wait(fault)
        case BudgetExceeded():
            return ExitCode.LIMITED, "the budget is used up", ""
        case LedgerFailed():
            return (
                ExitCode.FAILED,
                "the ledger cannot be read or written",
                "Check the path, its permissions and the free space.",
            )
        case AllFallbacksFailed():
            return ExitCode.FAILED, "every provider of the plan failed", ""
        case Cancelled():
            return ExitCode.INTERRUPTED, "cancelled", ""
        case _:
            assert_never(fault)


def _wait(fault: Fault) -> str:
    return "Try again later." if fault.retry_after is None else f"Try again in {fault.retry_after:.0f} s."


def _nearest(fault: ProviderNotFound) -> str:
    near = get_close_matches(fault.provider, fault.known, n=1)
    return f"Did you mean {near[0]}? See: victor providers" if near else "See: victor providers"


def _order(remedy: str) -> str:
    return f"To mend it: {remedy}" if remedy else ""
