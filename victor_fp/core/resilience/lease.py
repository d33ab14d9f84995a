"""A process's side of a pool: what it borrows and when, and how it continues while the pool is unreachable.

Rules of the machine. Call `plan` after every event of the admission, and `ask` when `due` is reached; pass the response
to `receive` (None if the pool is unreachable), and send Woken to the admission. Only one request to the pool is in
flight at a time. While the pool is unreachable, most requests need not be sent to get None.

A loan is renewed at the time that the pool sets, varied by RENEWAL_SPREAD so that processes that started together do
not ask together. It is renewed sooner, GAP to 2 * GAP after the last request, if it does not cover the waiting calls
and the last request was met in full, or if a cooldown has to be reported. A process that expects no calls and holds no
permits does not ask until a call arrives.

A process asks for the calls that wait, plus the number expected in the next period from the rate of the last one. An
expected number below one counts as zero, so that processes with few calls reserve nothing and ask when a call arrives.

While the pool is unreachable, `is_closed` refuses all waiting and new calls until a loan is received. Otherwise the
process continues: its loan applies until it expires, and then the process lends itself its share of the limit from a
private pool with the same number of members. When the pool is reachable again, the process reports what it holds, and
that it was alone.
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
"""Minimum seconds between two renewals; proportionally more with more than MEMBERS_PER_GAP members."""
MEMBERS_PER_GAP = 150
RENEWAL_SPREAD = 0.25
"""Fraction by which the time to the next renewal varies."""
HEADROOM = 1.25
"""Factor of the requests that are expected. A loan that is just enough runs out in every other period."""
UNREACHABLE = "the shared store of limits is unreachable and configured to fail closed"
CLOSED = "the shared store of limits is closed"


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The state, in addition to that of the admission with its loan. Times are in the clock of `now`."""

    is_closed: bool = False
    """Whether calls are refused while the pool is unreachable."""
    due: float = math.inf
    """Time of the next request to the pool."""
    asked: Borrow | None = None
    """The request to the pool that is in flight."""
    asked_at: float = -math.inf
    is_satisfied: bool = True
    """Whether the last request was met in full, so that asking for more before the period ends may succeed."""
    rate: float = 0.0
    """Requests per second, measured over about a period."""
    taken: int = 0
    """Permits issued before the last request to the pool."""
    busy: int = 0
    """Maximum number of calls in flight or waiting since the last request to the pool."""
    cooled_until: float = -math.inf
    """End of the cooldown that was last reported to or by the pool."""
    own: Pool | None = None
    """Private pool from which this process lends to itself while the pool is unreachable."""


def plan(lease: Lease, admission: Admission, now: float, random: float) -> Lease:
    """Schedule the next request after an event of the admission. `random` is uniform in [0, 1)."""
    busy = len(admission.limiter.under_way) + len(admission.queue.entries)
    if busy > lease.busy:
        lease = replace(lease, busy=busy)
    if lease.asked is not None:
        return lease
    due = math.inf
    is_short = bool(admission.queue.entries) and lease.is_satisfied and not _is_covered(admission, now)
    if is_short or admission.cooldown.until > max(lease.cooled_until, now):
        gap = GAP * max(1.0, _count_members(admission) / MEMBERS_PER_GAP)
        due = max(now, lease.asked_at + gap * (1.0 + random))
    elif lease.due == math.inf and (admission.queue.entries or admission.limiter.taken != lease.taken):
        due = max(now, lease.asked_at + compute_period(_count_members(admission)))
    return replace(lease, due=due) if due < lease.due else lease


