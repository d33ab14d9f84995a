"""The pool of one key: lends requests, tokens and permits to many processes in blocks, so that each asks about once a period.

Rules of the machine. One state serves one (provider, key, model) and all processes that use it; `lend` is its only step.
A process is a member from its first Borrow until it borrows nothing or its lease ends. It sends under its loan alone.
Where the wants of all members exceed what there is, each gets its fair share: those that want less than an even share get
what they want, and the others share the rest evenly.

Requests are points of time (GCRA): the next free one is `requests_until`, and they are `60 + MARGIN` seconds divided by
the limit apart. A block is a row of these points, at most `compute_horizon` seconds ahead. A request may go at its point or up
to LATE seconds after it, never before it; MARGIN is more than LATE and what the way to the vendor may differ by, so no
60 seconds anywhere hold more than the limit, and the flow is even. Points that nobody asked for pass, but for those of
the last BURST seconds. Where a period has fewer points than members, each reserves its next one: so they take turns.

Tokens are amounts, charged to the second in which they were lent and gone from the count when all that was lent in it
is older than a minute. They are paced like requests, but for the first call in a queue: it gets its whole charge as
soon as the minute has room for it and earlier calls are paid for. What a call did not use comes back to its second, and
its process may have as much again.

Permits that do not divide evenly, or are fewer than the members, go round in turns of TURN seconds. A member that is lent
less than it has in use sends nothing until it is below that, and is counted with what it holds until it has confirmed: so
there are never more permits out than the limit, unless a process loses its lease while its requests are under way.

A loan of permits ends after `compute_lease` seconds: a process that was killed loses them then, and a process that cannot renew
stops using them MARGIN seconds earlier. A member renews after `renew_after` seconds, which grow with the number of members.

A cooldown that a member reports holds for all from their next renewal on.

Where the pool was lost, the first member to ask makes another; where all were out of reach for a while, the first one to
be back says so. Each reports what it holds; until a lease has passed nobody is lent more permits than it held, and the
first requests lie beyond all points that the lost pool lent, or that others lend themselves until they are back.

Redis runs the same machine as a script (shell/store/redis_scripts.py); a change here is a change there.
"""

from __future__ import annotations

import math

import msgspec
from msgspec.structs import replace

LATE = 1.0
"""Seconds after its point of time up to which a request may go."""
BURST = 0.5
"""Seconds of points that nobody has asked for that are still lent."""
MARGIN = 1.6
"""Seconds by which a minute is taken to be longer: LATE, and what clocks and networks may differ by."""
TURN = 5.0
"""Seconds for which an odd permit stays with one member."""
SHORTEST_PERIOD = 1.0
LONGEST_PERIOD = 5.0
HORIZON = 1.5
"""Periods ahead that are lent."""
LONGEST_HORIZON = 60.0
"""Seconds ahead that requests are lent at most, where the limit is so low that a period has none for some members."""
RETURN = 2.0
"""Periods within which all members have found out that the pool is in reach again."""
CONFIRM_AFTER = 0.1
"""Seconds after which a process that was lent fewer permits than it held confirms that it uses no more."""
MEMBERS_PER_SECOND = 1000
"""Renewals that one key may cost in a second; with more members the period grows."""
FAR = 86400.0
"""Seconds. A time that lies further ahead is no clock's fault: the state was damaged, and the time counts as past."""


