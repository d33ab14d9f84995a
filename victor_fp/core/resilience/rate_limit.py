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
from operator import attrgetter
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from victor_fp.core.resilience.pool import LATE, Lent, RequestBlock, TokenSecond, find_charged_second
from victor_fp.core.resilience.ratelimit_headers import Reported, ReportedBudget

if TYPE_CHECKING:
    from victor_fp.core.telemetry.stats import LimiterStats

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


_GET_SERIAL = attrgetter("serial")


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


class AdoptedBudgets(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What was adopted from the headers of the vendor's responses. Limits are per minute."""

    requests_left: Left | None = None
    tokens_left: Left | None = None
    requests_limit: int | None = None
    tokens_limit: int | None = None
    held_until: float = -math.inf


class Limiter(msgspec.Struct, frozen=True, kw_only=True):
    """The state. Times are in the clock of `now`."""

    limits: Limits = Limits()
    slots: tuple[Slot, ...] = ()
    """Oldest first, without empty slots."""
    under_way: tuple[Permit, ...] = ()
    """Permits in use, oldest first."""
    taken: int = 0
    """Permits issued in total."""
    adopted: AdoptedBudgets | None = None
    """None until the vendor reports a budget."""
    loan: Loan | None = None
    """None if the limit is not shared through a pool."""


def take(limiter: Limiter, tokens: int, now: float) -> tuple[Limiter, Permit | Full]:
    """Take a permit for one request with an estimate of `tokens` (prompt and completion)."""
    limiter = _drop_expired(limiter, now)
    requests_limit, tokens_limit = compute_limits(limiter)
    adopted, loan, second = limiter.adopted, limiter.loan, -1
    charge = compute_charge(limiter, tokens)
    wait = 0.0 if adopted is None else _wait_for_vendor(adopted, charge, now)
    if loan is not None:
        second = -1 if loan.tokens is None else find_charged_second(now)
        rest = Full(wait + _TICK) if wait > 0 else _draw(loan, second, charge, len(limiter.under_way), now)
        if isinstance(rest, Full):
            return limiter, rest
        loan = rest
    else:
        if limiter.limits.concurrency is not None and len(limiter.under_way) >= limiter.limits.concurrency:
            return limiter, Full(None)
        if requests_limit is not None:
            requests = [(slot.index, slot.requests) for slot in limiter.slots]
            wait = max(wait, _wait_for_slots(requests, requests_limit - 1, now))
        if tokens_limit is not None:
            spent = [(slot.index, slot.tokens) for slot in limiter.slots]
            wait = max(wait, _wait_for_slots(spent, tokens_limit - charge, now))
        if wait > 0:
            return limiter, Full(wait + _TICK)
    slot = int(now // SLOT)
    permit = Permit(limiter.taken, now, slot, charge, second, 0 if loan is None else tokens)
    return replace(
        limiter,
        slots=_charge(limiter.slots, slot, 1, charge),
        under_way=(*limiter.under_way, permit),
        taken=limiter.taken + 1,
        adopted=adopted and _spend(adopted, 1, charge),
        loan=loan,
    ), permit


def give_back(limiter: Limiter, permit: Permit, used: int | None) -> Limiter:
    """Return the permit of a request that has ended; a permit that is not in use changes nothing.

    `used` is the number of tokens that the response reported; None keeps the estimate.
    """
    under_way, correction = limiter.under_way, 0 if used is None else used - permit.tokens
    at = bisect_left(under_way, permit.serial, key=_GET_SERIAL)
    if at == len(under_way) or under_way[at] != permit:
        return limiter
    return replace(
        limiter,
        under_way=under_way[:at] + under_way[at + 1 :],
        slots=_charge(limiter.slots, permit.slot, 0, correction) if correction else limiter.slots,
        loan=limiter.loan and _note_correction(limiter.loan, permit, correction, used),
    )


def withdraw(limiter: Limiter, permit: Permit) -> Limiter:
    """Return the permit of a request that was never sent, and undo its charge."""
    returned = give_back(limiter, permit, 0)
    if returned is limiter:
        return limiter
    return replace(
        returned,
        slots=_charge(returned.slots, permit.slot, -1, 0),
        adopted=returned.adopted and _spend(returned.adopted, -1, -permit.tokens),
    )


def adopt(limiter: Limiter, permit: Permit | None, reported: Reported, now: float) -> Limiter:
    """Apply the budgets in the headers of the response to the request of `permit`. Call it before `give_back`."""
    if limiter.limits.adopt == "never":
        return limiter
    others = [other for other in limiter.under_way if other != permit]
    requests, tokens, adopted = reported.requests, reported.tokens, limiter.adopted or AdoptedBudgets()
    held = [
        now + min(budget.reset, LONGEST_HOLD)
        for budget in reported.others
        if budget.remaining == 0 and budget.reset is not None
    ]
    budgets = AdoptedBudgets(
        requests_left=_compute_left(requests, len(others), now) or adopted.requests_left,
        tokens_left=_compute_left(tokens, sum(other.tokens for other in others), now) or adopted.tokens_left,
        requests_limit=_read_stated(requests) or adopted.requests_limit,
        tokens_limit=_read_stated(tokens) or adopted.tokens_limit,
        held_until=max(now + _compute_time_until(adopted.held_until, now), *held) if held else adopted.held_until,
    )
    return replace(limiter, adopted=budgets)


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
    """Return the tokens that a call with this estimate is charged; under a loan, from what recent calls used."""
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


def _draw(loan: Loan, second: int, charge: int, in_use: int, now: float) -> Loan | Full:
    """Return what is left of a loan after one request; if it is used up, the caller waits for the next one.

    Its tokens are charged to `second`.
    """
    if loan.permits is not None and (now >= loan.until or in_use >= loan.permits):
        return Full(None)
    if loan.tokens is not None and (now >= loan.tokens_until or charge > loan.tokens):
        return Full(None)
    blocks = loan.blocks
    if blocks is not None:
        blocks = drop_late(blocks, now)
        if not blocks:
            return Full(None)
        first = blocks[0]
        if first.start > now:
            return Full(first.start - now + _TICK)
        blocks = (RequestBlock(first.start + first.spacing, first.count - 1, first.spacing), *blocks[1:])
    if loan.tokens is None:
        return replace(loan, blocks=blocks)
    corrections = _move_charge(loan, second, charge)
    return replace(loan, blocks=blocks, tokens=loan.tokens - charge, corrections=corrections)


def _move_charge(loan: Loan, second: int, charge: int) -> tuple[TokenSecond, ...]:
    """Return the corrections that charge tokens to the second of their use instead of that of their loan."""
    moves = (TokenSecond(loan.second, -charge), TokenSecond(second, charge))
    return _sum_corrections((*loan.corrections, *moves)) if charge and second != loan.second else loan.corrections


def _note_correction(loan: Loan, permit: Permit, amount: int, used: int | None) -> Loan:
    """Add a difference between lent and used tokens, which is reported at the next renewal, and the usage of a call.

    Calls that used nothing are not typical of the next ones.
    """
    if loan.tokens is None or permit.second < 0:
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
    limits, adopted = limiter.limits, limiter.adopted
    if adopted is None:
        return limits.requests_per_minute, limits.tokens_per_minute
    return (
        _choose_stricter(limits.requests_per_minute, adopted.requests_limit, limits.adopt),
        _choose_stricter(limits.tokens_per_minute, adopted.tokens_limit, limits.adopt),
    )


def may_limit_tokens(limiter: Limiter) -> bool:
    """Return whether tokens are limited, or may be, before the first response. If not, calls need no estimate."""
    adopted, limits = limiter.adopted, limiter.limits
    if limits.tokens_per_minute is not None:
        return True
    if adopted is None:
        return limits.adopt != "never" and limiter.taken == len(limiter.under_way)
    return adopted.tokens_limit is not None or adopted.tokens_left is not None


def find_mode(limiter: Limiter, now: float) -> LimiterMode:
    """Return "free" if a small request could be sent at `now`, otherwise the reason why it could not."""
    _, answer = take(limiter, 1, now)
    if isinstance(answer, Permit):
        return "free"
    is_held = limiter.adopted is not None and _wait_for_vendor(limiter.adopted, 1, now) > 0
    return "held" if is_held else "full"


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
    """Add to the counts of one slot. The search starts at the newest slot, where most calls end."""
    at = len(slots) - 1
    while at >= 0 and slots[at].index > index:
        at -= 1
    if at >= 0 and slots[at].index == index:
        slot = Slot(index, max(0, slots[at].requests + requests), max(0, slots[at].tokens + tokens))
        return (*slots[:at], slot, *slots[at + 1 :])
    return (*slots, Slot(index, requests, tokens)) if requests > 0 else slots  # a dropped slot is not corrected


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


def _wait_for_vendor(adopted: AdoptedBudgets, charge: int, now: float) -> float:
    """Return the seconds until the vendor's budgets and holds allow a request."""
    return max(
        _compute_time_until(adopted.held_until, now),
        _wait_for_reset(adopted.requests_left, 1, now),
        _wait_for_reset(adopted.tokens_left, charge, now),
    )


def _wait_for_reset(left: Left | None, amount: int, now: float) -> float:
    """Return the seconds until the reset of a reported budget; 0.0 if it suffices for `amount`."""
    return 0.0 if left is None or left.amount >= amount else _compute_time_until(left.until, now)


def _compute_time_until(moment: float, now: float) -> float:
    """Return the seconds until `moment`; 0.0 if it has passed, or if it is implausibly far away."""
    seconds = moment - now
    return seconds if 0.0 < seconds <= LONGEST_HOLD + _SLACK else 0.0


def _spend(adopted: AdoptedBudgets, requests: int, tokens: int) -> AdoptedBudgets:
    """Subtract one request, or add it again, with negative numbers."""
    return replace(
        adopted,
        requests_left=adopted.requests_left
        and Left(adopted.requests_left.amount - requests, adopted.requests_left.until),
        tokens_left=adopted.tokens_left and Left(adopted.tokens_left.amount - tokens, adopted.tokens_left.until),
    )


def _compute_left(budget: ReportedBudget | None, in_flight: int, now: float) -> Left | None:
    if budget is None or budget.remaining is None or budget.reset is None:
        return None
    return Left(budget.remaining - in_flight, now + min(budget.reset, LONGEST_HOLD))


def _read_stated(budget: ReportedBudget | None) -> int | None:
    return budget.limit if budget is not None and budget.per_minute else None


def _choose_stricter(ours: int | None, theirs: int | None, adoption: Adoption) -> int | None:
    if theirs is None:
        return ours
    return theirs if ours is None or adoption == "replace" else min(ours, theirs)
