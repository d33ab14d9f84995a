"""Whether a row is sent, and what follows from its outcome."""

from __future__ import annotations

import pytest

from victor_fp.core.faults import (
    FAULT_TYPES,
    AuthRejected,
    BudgetExceeded,
    CircuitOpen,
    CredentialMissing,
    Fault,
    InvalidRequest,
    LedgerFailed,
    PermissionRefused,
    ProviderNotFound,
    QuotaExhausted,
    RateLimited,
    ServerFailed,
    can_retry,
)
from victor_fp.core.jobs.decisions import (
    Finish,
    RefuseRow,
    Replay,
    RetryRow,
    RowRecord,
    RunRow,
    Status,
    StopJob,
    decide_outcome,
    decide_row,
    is_pressure,
)
from victor_fp.core.jobs.rows import CheckedRow, RejectedRow, Row, check_row


def build_row(text: str = "a") -> CheckedRow:
    checked = check_row(Row("k", text), 7, provider="p", model="m", options={})
    assert isinstance(checked, CheckedRow)
    return checked


def build_record(status: Status | None, digest: bytes | None = None) -> RowRecord:
    return RowRecord(1, build_row().digest if digest is None else digest, 1, status, b"body")


def test_new_row_is_processed() -> None:
    assert decide_row(build_row(), None, is_repeated=False) == RunRow(build_row())


@pytest.mark.parametrize(
    ("status", "is_asked"), [("done", False), ("failed", False), ("retryable", True), (None, True)]
)
def test_known_row_without_a_final_result_is_processed(status: Status | None, is_asked: bool) -> None:
    decision = decide_row(build_row(), build_record(status), is_repeated=False)
    assert isinstance(decision, RunRow if is_asked else Replay)


def test_failed_row_is_retried_on_request_and_finished_one_is_not() -> None:
    assert isinstance(decide_row(build_row(), build_record("failed"), is_repeated=False, retry_failed=True), RunRow)
    assert isinstance(decide_row(build_row(), build_record("done"), is_repeated=False, retry_failed=True), Replay)


def test_repeated_and_changed_keys_are_refused_without_touching_the_ledger() -> None:
    repeated = decide_row(build_row(), None, is_repeated=True)
    changed = decide_row(build_row("b"), build_record("done"), is_repeated=False)
    for decision in (repeated, changed):
        assert isinstance(decision, RefuseRow)
        assert not decision.is_recorded
        assert decision.position == 7


@pytest.mark.parametrize(
    ("status", "retry_failed", "is_asked"),
    [
        ("done", True, False),
        ("failed", False, False),
        ("failed", True, True),
        ("retryable", False, True),
        (None, False, True),
    ],
)
def test_a_row_may_change_while_it_has_no_result(status: Status | None, retry_failed: bool, is_asked: bool) -> None:
    changed = build_row("b")
    decision = decide_row(changed, build_record(status), is_repeated=False, retry_failed=retry_failed)
    assert isinstance(decision, RunRow if is_asked else RefuseRow)
    submitted = RowRecord(-1, build_row().digest, 0, is_submitted=True)
    assert isinstance(decide_row(changed, submitted, is_repeated=False, retry_failed=retry_failed), RefuseRow)


def test_a_failed_row_that_has_changed_names_the_way_to_send_it() -> None:
    decision = decide_row(build_row("b"), build_record("failed"), is_repeated=False)
    assert isinstance(decision, RefuseRow)
    assert (
        decision.fault.message
        == "the row under key 'k' has changed since it failed; retry failed rows, or use another key"
    )


def test_a_row_that_could_not_be_read_may_be_corrected() -> None:
    rejected = RejectedRow("k", InvalidRequest(message="no messages"), 7)
    first = decide_row(rejected, None, is_repeated=False)
    assert first == RefuseRow("k", rejected.fault, 7, is_recorded=True)
    assert isinstance(decide_row(build_row(), build_record("failed", b""), is_repeated=False), RunRow)
    after_done = decide_row(rejected, build_record("done"), is_repeated=False)
    assert isinstance(after_done, RefuseRow)
    assert not after_done.is_recorded


@pytest.mark.parametrize("code", ["extra_missing", "setting_missing", "cache_unusable"])
def test_a_fault_of_the_installation_stops_the_job(code: str) -> None:
    fault = InvalidRequest(code=code)
    assert decide_outcome(fault, 1, 3, 0.5) == StopJob(fault)
    of_the_vendor = InvalidRequest(code=code, status=400)
    assert decide_outcome(of_the_vendor, 1, 3, 0.5) == Finish("failed")


@pytest.mark.parametrize("kind", FAULT_TYPES)
def test_every_fault_ends_in_an_outcome(kind: type[Fault]) -> None:
    fault = kind()
    stopping = (
        AuthRejected, BudgetExceeded, CredentialMissing, LedgerFailed, PermissionRefused, ProviderNotFound, QuotaExhausted
    )  # fmt: skip
    expected: type[object]
    if isinstance(fault, stopping):
        expected = StopJob
    elif isinstance(fault, CircuitOpen) or can_retry(fault):
        expected = RetryRow
    else:
        expected = Finish
    assert isinstance(decide_outcome(fault, 1, 3, 0.5), expected)


def test_exhausted_attempts_leave_the_row_open_for_the_next_run() -> None:
    assert decide_outcome(ServerFailed(), 3, 3, 0.5) == Finish("retryable")
    assert decide_outcome(InvalidRequest(), 1, 3, 0.5) == Finish("failed")
    assert decide_outcome(None, 9, 3, 0.5) == Finish("done")


def test_pauses_follow_the_vendor_and_are_bounded() -> None:
    asked = decide_outcome(RateLimited(retry_after=7.0), 1, 3, 0.0)
    absurd = decide_outcome(RateLimited(retry_after=1e9), 1, 3, 0.999)
    assert asked == RetryRow(7.0)
    assert isinstance(absurd, RetryRow)
    assert absurd.seconds <= 75


def test_waiting_for_an_open_circuit_does_not_count_as_an_attempt() -> None:
    waiting = decide_outcome(CircuitOpen(retry_after=20.0), 3, 3, 0.0)
    assert waiting == RetryRow(20.0, counts=False)


def test_pressure_is_seen_in_faults_and_in_attempts_on_the_way() -> None:
    assert is_pressure(RateLimited(status=429), ())
    assert is_pressure(None, (429, 200))
    assert is_pressure(CircuitOpen(), ())
    assert not is_pressure(None, (200,))
    assert not is_pressure(InvalidRequest(status=400), (400,))
