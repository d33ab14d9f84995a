"""Multipart forms, times and polling delays of batches."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from victor_fp_wire.mistral_batches.request import FileFields

from victor_fp.core.batching.multipart import encode_form
from victor_fp.core.batching.polling import END_GRACE, MAX_AGE, compute_poll_delay, end_expired, find_lost, is_overdue
from victor_fp.core.batching.reading import describe_error, find_error_code, parse_time
from victor_fp.core.batching.types import BatchCounts, BatchHandle, BatchState, BatchStatus

FIELDS = FileFields(purpose="batch")


@given(st.binary(max_size=300))
def test_a_multipart_form_is_parsed_whatever_its_file_contains(file: bytes) -> None:
    form = encode_form(FIELDS, file, name="in.jsonl", media_type="application/jsonl")
    boundary = form.content_type.partition("boundary=")[2].encode()
    head, field, part, end = form.body.split(b"--" + boundary)
    assert (head, end) == (b"", b"--\r\n")
    assert field == b'\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    assert part.partition(b"\r\n\r\n")[2] == file + b"\r\n"
    assert boundary not in file
    assert encode_form(FIELDS, file, name="in.jsonl", media_type="application/jsonl") == form


def test_a_boundary_that_occurs_in_the_file_is_not_used() -> None:
    first = encode_form(None, b"abc", name="f", media_type="t").content_type
    assert "boundary=victor-fp-" in first


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()))
def test_any_time_is_seconds_or_unknown(value: object) -> None:
    found = parse_time(value)
    assert found is None or isinstance(found, float)


def test_times_in_the_forms_of_vendors() -> None:
    assert parse_time(1_700_000_000) == 1_700_000_000.0
    assert parse_time("2023-11-14T22:13:20Z") == 1_700_000_000.0
    assert parse_time("2023-11-14T23:13:20.5+01:00") == 1_700_000_000.5
    assert parse_time("2023-11-14") == 1_699_920_000.0
    assert parse_time("") is None


def test_errors_are_described_by_their_message_or_code() -> None:
    assert describe_error({"code": "batch_expired", "message": "too late"}) == "too late"
    assert describe_error({"error": {"message": "inner"}}) == "inner"
    assert describe_error("plain") == "plain"
    assert describe_error(None) == ""
    assert find_error_code({"code": "BATCH_Expired"}) == "batch_expired"
    assert find_error_code({"code": 7}) == find_error_code("x") == ""


def test_a_batch_is_looked_at_less_often_the_older_it_is() -> None:
    assert [compute_poll_delay(age) for age in (0.0, 19.0, 100.0, 1e6)] == [2.0, 2.0, 10.0, 60.0]


def status(identifier: str, token: str = "", created: float | None = None, total: int | None = None) -> BatchStatus:
    handle = BatchHandle(provider="p", id=identifier, token=token)
    return BatchStatus(handle=handle, state="running", created_at=created, counts=BatchCounts(total=total))


def test_a_lost_batch_is_found_by_its_mark() -> None:
    statuses = [status("a", "t1"), status("b", "t2"), status("c")]
    found = find_lost(statuses, token="t2", stores_token=True, created=0.0, count=1, known=())
    assert [handle.id for handle in found] == ["b"]
    assert find_lost(statuses, token="t3", stores_token=True, created=0.0, count=1, known=()) == ()


def test_without_marks_a_lost_batch_is_found_by_time_and_count() -> None:
    statuses = [
        status("older", created=1000.0, total=5),
        status("other count", created=5000.0, total=6),
        status("known", created=5000.0, total=5),
        status("it", created=5001.0, total=5),
        status("tells nothing"),
    ]
    found = find_lost(statuses, token="t", stores_token=False, created=5000.0, count=5, known={"known"})
    assert [handle.id for handle in found] == ["it", "tells nothing"]


@pytest.mark.parametrize(
    ("created_at", "ends_at", "submitted_at", "end"),
    [
        (100.0, 500.0, 100.0, 500.0),
        (100.0, None, 50.0, 100.0 + MAX_AGE),
        (None, None, 50.0, 50.0 + MAX_AGE),
    ],
)
def test_every_batch_in_an_unknown_state_ends(
    created_at: float | None, ends_at: float | None, submitted_at: float, end: float
) -> None:
    handle = BatchHandle(provider="p", id="b", submitted_at=submitted_at)
    status = BatchStatus(handle=handle, state="unknown", created_at=created_at, ends_at=ends_at)
    assert not is_overdue(status, end + END_GRACE)
    assert is_overdue(status, end + END_GRACE + 1.0)
    assert not is_overdue(msgspec.structs.replace(status, state="running"), end + END_GRACE + 1.0)


@pytest.mark.parametrize(
    ("state", "end"),
    [("pending", "expired"), ("running", "expired"), ("cancelling", "cancelled"), ("completed", "completed")],
)
def test_a_batch_that_expires_silently_ends_after_a_grace(state: BatchState, end: BatchState) -> None:
    handle = BatchHandle(provider="p", id="b")
    status = BatchStatus(handle=handle, state=state, ends_at=500.0, expires_silently=True)
    assert end_expired(status, 500.0 + END_GRACE).state == state
    assert end_expired(status, 500.0 + END_GRACE + 1.0).state == end
    for other in (
        msgspec.structs.replace(status, expires_silently=False),  # the end of some vendors is a target
        msgspec.structs.replace(status, ends_at=None),
    ):
        assert end_expired(other, 1e9).state == state


def test_a_batch_in_an_unknown_state_without_any_time_is_not_waited_for() -> None:
    assert is_overdue(BatchStatus(handle=BatchHandle(provider="p", id="b"), state="unknown"), 0.0)
