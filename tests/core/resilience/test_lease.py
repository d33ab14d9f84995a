"""Shared limits in virtual time: loans are sufficient, fair, within the limit, and survive failures."""

from __future__ import annotations

import functools
import itertools
import math
import random
from collections import Counter

import pytest
from msgspec.structs import replace

from tests.core.resilience.simulation.shared_limit import (
    SharedLimit,
    compute_allowance,
    count_most_requests,
    count_most_tokens,
    count_shares,
)
from victor_fp.core import faults
from victor_fp.core.resilience.lease import GAP
from victor_fp.core.resilience.pool import Borrow, compute_lease, lend
from victor_fp.core.resilience.rate_limit import Limits


def count_after(sent: list[float], moment: float) -> int:
    return sum(one >= moment for one in sent)


@pytest.mark.parametrize("per_minute", [60, 600, pytest.param(6000, marks=pytest.mark.slow)])
def test_a_binding_rate_is_used_up_evenly_and_never_exceeded(per_minute: int) -> None:
    world = SharedLimit(Limits(requests_per_minute=per_minute), processes=16, tasks=max(2, per_minute // 100))
    world.processes[3].latency = 0.0015
    world.add_tasks(world.processes[0], max(20, per_minute // 20))
    world.run(150)
    sent = world.sent
    assert count_most_requests(sent, 60) <= per_minute
    assert count_after(sent, world.now - 120) >= 0.95 * per_minute * 2
    for seconds in (1, 3, 10):
        assert count_most_requests(sent, seconds) <= compute_allowance(per_minute, seconds)
    shares, fair = count_shares(world), len(sent) / 16
    assert shares[0] >= 0.9 * fair
    assert shares[-1] <= 1.15 * fair


@pytest.mark.parametrize(
    ("per_minute", "use", "duration"),
    [
        *((60_000, use, 0.3) for use in [(100, 100), (200, 200), (50, 200)]),
        (60_000, (50, 200), 3.0),
        *(pytest.param(60_000, use, 0.3, marks=pytest.mark.slow) for use in [(20, 20), (50, 50)]),
        *(pytest.param(60_000, use, 3.0, marks=pytest.mark.slow) for use in [(50, 50), (200, 200)]),
        pytest.param(600_000, (50, 200), 0.3, marks=pytest.mark.slow),
    ],
)
def test_a_binding_token_limit_is_used_up_evenly_and_never_exceeded(
    per_minute: int, use: tuple[int, int], duration: float
) -> None:
    tasks = math.ceil(2 * per_minute / 60 / min(use) * duration / 8)  # twice what the limit allows
    world = SharedLimit(Limits(tokens_per_minute=per_minute), processes=8, tasks=tasks, duration=duration)
    world.use = functools.partial(random.Random(7).randint, *use)
    world.add_tasks(world.processes[0], 4 * tasks)
    world.run(200)
    tokens = world.tokens
    assert count_most_tokens(tokens, 60) <= per_minute
    assert sum(used for moment, used in tokens if moment >= world.now - 120) >= 0.95 * per_minute * 2
    recent = [one for one in tokens if one[0] >= world.now - 130]  # the first calls are charged what they estimate
    assert count_most_tokens(recent, 10) <= 1.25 * per_minute / 6
    shares, fair = count_shares(world), len(tokens) / 8
    assert shares[0] >= 0.7 * fair
    assert shares[-1] <= 1.35 * fair


def test_a_limit_that_does_not_bind_costs_a_script_a_second_for_each_process() -> None:
    world = SharedLimit(Limits(requests_per_minute=10**8, concurrency=10_000), processes=16, tasks=20)
    world.run(30)
    assert len(world.sent) > 25_000
    assert world.scripts <= 16 * 30 * 1.5
    assert world.scripts / len(world.sent) <= 0.05


def test_a_process_that_wants_much_gets_what_the_others_leave() -> None:
    world = SharedLimit(Limits(requests_per_minute=6000), processes=8, tasks=1, pause=1.0)
    busy = world.processes[0]
    busy.pause = 0.0
    world.add_tasks(busy, 60)
    world.run(60)
    others = [len(process.sent) for process in world.processes[1:]]
    assert min(others) > 30
    assert len(busy.sent) > 0.85 * (6000 - sum(others))


@pytest.mark.parametrize(
    ("processes", "limit"), [pytest.param(4, 40, marks=pytest.mark.slow), (16, 20), (20, 7), (5, 1)]
)
def test_permits_are_shared_fairly_and_never_exceeded(processes: int, limit: int) -> None:
    world = SharedLimit(Limits(concurrency=limit), processes=processes, tasks=limit)
    world.add_tasks(world.processes[0], 10 * limit)
    used = 0.0
    for step in range(1200):
        world.run(0.1)
        assert world.in_flight <= limit
        used += world.in_flight if step >= 200 else 0
    assert used / 1000 >= 0.9 * limit
    shares, fair = count_shares(world), len(world.sent) / processes
    assert shares[0] >= 0.8 * fair
    assert shares[-1] <= 1.2 * fair


@pytest.mark.parametrize(
    ("borrow", "asks", "most"),
    [
        *((Borrow(name="", requests_per_minute=600, requests=1000), asks, 1.75) for asks in (1, 10)),
        *(
            (Borrow(name="", requests_per_minute=limit, requests=1000), asks, 1.1)
            for limit in (60, 6000)
            for asks in (1, 10)
        ),
        (Borrow(name="", tokens_per_minute=60_000, tokens=100_000, least_tokens=100), 1, 1.85),
        (Borrow(name="", concurrency=20, permits=1000), 10, 1.2),
    ],
)
def test_a_process_that_always_asks_first_gets_no_more_than_its_share(borrow: Borrow, asks: int, most: float) -> None:
    """All ask once a period in the same order; the first one may ask more often."""
    pool, names, lent = None, "abcdefgh", Counter[str]()
    held: dict[str, list[float]] = {name: [] for name in names}
    moments = sorted((second + part / asks, "a") for second in range(120) for part in range(asks))
    moments += [(second + 0.01 * place, name) for second in range(120) for place, name in enumerate(names[1:], 1)]
    for moment, name in sorted(moments):
        held[name] = [slot for slot in held[name] if slot > moment]
        count = len(held[name])
        asked = replace(borrow, name=name, members=len(names), ready=count, in_use=count, held=count)
        pool, loan = lend(pool, asked, moment)
        lent[name] += loan.count + loan.tokens
        held[name] += [loan.start + number * loan.spacing for number in range(loan.count)]
        if borrow.concurrency is not None:
            held[name] = [math.inf] * loan.permits
            lent[name] = loan.permits
    assert lent["a"] <= most * lent.total() / len(names)


def test_permits_given_back_during_an_outage_are_in_use_again_after_it() -> None:
    world = SharedLimit(Limits(concurrency=20), processes=4, tasks=10)
    world.run(20)
    world.lost_until = world.now + 2
    world.run(2 + 10)
    total = 0
    for _ in range(100):
        world.run(0.1)
        assert world.in_flight <= 20
        total += world.in_flight
    assert total / 100 >= 18


def test_a_longer_outage_leaves_each_process_its_share() -> None:
    world = SharedLimit(Limits(concurrency=20, requests_per_minute=1200), processes=4, tasks=10)
    world.run(20)
    began = world.now
    world.lost_until = world.now + 90
    world.run(90)
    assert count_most_requests(world.sent, 60) <= 1200
    for process in world.processes:
        assert count_after(process.sent, began + 10) >= 0.8 * 80 * 1200 / 60 / 4
    world.run(30)
    assert count_most_requests(world.sent, 60) <= 1200


@pytest.mark.parametrize(
    ("processes", "concurrency", "per_minute", "outage"),
    [
        pytest.param(*limits, outage, marks=() if row == column else pytest.mark.slow)
        for row, limits in enumerate([(4, 20, 1200), (16, 40, 6000), (3, 10_000, 6000)])
        for column, outage in enumerate([30, 7, 2])
    ],
)
def test_an_outage_leads_to_no_minute_above_the_limit_and_is_over_in_six_seconds(
    processes: int, concurrency: int, per_minute: int, outage: int
) -> None:
    world = SharedLimit(
        Limits(concurrency=concurrency, requests_per_minute=per_minute), processes=processes, tasks=20, seed=outage
    )
    world.run(30)
    before = count_after(world.sent, world.now - 10)
    world.lost_until = world.now + outage
    for _ in range(outage * 10 + 60):
        world.run(0.1)
        assert world.in_flight <= concurrency
    world.run(10)
    assert count_after(world.sent, world.now - 10) >= 0.97 * before
    assert count_most_requests(world.sent, 60) <= per_minute
    world.run(60)
    assert count_most_requests(world.sent, 60) <= per_minute


def test_occasional_lost_requests_do_not_slow_other_processes() -> None:
    world = SharedLimit(Limits(requests_per_minute=6000), processes=8, tasks=30)
    world.run(10)
    for turn in range(40):
        world.processes[turn % 8].lost_until = world.now + 0.9
        world.run(3)
    assert count_most_requests(world.sent, 60) <= 6000
    assert count_after(world.sent, world.now - 60) >= 0.95 * 6000


def test_processes_with_few_calls_barely_wait_for_each_other() -> None:
    world = SharedLimit(Limits(requests_per_minute=600), processes=16, tasks=10, pause=53.0)  # a third of the limit
    world.run(60)
    slow = 0
    for _ in range(1200):
        world.run(0.1)
        slow += sum(world.now - arrived > 0.5 for process in world.processes for arrived in process.waits.values())
    assert slow == 0


def test_a_process_that_held_nothing_when_the_store_was_lost_is_not_shut_out() -> None:
    world = SharedLimit(Limits(concurrency=4), processes=3, tasks=4)
    late = world.processes[2]
    late.stopped_until = world.now + 20
    world.run(19)
    world.lost_until = world.now + 60
    world.run(30)
    assert len(late.sent) > 20


def test_closed_rejects_waiting_calls_and_sends_nothing_more() -> None:
    world = SharedLimit(Limits(requests_per_minute=600), processes=2, tasks=20, is_closed=True)
    world.run(10)
    world.lost_until = world.now + 30
    world.run(2)  # a period and the timeout of the question
    waiting = sum(len(process.admission.queue.entries) for process in world.processes)
    before = len(world.sent)
    world.run(10)
    assert (waiting, len(world.sent)) == (0, before)
    last = world.processes[0].refused[-1]
    assert isinstance(last[1], faults.ConnectionFailed)
    assert last[0] == 0.0
    world.run(18 + 3)
    assert count_after(world.sent, world.now - 1) > 3


def test_a_short_deadline_is_kept_and_reported_while_the_store_is_lost() -> None:
    world = SharedLimit(Limits(requests_per_minute=60), processes=4, tasks=5, deadline=0.3)
    world.run(5)
    world.lost_until = world.now + 20
    world.run(20)
    refused = [one for process in world.processes for one in process.refused]
    assert len(refused) > 100
    for waited, fault in refused:
        assert 0.0 <= waited <= 0.3 + 1e-3
        if isinstance(fault, faults.DeadlineExceeded):
            assert fault.seconds == pytest.approx(0.3, abs=0.01)
        else:
            assert isinstance(fault, faults.RateLimited)
            assert fault.retry_after is not None
            assert fault.retry_after > 0


def test_the_rate_is_even_from_the_start_of_a_minute() -> None:
    world = SharedLimit(Limits(requests_per_minute=600), processes=4, tasks=100)
    world.run(3)
    assert len(world.sent) <= compute_allowance(600, 3)


def test_a_suspended_process_resumes_without_sending_expired_calls() -> None:
    world = SharedLimit(Limits(requests_per_minute=600, concurrency=20), processes=4, tasks=10)
    world.run(20)
    world.processes[1].stopped_until = world.now + 4
    world.run(100)
    assert count_most_requests(world.sent, 60) <= 600
    assert count_after(world.sent, world.now - 60) >= 0.95 * 600


def test_permits_of_a_killed_process_are_freed_after_the_lease() -> None:
    world = SharedLimit(Limits(concurrency=8), processes=4, tasks=8)
    world.run(20)
    world.processes[1].is_dead = True
    world.run(compute_lease(1.0) + 2)
    total = 0
    for _ in range(100):
        world.run(0.1)
        total += world.in_flight
    assert total / 100 >= 7


def test_a_server_that_lost_its_data_lends_no_more_than_the_limit() -> None:
    world = SharedLimit(Limits(requests_per_minute=1200, concurrency=12), processes=6, tasks=8, duration=0.8)
    world.run(30)
    lost_at = world.now
    world.pool = None
    for _ in range(100):
        world.run(0.1)
        assert world.in_flight <= 12
    assert count_most_requests(world.sent, 60) <= 1200
    world.run(30)
    assert count_most_requests([one for one in world.sent if one >= lost_at - 30], 60) <= 1200
    total = 0
    for _ in range(100):
        world.run(0.1)
        total += world.in_flight
    assert total / 100 >= 0.9 * 12


def test_a_cooldown_of_one_process_holds_for_all_from_their_next_renewal_on() -> None:
    world = SharedLimit(Limits(requests_per_minute=6000), processes=5, tasks=10)
    world.run(10)
    first = next(process for process in world.processes if process.admission.limiter.under_way)
    began = world.now
    world.limit(first, 30.0)
    world.run(2 * GAP + 1.0 + 0.01)
    reported = world.now
    world.run(20)
    assert count_after(first.sent, began + 0.001) == 0
    assert count_after(world.sent, reported) == 0
    world.run(began + 35 - world.now)
    assert all(count_after(process.sent, began + 30) > 0 for process in world.processes)


def test_an_idle_process_holds_no_permits_and_sends_no_requests() -> None:
    world = SharedLimit(Limits(concurrency=8, requests_per_minute=600), processes=2, tasks=3)
    world.run(10)
    for process in world.processes:
        process.pause = 1e9
    world.run(30)
    assert world.pool is not None
    assert [one.permits for one in world.pool.members] == []
    scripts = world.scripts
    world.run(60)
    assert world.scripts == scripts


@pytest.mark.slow
def test_a_thousand_processes_at_a_hundred_thousand_calls_a_second() -> None:
    per_minute, seconds = 6_000_000, 5
    world = SharedLimit(Limits(requests_per_minute=per_minute), processes=1000, tasks=40, duration=0.3)
    scripts = [0]
    for _ in range(seconds):
        world.run(1)
        scripts.append(world.scripts)
    assert max(later - earlier for earlier, later in itertools.pairwise(scripts)) <= 3000
    sent = world.sent
    for window in (0.1, 1, 5):
        assert count_most_requests(sent, window) <= compute_allowance(per_minute, window)
    assert count_after(sent, world.now - 3) >= 0.9 * per_minute / 60 * 3
    assert count_shares(world)[0] >= len(sent) / 1000 / 2


@pytest.mark.slow
def test_a_thousand_processes_share_fewer_permits_than_they_are() -> None:
    world = SharedLimit(Limits(concurrency=300), processes=1000, tasks=2, duration=0.3)
    used = 0
    for step in range(300):
        world.run(0.1)
        assert world.in_flight <= 300
        used += world.in_flight if step >= 100 else 0
    assert world.scripts <= 3000 * 30
    assert used / 200 >= 0.8 * 300
