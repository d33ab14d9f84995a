"""The counts that the progress bar and the last line of a run show."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from returns.result import Failure, Success

from victor_fp.cli import batch_progress
from victor_fp.cli.batch_progress import NoProgress, Tally
from victor_fp.core.faults import ConnectionFailed, Fault, InvalidRequest, RateLimited
from victor_fp.core.types import CompletionResponse
from victor_fp.jobs import Done, JobRun

RESPONSE = CompletionResponse(content="Hi")


def build_done(cost: float | None, *, is_resumed: bool = False) -> Done[Any]:
    return Done(key="1", result=Success(RESPONSE), response=RESPONSE, cost_usd=cost, is_resumed=is_resumed)


@pytest.mark.parametrize(
    ("ends", "shown"),
    [
        ([], "0 failed"),
        ([build_done(0.5), build_done(0.25)], "0 failed, $0.7500"),
        ([build_done(0.5), build_done(None)], "0 failed, $0.5000, 1 of unknown price"),
        ([build_done(None)], "0 failed, cost unknown"),
        ([build_done(0.5, is_resumed=True), build_done(None, is_resumed=True)], "0 failed"),
        ([Done(key="1", result=Failure(InvalidRequest()))], "1 failed"),
    ],
)
def test_responses_of_unknown_price_are_named(ends: list[Done[Any]], shown: str) -> None:
    tally = Tally()
    for done in ends:
        tally.add(done)
    assert tally.describe().partition(" rows/s, ")[2] == shown


class NotedProgress(NoProgress):
    """Keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


class WaitingJob:
    """Waits for these faults, one at each look, and is cancelled after the last one."""

    def __init__(self, *faults: Fault | None) -> None:
        self.faults = list(faults)

    @property
    def waiting(self) -> Fault | None:
        if not self.faults:
            raise asyncio.CancelledError
        return self.faults.pop(0)


async def test_a_reason_to_wait_is_noted_once_until_there_is_a_response(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_progress, "WATCH_SECONDS", 0.0)
    down, limited = ConnectionFailed(message="refused"), RateLimited(message="slow down")
    job, progress = WaitingJob(None, down, down, limited, None, limited), NotedProgress()
    with pytest.raises(asyncio.CancelledError):
        await batch_progress.watch_waiting(cast("JobRun[Any]", job), progress)
    assert progress.lines == [
        "victor: rows wait to be sent again, ConnectionFailed: refused",
        "victor: rows wait to be sent again, RateLimited: slow down",
        "victor: rows wait to be sent again, RateLimited: slow down",
    ]
