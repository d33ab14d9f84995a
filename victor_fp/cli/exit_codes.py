"""Exit codes and error messages of the command."""

from __future__ import annotations

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
    OperationUnsupported,
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
from victor_fp.shell.credentials.key_file import KeyStoreFailure

MAX_LINE = 1200
"""Maximum characters of an error message: a vendor may send an HTML page."""


class ExitCode(IntEnum):
    """Exit codes of the process."""

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


class CommandError(msgspec.Struct, frozen=True, kw_only=True):
    """The error of a command: exit code, what is wrong, why, and what to do."""

    code: ExitCode
    what: str
    why: str = ""
    todo: str = ""
    fault: Fault | None = None
    """The underlying fault, if any."""

    @property
    def line(self) -> str:
        """The message as one line."""
        text = ": ".join(" ".join(part.split()).rstrip(".") for part in (self.what, self.why) if part)
        text = text if len(text) <= MAX_LINE else text[:MAX_LINE] + " ..."
        end = "" if text.endswith("?") else "."
        return f"victor: {text}{end} {self.todo}" if self.todo else f"victor: {text}"


def encode_error(error: CommandError) -> str:
    """Encode the error as one line of JSON; unknown fields are absent."""
    if error.fault is None:
        message = ": ".join(part for part in (error.what, error.why) if part)
        return encode_json({"error": {"type": "WrongUsage", "message": message}}).decode()
    fields = msgspec.to_builtins(error.fault)
    known = {name: value for name, value in fields.items() if value not in (None, "", [], False)}
    return encode_json({"error": {"type": type(error.fault).__name__, **known}}).decode()


def build_usage_error(what: str, why: str = "", todo: str = "") -> CommandError:
    """Build the error for an invalid command line or an unusable input file."""
    return CommandError(code=ExitCode.USAGE, what=what, why=why, todo=todo)


def error_from_store(failure: KeyStoreFailure) -> CommandError:
    """Return the error for a keyring or key file that cannot be used."""
    what = f"the {failure.store} ({failure.location}) cannot be used"
    return CommandError(code=ExitCode.KEY, what=what, why=failure.reason, todo=_format_remedy(failure.remedy))


def error_from_fault(fault: Fault, address: str | None = None) -> CommandError:
    """Return the error for a fault, with exit code and remedy. `address` is the URL of the server."""
    code, what, todo = _describe_fault(fault)
    if address and code == ExitCode.UNREACHABLE:
        what = f"{what} from {address}" if not isinstance(fault, ConnectionFailed) else f"{what} to {address}"
    target = " ".join(part for part in (fault.provider, fault.model) if part)
    facts = ", ".join(str(part) for part in (fault.status, fault.code, fault.request_id) if part is not None)
    lead = f"{target}: {what}" if target else what
    what = f"{lead} ({facts})" if facts else lead
    return CommandError(code=code, what=what, why=fault.message, todo=todo, fault=fault)


def _describe_fault(fault: Fault) -> tuple[ExitCode, str, str]:
    name = fault.provider or "NAME"
    match fault:
        case InvalidRequest():
            return ExitCode.USAGE, "the request is not valid", ""
        case UnsupportedParameter():
            return ExitCode.USAGE, f"{fault.parameter or 'a parameter'} is not supported here", "Omit it."
        case OperationUnsupported():
            return (
                ExitCode.USAGE,
                f"this provider does not support {fault.operation or 'this operation'}",
                "List those that do: victor providers",
            )
        case ContextLengthExceeded():
            return ExitCode.USAGE, "the prompt is too long for the model", "Shorten it or choose a larger model."
        case CredentialMissing():
            return ExitCode.KEY, "the key is missing", ""
        case AuthRejected():
            return ExitCode.KEY, "the key was rejected", f"Store another: victor keys set {name}"
        case PermissionRefused():
            return ExitCode.KEY, "the key does not have permission", "Request access or use another model."
        case ProviderNotFound():
            return ExitCode.NOT_FOUND, "no such provider", "See: victor providers"
        case ModelNotFound():
            return ExitCode.NOT_FOUND, "no such model", f"See: victor models -p {name}"
        case RateLimited() | QueueFull():
            return ExitCode.LIMITED, "too many requests", _describe_retry(fault)
        case QuotaExhausted():
            return (
                ExitCode.LIMITED,
                "the quota or credit is exhausted",
                "A retry does not help; see the vendor's billing page.",
            )
        case Overloaded():
            return ExitCode.LIMITED, "the server is overloaded", _describe_retry(fault)
        case ConnectionFailed():
            return ExitCode.UNREACHABLE, "no connection", "Check that the server is running and its URL is correct."
        case TimedOut() | DeadlineExceeded():
            return ExitCode.UNREACHABLE, "no response in time", "Try again."
        case StreamTruncated() | StreamInterrupted():
            return ExitCode.UNREACHABLE, "the response ended early", "Try again."
        case ContentRefused():
            return ExitCode.REFUSED, "refused by the provider's content filter", ""
        case ServerFailed():
            return ExitCode.FAILED, "the server failed", "Try again."
        case InvalidResponse():
            return ExitCode.FAILED, "the response is not valid", "Check the URL of this provider."
        case CircuitOpen():
            return ExitCode.FAILED, "not sent after repeated failures", _describe_retry(fault)
        case BudgetExceeded():
            return ExitCode.LIMITED, "the budget is exhausted", ""
        case LedgerFailed():
            return (
                ExitCode.FAILED,
                "the ledger cannot be read or written",
                "Check the path, its permissions and the free space.",
            )
        case AllFallbacksFailed():
            return ExitCode.FAILED, "every provider failed", ""
        case Cancelled():
            return ExitCode.INTERRUPTED, "cancelled", ""
        case _:
            assert_never(fault)


def _describe_retry(fault: Fault) -> str:
    return "Try again later." if fault.retry_after is None else f"Try again in {fault.retry_after:.0f} s."


def _format_remedy(remedy: str) -> str:
    return f"To fix it: {remedy}" if remedy else ""
