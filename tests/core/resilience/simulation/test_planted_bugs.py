"""Bugs planted into the machines one at a time: the simulation must notice each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from tests.core.resilience.simulation.actors import Scenario, Violation
from tests.core.resilience.simulation.simulation import Simulation
from victor_fp.core.resilience import breaker, cooldown, fallback, queue, rate_limit, retry


def keep_probes_when_cancelled(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda state, permit, verdict, now: state if verdict == "cancelled" else right(state, permit, verdict, now)


def drop_reports(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda state, permit, verdict, now: state


def allow_any_number_of_probes(right: Callable[..., Any]) -> Callable[..., Any]:
    def admit(state: breaker.Breaker, now: float, *, is_retry: bool = False) -> Any:
        unbounded = replace(state, policy=replace(state.policy, half_open_probes=99))
        after, leave = right(unbounded, now, is_retry=is_retry)
        return replace(after, policy=state.policy), leave

    return admit


def record_successes_as_failures(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda state, permit, verdict, now: right(
        state, permit, "failed" if verdict == "succeeded" else verdict, now
    )


def allow_any_number_at_a_time(right: Callable[..., Any]) -> Callable[..., Any]:
    def take(state: rate_limit.Limiter, tokens: int, now: float) -> Any:
        after, answer = right(replace(state, limits=replace(state.limits, concurrency=None)), tokens, now)
        return replace(after, limits=state.limits), answer

    return take


def keep_permits(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda state, permit, used: state


def shorten_minute(right: int) -> int:
    return right // 2


def keep_cancelled_entries(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda state, ticket: (state, None) if ticket % 5 == 0 else right(state, ticket)


def serve_last_first(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda entry: (-entry.serial,)


def ignore_deadlines(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda state, now: (state, ())


def ignore_cooldown(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda state, fault, now: state


def ignore_retry_after(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda fault, policy, retries, luck: right(replace(fault, retry_after=None), policy, retries, luck)


def retry_in_the_middle_of_an_answer(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda state: state


def retry_once_too_often(right: Callable[..., Any]) -> Callable[..., Any]:
    def decide(state: retry.Retry, fault: Any, luck: float, now: float, **others: Any) -> Any:
        policy = replace(state.policy, max_retries=state.policy.max_retries + 1)
        later, decision = right(replace(state, policy=policy), fault, luck, now, **others)
        return replace(later, policy=state.policy), decision

    return decide


def fall_back_in_the_middle_of_an_answer(right: Callable[..., Any]) -> Callable[..., Any]:
    def advance(plan: fallback.Plan, event: fallback.PlanEvent, now: float) -> Any:
        return (plan, plan.order) if isinstance(event, fallback.TargetCommitted) else right(plan, event, now)

    return advance


def forget_attempts_at_earlier_targets(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda plan, attempts: replace(right(plan, attempts), sent=0)


BUGS = [
    (breaker, "_end_probe", keep_probes_when_cancelled),
    (breaker, "record", record_successes_as_failures),
    (breaker, "admit", allow_any_number_of_probes),
    (breaker, "record", drop_reports),
    (rate_limit, "take", allow_any_number_at_a_time),
    (rate_limit, "give_back", keep_permits),
    (rate_limit, "_SLOTS", shorten_minute),
    (queue, "leave", keep_cancelled_entries),
    (queue, "_make_sort_key", serve_last_first),
    (queue, "drop_overdue", ignore_deadlines),
    (cooldown, "record_fault", ignore_cooldown),
    (retry, "commit", retry_in_the_middle_of_an_answer),
    (retry, "decide_retry", retry_once_too_often),
    (fallback, "advance", fall_back_in_the_middle_of_an_answer),
    (fallback, "_log_attempts", forget_attempts_at_earlier_targets),
]


def run_twenty_scenarios() -> None:
    for seed in range(20):
        Simulation(Scenario(seed=seed, concurrency=3)).run()


@pytest.mark.parametrize(("module", "name", "planted"), BUGS, ids=[f"{name}-{bug.__name__}" for _, name, bug in BUGS])
def test_a_planted_bug_is_caught(
    module: Any, name: str, planted: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, planted(getattr(module, name)))
    with pytest.raises(Violation):
        run_twenty_scenarios()


def test_ignored_retry_after_is_caught_without_a_cooldown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retry, "compute_backoff", ignore_retry_after(retry.compute_backoff))
    monkeypatch.setattr(cooldown, "record_fault", ignore_cooldown(cooldown.record_fault))
    with pytest.raises(Violation, match="Retry-After"):
        run_twenty_scenarios()
