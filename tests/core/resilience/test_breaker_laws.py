"""Laws of the breaker under any order of calls, reports, losses and pauses."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.example_counts import scale_examples
from victor_fp.core.resilience.breaker import (
    TRANSITIONS,
    Breaker,
    BreakerPermit,
    BreakerPolicy,
    BreakerVerdict,
    Rejected,
    admit,
    record,
    reset,
)

VERDICTS: st.SearchStrategy[BreakerVerdict] = st.sampled_from(["succeeded", "failed", "ignored", "cancelled"])


class BreakerLaws(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.breaker = Breaker()
        self.out: list[BreakerPermit] = []
        self.spent: list[BreakerPermit] = []
        self.calls = self.rejections = self.failures = 0

    @initialize(threshold=st.integers(1, 4), probes=st.integers(1, 3), successes=st.integers(1, 3))
    def choose_policy(self, threshold: int, probes: int, successes: int) -> None:
        policy = BreakerPolicy(failure_threshold=threshold, half_open_probes=probes, success_threshold=successes)
        self.breaker = Breaker(policy=policy)

    def change_breaker(self, breaker: Breaker) -> None:
        """Every change of state is an edge of the table, and counts as one."""
        before, changes = self.breaker.state, breaker.state_changes - self.breaker.state_changes
        if before != breaker.state:
            edges = {(start, end) for (start, _), end in TRANSITIONS.items()}
            assert (before, breaker.state) in edges
        assert changes == (before != breaker.state)
        self.breaker = breaker

    @rule()
    def request_permit(self) -> None:
        due = self.now >= self.breaker.since + self.breaker.policy.recovery_timeout - 1e-6
        before = self.breaker
        breaker, leave = admit(before, self.now)
        self.change_breaker(breaker)
        if isinstance(leave, Rejected):
            self.rejections += 1
            assert before.state != "closed"
            assert 0 < leave.retry_after <= breaker.policy.recovery_timeout
            if before.state == "open":
                assert not due
        else:
            self.calls += 1
            self.out.append(leave)
            assert before.state != "open" or due

    @precondition(lambda self: self.out)
    @rule(pick=st.integers(0, 99), verdict=VERDICTS)
    def report_outcome(self, pick: int, verdict: BreakerVerdict) -> None:
        permit = self.out.pop(pick % len(self.out))
        self.spent.append(permit)
        self.failures += verdict == "failed"
        self.change_breaker(record(self.breaker, permit, verdict, self.now))

    @precondition(lambda self: self.spent and self.breaker.state == "half_open")
    @rule(pick=st.integers(0, 99), verdict=VERDICTS)
    def report_twice(self, pick: int, verdict: BreakerVerdict) -> None:
        self.failures += verdict == "failed"
        after = record(self.breaker, self.spent[pick % len(self.spent)], verdict, self.now)
        assert (after.state, after.probes) == (self.breaker.state, self.breaker.probes)
        self.breaker = after

    @precondition(lambda self: self.out)
    @rule()
    def drop_permit(self) -> None:
        self.out.pop()

    @rule(seconds=st.floats(0, 60))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def reset_breaker(self) -> None:
        self.change_breaker(reset(self.breaker, self.now))
        assert self.breaker.state == "closed"

    @invariant()
    def check_number_of_probes(self) -> None:
        assert len(self.breaker.probes) <= self.breaker.policy.half_open_probes
        assert self.breaker.state == "half_open" or not self.breaker.probes

    @invariant()
    def check_totals(self) -> None:
        totals = (self.breaker.total_calls, self.breaker.total_rejected, self.breaker.total_failures)
        assert totals == (self.calls, self.rejections, self.failures)

    @invariant()
    def check_recovery_of_a_working_server(self) -> None:
        """However it came here, a working server closes it: after the timeout, or the lease where probes are lost."""
        breaker, now = self.breaker, self.now + self.breaker.policy.probe_lease + 1.0
        for _ in range(self.breaker.policy.success_threshold):
            breaker, leave = admit(breaker, now)
            assert isinstance(leave, BreakerPermit)
            breaker = record(breaker, leave, "succeeded", now)
        assert breaker.state == "closed"


TestBreakerLaws = pytest.mark.hypothesis(BreakerLaws.TestCase)
TestBreakerLaws.settings = settings(max_examples=scale_examples(60), stateful_step_count=40, deadline=None)