def ask(lease: Lease, admission: Admission, name: str, now: float) -> tuple[Lease, Borrow]:
    """Build the request to the pool: for the calls that wait, and those expected from the rate of the last period."""
    taken, period = admission.limiter.taken, compute_period(_count_members(admission))
    elapsed = max(now - lease.asked_at, GAP)
    rate = lease.rate + ((taken - lease.taken) / elapsed - lease.rate) * min(1.0, elapsed / period)
    expected = math.floor(rate * period * HEADROOM)
    borrow = _report(admission, name, expected, lease.busy, now, is_alone=lease.own is not None)
    busy = len(admission.limiter.under_way) + len(admission.queue.entries)
    return replace(lease, due=math.inf, asked=borrow, asked_at=now, rate=rate, taken=taken, busy=busy), borrow


def receive(
    lease: Lease, admission: Admission, lent: Lent | None, now: float, random: float
) -> tuple[Lease, Admission]:
    """Apply the response to the last request; None if the pool is unreachable."""
    borrow = lease.asked
    if borrow is None:
        return lease, admission
    if lent is not None:
        admission = _accept(admission, lent, borrow, now)
        is_satisfied = _is_satisfied(borrow, lent)
        lease = replace(lease, asked=None, own=None, cooled_until=lent.cooled_until, is_satisfied=is_satisfied)
    elif lease.is_closed:
        admission = _stop(admission, UNREACHABLE)
        lease = replace(lease, asked=None, is_satisfied=False)
    else:
        lease, admission = _lend_itself(lease, admission, borrow, now)
    limiter = admission.limiter
    loan, period = limiter.loan or Loan(), compute_period(_count_members(admission))
    is_busy = bool(admission.queue.entries or limiter.under_way) or lease.rate * period >= 1.0
    # Held permits count as lent until the next request, so giving up permits also requires one.
    if is_busy or loan.permits or borrow.held or loan.refusal is not None:
        after = period if lent is None else lent.renew_after
        spread = RENEWAL_SPREAD * random
        due = now + after * (1.0 - spread if after >= SHORTEST_PERIOD else 1.0 + spread)
        lease = replace(lease, due=due)
    return plan(lease, admission, now, random), admission


def give_back(lease: Lease, admission: Admission, name: str, now: float) -> tuple[Lease, Admission, Borrow | None]:
    """Stop using the loan, and return the report that frees its unused part; None if nothing was lent."""
    loan = admission.limiter.loan
    lease = replace(lease, due=math.inf, asked=None)
    if loan is None or loan.members == 0:
        return lease, admission, None
    admission = _stop(admission, CLOSED)
    in_use = len(admission.limiter.under_way)
    borrow = _report(admission, name, 0, in_use, now)
    return lease, admission, replace(borrow, requests=0, tokens=0, permits=in_use, held=in_use)


def _report(admission: Admission, name: str, expected: int, busy: int, now: float, *, is_alone: bool = False) -> Borrow:
    """Build the report and request of the process `name`.

    `expected` is the number of requests expected until the next renewal, and `busy` the maximum number of calls in flight
    or waiting in the last period; `is_alone` is whether the process has lent itself requests since its last loan.
    """
    limiter, entries = admission.limiter, admission.queue.entries
    limits, loan = limiter.limits, limiter.loan or Loan()
    requests, tokens = limiting.compute_limits(limiter)
    blocks = loan.blocks or ()
    wanted = len(entries) + expected
    each = limiting.compute_charge(limiter, entries[0].tokens) if entries else _compute_mean_charge(limiter)
    least = 0 if tokens is None or not entries else each
    waiting = 0 if tokens is None else sum(limiting.compute_charge(limiter, one.tokens) for one in entries)
    in_use = len(limiter.under_way)
    return Borrow(
        name=name,
        requests_per_minute=requests,
        tokens_per_minute=tokens,
        concurrency=limits.concurrency,
        requests=0 if requests is None else wanted,
        ready=sum(block.count for block in limiting.drop_late(blocks, now)),
        tokens=0 if tokens is None else min(tokens, max(least, waiting, wanted * each)),
        least_tokens=least,
        # A quarter more than were busy, plus two, so that growing demand does not have to wait.
        permits=0 if limits.concurrency is None or not busy else busy + busy // 4 + 2,
        in_use=in_use,
        held=max(in_use, (loan.permits or 0) if now < loan.until + MARGIN else 0),
        corrections=loan.corrections,
        members=loan.members,
        cooled_until=admission.cooldown.until,
        cause=admission.cooldown.cause,
        is_alone=is_alone,
    )