class Share(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one process has borrowed, and what it would use."""

    name: str
    permits: int
    """Counted as lent."""
    wants: int
    """Permits that it would use."""
    requests: int
    """Requests that it would send in a period."""
    tokens: int
    until: float
    """When its permits come back by themselves."""


class TokenSecond(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Tokens that were lent in one second."""

    second: int
    amount: int


class Pool(msgspec.Struct, frozen=True, array_like=True):
    """The state. Times are those of the `now` that was passed in."""

    settled_at: float = -math.inf
    """Until then members that have not asked yet may hold permits."""
    requests_until: float = -math.inf
    """The next point of time at which a request may go."""
    tokens_until: float = -math.inf
    """When what was lent of tokens will be paid for."""
    tokens: tuple[TokenSecond, ...] = ()
    """Oldest first."""
    members: tuple[Share, ...] = ()
    """By name."""
    cooled_until: float = -math.inf
    cause: str = ""


class Borrow(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What a process asks for. A limit of None is none."""

    name: str
    """The process's own, never used by another."""
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrency: int | None = None
    requests: int = 0
    """Requests that it would send in the next period."""
    ready: int = 0
    """Of these, how many it can send under its last loan."""
    tokens: int = 0
    least_tokens: int = 0
    """What the first call in its queue needs at once."""
    permits: int = 0
    """Permits that it would use, those in use included; 0 and none held ends the membership."""
    in_use: int = 0
    held: int = 0
    """Permits that it may use by its last loan, or has in use."""
    corrections: tuple[TokenSecond, ...] = ()
    """By how much what was used differs from what was lent in a second; below zero where less was."""
    members: int = 0
    """How many there were at its last loan; 0 where it has had none."""
    cooled_until: float = -math.inf
    cause: str = ""
    is_alone: bool = False
    """Whether the pool was out of reach, so that it has lent itself since its last loan."""


class RequestBlock(msgspec.Struct, frozen=True, gc=False):
    """Requests at points of time."""

    start: float
    count: int
    spacing: float


class Lent(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """What a process may send. Of what has no limit nothing is lent."""

    start: float
    """The point of time of the first request."""
    count: int
    spacing: float
    tokens: int
    second: int
    """To which the tokens are charged."""
    tokens_until: float
    permits: int
    until: float
    """When the permits end."""
    members: int
    renew_after: float
    """Seconds after which to ask again."""
    cooled_until: float
    cause: str
    at: float
    """When it was lent."""


def lend(pool: Pool | None, borrow: Borrow, now: float) -> tuple[Pool, Lent]:
    """Take in what a process reports and lend it what it may send until it asks again. None is no pool, or a lost one."""
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
    """Seconds after which each of so many members asks again."""
    return min(LONGEST_PERIOD, max(SHORTEST_PERIOD, members / MEMBERS_PER_SECOND))


def compute_lease(period: float) -> float:
    """Seconds for which permits are lent."""
    return 4.0 * period + MARGIN


def compute_spacing(requests_per_minute: int) -> float:
    """Seconds between two requests."""
    return (60.0 + MARGIN) / max(1, requests_per_minute)


def compute_horizon(period: float, spacing: float, contenders: int) -> float:
    """Seconds ahead that requests are lent: a period and some more, and so far that each can have one."""
    return max(HORIZON * period, min(LONGEST_HORIZON, contenders * spacing))


def _apply_report(pool: Pool, borrow: Borrow, period: float, now: float) -> tuple[Pool, int]:
    """Without what the time has made void, and with what the process reports; and the tokens that it gives back."""
    # What was lent in a second was used by the horizon after it: a minute before now begins that much earlier.
    oldest = math.floor(now - 60.0 - HORIZON * period - (MARGIN - LATE))
    seconds = {one.second: one.amount for one in pool.tokens if oldest <= one.second <= now + FAR}
    credit = 0
    for one in borrow.corrections:
        if one.second in seconds:
            corrected = max(0, seconds[one.second] + one.amount)
            credit += seconds[one.second] - corrected
            seconds[one.second] = corrected
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
    """Whether members may have what this pool does not know of: it was lost, or all were out of reach for a while."""
    if is_lost:
        return borrow.is_alone or borrow.members > 0
    return borrow.is_alone and all(one.until - compute_lease(period) < now - RETURN * period for one in pool.members)


def _resume(pool: Pool, borrow: Borrow, period: float, now: float) -> Pool:
    """Lend requests when all that others may have are past, and until a lease is over nobody more permits than it holds."""
    limit = borrow.requests_per_minute
    ahead = compute_horizon(period, 0.0 if limit is None else compute_spacing(limit), borrow.members)
    if borrow.is_alone:  # others lend themselves until they find out, too
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
    # Alone it may have all; with others a period's part, so that none gets more by asking when points have become free.
    shared = horizon if len(wants) == 1 else period
    share = max(1, math.ceil(min(borrow.requests, fill(wants, shared / spacing))))
    count = max(0, min(free, min(borrow.requests, share) - borrow.ready))
    if count > 0:
        pool = replace(pool, requests_until=start + count * spacing)
    return pool, RequestBlock(start, count, spacing)


def _lend_tokens(
    pool: Pool, others: tuple[Share, ...], borrow: Borrow, credit: int, period: float, now: float
) -> tuple[Pool, int, int]:
    """The amount, and the second to which it is charged."""
    limit = borrow.tokens_per_minute
    second = max(math.floor(now), pool.tokens[-1].second if pool.tokens else 0)
    if limit is None:
        return pool, 0, second
    room = limit - sum(one.amount for one in pool.tokens)
    spacing, horizon = 60.0 / max(1, limit), HORIZON * period
    start = max(pool.tokens_until, now - BURST) - credit * spacing
    wants = [one.tokens for one in others if one.tokens > 0] + [borrow.tokens]
    paced = math.floor((now + horizon - start) / spacing) if start <= now + horizon else 0
    share = math.ceil(min(borrow.tokens, fill(wants, horizon / spacing) + credit))
    amount = min(borrow.tokens, paced, share, room)
    least = min(borrow.least_tokens, limit)
    if amount < least <= room and start <= now:
        amount = least
    if amount <= 0 or amount < least:
        return pool, 0, second
    lent = pool.tokens
    if lent and lent[-1].second == second:
        lent = (*lent[:-1], TokenSecond(second, lent[-1].amount + amount))
    else:
        lent = (*lent, TokenSecond(second, amount))
    return replace(pool, tokens=lent, tokens_until=start + amount * spacing), amount, second


def _lend_permits(
    pool: Pool, others: tuple[Share, ...], borrow: Borrow, period: float, now: float
) -> tuple[int, float]:
    """How many, and after how many seconds to ask again."""
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
    """What this process should have if all had what they should, and for how many seconds."""
    wanted = max(borrow.permits, borrow.in_use)
    wants = [one.wants for one in others if one.wants > 0] + [wanted]
    level = fill(wants, limit)
    if wanted <= level:
        return wanted, math.inf
    rivals = [one.name for one in others if one.wants > level]
    left = limit - sum(want for want in wants if want <= level)
    each, odd = divmod(left, len(rivals) + 1)
    place = sum(name < borrow.name for name in rivals)
    number = math.floor(now / TURN)
    turn = (place + number * odd) % (len(rivals) + 1)
    return min(wanted, each + (turn < odd)), (number + 1) * TURN - now if odd else math.inf


def fill(wants: list[int], capacity: float) -> float:
    """The largest amount that each can have where those that want less leave the rest to the others; infinite: all they want."""
    if sum(wants) <= capacity:
        return math.inf
    small, level = 0, capacity / len(wants)
    while small < len(less := [want for want in wants if want <= level]) < len(wants):
        small, level = len(less), (capacity - sum(less)) / (len(wants) - len(less))
    return level


def _name(share: Share) -> str:
    return share.name
