"""Bugs planted into the machines one at a time: the simulation must notice each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from tests.core.resilience.simulation.actors import Scenario, Violation
from tests.core.resilience.simulation.simulation import Simulation
from victor_fp.core.resilience import breaker, cooldown, fallback, queue, rate_limit, retry


def probes_are_kept_when_cancelled(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda state, permit, verdict, now: state if verdict == "cancelled" else right(state, permit, verdict, now)


def reports_get_lost(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda state, permit, verdict, now: state


def any_number_of_probes(right: Callable[..., Any]) -> Callable[..., Any]:
    def admit(state: breaker.Breaker, now: float, *, is_retry: bool = False) -> Any:
        unbounded = replace(state, policy=replace(state.policy, half_open_probes=99))
        after, leave = right(unbounded, now, is_retry=is_retry)
        return replace(after, policy=state.policy), leave

    return admit


def failures_never_end(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda state, permit, verdict, now: right(
        state, permit, "failed" if verdict == "succeeded" else verdict, now
    )


def any_number_at_a_time(right: Callable[..., Any]) -> Callable[..., Any]:
    def take(state: rate_limit.Limiter, tokens: int, now: float) -> Any:
        after, answer = right(replace(state, limits=replace(state.limits, concurrency=None)), tokens, now)
        return replace(after, limits=state.limits), answer

    return take


def permits_are_not_returned(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda state, permit, used: state


def the_minute_is_short(right: int) -> int:
    return right // 2


def cancelled_entries_stay(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda state, ticket: (state, None) if ticket % 5 == 0 else right(state, ticket)


def last_come_first_served(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda entry: (-entry.serial,)


def deadlines_never_expire(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda state, now: (state, ())


def no_cooldown(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda state, fault, now: state


def retry_after_is_ignored(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda fault, policy, retries, luck: right(replace(fault, retry_after=None), policy, retries, luck)


def tries_again_in_the_middle_of_an_answer(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda state: state


def one_try_too_many(right: Callable[..., Any]) -> Callable[..., Any]:
    def after(state: retry.Retry, fault: Any, luck: float, now: float, **others: Any) -> Any:
        policy = replace(state.policy, max_retries=state.policy.max_retries + 1)
        later, decision = right(replace(state, policy=policy), fault, luck, now, **others)
        return replace(later, policy=state.policy), decision

    return after


def falls_back_in_the_middle_of_an_answer(right: Callable[..., Any]) -> Callable[..., Any]:
    def advance(plan: fallback.Plan, event: fallback.PlanEvent, now: float) -> Any:
        return (plan, plan.order) if isinstance(event, fallback.TargetCommitted) else right(plan, event, now)

    return advance


def tries_at_earlier_targets_are_forgotten(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda plan, attempts: replace(right(plan, attempts), sent=0)


BUGS = [
    (breaker, "_end_probe", probes_are_kept_when_cancelled),
    (breaker, "record", failures_never_end),
    (breaker, "admit", any_number_of_probes),
    (breaker, "record", reports_get_lost),
    (rate_limit, "take", any_number_at_a_time),
    (rate_limit, "give_back", permits_are_not_returned),
    (rate_limit, "_SLOTS", the_minute_is_short),
    (queue, "leave", cancelled_entries_stay),
    (queue, "_make_sort_key", last_come_first_served),
    (queue, "drop_overdue", deadlines_never_expire),
    (cooldown, "record_fault", no_cooldown),
    (retry, "commit", tries_again_in_the_middle_of_an_answer),
    (retry, "decide_retry", one_try_too_many),
    (fallback, "advance", falls_back_in_the_middle_of_an_answer),
    (fallback, "_log_attempts", tries_at_earlier_targets_are_forgotten),
]


def twenty_runs() -> None:
    for seed in range(20):
        Simulation(Scenario(seed=seed, concurrency=3)).run()


@pytest.mark.parametrize(("module", "name", "planted"), BUGS, ids=[f"{name}-{bug.__name__}" for _, name, bug in BUGS])
def test_a_planted_bug_is_caught(
    module: Any, name: str, planted: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, planted(getattr(module, name)))
    with pytest.raises(Violation):
        twenty_runs()


def test_ignored_retry_after_is_caught_without_a_cooldown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retry, "compute_backoff", retry_after_is_ignored(retry.compute_backoff))
    monkeypatch.setattr(cooldown, "record_fault", no_cooldown(cooldown.record_fault))
    with pytest.raises(Violation, match="Retry-After"):
        twenty_runs()
