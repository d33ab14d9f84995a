"""A plan over several targets as a list of orders."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.example_counts import scale_examples
from victor_fp.core.faults import (
    FAULT_TYPES,
    AllFallbacksFailed,
    Attempt,
    AuthRejected,
    Cancelled,
    CircuitOpen,
    ContentRefused,
    ContextLengthExceeded,
    CredentialMissing,
    DeadlineExceeded,
    Fault,
    InvalidRequest,
    ModelNotFound,
    QuotaExhausted,
    RateLimited,
    ServerFailed,
    StreamInterrupted,
    UnsupportedParameter,
)
from victor_fp.core.resilience.fallback import (
    MOVES_ON,
    TRANSITIONS,
    CallTarget,
    DeliverTarget,
    FallbackPolicy,
    FallbackTarget,
    Plan,
    PlanAbandoned,
    PlanEvent,
    PlanOrder,
    SettlePlan,
    TargetCommitted,
    TargetFailed,
    TargetSucceeded,
    advance,
    begin,
)

TARGETS = (
    FallbackTarget(provider="acme", model="big"),
    FallbackTarget(provider="globex", model="grand", options={"seed": 1}),
    FallbackTarget(provider="initech", model="large"),
)


UNSENT = ("CircuitOpen", "QueueFull", "CredentialMissing", "ProviderNotFound", "OperationUnsupported")


def build_attempt(provider: str, outcome: str = "ok", started: float = 0.0) -> Attempt:
    return Attempt(provider=provider, outcome=outcome, started=started, seconds=1.0)


def build_target_failure(fault_of: type[Fault], provider: str, attempts: int = 1) -> TargetFailed:
    log = tuple(build_attempt(provider, fault_of.__name__, float(n)) for n in range(attempts))
    return TargetFailed(fault_of(provider=provider, message="no", attempts=log))


def run_events(*script: tuple[float, PlanEvent], policy: FallbackPolicy | None = None) -> tuple[Plan, list[PlanOrder]]:
    plan, order = begin(TARGETS, policy or FallbackPolicy(), 0.0, 100.0)
    orders = [order]
    for now, event in script:
        before = plan.order.phase
        plan, order = advance(plan, event, now)
        assert plan.order.phase in TRANSITIONS[before, type(event).__name__]
        orders.append(order)
    return plan, orders


def get_settlement(orders: list[PlanOrder]) -> SettlePlan:
    last = orders[-1]
    assert isinstance(last, SettlePlan)
    return last


def get_call_target(order: PlanOrder) -> CallTarget:
    assert isinstance(order, CallTarget)
    return order


def test_no_other_target_is_called_after_a_success() -> None:
    _, orders = run_events((1.0, TargetSucceeded((build_attempt("acme"),))))
    assert orders == [CallTarget(TARGETS[0], 0, None, 100.0), SettlePlan(None, (build_attempt("acme"),))]


def test_next_target_is_called_with_its_own_model_and_options() -> None:
    _, orders = run_events(
        (3.0, build_target_failure(ServerFailed, "acme", 2)), (5.0, TargetSucceeded((build_attempt("globex"),)))
    )
    assert get_call_target(orders[1]).target == TARGETS[1]
    assert (get_call_target(orders[1]).target.model, get_call_target(orders[1]).target.options) == (
        "grand",
        {"seed": 1},
    )


def test_log_of_a_success_has_all_attempts_timed_from_the_start() -> None:
    _, orders = run_events(
        (3.0, build_target_failure(ServerFailed, "acme", 2)), (5.0, TargetSucceeded((build_attempt("globex"),)))
    )
    log = [(attempt.provider, attempt.outcome, attempt.started) for attempt in get_settlement(orders).attempts]
    assert log == [("acme", "ServerFailed", 0.0), ("acme", "ServerFailed", 1.0), ("globex", "ok", 3.0)]


def test_fault_after_all_targets_failed_has_the_log() -> None:
    _, orders = run_events(
        (1.0, build_target_failure(ServerFailed, "acme")),
        (2.0, build_target_failure(QuotaExhausted, "globex")),
        (3.0, build_target_failure(RateLimited, "initech")),
    )
    fault = get_settlement(orders).fault
    assert isinstance(fault, AllFallbacksFailed)
    assert fault.last == "RateLimited"
    assert fault.message == "all 3 targets failed; last: RateLimited: no"
    assert fault.attempts == get_settlement(orders).attempts
    assert [attempt.outcome for attempt in fault.attempts] == ["ServerFailed", "QuotaExhausted", "RateLimited"]


def test_plan_of_one_target_ends_with_its_fault() -> None:
    plan, _ = begin(TARGETS[:1], FallbackPolicy(), 0.0, 100.0)
    _, order = advance(plan, build_target_failure(ServerFailed, "acme"), 1.0)
    assert isinstance(get_settlement([order]).fault, ServerFailed)


def test_plan_without_targets_settles() -> None:
    _, order = begin((), FallbackPolicy(), 0.0, 100.0)
    assert isinstance(get_settlement([order]).fault, AllFallbacksFailed)


@pytest.mark.parametrize("mistake", [InvalidRequest, UnsupportedParameter, ContextLengthExceeded, ContentRefused])
def test_request_faults_do_not_fall_back(mistake: type[Fault]) -> None:
    _, orders = run_events(
        (1.0, build_target_failure(ServerFailed, "acme")), (2.0, build_target_failure(mistake, "globex"))
    )
    fault = get_settlement(orders).fault
    assert isinstance(fault, mistake)
    assert [attempt.outcome for attempt in fault.attempts] == ["ServerFailed", mistake.__name__]


@pytest.mark.parametrize("own", [AuthRejected, ModelNotFound, QuotaExhausted, CircuitOpen, CredentialMissing])
def test_target_faults_fall_back(own: type[Fault]) -> None:
    assert get_call_target(run_events((1.0, build_target_failure(own, "acme")))[1][-1]).index == 1


def test_faults_that_fall_back_are_configurable() -> None:
    policy = FallbackPolicy(moves_on=MOVES_ON | {"ContextLengthExceeded"})
    assert (
        get_call_target(
            run_events((1.0, build_target_failure(ContextLengthExceeded, "acme")), policy=policy)[1][-1]
        ).index
        == 1
    )
    nothing = FallbackPolicy(moves_on=frozenset())
    assert isinstance(run_events((1.0, build_target_failure(ServerFailed, "acme")), policy=nothing)[1][-1], SettlePlan)


def test_default_policy_falls_back_for_target_faults_only() -> None:
    stays = {
        "InvalidRequest",
        "UnsupportedParameter",
        "ContextLengthExceeded",
        "ContentRefused",
        "DeadlineExceeded",
        "Cancelled",
        "BudgetExceeded",
        "LedgerFailed",
    }
    assert {kind.__name__ for kind in FAULT_TYPES} - MOVES_ON == stays


def test_stream_is_not_continued_by_another_target() -> None:
    _, orders = run_events((1.0, TargetCommitted()), (2.0, build_target_failure(StreamInterrupted, "acme")))
    assert orders[1] == DeliverTarget()
    assert isinstance(get_settlement(orders).fault, StreamInterrupted)


def test_target_without_attempts_is_logged() -> None:
    _, orders = run_events(
        (0.5, TargetFailed(CredentialMissing(message="no key"))), (5.0, TargetSucceeded((build_attempt("globex"),)))
    )
    assert get_settlement(orders).attempts[0] == Attempt(
        provider="acme", model="big", seconds=0.5, outcome="CredentialMissing", message="no key"
    )


def test_later_target_without_attempts_is_timed_from_the_start() -> None:
    _, orders = run_events(
        (2.0, build_target_failure(ServerFailed, "acme")), (2.5, TargetFailed(ModelNotFound(status=404, message="no")))
    )
    plan, _ = run_events(
        (2.0, build_target_failure(ServerFailed, "acme")), (2.5, TargetFailed(ModelNotFound(status=404, message="no")))
    )
    assert get_call_target(orders[-1]).index == 2
    assert plan.attempts[-1] == Attempt(
        provider="globex", model="grand", started=2.0, seconds=0.5, outcome="ModelNotFound", status=404, message="no"
    )


def test_max_tries_counts_over_all_targets() -> None:
    policy = FallbackPolicy(max_tries=5)
    _, orders = run_events(
        (1.0, build_target_failure(ServerFailed, "acme", 3)),
        (2.0, build_target_failure(CircuitOpen, "globex")),
        (3.0, build_target_failure(ServerFailed, "initech", 2)),
        policy=policy,
    )
    assert [get_call_target(order).max_retries for order in orders[:3]] == [4, 1, 1]


def test_a_target_whose_own_targets_all_failed_moves_on_and_counts_as_a_try() -> None:
    events = (
        (1.0, build_target_failure(AllFallbacksFailed, "acme")),
        (2.0, build_target_failure(ServerFailed, "globex")),
    )
    _, orders = run_events(*events, policy=FallbackPolicy(max_tries=3))
    assert [get_call_target(order).max_retries for order in orders] == [2, 1, 0]


def test_max_tries_ends_the_plan() -> None:
    _, orders = run_events((1.0, build_target_failure(ServerFailed, "acme", 3)), policy=FallbackPolicy(max_tries=3))
    assert isinstance(get_settlement(orders).fault, ServerFailed)


def test_max_fallbacks_limits_the_targets() -> None:
    _, orders = run_events(
        (1.0, build_target_failure(ServerFailed, "acme")),
        (2.0, build_target_failure(ServerFailed, "globex")),
        policy=FallbackPolicy(max_fallbacks=1),
    )
    assert isinstance(get_settlement(orders).fault, AllFallbacksFailed)


def test_deadline_holds_for_all_targets() -> None:
    _, orders = run_events(
        (60.0, build_target_failure(ServerFailed, "acme")), (100.0, build_target_failure(ServerFailed, "globex"))
    )
    assert get_call_target(orders[1]).deadline == 100.0
    assert isinstance(get_settlement(orders).fault, DeadlineExceeded)


def test_target_deadline_is_the_plan_deadline() -> None:
    _, orders = run_events((100.0, build_target_failure(DeadlineExceeded, "acme")))
    assert isinstance(get_settlement(orders).fault, DeadlineExceeded)


def test_even_shares_leave_time_for_later_targets() -> None:
    _, orders = run_events(
        (33.0, build_target_failure(DeadlineExceeded, "acme")),
        (40.0, build_target_failure(ServerFailed, "globex")),
        policy=FallbackPolicy(even_shares=True),
    )
    assert [get_call_target(order).deadline for order in orders] == [pytest.approx(100 / 3), 66.5, 100.0]


def test_cancellation_ends_the_plan() -> None:
    _, orders = run_events(
        (1.0, build_target_failure(ServerFailed, "acme")), (2.0, PlanAbandoned((build_attempt("globex", "Cancelled"),)))
    )
    fault = get_settlement(orders).fault
    assert isinstance(fault, Cancelled)
    assert [attempt.provider for attempt in fault.attempts] == ["acme", "globex"]


def test_settled_plan_ignores_events() -> None:
    plan, orders = run_events((1.0, TargetSucceeded(())))
    assert advance(plan, build_target_failure(ServerFailed, "acme"), 2.0) == (plan, orders[-1])


def test_times_are_relative_to_the_start_of_the_plan() -> None:
    plan, _ = begin(TARGETS, FallbackPolicy(), 50.0, 90.0)
    plan, _ = advance(plan, build_target_failure(ServerFailed, "acme"), 52.0)
    plan, _ = advance(plan, build_target_failure(QuotaExhausted, "globex"), 53.0)
    last = RateLimited(
        provider="initech",
        model="large",
        message="no",
        status=429,
        code="rate",
        request_id="r-1",
        retry_after=7.0,
        maybe_billed=True,
        attempts=(build_attempt("initech", "RateLimited"),),
    )
    _, order = advance(plan, TargetFailed(last), 54.0)
    log = (
        build_attempt("acme", "ServerFailed"),
        build_attempt("globex", "QuotaExhausted", 2.0),
        build_attempt("initech", "RateLimited", 3.0),
    )
    assert get_settlement([order]).fault == AllFallbacksFailed(
        provider="initech",
        model="large",
        message="all 3 targets failed; last: RateLimited: no",
        status=429,
        code="rate",
        request_id="r-1",
        retry_after=7.0,
        maybe_billed=True,
        last="RateLimited",
        attempts=log,
    )


def test_deadline_between_two_targets_is_reported_with_its_length() -> None:
    plan, _ = begin(TARGETS, FallbackPolicy(), 50.0, 90.0)
    _, order = advance(plan, build_target_failure(ServerFailed, "acme"), 90.0)
    fault = get_settlement([order]).fault
    assert isinstance(fault, DeadlineExceeded)
    assert (fault.provider, fault.seconds) == ("acme", 40.0)
    assert fault.message == "the deadline of 40 s passed; last: ServerFailed: no"


def test_last_target_fault_is_kept_after_the_deadline() -> None:
    plan, _ = begin(TARGETS[:1], FallbackPolicy(), 0.0, 100.0)
    assert isinstance(
        get_settlement([advance(plan, build_target_failure(ServerFailed, "acme"), 100.0)[1]]).fault, ServerFailed
    )


def test_without_even_shares_a_target_deadline_does_not_fall_back() -> None:
    assert isinstance(run_events((50.0, build_target_failure(DeadlineExceeded, "acme")))[1][-1], SettlePlan)


def test_even_shares_end_at_the_plan_deadline() -> None:
    plan, _ = begin(TARGETS, FallbackPolicy(even_shares=True), 0.0, 100.0)
    assert isinstance(advance(plan, build_target_failure(DeadlineExceeded, "acme"), 100.0)[1], SettlePlan)


def test_cancelled_fault_names_the_current_target() -> None:
    _, orders = run_events((1.0, build_target_failure(ServerFailed, "acme")), (2.0, PlanAbandoned()))
    assert get_settlement(orders).fault == Cancelled(
        provider="globex",
        model="grand",
        message="the caller cancelled the call",
        attempts=(build_attempt("acme", "ServerFailed"),),
    )


def test_empty_plan_has_a_message() -> None:
    _, order = begin((), FallbackPolicy(), 0.0, 100.0)
    assert get_settlement([order]).fault == AllFallbacksFailed(message="the plan has no target")


@settings(max_examples=scale_examples(100), deadline=None)
@given(
    outcomes=st.lists(
        st.tuples(st.sampled_from(FAULT_TYPES), st.integers(1, 4), st.floats(0, 40)), min_size=3, max_size=3
    ),
    max_tries=st.none() | st.integers(1, 8),
    even=st.booleans(),
)
def test_each_target_is_called_at_most_once_in_order_within_max_tries(
    outcomes: list[tuple[type[Fault], int, float]], max_tries: int | None, even: bool
) -> None:
    plan, order = begin(TARGETS, FallbackPolicy(max_tries=max_tries, even_shares=even), 0.0, 100.0)
    now, places, made, sent = 0.0, list[int](), 0, 0
    while isinstance(order, CallTarget):
        assert now < order.deadline <= 100.0
        assert order.max_retries is None or order.max_retries >= 0
        kind, attempts, seconds = outcomes[order.index]
        attempts = attempts if order.max_retries is None else min(attempts, order.max_retries + 1)
        places.append(order.index)
        now += seconds
        made += attempts
        sent += attempts if kind.__name__ not in UNSENT else 0
        plan, order = advance(plan, build_target_failure(kind, order.target.provider, attempts), now)
    assert places == list(range(len(places)))
    assert max_tries is None or sent <= max_tries
    assert isinstance(order, SettlePlan)
    assert len(order.attempts) == made
    assert order.fault is not None
    assert order.fault.attempts == order.attempts