def _accept(admission: Admission, lent: Lent, borrow: Borrow, now: float) -> Admission:
    """Apply a new loan, the response to `borrow`. Corrections made since that request are kept for the next one."""
    loan = limiting.extend(admission.limiter, lent, now)
    reported = {one.second: one.amount for one in borrow.corrections}
    unreported: dict[int, int] = {}
    for one in loan.corrections:
        unreported[one.second] = unreported.get(one.second, -reported.get(one.second, 0)) + one.amount
    corrections = tuple(TokenSecond(second, amount) for second, amount in unreported.items() if amount)
    cooldown = admission.cooldown
    cause = next((one for one in CAUSES if one == lent.cause), None)
    if cause is not None and lent.cooled_until > cooldown.until:
        cooldown = replace(cooldown, until=lent.cooled_until, cause=cause)
    limiter = replace(admission.limiter, loan=replace(loan, corrections=corrections))
    return replace(admission, limiter=limiter, cooldown=cooldown)


def _stop(admission: Admission, reason: str) -> Admission:
    """Refuse all calls until the next loan."""
    loan = replace(admission.limiter.loan or Loan(), blocks=(), tokens=0, refusal=reason)
    return replace(admission, limiter=replace(admission.limiter, loan=loan))


def _lend_itself(lease: Lease, admission: Admission, borrow: Borrow, now: float) -> tuple[Lease, Admission]:
    """Lend this process its share of the limit from its private pool, while the pool is unreachable."""
    loan = admission.limiter.loan or Loan()
    members = _count_members(admission)
    own = lease.own
    if own is None and loan.members == 0:
        own = Pool()
    elif own is None:  # other members may still have slots that the pool lent just before
        requests = borrow.requests_per_minute
        ahead = compute_horizon(
            compute_period(members), 0.0 if requests is None else compute_spacing(requests), members
        )
        own = Pool(requests_until=lease.asked_at + ahead)
    share = _compute_share(borrow, members)
    own, lent = lend(own, share, now)
    # The cooldown counts as reported, otherwise `plan` would ask again and again; it is reported when the pool is back.
    cooled_until = admission.cooldown.until
    lease = replace(lease, asked=None, own=own, cooled_until=cooled_until, is_satisfied=_is_satisfied(share, lent))
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
    """Return whether the loan covers the calls that wait, so that they need only time or a returned permit."""
    loan = admission.limiter.loan
    if loan is None:
        return True
    if loan.blocks is not None and not limiting.drop_late(loan.blocks, now):
        return False
    if loan.permits is not None and (now >= loan.until or len(admission.limiter.under_way) >= loan.permits):
        return False
    if loan.tokens is None:
        return True
    charge = limiting.compute_charge(admission.limiter, admission.queue.entries[0].tokens)
    return now < loan.tokens_until and charge <= loan.tokens


def _is_satisfied(borrow: Borrow, lent: Lent) -> bool:
    """Return whether a loan is all that was requested."""
    return (
        (borrow.requests_per_minute is None or lent.count + borrow.ready >= borrow.requests)
        and (borrow.tokens_per_minute is None or lent.tokens >= borrow.tokens)
        and (borrow.concurrency is None or lent.permits >= borrow.permits)
    )


def _compute_share(borrow: Borrow, members: int) -> Borrow:
    """Return the request with each limit reduced to the share of one member."""

    def divide(limit: int | None) -> int | None:
        return None if limit is None else max(1, limit // members)

    return replace(
        borrow,
        requests_per_minute=divide(borrow.requests_per_minute),
        tokens_per_minute=divide(borrow.tokens_per_minute),
        concurrency=divide(borrow.concurrency),
        held=0,
        is_alone=False,
    )
