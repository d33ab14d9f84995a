"""The rate limit of one key: requests per minute, tokens per minute, and concurrent calls.

Rules of the machine. One state serves one (provider, key, model).

A call takes a permit before each attempt and returns it afterwards. A permit is issued if all of these hold: fewer than
`concurrency` permits are in use, fewer than `requests_per_minute` were issued in the last minute, the estimated tokens
of the call fit into `tokens_per_minute`, the remaining budget reported by the vendor is not used up, and no hold is
active. Otherwise the result is Full, with the time until the next attempt may succeed (None: when a permit is
returned).

The minute is a sliding window of three-second slots; a slot is dropped once all of it is older than a minute, so that
no 60 seconds contain more than the limit. Tokens are charged by estimate when the permit is issued, and corrected in
the same slot when the response reports its usage. A call with an estimate above the limit itself is admitted when the
window is empty, because otherwise it would wait forever.

A remaining budget from response headers applies until its reset time, less the estimated use of other calls in flight.
A limit per minute that the vendor reports replaces or tightens the configured one, depending on `adopt`.

A permit that is never returned (its process was killed) expires after `lease`. A permit whose request was never sent is
withdrawn, and its charge is undone.

If many processes share a limit, each has a loan from their pool (pool.py), and permits are issued under the loan alone:
at the lent times, while the lent tokens suffice, and while fewer permits are in use than were lent. Reported budgets,
holds and cooldowns apply in addition.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from victor_fp.core.resilience.pool import LATE, Lent, RequestBlock, TokenSecond, find_charged_second
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
    ("free", "reported"): ("full", "held"),
    ("full", "reported"): ("free", "held"),
    ("held", "reported"): ("free", "full"),
    ("held", "time_passed"): ("free", "full"),
}
"""Transitions of the mode that `find_mode` returns: "full" by the local count, "held" by a reported budget or hold."""

SLOT = 3.0
"""Seconds."""
_SLOTS = 20
LONGEST_HOLD = 86400.0
"""Seconds. Upper bound for the reset time of a reported budget."""
_SLACK = 60.0
"""Seconds. Maximum clock difference between processes that share a state; a later time counts as damaged."""
_LARGEST_ERROR = 10.0
"""Largest factor by which charges are corrected for the usage of recent calls."""
_MEMORY = 0.95
"""Weight of earlier calls in that usage, per call."""
_TICK = 1e-6
"""Seconds. Added to waits, so that a caller that waits exactly as long is not rejected because of rounding."""


class Limits(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The configured limits; None is unlimited."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrency: int | None = None
    adopt: Adoption = "tighten"
    """Effect of limits that the vendor reports: "replace" these, only "tighten" them, or "never" change them."""
    lease: float = 900.0
    """Seconds after which a permit that was not returned expires."""


class Permit(msgspec.Struct, frozen=True, gc=False):
    """Permission to send one request; return it with `give_back` or `withdraw`."""

    serial: int
    issued: float
    slot: int
    tokens: int
    """Estimated tokens that were charged."""
    second: int = -1
    """Second of the pool's token count to which lent tokens are charged."""
    estimate: int = 0
    """The caller's estimate, from which the charge under a loan was computed."""


class Full(msgspec.Struct, frozen=True, gc=False):
    """The limit has no capacity."""

    retry_after: float | None
    """Seconds; None: when a permit is returned."""


class Slot(msgspec.Struct, frozen=True, gc=False):
    """Requests and tokens charged in three seconds."""

    index: int
    requests: int
    tokens: int


class Left(msgspec.Struct, frozen=True, gc=False):
    """Remaining budget that a vendor reported, until its reset."""

    amount: int
    until: float


class RecentUsage(msgspec.Struct, frozen=True, gc=False):
    """Tokens that recent calls used, and their estimates. Older calls weigh less."""

    used: float = 0.0
    estimated: float = 0.0


