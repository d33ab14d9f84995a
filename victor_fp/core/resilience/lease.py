"""One process's side of a pool: what it borrows for its admission and when, and what it does while the pool is out of reach.

Rules of the machine. Call `plan` after every event of the admission and `ask` when `due` has come; hand the answer to
`receive`, None where the pool is out of reach, and send the admission Woken. One question is under way at a time. While the
pool is out of reach, most questions need not be sent to get None.

A loan is renewed when the pool says, within RENEWAL_SPREAD of it, so that processes that began together do not ask
together. It is renewed sooner, GAP to 2 * GAP after the last time, where calls wait that it does not cover and the pool had
all that was asked for, or where the others must hear of a cooldown. A process that expects no call and holds no permit asks
for nothing until a call comes.

What is asked for are the calls that wait, and as many as the last period makes expect in the next one: where that is less
than one call, none, so that processes with few calls reserve nothing and ask when a call comes.

Out of reach, `is_closed` refuses what waits and what comes until a loan is received. Otherwise the process goes on: its
loan holds to its end, and then it lends itself its share of the limit by the same machine, out of a pool of its own, with
as many members as there were. Back in reach, it reports what it holds and that it was alone.
"""

from __future__ import annotations

import math

import msgspec
from msgspec.structs import replace

from victor_fp.core.resilience import rate_limit as limiting
from victor_fp.core.resilience.admission import Admission
from victor_fp.core.resilience.cooldown import CAUSES
from victor_fp.core.resilience.pool import (
    MARGIN,
    SHORTEST_PERIOD,
    Borrow,
    Lent,
    Pool,
    TokenSecond,
    compute_horizon,
    compute_period,
    compute_spacing,
    lend,
)
from victor_fp.core.resilience.rate_limit import Limiter, Loan

GAP = 0.1
"""Seconds between two renewals, however much waits; more where there are more than MEMBERS_PER_GAP members."""
MEMBERS_PER_GAP = 150
RENEWAL_SPREAD = 0.25
"""Part of the time to the next renewal by which it varies."""
REFUSED = "the shared store of limits is out of reach, and is set to fail closed"
CLOSED = "the shared store of limits is closed"


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The state, besides the admission's with its loan. Times are those of the `now` that was passed in."""

    is_closed: bool = False
    """Whether nothing may be sent while the pool is out of reach."""
    due: float = math.inf
    """When to ask."""
    asked: Borrow | None = None
    """The question under way."""
    asked_at: float = -math.inf
    is_sated: bool = True
    """Whether the last loan was all that was asked for, so that it makes sense to ask for more before the period ends."""
    rate: float = 0.0
    """Requests a second, over about a period."""
    taken: int = 0
    """Requests granted before the last question."""
    busy: int = 0
    """Calls that were under way or waiting since the last question, at most."""
    cooled_until: float = -math.inf
    """The cooldown that the pool knows of."""
    own: Pool | None = None
    """Out of which this process lends itself while the pool is out of reach."""


def plan(lease: Lease, admission: Admission, now: float, luck: float) -> Lease:
    """The state after an event of the admission. `luck` is a random number in [0, 1)."""
    busy = len(admission.limiter.under_way) + len(admission.queue.entries)
    if busy > lease.busy:
        lease = replace(lease, busy=busy)
    if lease.asked is not None:
        return lease
    due = math.inf
    is_short = bool(admission.queue.entries) and lease.is_sated and not _is_covered(admission, now)
    if is_short or admission.cooldown.until > max(lease.cooled_until, now):
        gap = GAP * max(1.0, _count_members(admission) / MEMBERS_PER_GAP)
        due = max(now, lease.asked_at + gap * (1.0 + luck))
    elif lease.due == math.inf and (admission.queue.entries or admission.limiter.taken != lease.taken):
        due = max(now, lease.asked_at + compute_period(_count_members(admission)))
    return replace(lease, due=due) if due < lease.due else lease


