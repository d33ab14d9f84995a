"""States that processes may share: values that survive a store."""

from __future__ import annotations

import msgspec
import pytest

from victor_fp.core.faults import RateLimited
from victor_fp.core.resilience import admission, breaker, cooldown, health, queue, rate_limit
from victor_fp.core.resilience.ratelimit_headers import Reported, ReportedBudget


def build_used_breaker() -> breaker.Breaker:
    state = breaker.Breaker()
    for _ in range(5):
        state, leave = breaker.admit(state, 1.0)
        assert isinstance(leave, breaker.BreakerPermit)
        state = breaker.record(state, leave, "failed", 1.0)
    return breaker.admit(state, 31.0)[0]


def build_used_admission() -> admission.Admission:
    limits = rate_limit.Limits(concurrency=1, requests_per_minute=9)
    state = admission.Admission(limiter=rate_limit.Limiter(limits=limits))
    for ticket in range(3):
        state, _ = admission.advance(state, admission.Arrived(ticket=ticket, tokens=5), 1.0)
    reported = Reported(requests=ReportedBudget(limit=9, remaining=3, reset=5.0, per_minute=True))
    return msgspec.structs.replace(
        state,
        limiter=rate_limit.adopt(state.limiter, None, reported, 1.0),
        cooldown=cooldown.record_fault(state.cooldown, RateLimited(), 1.0),
    )


@pytest.mark.parametrize(
    "state",
    [
        breaker.Breaker(),
        build_used_breaker(),
        rate_limit.Limiter(),
        build_used_admission().limiter,
        build_used_admission().queue,
        build_used_admission().cooldown,
        cooldown.Cooldown(),
        queue.Queue(),
        build_used_admission(),
        health.observe(health.Health(), "succeeded", 1.0, 2.0),
    ],
    ids=lambda state: type(state).__name__,
)
def test_states_round_trip_through_a_store(state: msgspec.Struct) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=type(state)) == state


def test_states_are_immutable() -> None:
    with pytest.raises(AttributeError):
        setattr(breaker.Breaker(), "state", "open")  # noqa: B010
