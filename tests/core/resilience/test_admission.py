"""Admission as a list of orders, and its laws under any order of events."""

from __future__ import annotations

import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.example_counts import scale_examples
from victor_fp.core.faults import (
    DeadlineExceeded,
    Fault,
    QueueFull,
    QuotaExhausted,
    RateLimited,
    ServerFailed,
    TimedOut,
)
from victor_fp.core.resilience.admission import (
    Admission,
    AdmissionEvent,
    AdmissionOrder,
    Arrived,
    Finished,
    GaveUp,
    Grant,
    Refuse,
    Unsent,
    Wake,
    Woken,
    advance,
)
from victor_fp.core.resilience.queue import Priority, Queue, QueuePolicy
from victor_fp.core.resilience.rate_limit import Limiter, Limits, Permit
from victor_fp.core.resilience.ratelimit_headers import Reported, ReportedBudget


def build_admission(concurrency: int | None = 1, requests: int | None = None, **policy: int) -> Admission:
    limits = Limits(concurrency=concurrency, requests_per_minute=requests)
    return Admission(limiter=Limiter(limits=limits), queue=Queue(policy=QueuePolicy(**policy)))


def run_events(state: Admission, *script: tuple[float, AdmissionEvent]) -> tuple[Admission, tuple[AdmissionOrder, ...]]:
    """The state after the script, and the orders of its last event."""
    orders: tuple[AdmissionOrder, ...] = ()
    for now, event in script:
        state, orders = advance(state, event, now)
    return state, orders


def list_granted(orders: tuple[AdmissionOrder, ...]) -> list[int]:
    return [order.ticket for order in orders if isinstance(order, Grant)]


def get_permit(orders: tuple[AdmissionOrder, ...]) -> Permit:
    (grant,) = (order for order in orders if isinstance(order, Grant))
    return grant.permit


def test_call_is_granted_at_once_with_free_capacity() -> None:
    _, orders = run_events(build_admission(), (0.0, Arrived(ticket=1)))
    assert orders == (Grant(1, get_permit(orders), 0.0),)


def test_a_success_after_a_cooldown_makes_the_next_one_short_again() -> None:
    state = build_admission(concurrency=None)
    for now, fault in ((0.0, RateLimited()), (2.0, None), (3.0, RateLimited())):
        state, orders = run_events(state, (now, Arrived(ticket=int(now))))
        state, _ = run_events(state, (now, Finished(permit=get_permit(orders), fault=fault)))
    assert state.cooldown.until == 4.0


def test_returned_permit_goes_to_the_head_of_the_queue() -> None:
    state, orders = run_events(build_admission(), (0.0, Arrived(ticket=1)))
    permit = get_permit(orders)
    state, orders = run_events(state, (0.0, Arrived(ticket=2)), (1.0, Arrived(ticket=3, priority=Priority.HIGH)))
    assert list_granted(orders) == []
    _, orders = run_events(state, (2.0, Finished(permit=permit)))
    assert list_granted(orders) == [3]
    assert [order.waited for order in orders if isinstance(order, Grant)] == [1.0]


def test_unsent_permit_goes_to_the_next_call() -> None:
    state, orders = run_events(build_admission(requests=1), (0.0, Arrived(ticket=1)))
    permit = get_permit(orders)
    _, orders = run_events(state, (0.0, Arrived(ticket=2)), (1.0, Unsent(permit)))
    assert list_granted(orders) == [2]


def test_new_call_does_not_overtake_the_queue() -> None:
    limits = Limits(tokens_per_minute=100)
    state, _ = run_events(Admission(limiter=Limiter(limits=limits)), (0.0, Arrived(ticket=1, tokens=60)))
    state, _ = run_events(state, (0.0, Arrived(ticket=2, tokens=90)))
    _, orders = run_events(state, (0.0, Arrived(ticket=3, tokens=1)))
    assert list_granted(orders) == []


