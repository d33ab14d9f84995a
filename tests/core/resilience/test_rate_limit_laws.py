"""Laws of the rate limit under any order of calls."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.example_counts import scale_examples
from victor_fp.core.resilience.rate_limit import (
    TRANSITIONS,
    Full,
    Limiter,
    Limits,
    Permit,
    adopt,
    find_mode,
    give_back,
    take,
    withdraw,
)
from victor_fp.core.resilience.ratelimit_headers import Reported, ReportedBudget

REQUESTS, TOKENS, CONCURRENCY = 5, 1000, 3


class RateLimitLaws(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.limiter = Limiter()
        self.out: list[Permit] = []
        self.given: list[tuple[float, int, int]] = []
        """When, serial, tokens."""

    @initialize()
    def choose_limits(self) -> None:
        limits = Limits(requests_per_minute=REQUESTS, tokens_per_minute=TOKENS, concurrency=CONCURRENCY, lease=1e9)
        self.limiter = Limiter(limits=limits)

    def change_limiter(self, event: str, limiter: Limiter, now: float | None = None) -> None:
        """Every change of mode is an edge of the table."""
        now = self.now if now is None else now
        before, after = find_mode(self.limiter, self.now), find_mode(limiter, now)
        assert before == after or after in TRANSITIONS[before, event], (before, event, after)
        self.limiter, self.now = limiter, now

    @rule(tokens=st.integers(1, 1500))
    def request_permit(self, tokens: int) -> None:
        limiter, answer = take(self.limiter, tokens, self.now)
        if isinstance(answer, Permit):
            self.change_limiter("taken", limiter)
            self.out.append(answer)
            self.given.append((self.now, answer.serial, answer.tokens))
            return
        if answer.retry_after is None:
            assert len(self.out) >= CONCURRENCY
        else:
            assert 0 < answer.retry_after <= 130
            self.wait_as_advised(limiter, answer, tokens)

    def wait_as_advised(self, limiter: Limiter, answer: Full, tokens: int) -> None:
        """A call that waits as long as advised, without other calls, is admitted."""
        assert answer.retry_after is not None
        _, later = take(limiter, tokens, self.now + answer.retry_after)
        assert isinstance(later, Permit)

    @precondition(lambda self: self.out)
    @rule(pick=st.integers(0, 99), share=st.none() | st.floats(0, 1))
    def return_permit(self, pick: int, share: float | None) -> None:
        permit = self.out.pop(pick % len(self.out))
        used = None if share is None else int(permit.tokens * share)
        self.change_limiter("given_back", give_back(self.limiter, permit, used))
        if used is not None:
            self.given = [(t, s, used if s == permit.serial else n) for t, s, n in self.given]

    @precondition(lambda self: self.out)
    @rule()
    def withdraw_permit(self) -> None:
        permit = self.out.pop()
        self.change_limiter("given_back", withdraw(self.limiter, permit))
        self.given = [one for one in self.given if one[1] != permit.serial]

    @rule(left=st.integers(0, 3), reset=st.floats(0, 60))
    def adopt_report(self, left: int, reset: float) -> None:
        reported = Reported(requests=ReportedBudget(limit=4, remaining=left, reset=reset, per_minute=True))
        self.change_limiter("reported", adopt(self.limiter, None, reported, self.now))

    @rule(seconds=st.floats(0, 40))
    def pass_time(self, seconds: float) -> None:
        self.change_limiter("time_passed", self.limiter, self.now + seconds)

    @invariant()
    def check_every_minute_is_within_the_limits(self) -> None:
        within = [one for one in self.given if one[0] > self.now - 60.0]
        assert len(within) <= REQUESTS
        assert sum(tokens for _, _, tokens in within) <= TOKENS

    @invariant()
    def check_concurrency_and_permits(self) -> None:
        assert len(self.out) <= CONCURRENCY
        assert sorted(self.out, key=lambda permit: permit.serial) == list(self.limiter.under_way)


TestRateLimitLaws = pytest.mark.hypothesis(RateLimitLaws.TestCase)
TestRateLimitLaws.settings = settings(max_examples=scale_examples(60), stateful_step_count=40, deadline=None)