class Loan(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a shared limit that this process may use; initially nothing."""

    blocks: tuple[RequestBlock, ...] | None = ()
    """Times at which requests may be sent, earliest first; None is unlimited."""
    tokens: int | None = 0
    second: int = -1
    """Second to which the tokens are charged."""
    tokens_until: float = -math.inf
    permits: int | None = 0
    until: float = -math.inf
    """Time at which the permits expire."""
    members: int = 0
    """Processes that share the limit; 0 before the first loan."""
    corrections: tuple[TokenSecond, ...] = ()
    """Differences between lent and used tokens, to be reported to the pool."""
    usage: RecentUsage = RecentUsage()
    refusal: str | None = None
    """Reason why no request may be sent, if the pool is unreachable and the store fails closed."""


class Limiter(msgspec.Struct, frozen=True, kw_only=True):
    """The state. Times are in the clock of `now`."""

    limits: Limits = Limits()
    slots: tuple[Slot, ...] = ()
    """Oldest first, without empty slots."""
    under_way: tuple[Permit, ...] = ()
    """Permits in use, oldest first."""
    taken: int = 0
    """Permits issued in total."""
    requests_left: Left | None = None
    tokens_left: Left | None = None
    reported_requests: int | None = None
    """Requests per minute, as reported by the vendor."""
    reported_tokens: int | None = None
    held_until: float = -math.inf
    loan: Loan | None = None
    """None if the limit is not shared through a pool."""


def take(limiter: Limiter, tokens: int, now: float) -> tuple[Limiter, Permit | Full]:
    """Take a permit for one request with an estimate of `tokens` (prompt and completion)."""
    limiter = _drop_expired(limiter, now)
    requests_limit, tokens_limit = compute_limits(limiter)
    charge = tokens if tokens_limit is None else compute_charge(limiter, tokens)
    if limiter.loan is not None:
        return _take_lent(limiter, limiter.loan, tokens, charge, now)
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
    """Return the permit of a request that has ended.

    `used` is the number of tokens that the response reported; None keeps the estimate.
    """
    limiter = _drop_expired(limiter, now)
    others = _remove_permit(limiter.under_way, permit)
    if others is None:
        return limiter
    correction = 0 if used is None else used - permit.tokens
    return replace(
        limiter,
        under_way=others,
        slots=_correct(limiter.slots, permit.slot, 0, correction) if correction else limiter.slots,
        loan=_note_correction(limiter.loan, permit, correction, used),
    )


def withdraw(limiter: Limiter, permit: Permit, now: float) -> Limiter:
    """Return the permit of a request that was never sent, and undo its charge."""
    limiter = _drop_expired(limiter, now)
    others = _remove_permit(limiter.under_way, permit)
    if others is None:
        return limiter
    return replace(
        limiter,
        under_way=others,
        slots=_correct(limiter.slots, permit.slot, -1, -permit.tokens),
        loan=_note_correction(limiter.loan, permit, -permit.tokens),
        requests_left=_subtract(limiter.requests_left, -1),
        tokens_left=_subtract(limiter.tokens_left, -permit.tokens),
    )


def adopt(limiter: Limiter, permit: Permit | None, reported: Reported, now: float) -> Limiter:
    """Apply the budgets in the headers of the response to the request of `permit`. Call it before `give_back`."""
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
        reported_requests=_read_stated(requests) or limiter.reported_requests,
        reported_tokens=_read_stated(tokens) or limiter.reported_tokens,
        held_until=max(now + _compute_time_until(limiter.held_until, now), *held) if held else limiter.held_until,
    )


def extend(limiter: Limiter, lent: Lent, now: float) -> Loan:
    """Return the loan extended by `lent`. Unused parts of the earlier loan are kept, except for tokens."""
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
        usage=loan.usage,
    )


def compute_charge(limiter: Limiter, tokens: int) -> int:
    """Return the tokens that a call with this estimate is charged under a loan, from what recent calls used."""
    _, limit = compute_limits(limiter)
    usage = RecentUsage() if limiter.loan is None else limiter.loan.usage
    if usage.estimated > 0:
        factor = max(1.0 / _LARGEST_ERROR, min(_LARGEST_ERROR, usage.used / usage.estimated))
        tokens = math.ceil(tokens * factor)
    return tokens if limit is None else min(tokens, limit)


def drop_late(blocks: tuple[RequestBlock, ...], now: float) -> tuple[RequestBlock, ...]:
    """Drop the times that are more than LATE seconds ago."""
    if blocks and blocks[0].count > 0 and blocks[0].start > now - LATE:
        return blocks
    left: list[RequestBlock] = []
    for block in blocks:
        gone = math.floor((now - LATE - block.start) / block.spacing) + 1 if block.start <= now - LATE else 0
        if gone < block.count:
            left.append(RequestBlock(block.start + gone * block.spacing, block.count - gone, block.spacing))
    return tuple(left)


def _take_lent(limiter: Limiter, loan: Loan, estimate: int, charge: int, now: float) -> tuple[Limiter, Permit | Full]:
    """Take a permit under a loan; if the loan is used up, the caller waits for the next one."""
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
    second = -1 if loan.tokens is None else find_charged_second(now)
    permit = Permit(limiter.taken, now, slot, charge, second, estimate)
    if loan.tokens is not None:
        loan = replace(loan, tokens=loan.tokens - charge, corrections=_move_charge(loan, second, charge))
    return replace(
        limiter,
        slots=_charge(limiter.slots, slot, 1, charge),
        under_way=(*limiter.under_way, permit),
        taken=limiter.taken + 1,
        requests_left=_subtract(limiter.requests_left, 1),
        tokens_left=_subtract(limiter.tokens_left, charge),
        loan=replace(loan, blocks=blocks),
    ), permit


def _move_charge(loan: Loan, second: int, charge: int) -> tuple[TokenSecond, ...]:
    """Return the corrections that charge tokens to the second of their use instead of that of their loan."""
    moves = (TokenSecond(loan.second, -charge), TokenSecond(second, charge))
    return _sum_corrections((*loan.corrections, *moves)) if charge and second != loan.second else loan.corrections


def _note_correction(loan: Loan | None, permit: Permit, amount: int, used: int | None = None) -> Loan | None:
    """Add a difference between lent and used tokens, which is reported at the next renewal, and the usage of a call.

    Calls that used nothing are not typical of the next ones.
    """
    if loan is None or loan.tokens is None or permit.second < 0:
        return loan
    usage, corrections = loan.usage, loan.corrections
    if used and permit.estimate:
        usage = RecentUsage(usage.used * _MEMORY + used, usage.estimated * _MEMORY + permit.estimate)
    if amount:
        corrections = _sum_corrections((*corrections, TokenSecond(permit.second, amount)))
    return replace(loan, usage=usage, corrections=corrections)


def _sum_corrections(corrections: tuple[TokenSecond, ...]) -> tuple[TokenSecond, ...]:
    sums: dict[int, int] = {}
    for one in corrections:
        sums[one.second] = sums.get(one.second, 0) + one.amount
    return tuple(TokenSecond(second, amount) for second, amount in sums.items())


def compute_limits(limiter: Limiter) -> tuple[int | None, int | None]:
    """Return the requests and tokens per minute that apply now."""
    limits = limiter.limits
    return (
        _choose_stricter(limits.requests_per_minute, limiter.reported_requests, limits.adopt),
        _choose_stricter(limits.tokens_per_minute, limiter.reported_tokens, limits.adopt),
    )


def find_mode(limiter: Limiter, now: float) -> LimiterMode:
    """Return "free" if a small request could be sent at `now`, otherwise the reason why it could not."""
    _, answer = take(limiter, 1, now)
    if isinstance(answer, Permit):
        return "free"
    hold = max(
        _compute_time_until(limiter.held_until, now),
        _wait_for_reset(limiter.requests_left, 1, now),
        _wait_for_reset(limiter.tokens_left, 1, now),
    )
    return "held" if hold > 0 else "full"


def build_stats(limiter: Limiter, now: float) -> LimiterStats:
    """Return statistics."""
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
    """Drop expired slots and permits."""
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
    """Move future slots to the current one after the clock was set back; otherwise they would block for that long."""
    past = tuple(old for old in slots if old.index < slot)
    future = [old for old in slots if old.index >= slot]
    return (*past, Slot(slot, sum(old.requests for old in future), sum(old.tokens for old in future)))


def _charge(slots: tuple[Slot, ...], index: int, requests: int, tokens: int) -> tuple[Slot, ...]:
    if slots and slots[-1].index == index:
        last = slots[-1]
        return (*slots[:-1], Slot(index, last.requests + requests, last.tokens + tokens))
    return (*slots, Slot(index, requests, tokens))


def _correct(slots: tuple[Slot, ...], index: int, requests: int, tokens: int) -> tuple[Slot, ...]:
    """Change the counts of one slot. The search starts at the newest slot, where most calls end."""
    for back, slot in enumerate(reversed(slots), 1):
        if slot.index == index:
            position = len(slots) - back
            corrected = Slot(index, max(0, slot.requests + requests), max(0, slot.tokens + tokens))
            return (*slots[:position], corrected, *slots[position + 1 :])
    return slots


def _remove_permit(under_way: tuple[Permit, ...], permit: Permit) -> tuple[Permit, ...] | None:
    """Return the other permits; None if this one is not in use."""
    index = bisect_left(under_way, permit.serial, key=_get_serial)
    if index == len(under_way) or under_way[index] != permit:
        return None
    return under_way[:index] + under_way[index + 1 :]


def _get_serial(permit: Permit) -> int:
    return permit.serial


def _wait_for_slots(given: list[tuple[int, int]], room: int, now: float) -> float:
    """Return the seconds until at most `room` remains in the window."""
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
    """Return the seconds until the reset of a reported budget; 0.0 if it suffices for `amount`."""
    return 0.0 if left is None or left.amount >= amount else _compute_time_until(left.until, now)


def _compute_time_until(moment: float, now: float) -> float:
    """Return the seconds until `moment`; 0.0 if it has passed, or if it is implausibly far away."""
    seconds = moment - now
    return seconds if 0.0 < seconds <= LONGEST_HOLD + _SLACK else 0.0


def _subtract(left: Left | None, amount: int) -> Left | None:
    return left and Left(left.amount - amount, left.until)


def _compute_left(budget: ReportedBudget | None, in_flight: int, now: float) -> Left | None:
    if budget is None or budget.remaining is None or budget.reset is None:
        return None
    return Left(budget.remaining - in_flight, now + min(budget.reset, LONGEST_HOLD))


def _read_stated(budget: ReportedBudget | None) -> int | None:
    return budget.limit if budget is not None and budget.per_minute else None


def _choose_stricter(ours: int | None, theirs: int | None, adoption: Adoption) -> int | None:
    if theirs is None or adoption == "never":
        return ours
    return theirs if ours is None or adoption == "replace" else min(ours, theirs)
