"""What an outcome of code that is not ours means to the breaker."""

from __future__ import annotations

from victor_fp.core.classification.statuses import fault_type_for_status
from victor_fp.core.resilience.breaker import Verdict, verdict_of
from victor_fp.providers.errors import fault_from


def verdict_on_value(value: object) -> Verdict:
    """A returned response counts by its status, if it has one; anything else is a success."""
    status = getattr(value, "status_code", None)
    return (
        "succeeded"
        if not isinstance(status, int) or status < 400
        else verdict_of(fault_type_for_status(status)(status=status))
    )


def verdict_on_error(error: Exception) -> Verdict:
    """An exception counts as the fault it stands for: its own, its response's status, or its transport's."""
    return verdict_of(fault_from(error))