def ask(lease: Lease, admission: Admission, name: str, now: float) -> tuple[Lease, Borrow]:
    """Ask the pool in this process's name: for what waits, and for what the last period makes expect."""
    taken, period = admission.limiter.taken, compute_period(_count_members(admission))
    elapsed = max(now - lease.asked_at, GAP)
    rate = lease.rate + ((taken - lease.taken) / elapsed - lease.rate) * min(1.0, elapsed / period)
    expected = math.floor(rate * period)
    borrow = _report(admission, name, expected, lease.busy, now, is_alone=lease.own is not None)
    busy = len(admission.limiter.under_way) + len(admission.queue.entries)
    return replace(lease, due=math.inf, asked=borrow, asked_at=now, rate=rate, taken=taken, busy=busy), borrow


def receive(lease: Lease, admission: Admission, lent: Lent | None, now: float, luck: float) -> tuple[Lease, Admission]:
    """The answer to the last question."""
    borrow = lease.asked
    if borrow is None:
        return lease, admission
    if lent is not None:
        admission = _accept(admission, lent, borrow, now)
        is_sated = _is_sated(borrow, lent)
        lease = replace(lease, asked=None, own=None, cooled_until=lent.cooled_until, is_sated=is_sated)
    elif lease.is_closed:
        admission = _stop(admission, REFUSED)
        lease = replace(lease, asked=None, is_sated=False)
    else:
        lease, admission = _lend_itself(lease, admission, borrow, now)
    limiter = admission.limiter
    loan, period = limiter.loan or Loan(), compute_period(_count_members(admission))
    is_busy = bool(admission.queue.entries or limiter.under_way) or lease.rate * period >= 1.0
    # What was held counts as lent until the next question, so permits that are given up need one as well.
    if is_busy or loan.permits or borrow.held or loan.refusal is not None:
        after = period if lent is None else lent.renew_after
        spread = RENEWAL_SPREAD * luck
        due = now + after * (1.0 - spread if after >= SHORTEST_PERIOD else 1.0 + spread)
        lease = replace(lease, due=due)
    return plan(lease, admission, now, luck), admission


def give_back(lease: Lease, admission: Admission, name: str, now: float) -> tuple[Lease, Admission, Borrow | None]:
    """Use the loan no more, and tell the pool that what is not in use is free; None where nothing was lent."""
    loan = admission.limiter.loan
    lease = replace(lease, due=math.inf, asked=None)
    if loan is None or loan.members == 0:
        return lease, admission, None
    admission = _stop(admission, CLOSED)
    in_use = len(admission.limiter.under_way)
    borrow = _report(admission, name, 0, in_use, now)
    return lease, admission, replace(borrow, requests=0, tokens=0, permits=in_use, held=in_use)


def _report(admission: Admission, name: str, expected: int, busy: int, now: float, *, is_alone: bool = False) -> Borrow:
    """What the process `name` asks the pool for.

    `expected` is how many requests come until the next renewal, by those of the last period, and `busy` how many calls were
    under way or waiting at most in it; `is_alone` is whether it has lent itself since its last loan.
    """
    limiter, entries = admission.limiter, admission.queue.entries
    limits, loan = limiter.limits, limiter.loan or Loan()
    requests, tokens = limiting.compute_limits(limiter)
    blocks = loan.blocks or ()
    wanted = len(entries) + expected
    each = entries[0].tokens if entries else _compute_mean_charge(limiter)
    least = 0 if tokens is None or not entries else min(entries[0].tokens, tokens)
    in_use = len(limiter.under_way)
    return Borrow(
        name=name,
        requests_per_minute=requests,
        tokens_per_minute=tokens,
        concurrency=limits.concurrency,
        requests=0 if requests is None else wanted,
        ready=sum(block.count for block in limiting.drop_late(blocks, now)),
        tokens=0 if tokens is None else min(tokens, max(least, sum(one.tokens for one in entries), wanted * each)),
        least_tokens=least,
        # A quarter and two more than were busy, so that a demand that grows need not wait.
        permits=0 if limits.concurrency is None or not busy else busy + busy // 4 + 2,
        in_use=in_use,
        held=max(in_use, (loan.permits or 0) if now < loan.until + MARGIN else 0),
        corrections=loan.corrections,
        members=loan.members,
        cooled_until=admission.cooldown.until,
        cause=admission.cooldown.cause,
        is_alone=is_alone,
    )


