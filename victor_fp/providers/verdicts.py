"""What an outcome of code that is not ours means to the breaker."""

from __future__ import annotations

from victor_fp.core.faults import Fault, InvalidRequest, Overloaded, RateLimited, ServerFailed
from victor_fp.core.resilience.breaker import Verdict, verdict_of
from victor_fp.providers.errors import ProviderError
from victor_fp.shell.transport_faults import fault_of


def verdict_on_value(value: object) -> Verdict:
    """A returned response counts by its status, if it has one; anything else is a success."""
    status = getattr(value, "status_code", None)
    return "succeeded" if not isinstance(status, int) or status < 400 else verdict_of(_by_status(status))


def verdict_on_error(error: Exception) -> Verdict:
    """An exception counts as the fault it stands for: its own, its response's status, or its transport's."""
    if isinstance(error, ProviderError):
        return verdict_of(error.fault)
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if isinstance(status, int):
        return verdict_of(_by_status(status))
    return verdict_of(fault_of(error, "opening"))


def _by_status(status: int) -> Fault:
    if status == 429:
        return RateLimited(status=status)
    if status in (503, 529):
        return Overloaded(status=status)
    return ServerFailed(status=status) if status >= 500 else InvalidRequest(status=status)
