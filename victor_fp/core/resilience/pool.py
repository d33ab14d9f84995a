"""The pool of one key: lends requests, tokens and permits to processes in blocks; each process asks about once a period.

Rules of the machine. One state serves one (provider, key, model) and all processes that use it; `lend` is its only step.
A process is a member from its first Borrow until it borrows nothing or its lease expires, and sends only under its loan.
If the members request more than is available, allocation is max-min fair: members that request less than an equal share
get all of it, and the others divide the remainder equally.

Requests are slots in time (GCRA): the next free slot is at `requests_until`, and slots are `60 + MARGIN` seconds divided
by the limit apart. A block is a sequence of slots, at most `compute_horizon` seconds ahead. A request may be sent at its
slot or up to LATE seconds after it, never before it. MARGIN exceeds LATE plus the variation of the network delay to the
vendor, so no 60 seconds contain more requests than the limit, and the flow is even. Slots that were not requested
expire, except those of the last BURST seconds. If a period has fewer slots than members, each member reserves its next
slot, so that they take turns.

Tokens are amounts. They are charged to the second in which they were lent, and dropped from the count when everything
that may be sent for tokens of that second is older than a minute. When a request is sent, its process moves its charge
to the second of `find_charged_second`, and when the response reports its usage, corrects it there; both are part of its
next report to the pool. Tokens are paced like requests, except for the first call in a queue: it gets its full charge as soon as
the minute has capacity for it and the pacing of earlier calls has passed. Tokens that a call did not use are returned,
and its process may borrow the same amount again.

Permits that do not divide evenly, or are fewer than the members, rotate in turns of TURN seconds. A member that is lent
fewer permits than it uses sends nothing until it uses fewer, and is counted with the permits that it holds until it has
confirmed. So there are never more permits in use than the limit, unless a process loses its lease while its requests
are in flight.

A loan of permits expires after `compute_lease` seconds: a process that was killed loses them then, and a process that
cannot renew stops using them MARGIN seconds earlier. A member renews after `renew_after` seconds, which grow with the
number of members.

A cooldown that a member reports applies to all members from their next renewal.

If the pool was lost, the first member that asks creates a new one; if all members could not reach it for a while, the
first one that reaches it again reports this. Each member reports what it holds. Until a lease has passed no member is
lent more permits than it held, and the first requests are after all slots that the lost pool lent, or that other members
lend to themselves until they reach the pool.

Redis runs the same machine as a script (shell/store/redis_scripts.py); every change must be made in both places.
"""

from __future__ import annotations

import math

import msgspec
from msgspec.structs import replace

LATE = 1.0
"""Seconds. A request may be sent up to this long after its slot."""
BURST = 0.5
"""Seconds. Unrequested slots up to this age are still lent."""
MARGIN = 1.6
"""Seconds added to each minute: LATE, plus the differences of clocks and network delays."""
TOKEN_MARGIN = 2.2
"""Seconds added to each minute of tokens: MARGIN, plus an allowance for calls that use more than they were charged."""
TURN = 5.0
"""Seconds for which a permit that does not divide evenly stays with one member."""
SHORTEST_PERIOD = 1.0
LONGEST_PERIOD = 5.0
HORIZON = 1.5
"""Number of periods ahead that requests and tokens are lent."""
LONGEST_HORIZON = 60.0
"""Maximum seconds ahead that requests are lent, for limits so low that a period has fewer slots than members."""
RETURN = 2.0
"""Number of periods after which all members have noticed that the pool is reachable again."""
CONFIRM_AFTER = 0.1
"""Seconds after which a process that was lent fewer permits than it held confirms that it uses no more."""
MEMBERS_PER_SECOND = 1000
"""Maximum number of renewals per second for one key; with more members the period grows."""
FAR = 86400.0
"""Seconds. A time further in the future is not due to clock skew: the state is damaged, and the time counts as past."""


