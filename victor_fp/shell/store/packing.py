"""How limits and breakers travel: what all processes share goes out, what is each one's own stays.

Shared are counts, permits, holds and the breaker's state. Its own are a process's settings, so that a deployment with
new ones takes effect at once, and its waiting line, whose callers live in it.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from victor_fp.core.resilience.admission import Admission
from victor_fp.core.resilience.breaker import Breaker, BreakerPolicy
from victor_fp.core.resilience.cooldown import Cooldown
from victor_fp.core.resilience.rate_limit import Limiter

FORMAT = 2
"""Grows when the machines' states change their form; another process's state in another form counts as none."""


class _Limits(msgspec.Struct, frozen=True, array_like=True):
    form: int
    limiter: Limiter
    cooldown: Cooldown


class _Circuit(msgspec.Struct, frozen=True, array_like=True):
    form: int
    breaker: Breaker | None


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


class LimitsPacking:
    """Limiter and cooldown of one key."""

    def freshness(self, state: Admission) -> float:  # noqa: ARG002  whoever waits looks again at once
        """Every step looks at what others did."""
        return 0.0

    def pack(self, state: Admission) -> bytes:
        """All but the line."""
        return _encoder.encode(_Limits(FORMAT, state.limiter, state.cooldown))

    def unpack(self, packed: bytes, mine: Admission) -> Admission | None:
        """The shared counts under this process's limits, with its line."""
        try:
            found = _limits.decode(packed)
        except msgspec.MsgspecError:
            return None
        if found.form != FORMAT:
            return None
        return replace(
            mine,
            limiter=replace(found.limiter, limits=mine.limiter.limits),
            cooldown=replace(found.cooldown, policy=mine.cooldown.policy),
        )


class CircuitPacking:
    """The breaker of one key."""

    def freshness(self, state: Breaker | None) -> float:
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
        try:
            found = _circuit.decode(packed)
        except msgspec.MsgspecError:
            return None
        if found.form != FORMAT or found.breaker is None or mine is None:
            return None
        own = {name: getattr(mine, name) for name in _OWN_COUNTS}
        if found.breaker.state == "closed":
            own["success_count"] = mine.success_count
        return replace(found.breaker, policy=mine.policy, **own)


LIMITS = LimitsPacking()
CIRCUIT = CircuitPacking()