def test_cancelled_call_is_not_granted() -> None:
    state, orders = run_events(build_admission(), (0.0, Arrived(ticket=1)))
    permit = get_permit(orders)
    _, orders = run_events(state, (0.0, Arrived(ticket=2)), (1.0, GaveUp(2)), (2.0, Finished(permit=permit)))
    assert orders == ()


def test_call_that_timed_out_in_the_queue_is_not_granted() -> None:
    state, orders = run_events(build_admission(max_wait=5), (0.0, Arrived(ticket=1)))
    permit = get_permit(orders)
    state, orders = run_events(state, (0.0, Arrived(ticket=2)))
    assert orders == (Wake(5.0),)
    state, orders = run_events(state, (5.0, Woken()))
    assert [type(order.fault) for order in orders if isinstance(order, Refuse)] == [TimedOut]
    assert run_events(state, (6.0, Finished(permit=permit)))[1] == ()


def test_deadline_applies_in_the_queue() -> None:
    state, _ = run_events(build_admission(), (0.0, Arrived(ticket=1)), (0.0, Arrived(ticket=2, deadline=3.0)))
    _, orders = run_events(state, (3.0, Woken()))
    assert [type(order.fault) for order in orders if isinstance(order, Refuse)] == [DeadlineExceeded]


def test_full_queue_refuses() -> None:
    _, orders = run_events(
        build_admission(max_size=1), (0.0, Arrived(ticket=1)), (0.0, Arrived(ticket=2)), (0.0, Arrived(ticket=3))
    )
    assert [(order.ticket, type(order.fault)) for order in orders if isinstance(order, Refuse)] == [(3, QueueFull)]


def test_an_expired_call_frees_its_queue_entry_for_a_new_call() -> None:
    state, _ = run_events(build_admission(max_size=1, max_wait=5), (0.0, Arrived(ticket=1)), (0.0, Arrived(ticket=2)))
    _, orders = run_events(state, (6.0, Arrived(ticket=3)))
    assert [order.ticket for order in orders if isinstance(order, Refuse)] == [2]


def test_max_wait_of_zero_grants_or_refuses_at_once() -> None:
    state, orders = run_events(build_admission(max_wait=0), (0.0, Arrived(ticket=1)))
    assert list_granted(orders) == [1]
    _, orders = run_events(state, (0.0, Arrived(ticket=2)))
    assert [order.ticket for order in orders if isinstance(order, Refuse)] == [2]


def test_queue_is_served_after_the_cooldown() -> None:
    state, orders = run_events(build_admission(concurrency=5), (0.0, Arrived(ticket=1)))
    state, _ = run_events(state, (1.0, Finished(permit=get_permit(orders), fault=RateLimited(retry_after=10.0))))
    state, orders = run_events(state, (2.0, Arrived(ticket=2)))
    assert orders == (Wake(11.0),)
    _, orders = run_events(state, (11.0, Woken()))
    assert list_granted(orders) == [2]


def test_call_that_cannot_wait_for_the_cooldown_is_refused_with_the_remaining_time() -> None:
    state, orders = run_events(build_admission(concurrency=5), (0.0, Arrived(ticket=1)))
    state, _ = run_events(state, (1.0, Finished(permit=get_permit(orders), fault=RateLimited(retry_after=10.0))))
    _, orders = run_events(state, (2.0, Arrived(ticket=2, deadline=8.0)))
    (refusal,) = orders
    assert isinstance(refusal, Refuse)
    assert isinstance(refusal.fault, RateLimited)
    assert refusal.fault.retry_after == 9.0


def test_queued_calls_that_cannot_wait_for_the_cooldown_are_refused_when_it_begins() -> None:
    state, orders = run_events(build_admission(), (0.0, Arrived(ticket=1)))
    permit = get_permit(orders)
    state, _ = run_events(state, (0.0, Arrived(ticket=2, deadline=8.0)), (0.0, Arrived(ticket=3)))
    _, orders = run_events(state, (1.0, Finished(permit=permit, fault=QuotaExhausted())))
    assert [order.ticket for order in orders if isinstance(order, Refuse)] == [2]
    assert orders[-1] == Wake(61.0)


