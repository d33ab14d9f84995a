"""How limits and breakers travel: what all processes share goes out, what is each one's own stays.

Shared are counts, permits, holds and the breaker's state. Its own are a process's settings, so that a deployment with
new ones takes effect at once, and its waiting line, whose callers live in it.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from victor_fp.core.resilience.admission import Admission
from victor_fp.core.resilience.breaker import Breaker
from victor_fp.core.resilience.cooldown import Cooldown
from victor_fp.core.resilience.rate_limit import Limiter

FORMAT = 1
"""Grows when the machines' states change their form; another process's state in another form counts as none."""


class _Limits(msgspec.Struct, frozen=True, array_like=True):
    form: int
    limiter: Limiter
    cooldown: Cooldown


class _Circuit(msgspec.Struct, frozen=True, array_like=True):
    form: int
    breaker: Breaker | None


_encoder = msgspec.msgpack.Encoder()
_limits = msgspec.msgpack.Decoder(_Limits)
_circuit = msgspec.msgpack.Decoder(_Circuit)


class LimitsPacking:
    """Limiter and cooldown of one key."""

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

    def pack(self, state: Breaker | None) -> bytes:
        """The whole of it."""
        return _encoder.encode(_Circuit(FORMAT, state))

    def unpack(self, packed: bytes, mine: Breaker | None) -> Breaker | None:
        """The shared breaker under this process's policy."""
        try:
            found = _circuit.decode(packed)
        except msgspec.MsgspecError:
            return None
        if found.form != FORMAT or found.breaker is None or mine is None:
            return None
        return replace(found.breaker, policy=mine.policy)


LIMITS = LimitsPacking()
CIRCUIT = CircuitPacking()
