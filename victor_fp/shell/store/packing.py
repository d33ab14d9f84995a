"""Serialization of the shared state of breakers and budgets, and of what processes and pools send to each other.

Shared are a breaker's state and a budget's amounts. Local to each process are its settings (so that a
deployment with new settings takes effect immediately), its queue, and the counts of its closed breaker.
"""

from __future__ import annotations

import math
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from victor_fp.core.resilience import budget
from victor_fp.core.resilience.breaker import Breaker, BreakerPermit, State
from victor_fp.core.resilience.budget import Amount, Spending
from victor_fp.core.resilience.pool import Borrow, Lent

T = TypeVar("T")

LARGEST = 4 * 2**20
"""Bytes. Larger values are not read."""
FORMAT = 6
"""Version of the serialized states; increased when they change. A state of another version counts as missing."""


class _Circuit(msgspec.Struct, frozen=True, array_like=True):
    """A breaker without its policy and its local counts."""

    form: int
    state: State
    since: float
    success_count: int
    probes: tuple[BreakerPermit, ...]
    probe_count: int
    state_changes: int


class _Spending(msgspec.Struct, frozen=True, array_like=True):
    form: int
    spent: Amount
    reserved: Amount
    mark: str = ""


_encoder = msgspec.msgpack.Encoder()
_lent = msgspec.msgpack.Decoder(Lent)
_circuit = msgspec.msgpack.Decoder(_Circuit)
_spending = msgspec.msgpack.Decoder(_Spending)
_NOTHING = _encoder.encode(None)


def pack_borrow(borrow: Borrow) -> bytes:
    """Serialize the request of a process to a pool."""
    return _encoder.encode(borrow)


def unpack_lent(packed: bytes) -> Lent | None:
    """Deserialize the response of a pool; None if it cannot be read."""
    found = _decode(_lent, packed)
    return None if found is None or not _is_sane(found) else found


class CircuitPacking:
    """Serialization of the breaker of one key."""

    def get_freshness(self, state: Breaker | None) -> float:
        """Return one second for a closed breaker; otherwise zero, so that every step checks the shared state."""
        return 1.0 if state is None or state.state == "closed" else 0.0

    def pack(self, state: Breaker | None) -> bytes:
        """Serialize state and probes. The counts of the closed state are local, so a successful call changes nothing."""
        if state is None:
            return _NOTHING
        closed = state.state == "closed"
        return _encoder.encode(
            _Circuit(
                FORMAT,
                state.state,
                state.since,
                0 if closed else state.success_count,
                state.probes,
                state.probe_count,
                state.state_changes,
            )
        )

    def unpack(self, packed: bytes, mine: Breaker | None) -> Breaker | None:
        """Return the shared state with the local policy; local counts are kept if the state has not changed."""
        found = _decode(_circuit, packed)
        if found is None or found.form != FORMAT or mine is None or not _is_sane(found):
            return None
        same = found.state_changes == mine.state_changes
        closed = found.state == "closed"
        return replace(
            mine,
            state=found.state,
            since=found.since,
            success_count=mine.success_count if closed and same else found.success_count,
            probes=found.probes,
            probe_count=found.probe_count,
            state_changes=found.state_changes,
            failure_count=0 if closed and not same else mine.failure_count,
            failed_attempts=mine.failed_attempts if same else 0,
            ended=mine.ended if same else 0,
            failed=mine.failed if same else 0,
            ended_before=mine.ended_before if same else 0,
            failed_before=mine.failed_before if same else 0,
        )

    def merge_changes(self, shared: Breaker | None, base: Breaker | None, mine: Breaker | None) -> Breaker | None:  # noqa: ARG002
        """Return the shared state: what the other processes found out is newer."""
        return shared


class SpendingPacking:
    """Serialization of the spent and reserved amounts of a budget."""

    def get_freshness(self, state: Spending) -> float:  # noqa: ARG002  other processes may have spent the remainder
        """Return zero: every step checks the shared amounts."""
        return 0.0

    def pack(self, state: Spending) -> bytes:
        """Serialize the amounts; the budget itself is local to each process."""
        return _encoder.encode(_Spending(FORMAT, state.spent, state.reserved, state.mark))

    def unpack(self, packed: bytes, mine: Spending) -> Spending | None:
        """Return the shared amounts with the local budget."""
        found = _decode(_spending, packed)
        if found is None or found.form != FORMAT or not _is_sane(found) or _is_negative(found.spent, found.reserved):
            return None
        return replace(mine, spent=found.spent, reserved=found.reserved, mark=found.mark)

    def merge_changes(self, shared: Spending, base: Spending, mine: Spending) -> Spending:
        """Add what this process spent and reserved to the shared amounts."""
        return budget.merge_changes(shared, base, mine)


def _is_negative(*amounts: Amount) -> bool:
    return any(min(amount.usd, amount.tokens, amount.requests) < 0 for amount in amounts)


def _decode(decoder: msgspec.msgpack.Decoder[T], packed: bytes) -> T | None:
    """Decode a value; None if it is invalid, too large or too deeply nested."""
    if len(packed) > LARGEST:
        return None
    try:
        return decoder.decode(packed)
    except (msgspec.MsgspecError, RecursionError):
        return None


def _is_sane(value: object) -> bool:
    """Return whether every number in a state is plausible: counts below 2**53, times finite or -inf."""
    match value:
        case bool() | str() | None:
            return True
        case int():
            return abs(value) < 2**53
        case float():
            return value == -math.inf or math.isfinite(value)
        case tuple():
            return all(_is_sane(one) for one in value)
        case msgspec.Struct():
            return all(_is_sane(getattr(value, name)) for name in value.__struct_fields__)
        case _:
            return False


CIRCUIT = CircuitPacking()
SPENDING = SpendingPacking()
