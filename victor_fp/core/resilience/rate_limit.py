"""The rate limit of one key: how many requests and tokens a minute, and how many calls at a time.

Rules of the machine. One state serves one (provider, key, model).

A call takes a permit before each try and gives it back after. A permit is given when all of these hold: fewer than
`concurrency` permits are out, fewer than `requests_per_minute` were given in the last minute, the tokens estimated for
the call still fit into `tokens_per_minute`, what the vendor said was left is not used up, and nothing is on hold.
Otherwise the answer is Full, with the time after which it makes sense to ask again (None: when a permit comes back).

The minute is a sliding one, kept in slots of three seconds; a slot leaves when all of it is older than a minute, so
that no minute anywhere holds more than the limit. Tokens are charged by estimate when the permit is taken and corrected
in the same slot by what the response reports. A call estimated above the whole limit is let through when the minute is
empty, since it would wait for ever otherwise.

What a vendor's headers say is left counts until its reset time, less what other calls under way will use of it. A limit
that a vendor states per minute replaces ours or only tightens it, as `adopt` says.

A permit that nobody gives back (a process that was killed) is given up after `lease`. A permit whose request was never
sent is withdrawn, and what it had taken is free again.

Where many processes share a limit, each has a loan out of their pool (pool.py), and permits are given under the loan
alone: at the points of time that were lent, as long as the lent tokens suffice, while fewer permits are out than were
lent. What the vendor said, holds and cooldowns hold besides.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from victor_fp.core.resilience.pool import LATE, Lent, RequestBlock, TokenSecond
from victor_fp.core.resilience.ratelimit_headers import NOTHING, Reported, ReportedBudget
from victor_fp.core.stats import LimiterStats

Adoption: TypeAlias = Literal["replace", "tighten", "never"]
LimiterMode: TypeAlias = Literal["free", "full", "held"]

TRANSITIONS: Mapping[tuple[LimiterMode, str], tuple[LimiterMode, ...]] = {
    ("free", "taken"): ("free", "full", "held"),
    ("free", "given_back"): ("full",),
    ("full", "given_back"): ("free",),
    ("held", "given_back"): ("free", "full"),
    ("full", "time_passed"): ("free",),
    ("free", "told"): ("full", "held"),
    ("full", "told"): ("free", "held"),
    ("held", "told"): ("free", "full"),
    ("held", "time_passed"): ("free", "full"),
}
"""How room comes and goes: full by our own count, held by the vendor's word; `find_mode` tells where a state stands."""

SLOT = 3.0
"""Seconds."""
_SLOTS = 20
LONGEST_HOLD = 86400.0
"""Seconds. However far away a server puts the reset of a budget, after this it is asked again."""
_SLACK = 60.0
"""Seconds by which the clocks of those who share a state may differ; what lies further ahead than that is damaged."""
_TICK = 1e-6
"""Added to waits, so that a caller that waits as long as it was told does not come a rounding too early."""