def test_full_minute_orders_a_wake() -> None:
    state, _ = run_events(
        build_admission(concurrency=None, requests=1), (0.0, Arrived(ticket=1)), (1.0, Arrived(ticket=2))
    )
    state, orders = run_events(state, (2.0, Woken()))
    (wake,) = orders
    assert isinstance(wake, Wake)
    assert 63.0 <= wake.at <= 63.01
    assert list_granted(run_events(state, (wake.at, Woken()))[1]) == [2]


def test_wake_is_ordered_for_the_expiry_of_a_lost_permit() -> None:
    state, _ = run_events(build_admission(max_wait=5000), (0.0, Arrived(ticket=1)))
    state, orders = run_events(state, (1.0, Arrived(ticket=2)))
    assert orders == (Wake(900.0),)
    assert list_granted(run_events(state, (900.0, Woken()))[1]) == [2]


def test_reported_usage_frees_capacity() -> None:
    state = Admission(limiter=Limiter(limits=Limits(tokens_per_minute=100)))
    state, orders = run_events(state, (0.0, Arrived(ticket=1, tokens=100)))
    state, _ = run_events(state, (1.0, Finished(permit=get_permit(orders), used=10)))
    assert list_granted(run_events(state, (1.0, Arrived(ticket=2, tokens=90)))[1]) == [2]


def test_refusal_names_the_target() -> None:
    state = Admission(queue=Queue(provider="acme", model="m"))
    state, orders = run_events(state, (0.0, Arrived(ticket=1)))
    state, _ = run_events(state, (1.0, Finished(permit=get_permit(orders), fault=RateLimited(retry_after=0.5))))
    _, (refusal,) = run_events(state, (1.0, Arrived(ticket=2, deadline=1.5)))
    assert isinstance(refusal, Refuse)
    assert (refusal.fault.provider, refusal.fault.model) == ("acme", "m")


def test_request_whose_headers_are_read_is_not_counted_as_in_flight() -> None:
    state, orders = run_events(build_admission(concurrency=None), (0.0, Arrived(ticket=1)))
    said = Reported(requests=ReportedBudget(remaining=1, reset=7.0))
    state, _ = run_events(state, (1.0, Finished(permit=get_permit(orders), reported=said)))
    assert list_granted(run_events(state, (2.0, Arrived(ticket=2)))[1]) == [2]


def test_call_that_cannot_wait_for_capacity_is_refused_at_once_without_permits_in_use() -> None:
    state, orders = run_events(build_admission(concurrency=None), (0.0, Arrived(ticket=1)))
    said = Reported(requests=ReportedBudget(remaining=0, reset=7.0))
    state, _ = run_events(state, (1.0, Finished(permit=get_permit(orders), reported=said)))
    _, (wake,) = run_events(state, (2.0, Arrived(ticket=2, deadline=20.0)))
    assert isinstance(wake, Wake)
    _, (refusal,) = run_events(state, (2.0, Arrived(ticket=3, deadline=7.0)))
    assert isinstance(refusal, Refuse)
    assert isinstance(refusal.fault, RateLimited)
    assert refusal.fault.retry_after is not None
    assert abs(wake.at - 8.0) + abs(refusal.fault.retry_after - 6.0) < 0.001


def test_call_waits_for_the_return_of_a_permit_in_use() -> None:
    state, orders = run_events(build_admission(concurrency=None, requests=1), (0.0, Arrived(ticket=1)))
    state, waits = run_events(state, (1.0, Arrived(ticket=2, deadline=20.0)))
    assert [type(order) for order in waits] == [Wake]
    assert list_granted(run_events(state, (2.0, Unsent(get_permit(orders))))[1]) == [2]
    _, orders = run_events(state, (2.0, Finished(permit=get_permit(orders))))
    assert [(order.ticket, type(order.fault)) for order in orders if isinstance(order, Refuse)] == [(2, RateLimited)]