class Share(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The share of one process: what it has borrowed, and its demand."""

    name: str
    permits: int
    """Permits counted as lent."""
    wants: int
    """Demand for permits."""
    requests: int
    """Demand for requests in a period."""
    tokens: int
    until: float
    """Time at which its permits expire."""


class TokenSecond(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Tokens lent in one second."""

    second: int
    amount: int


class Pool(msgspec.Struct, frozen=True, array_like=True):
    """The state. Times are in the clock of `now`."""

    settled_at: float = -math.inf
    """Until this time, members that have not asked yet may hold permits."""
    requests_until: float = -math.inf
    """Time of the next free request slot."""
    tokens_until: float = -math.inf
    """Time at which the pacing of the lent tokens has passed."""
    tokens: tuple[TokenSecond, ...] = ()
    """Oldest first."""
    members: tuple[Share, ...] = ()
    """Sorted by name."""
    cooled_until: float = -math.inf
    cause: str = ""


class Borrow(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The report and request of a process. A limit of None is unlimited."""

    name: str
    """Unique name of the process."""
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrency: int | None = None
    requests: int = 0
    """Demand for requests in the next period."""
    ready: int = 0
    """Part of `requests` that it can send under its last loan."""
    tokens: int = 0
    least_tokens: int = 0
    """Tokens that the first call in its queue requires."""
    permits: int = 0
    """Demand for permits, including those in use; 0 with none held ends the membership."""
    in_use: int = 0
    held: int = 0
    """Permits that it may use under its last loan, or has in use."""
    corrections: tuple[TokenSecond, ...] = ()
    """Used minus lent tokens for each second; negative if fewer were used."""
    members: int = 0
    """Number of members at its last loan; 0 if it has had none."""
    cooled_until: float = -math.inf
    cause: str = ""
    is_alone: bool = False
    """Whether the pool was unreachable, so that it has lent to itself since its last loan."""


class RequestBlock(msgspec.Struct, frozen=True, gc=False):
    """A sequence of request slots."""

    start: float
    count: int
    spacing: float


class Lent(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """What a process may send. Nothing is lent of what has no limit."""

    start: float
    """Time of the first request slot."""
    count: int
    spacing: float
    tokens: int
    second: int
    """Second to which the tokens are charged."""
    tokens_until: float
    permits: int
    until: float
    """Time at which the permits expire."""
    members: int
    renew_after: float
    """Seconds after which to ask again."""
    cooled_until: float
    cause: str
    at: float
    """Time of the loan."""


def lend(pool: Pool | None, borrow: Borrow, now: float) -> tuple[Pool, Lent]:
    """Apply the report of a process, and lend it what it may send until it asks again. None is a missing or lost pool."""
    is_lost = pool is None
    pool = Pool() if pool is None else pool
    period = compute_period(max(len(pool.members), borrow.members))
    lease = compute_lease(period)
    pool, credit = _apply_report(pool, borrow, period, now)
    if _has_missed_loans(pool, borrow, period, now, is_lost=is_lost):
        pool = _resume(pool, borrow, period, now)
    others = tuple(one for one in pool.members if one.name != borrow.name)
    pool, block = _lend_requests(pool, others, borrow, period, now)
    pool, tokens, second = _lend_tokens(pool, others, borrow, credit, period, now)
    permits, renew_after = _lend_permits(pool, others, borrow, period, now)
    counted = max(borrow.held, permits)
    if counted > 0 or borrow.permits > 0 or borrow.requests > 0 or borrow.tokens > 0:
        wants = max(borrow.permits, borrow.in_use)
        mine = Share(borrow.name, counted, wants, borrow.requests, borrow.tokens, now + lease)
        others = tuple(sorted((*others, mine), key=_name))
    return replace(pool, members=others), Lent(
        start=block.start,
        count=block.count,
        spacing=block.spacing,
        tokens=tokens,
        second=second,
        tokens_until=now + HORIZON * period,
        permits=permits,
        until=now + lease - MARGIN,
        members=max(1, len(others)),
        renew_after=renew_after,
        cooled_until=pool.cooled_until,
        cause=pool.cause,
        at=now,
    )


def compute_period(members: int) -> float:
    """Return the seconds after which a member asks again, for this number of members."""
    return min(LONGEST_PERIOD, max(SHORTEST_PERIOD, members / MEMBERS_PER_SECOND))


def find_charged_second(now: float) -> int:
    """Return the second to which the tokens of a request sent at `now` are charged.

    It is the earliest in which they can have been lent: lent tokens that are not yet used count for that much longer.
    """
    return math.floor(now - HORIZON * SHORTEST_PERIOD)


def compute_lease(period: float) -> float:
    """Return the seconds for which permits are lent."""
    return 4.0 * period + MARGIN


def compute_spacing(requests_per_minute: int) -> float:
    """Return the seconds between two request slots."""
    return (60.0 + MARGIN) / max(1, requests_per_minute)


def compute_horizon(period: float, spacing: float, contenders: int) -> float:
    """Return the seconds ahead that requests are lent: more than a period, and enough for one slot per contender."""
    return max(HORIZON * period, min(LONGEST_HORIZON, contenders * spacing))


def _apply_report(pool: Pool, borrow: Borrow, period: float, now: float) -> tuple[Pool, int]:
    """Drop expired entries and apply the report of the process; also return the number of tokens that it gives back."""
    # Tokens lent in a second may be used until the horizon after it, so the minute before `now` starts that much earlier.
    oldest = math.floor(now - 60.0 - HORIZON * period - (MARGIN - LATE))
    seconds = {one.second: one.amount for one in pool.tokens if oldest <= one.second <= now + FAR}
    credit = 0
    for one in borrow.corrections:
        if one.second in seconds or (one.amount > 0 and oldest <= one.second <= now):
            before = seconds.get(one.second, 0)
            seconds[one.second] = max(0, before + one.amount)
            credit += before - seconds[one.second]
    cooled, cause = _drop_implausible(pool.cooled_until, now), pool.cause
    if borrow.cooled_until > cooled:
        cooled, cause = borrow.cooled_until, borrow.cause
    return Pool(
        settled_at=_drop_implausible(pool.settled_at, now),
        requests_until=_drop_implausible(pool.requests_until, now),
        tokens_until=_drop_implausible(pool.tokens_until, now),
        tokens=tuple(TokenSecond(second, amount) for second, amount in sorted(seconds.items()) if amount),
        members=tuple(one for one in pool.members if now < one.until < now + FAR),
        cooled_until=cooled,
        cause=cause,
    ), credit


def _has_missed_loans(pool: Pool, borrow: Borrow, period: float, now: float, *, is_lost: bool) -> bool:
    """Return whether members may hold loans missing from this pool: it was lost, or was unreachable for all members."""
    if is_lost:
        return borrow.is_alone or borrow.members > 0
    return borrow.is_alone and all(one.until - compute_lease(period) < now - RETURN * period for one in pool.members)


def _resume(pool: Pool, borrow: Borrow, period: float, now: float) -> Pool:
    """Lend requests only after all slots that others may hold, and, for one lease, no permits beyond those held."""
    limit = borrow.requests_per_minute
    ahead = compute_horizon(period, 0.0 if limit is None else compute_spacing(limit), borrow.members)
    if borrow.is_alone:  # other members lend to themselves until they reach the pool
        ahead += RETURN * period
    return replace(pool, settled_at=now + compute_lease(period), requests_until=max(pool.requests_until, now + ahead))


def _drop_implausible(moment: float, now: float) -> float:
    return moment if moment < now + FAR else -math.inf


def _lend_requests(
    pool: Pool, others: tuple[Share, ...], borrow: Borrow, period: float, now: float
) -> tuple[Pool, RequestBlock]:
    if borrow.requests_per_minute is None:
        return pool, RequestBlock(now, 0, 0.0)
    wants = [one.requests for one in others if one.requests > 0] + [borrow.requests]
    spacing = compute_spacing(borrow.requests_per_minute)
    horizon = compute_horizon(period, spacing, len(wants))
    start = pool.requests_until if pool.requests_until > now - BURST else now
    free = math.floor((now + horizon - start) / spacing) + 1 if start <= now + horizon else 0
    # A single member may have the full horizon. Otherwise the share is that of one period, so that no member gains by
    # asking at the moment when slots become free.
    shared = horizon if len(wants) == 1 else period
    share = max(1, math.ceil(min(borrow.requests, fill(wants, shared / spacing))))
    count = max(0, min(free, min(borrow.requests, share) - borrow.ready))
    if count > 0:
        pool = replace(pool, requests_until=start + count * spacing)
    return pool, RequestBlock(start, count, spacing)


def _lend_tokens(
    pool: Pool, others: tuple[Share, ...], borrow: Borrow, credit: int, period: float, now: float
) -> tuple[Pool, int, int]:
    """Return the pool, the number of tokens, and the second to which they are charged."""
    limit = borrow.tokens_per_minute
    second = max(math.floor(now), pool.tokens[-1].second if pool.tokens else 0)
    if limit is None:
        return pool, 0, second
    room = limit - sum(one.amount for one in pool.tokens)
    spacing, horizon = (60.0 + TOKEN_MARGIN) / max(1, limit), HORIZON * period
    start = max(pool.tokens_until, now - BURST) - credit * spacing
    wants = [one.tokens for one in others if one.tokens > 0] + [borrow.tokens]
    paced = math.floor((now + horizon - start) / spacing) if start <= now + horizon else 0
    share = math.ceil(min(borrow.tokens, fill(wants, horizon / spacing) + credit))
    least = min(borrow.least_tokens, limit)
    if least > 0:  # whole calls; the waiting ones are assumed to be alike
        share = math.ceil(share / least) * least
    amount = min(borrow.tokens, paced, share, room)
    if amount < least <= room and start <= now:
        amount = least
    if amount <= 0 or amount < least:
        return replace(pool, tokens_until=start), 0, second
    if least > 0:
        amount -= amount % least
    lent = pool.tokens
    if lent and lent[-1].second == second:
        lent = (*lent[:-1], TokenSecond(second, lent[-1].amount + amount))
    else:
        lent = (*lent, TokenSecond(second, amount))
    return replace(pool, tokens=lent, tokens_until=start + amount * spacing), amount, second


def _lend_permits(
    pool: Pool, others: tuple[Share, ...], borrow: Borrow, period: float, now: float
) -> tuple[int, float]:
    """Return the number of permits, and the seconds after which to ask again."""
    limit = borrow.concurrency
    if limit is None:
        return 0, period
    fair, until_turn = _compute_fair_permits(others, borrow, limit, now)
    if now < pool.settled_at:
        fair = min(fair, borrow.held)
    free = limit - sum(one.permits for one in others)
    permits = min(fair, max(free, 0))
    if borrow.in_use <= permits < borrow.held:
        return permits, CONFIRM_AFTER
    return permits, period / 4 if permits < max(fair, borrow.in_use) else min(period, until_turn)


def _compute_fair_permits(others: tuple[Share, ...], borrow: Borrow, limit: int, now: float) -> tuple[int, float]:
    """Return the fair share of this process, and the seconds for which it applies."""
    wanted = max(borrow.permits, borrow.in_use)
    wants = [one.wants for one in others if one.wants > 0] + [wanted]
    level = fill(wants, limit)
    if wanted <= level:
        return wanted, math.inf
    rivals = [one.name for one in others if one.wants > level]
    left = limit - sum(want for want in wants if want <= level)
    each, odd = divmod(left, len(rivals) + 1)
    position = sum(name < borrow.name for name in rivals)
    number = math.floor(now / TURN)
    turn = (position + number * odd) % (len(rivals) + 1)
    return min(wanted, each + (turn < odd)), (number + 1) * TURN - now if odd else math.inf


def fill(wants: list[int], capacity: float) -> float:
    """Return the level of a max-min fair division of `capacity`; infinite if everything that is wanted fits."""
    if sum(wants) <= capacity:
        return math.inf
    small, level = 0, capacity / len(wants)
    while small < len(less := [want for want in wants if want <= level]) < len(wants):
        small, level = len(less), (capacity - sum(less)) / (len(wants) - len(less))
    return level


def _name(share: Share) -> str:
    return share.name