class Limits(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is allowed; None is without limit."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrency: int | None = None
    adopt: Adoption = "tighten"
    """What a vendor's own word does to these: take their place, make them stricter only, or nothing."""
    lease: float = 900.0
    """Seconds after which a permit that did not come back is given up."""


class Permit(msgspec.Struct, frozen=True, gc=False):
    """Leave to send one request; hand it back with `give_back` or `withdraw`."""

    serial: int
    issued: float
    slot: int
    tokens: int
    """Charged by estimate."""
    second: int = -1
    """Of the pool's count to which lent tokens are charged."""


class Full(msgspec.Struct, frozen=True, gc=False):
    """No room."""

    retry_after: float | None
    """Seconds; None: when a permit comes back."""


class Slot(msgspec.Struct, frozen=True, gc=False):
    """What was given in three seconds."""

    index: int
    requests: int
    tokens: int


class Left(msgspec.Struct, frozen=True, gc=False):
    """What a vendor said is left of a budget until it is filled again."""

    amount: int
    until: float


class Loan(msgspec.Struct, frozen=True, kw_only=True):
    """What a process may send of a limit that it shares with others; the first loan is of nothing."""

    blocks: tuple[RequestBlock, ...] | None = ()
    """Requests at points of time, earliest first; None: as many as it likes."""
    tokens: int | None = 0
    second: int = -1
    """To which the tokens are charged."""
    tokens_until: float = -math.inf
    permits: int | None = 0
    until: float = -math.inf
    """When the permits end."""
    members: int = 0
    """Processes that share the limit; 0 before the first loan."""
    corrections: tuple[TokenSecond, ...] = ()
    """What is to be told to the pool about tokens that were lent and used."""
    refusal: str | None = None
    """Why nothing may be sent, where the pool is out of reach and that is to stop all."""


class Limiter(msgspec.Struct, frozen=True, kw_only=True):
    """The state. Times are those of the `now` that was passed in."""

    limits: Limits = Limits()
    slots: tuple[Slot, ...] = ()
    """Oldest first, empty ones left out."""
    under_way: tuple[Permit, ...] = ()
    """Permits that are out, oldest first."""
    taken: int = 0
    """Permits ever given."""
    requests_left: Left | None = None
    tokens_left: Left | None = None
    told_requests: int | None = None
    """Requests per minute by the vendor's word."""
    told_tokens: int | None = None
    held_until: float = -math.inf
    loan: Loan | None = None
    """None: this state counts for itself."""


def take(limiter: Limiter, tokens: int, now: float) -> tuple[Limiter, Permit | Full]:
    """Ask for leave to send one request estimated at `tokens` (prompt and completion)."""
    limiter = _drop_expired(limiter, now)
    requests_limit, tokens_limit = compute_limits(limiter)
    charge = tokens if tokens_limit is None else min(tokens, tokens_limit)
    if limiter.loan is not None:
        return _take_lent(limiter, limiter.loan, charge, now)
    if limiter.limits.concurrency is not None and len(limiter.under_way) >= limiter.limits.concurrency:
        return limiter, Full(None)
    wait = _compute_time_until(limiter.held_until, now)
    if requests_limit is not None:
        requests = [(slot.index, slot.requests) for slot in limiter.slots]
        wait = max(wait, _wait_for_slots(requests, requests_limit - 1, now))
    if tokens_limit is not None:
        spent = [(slot.index, slot.tokens) for slot in limiter.slots]
        wait = max(wait, _wait_for_slots(spent, tokens_limit - charge, now))
    if limiter.requests_left is not None:
        wait = max(wait, _wait_for_reset(limiter.requests_left, 1, now))
    if limiter.tokens_left is not None:
        wait = max(wait, _wait_for_reset(limiter.tokens_left, charge, now))
    if wait > 0:
        return limiter, Full(wait + _TICK)
    slot = int(now // SLOT)
    permit = Permit(limiter.taken, now, slot, charge)
    return replace(
        limiter,
        slots=_charge(limiter.slots, slot, 1, charge),
        under_way=(*limiter.under_way, permit),
        taken=limiter.taken + 1,
        requests_left=_subtract(limiter.requests_left, 1),
        tokens_left=_subtract(limiter.tokens_left, charge),
    ), permit


def give_back(limiter: Limiter, permit: Permit, used: int | None, now: float) -> Limiter:
    """The request is over. `used` are the tokens that the response reported; None keeps the estimate."""
    limiter = _drop_expired(limiter, now)
    rest = _remove_permit(limiter.under_way, permit)
    if rest is None:
        return limiter
    correction = 0 if used is None else used - permit.tokens
    return replace(
        limiter,
        under_way=rest,
        slots=_correct(limiter.slots, permit.slot, 0, correction) if correction else limiter.slots,
        loan=_note_correction(limiter.loan, permit.second, correction),
    )


def withdraw(limiter: Limiter, permit: Permit, now: float) -> Limiter:
    """The request was never sent: what the permit took is free again."""
    limiter = _drop_expired(limiter, now)
    rest = _remove_permit(limiter.under_way, permit)
    if rest is None:
        return limiter
    return replace(
        limiter,
        under_way=rest,
        slots=_correct(limiter.slots, permit.slot, -1, -permit.tokens),
        loan=_note_correction(limiter.loan, permit.second, -permit.tokens),
        requests_left=_subtract(limiter.requests_left, -1),
        tokens_left=_subtract(limiter.tokens_left, -permit.tokens),
    )


def adopt(limiter: Limiter, permit: Permit | None, reported: Reported, now: float) -> Limiter:
    """Take over what the headers of the response to `permit`'s request say. Comes before `give_back`."""
    if limiter.limits.adopt == "never" or reported is NOTHING:
        return limiter
    others = [other for other in limiter.under_way if other != permit]
    requests, tokens = reported.requests, reported.tokens
    held = [
        now + min(budget.reset, LONGEST_HOLD)
        for budget in reported.others
        if budget.remaining == 0 and budget.reset is not None
    ]
    return replace(
        limiter,
        requests_left=_compute_left(requests, len(others), now) or limiter.requests_left,
        tokens_left=_compute_left(tokens, sum(other.tokens for other in others), now) or limiter.tokens_left,
        told_requests=_read_stated(requests) or limiter.told_requests,
        told_tokens=_read_stated(tokens) or limiter.told_tokens,
        held_until=max(now + _compute_time_until(limiter.held_until, now), *held) if held else limiter.held_until,
    )


def extend(limiter: Limiter, lent: Lent, now: float) -> Loan:
    """The loan after the pool has lent more. What was lent earlier and can still be used stays, but for tokens."""
    loan = limiter.loan or Loan()
    requests, tokens = compute_limits(limiter)
    earlier = drop_late(loan.blocks or (), now)
    fresh = (RequestBlock(lent.start, lent.count, lent.spacing),) if lent.count > 0 else ()
    corrections = loan.corrections
    if loan.tokens and loan.second >= 0:
        corrections = (*corrections, TokenSecond(loan.second, -loan.tokens))
    return Loan(
        blocks=None if requests is None else (*earlier, *fresh),
        tokens=None if tokens is None else lent.tokens,
        second=lent.second,
        tokens_until=lent.tokens_until,
        permits=None if limiter.limits.concurrency is None else lent.permits,
        until=lent.until,
        members=lent.members,
        corrections=corrections,
    )


def drop_late(blocks: tuple[RequestBlock, ...], now: float) -> tuple[RequestBlock, ...]:
    """Without the points of time that are too long ago."""
    if blocks and blocks[0].count > 0 and blocks[0].start > now - LATE:
        return blocks
    left: list[RequestBlock] = []
    for block in blocks:
        gone = math.floor((now - LATE - block.start) / block.spacing) + 1 if block.start <= now - LATE else 0
        if gone < block.count:
            left.append(RequestBlock(block.start + gone * block.spacing, block.count - gone, block.spacing))
    return tuple(left)


def _take_lent(limiter: Limiter, loan: Loan, charge: int, now: float) -> tuple[Limiter, Permit | Full]:
    """Leave to send under a loan; where it has nothing left, the next one is waited for."""
    wait = _compute_time_until(limiter.held_until, now)
    if limiter.requests_left is not None:
        wait = max(wait, _wait_for_reset(limiter.requests_left, 1, now))
    if limiter.tokens_left is not None:
        wait = max(wait, _wait_for_reset(limiter.tokens_left, charge, now))
    if wait > 0:
        return limiter, Full(wait + _TICK)
    if loan.permits is not None and (now >= loan.until or len(limiter.under_way) >= loan.permits):
        return limiter, Full(None)
    if loan.tokens is not None and (now >= loan.tokens_until or charge > loan.tokens):
        return limiter, Full(None)
    blocks = loan.blocks
    if blocks is not None:
        blocks = drop_late(blocks, now)
        if not blocks:
            return limiter, Full(None)
        first = blocks[0]
        if first.start > now:
            return limiter, Full(first.start - now + _TICK)
        blocks = (RequestBlock(first.start + first.spacing, first.count - 1, first.spacing), *blocks[1:])
    slot = int(now // SLOT)
    permit = Permit(limiter.taken, now, slot, charge, loan.second)
    return replace(
        limiter,
        slots=_charge(limiter.slots, slot, 1, charge),
        under_way=(*limiter.under_way, permit),
        taken=limiter.taken + 1,
        requests_left=_subtract(limiter.requests_left, 1),
        tokens_left=_subtract(limiter.tokens_left, charge),
        loan=replace(loan, blocks=blocks, tokens=None if loan.tokens is None else loan.tokens - charge),
    ), permit


def _note_correction(loan: Loan | None, second: int, amount: int) -> Loan | None:
    """With a difference between what was lent and what was used, to be told at the next renewal."""
    if loan is None or loan.tokens is None or not amount or second < 0:
        return loan
    told = {one.second: one.amount for one in loan.corrections}
    told[second] = told.get(second, 0) + amount
    return replace(loan, corrections=tuple(TokenSecond(when, much) for when, much in told.items()))


def compute_limits(limiter: Limiter) -> tuple[int | None, int | None]:
    """Requests and tokens per minute as they hold now."""
    limits = limiter.limits
    return (
        _choose_stricter(limits.requests_per_minute, limiter.told_requests, limits.adopt),
        _choose_stricter(limits.tokens_per_minute, limiter.told_tokens, limits.adopt),
    )


def find_mode(limiter: Limiter, now: float) -> LimiterMode:
    """Whether a small request would find room at `now`."""
    _, answer = take(limiter, 1, now)
    if isinstance(answer, Permit):
        return "free"
    told = max(
        _compute_time_until(limiter.held_until, now),
        _wait_for_reset(limiter.requests_left, 1, now),
        _wait_for_reset(limiter.tokens_left, 1, now),
    )
    return "held" if told > 0 else "full"


def build_stats(limiter: Limiter, now: float) -> LimiterStats:
    """Figures for people and dashboards."""
    limiter = _drop_expired(limiter, now)
    requests_limit, tokens_limit = compute_limits(limiter)
    return {
        "state": find_mode(limiter, now),
        "requests_per_minute": requests_limit,
        "tokens_per_minute": tokens_limit,
        "concurrency": limiter.limits.concurrency,
        "requests_last_minute": sum(slot.requests for slot in limiter.slots),
        "tokens_last_minute": sum(slot.tokens for slot in limiter.slots),
        "in_flight": len(limiter.under_way),
        "total_requests": limiter.taken,
    }


def _drop_expired(limiter: Limiter, now: float) -> Limiter:
    """Without what the time has made void."""
    slots, under_way, slot = limiter.slots, limiter.under_way, int(now // SLOT)
    if slots and slots[0].index < slot - _SLOTS:
        slots = tuple(old for old in slots if old.index >= slot - _SLOTS)
    if slots and slots[-1].index > slot:
        slots = _pull_back(slots, slot)
    lease = limiter.limits.lease
    if under_way and (now - under_way[0].issued >= lease or under_way[-1].issued - now > lease + _SLACK):
        under_way = tuple(permit for permit in under_way if -lease - _SLACK <= now - permit.issued < lease)
    if slots is limiter.slots and under_way is limiter.under_way:
        return limiter
    return replace(limiter, slots=slots, under_way=under_way)


def _pull_back(slots: tuple[Slot, ...], slot: int) -> tuple[Slot, ...]:
    """After a clock that went back: what lies in the future counts as given now, or it would block for as long."""
    past = tuple(old for old in slots if old.index < slot)
    rest = [old for old in slots if old.index >= slot]
    return (*past, Slot(slot, sum(old.requests for old in rest), sum(old.tokens for old in rest)))


def _charge(slots: tuple[Slot, ...], index: int, requests: int, tokens: int) -> tuple[Slot, ...]:
    if slots and slots[-1].index == index:
        last = slots[-1]
        return (*slots[:-1], Slot(index, last.requests + requests, last.tokens + tokens))
    return (*slots, Slot(index, requests, tokens))


def _correct(slots: tuple[Slot, ...], index: int, requests: int, tokens: int) -> tuple[Slot, ...]:
    """With one slot's counts changed; most calls end in the newest one."""
    for back, slot in enumerate(reversed(slots), 1):
        if slot.index == index:
            place = len(slots) - back
            right = Slot(index, max(0, slot.requests + requests), max(0, slot.tokens + tokens))
            return (*slots[:place], right, *slots[place + 1 :])
    return slots


def _remove_permit(under_way: tuple[Permit, ...], permit: Permit) -> tuple[Permit, ...] | None:
    """The others; None where this one is not out."""
    place = bisect_left(under_way, permit.serial, key=_get_serial)
    if place == len(under_way) or under_way[place] != permit:
        return None
    return under_way[:place] + under_way[place + 1 :]


def _get_serial(permit: Permit) -> int:
    return permit.serial


def _wait_for_slots(given: list[tuple[int, int]], room: int, now: float) -> float:
    """Seconds until so much has left the minute that no more than `room` is in it."""
    if room < 0:
        return math.inf
    total = sum(amount for _, amount in given)
    for index, amount in given:
        if total <= room:
            break
        total -= amount
        if total <= room:
            return (index + _SLOTS + 1) * SLOT - now
    return 0.0


def _wait_for_reset(left: Left | None, amount: int, now: float) -> float:
    """Seconds until what the vendor said is left is filled again, where it does not suffice."""
    return 0.0 if left is None or left.amount >= amount else _compute_time_until(left.until, now)


def _compute_time_until(moment: float, now: float) -> float:
    """Seconds; 0.0 where it has passed, and where it is further away than any hold can be."""
    seconds = moment - now
    return seconds if 0.0 < seconds <= LONGEST_HOLD + _SLACK else 0.0


def _subtract(left: Left | None, amount: int) -> Left | None:
    return left and Left(left.amount - amount, left.until)


def _compute_left(budget: ReportedBudget | None, spoken_for: int, now: float) -> Left | None:
    if budget is None or budget.remaining is None or budget.reset is None:
        return None
    return Left(budget.remaining - spoken_for, now + min(budget.reset, LONGEST_HOLD))


def _read_stated(budget: ReportedBudget | None) -> int | None:
    return budget.limit if budget is not None and budget.per_minute else None


def _choose_stricter(ours: int | None, told: int | None, adoption: Adoption) -> int | None:
    if told is None or adoption == "never":
        return ours
    return told if ours is None or adoption == "replace" else min(ours, told)