def test_headers_are_adopted() -> None:
    state, orders = run_events(build_admission(concurrency=None), (0.0, Arrived(ticket=1)))
    said = Reported(requests=ReportedBudget(remaining=0, reset=7.0))
    state, _ = run_events(state, (1.0, Finished(permit=get_permit(orders), reported=said)))
    _, orders = run_events(state, (2.0, Arrived(ticket=2)))
    assert list_granted(orders) == []


class AdmissionLaws(RuleBasedStateMachine):
    """Every arrival gets exactly one answer; no call waits while there is capacity; no permit is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        limits = Limits(concurrency=2, requests_per_minute=6, tokens_per_minute=500, lease=1e9)
        self.state = Admission(
            limiter=Limiter(limits=limits), queue=Queue(policy=QueuePolicy(max_size=4, max_wait=50.0))
        )
        self.tickets = 0
        self.waiting: dict[int, tuple[Priority, float, float]] = {}
        """Ticket -> priority, when it came, until when it may wait."""
        self.running: list[Permit] = []
        self.wake = math.inf

    def apply_event(self, event: AdmissionEvent) -> None:
        self.state, orders = advance(self.state, event, self.now)
        for order in orders:
            if isinstance(order, Wake):
                assert order.at > self.now
                self.wake = order.at
                continue
            _, _, until = self.waiting.pop(order.ticket)
            if isinstance(order, Grant):
                assert self.now < until
                self.running.append(order.permit)

    @rule(priority=st.sampled_from(Priority), tokens=st.integers(0, 600), patience=st.floats(0, 100))
    def add_call(self, priority: Priority, tokens: int, patience: float) -> None:
        self.tickets += 1
        deadline = self.now + patience
        self.waiting[self.tickets] = (priority, self.now, min(deadline, self.now + 50.0))
        self.apply_event(Arrived(ticket=self.tickets, priority=priority, tokens=tokens, deadline=deadline))

    @precondition(lambda self: self.waiting)
    @rule(pick=st.integers(0, 99))
    def give_up(self, pick: int) -> None:
        ticket = sorted(self.waiting)[pick % len(self.waiting)]
        del self.waiting[ticket]
        self.apply_event(GaveUp(ticket))

    @precondition(lambda self: self.running)
    @rule(
        pick=st.integers(0, 99),
        fault=st.none() | st.sampled_from([RateLimited(), RateLimited(retry_after=20.0), ServerFailed()]),
        used=st.none() | st.integers(0, 600),
    )
    def finish_call(self, pick: int, fault: Fault | None, used: int | None) -> None:
        permit = self.running.pop(pick % len(self.running))
        self.apply_event(Finished(permit=permit, fault=fault, used=used))

    @precondition(lambda self: self.running)
    @rule()
    def withdraw_call(self) -> None:
        self.apply_event(Unsent(self.running.pop()))

    @rule(seconds=st.floats(0.001, 90))
    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while self.wake <= end:
            self.now, self.wake = self.wake, math.inf
            self.apply_event(Woken())
        self.now = end

    @invariant()
    def check_waiting_calls_are_in_the_queue(self) -> None:
        assert {entry.ticket for entry in self.state.queue.entries} == set(self.waiting)

    @invariant()
    def check_no_permit_is_lost(self) -> None:
        assert set(self.state.limiter.under_way) == set(self.running)
        assert len(self.running) <= 2

    @invariant()
    def check_no_call_waits_past_its_limit(self) -> None:
        assert all(self.now < until for _, _, until in self.waiting.values())

    @invariant()
    def check_waiting_calls_are_woken(self) -> None:
        assert not self.waiting or self.wake < math.inf


TestAdmissionLaws = pytest.mark.hypothesis(AdmissionLaws.TestCase)
TestAdmissionLaws.settings = settings(max_examples=scale_examples(60), stateful_step_count=40, deadline=None)
