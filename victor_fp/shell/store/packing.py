"""How limits and breakers travel: what all processes share goes out, what is each one's own stays.

Shared are counts, permits, holds and the breaker's state. Its own are a process's settings, so that a deployment with
new ones takes effect at once, and its queue, whose callers live in it.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from victor_fp.core.resilience.admission import Admission
from victor_fp.core.resilience.breaker import Breaker, BreakerPolicy
from victor_fp.core.resilience.budget import Amount, Spending
from victor_fp.core.resilience.cooldown import Cooldown
from victor_fp.core.resilience.rate_limit import Limiter

T = TypeVar("T")

LARGEST = 4 * 2**20
"""Bytes. A larger value is not read."""
FORMAT = 2
"""Grows when the machines' states change their form; another process's state in another form counts as none."""


class _Limits(msgspec.Struct, frozen=True, array_like=True):
    form: int
    limiter: Limiter
    cooldown: Cooldown


class _Circuit(msgspec.Struct, frozen=True, array_like=True):
    form: int
    breaker: Breaker | None


class _Spending(msgspec.Struct, frozen=True, array_like=True):
    form: int
    spent: Amount
    reserved: Amount


_NO_POLICY = BreakerPolicy()
_OWN_COUNTS: dict[str, Any] = {
    name: getattr(Breaker(), name)
    for name in (
        "failure_count",
        "in_flight",
        "sending",
        "failed_attempts",
        "window_began",
        "ended",
        "failed",
        "ended_before",
        "failed_before",
        "total_calls",
        "total_failures",
        "total_rejected",
        "last_failure_time",
    )
}
"""Fields of the breaker that are not shared, with their first values."""

_encoder = msgspec.msgpack.Encoder()
_limits = msgspec.msgpack.Decoder(_Limits)
_circuit = msgspec.msgpack.Decoder(_Circuit)
_spending = msgspec.msgpack.Decoder(_Spending)


class LimitsPacking:
    """Limiter and cooldown of one key."""

    def get_freshness(self, state: Admission) -> float:  # noqa: ARG002  whoever waits looks again at once
        """Every step looks at what others did."""
        return 0.0

    def pack(self, state: Admission) -> bytes:
        """All but the line."""
        return _encoder.encode(_Limits(FORMAT, state.limiter, state.cooldown))

    def unpack(self, packed: bytes, mine: Admission) -> Admission | None:
        """The shared counts under this process's limits, with its line."""
        found = _decode(_limits, packed)
        if found is None or found.form != FORMAT or not _is_sane(found):
            return None
        return replace(
            mine,
            limiter=replace(found.limiter, limits=mine.limiter.limits),
            cooldown=replace(found.cooldown, policy=mine.cooldown.policy),
        )


class CircuitPacking:
    """The breaker of one key."""

    def get_freshness(self, state: Breaker | None) -> float:
        """A healthy call need not look; while the breaker is not closed every step does."""
        return 1.0 if state is None or state.state == "closed" else 0.0

    def pack(self, state: Breaker | None) -> bytes:
        """State and probes. The counts of the closed state are this process's own, so a healthy call changes nothing."""
        if state is None:
            return _encoder.encode(_Circuit(FORMAT, None))
        probed = 0 if state.state == "closed" else state.success_count
        shared = replace(state, policy=_NO_POLICY, success_count=probed, **_OWN_COUNTS)
        return _encoder.encode(_Circuit(FORMAT, shared))

    def unpack(self, packed: bytes, mine: Breaker | None) -> Breaker | None:
        """The shared breaker under this process's policy."""
        found = _decode(_circuit, packed)
        if found is None or found.form != FORMAT or found.breaker is None or mine is None or not _is_sane(found):
            return None
        own = {name: getattr(mine, name) for name in _OWN_COUNTS}
        if found.breaker.state == "closed":
            own["success_count"] = mine.success_count
        return replace(found.breaker, policy=mine.policy, **own)


class SpendingPacking:
    """What a budget has spent."""

    def get_freshness(self, state: Spending) -> float:  # noqa: ARG002  others may have spent the rest
        """Every step looks at what others did."""
        return 0.0

    def pack(self, state: Spending) -> bytes:
        """All but the budget, which each process has of its own."""
        return _encoder.encode(_Spending(FORMAT, state.spent, state.reserved))

    def unpack(self, packed: bytes, mine: Spending) -> Spending | None:
        """The shared amounts under this process's budget."""
        found = _decode(_spending, packed)
        if found is None or found.form != FORMAT or not _is_sane(found):
            return None
        return replace(mine, spent=found.spent, reserved=found.reserved)


def _decode(decoder: msgspec.msgpack.Decoder[T], packed: bytes) -> T | None:
    """What was packed; None where it is no such thing, or so deep or large that it cannot be one of ours."""
    if len(packed) > LARGEST:
        return None
    try:
        return decoder.decode(packed)
    except (msgspec.MsgspecError, RecursionError):
        return None


def _is_sane(value: object) -> bool:
    """Whether every number in a state can be one: counts that are not negative or huge, times that are finite, or -inf."""
    match value:
        case bool() | str() | None:
            return True
        case int():
            return 0 <= value < 2**53
        case float():
            return value == -math.inf or math.isfinite(value)
        case tuple():
            return all(_is_sane(one) for one in value)
        case msgspec.Struct():
            return all(_is_sane(getattr(value, name)) for name in value.__struct_fields__)
        case _:
            return False


LIMITS = LimitsPacking()
CIRCUIT = CircuitPacking()
SPENDING = SpendingPacking()