def _accept(admission: Admission, lent: Lent, told: Borrow, now: float) -> Admission:
    """The state under a new loan, which was the answer to `told`."""
    loan = limiting.extend(admission.limiter, lent, now)
    known = {one.second: one.amount for one in told.corrections}
    untold: dict[int, int] = {}
    for one in loan.corrections:
        untold[one.second] = untold.get(one.second, -known.get(one.second, 0)) + one.amount
    corrections = tuple(TokenSecond(second, amount) for second, amount in untold.items() if amount)
    cooldown = admission.cooldown
    cause = next((one for one in CAUSES if one == lent.cause), None)
    if cause is not None and lent.cooled_until > cooldown.until:
        cooldown = replace(cooldown, until=lent.cooled_until, cause=cause)
    limiter = replace(admission.limiter, loan=replace(loan, corrections=corrections))
    return replace(admission, limiter=limiter, cooldown=cooldown)


def _stop(admission: Admission, why: str) -> Admission:
    """Nothing may be sent until the next loan."""
    loan = replace(admission.limiter.loan or Loan(), blocks=(), tokens=0, refusal=why)
    return replace(admission, limiter=replace(admission.limiter, loan=loan))


def _lend_itself(lease: Lease, admission: Admission, borrow: Borrow, now: float) -> tuple[Lease, Admission]:
    """Out of reach: this process's share of the limit, after its loan has ended."""
    loan = admission.limiter.loan or Loan()
    members = _count_members(admission)
    own = lease.own
    if own is None and loan.members == 0:
        own = Pool()
    elif own is None:  # others may have been lent requests until just now
        requests = borrow.requests_per_minute
        ahead = compute_horizon(
            compute_period(members), 0.0 if requests is None else compute_spacing(requests), members
        )
        own = Pool(requests_until=lease.asked_at + ahead)
    share = _compute_share(borrow, members)
    own, lent = lend(own, share, now)
    # The cooldown counts as told, or it would be told without end; it is told again when the pool is back.
    told = admission.cooldown.until
    lease = replace(lease, asked=None, own=own, cooled_until=told, is_sated=_is_sated(share, lent))
    if loan.permits is not None and now < loan.until:
        lent = replace(lent, permits=loan.permits, until=loan.until)
    return lease, _accept(admission, replace(lent, members=loan.members), borrow, now)


def _count_members(admission: Admission) -> int:
    loan = admission.limiter.loan
    return max(1, loan.members if loan is not None else 0)


def _compute_mean_charge(limiter: Limiter) -> int:
    requests = sum(slot.requests for slot in limiter.slots)
    return sum(slot.tokens for slot in limiter.slots) // requests if requests else 0


def _is_covered(admission: Admission, now: float) -> bool:
    """Whether those who wait have something to come under the loan, so that time or a permit that comes back is enough."""
    loan = admission.limiter.loan
    if loan is None:
        return True
    if loan.blocks is not None and not limiting.drop_late(loan.blocks, now):
        return False
    if loan.permits is not None and (now >= loan.until or len(admission.limiter.under_way) >= loan.permits):
        return False
    return loan.tokens is None or (now < loan.tokens_until and admission.queue.entries[0].tokens <= loan.tokens)


def _is_sated(borrow: Borrow, lent: Lent) -> bool:
    return (
        (borrow.requests_per_minute is None or lent.count + borrow.ready >= borrow.requests)
        and (borrow.tokens_per_minute is None or lent.tokens >= borrow.tokens)
        and (borrow.concurrency is None or lent.permits >= borrow.permits)
    )


def _compute_share(borrow: Borrow, members: int) -> Borrow:
    """The same under one member's share of each limit."""

    def share(limit: int | None) -> int | None:
        return None if limit is None else max(1, limit // members)

    return replace(
        borrow,
        requests_per_minute=share(borrow.requests_per_minute),
        tokens_per_minute=share(borrow.tokens_per_minute),
        concurrency=share(borrow.concurrency),
        held=0,
        is_alone=False,
    )
