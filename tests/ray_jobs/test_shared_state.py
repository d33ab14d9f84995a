"""Rates, cooldowns and breakers of workers on two nodes, as the vendor counts them."""

from __future__ import annotations

import subprocess
import time
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("ray")

import ray

from tests.ray_jobs.vendor import Call, Order
from tests.ray_jobs.work import SLOTS, Work, read_node
from victor_fp.core.faults import ConnectionFailed
from victor_fp.jobs import ray as jobs

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("default")]

PER_MINUTE = 1800
PAUSE = 9.0
"""Seconds for which nobody may send."""
NOTICE = 3.5
"""Seconds after which all workers know: they ask about once a second, and a busy machine takes its time."""


def wait_for_workers(work: Work, driver: subprocess.Popen[str]) -> None:
    """Until all workers have sent requests within the last two seconds."""
    while driver.poll() is None:
        now = time.time()
        if len({call.worker for call in work.vendor.list_calls() if now - call.at < 2.0}) >= SLOTS:
            return
        time.sleep(0.05)
    pytest.fail("the job has ended before all workers were busy")


def check_pause(calls: list[Call], began: float, ended: float) -> None:
    """Workers on both nodes sent requests before, none sent any between, and the job went on."""
    before = {call.worker for call in calls if began - 2.0 - NOTICE < call.at < began - NOTICE}
    assert len(before) >= SLOTS
    assert len({read_node(worker) for worker in before}) == 2
    assert [call for call in calls if began < call.at < ended] == []
    after = {call.worker for call in calls if call.status == 200 and call.at >= ended}
    assert len(after) > 1  # rows were left for others than the one that failed


def check_rate(calls: list[Call]) -> None:
    """A request may come up to a second after its slot, and half a second's requests may come at once."""
    times, window = [call.at for call in calls], 2.0
    most = max(sum(1 for at in times if start <= at < start + window) for start in times)
    assert most <= PER_MINUTE / 60 * (window + 1.5)


@pytest.mark.parametrize("store", ["actor", "redis"])
def test_a_shared_rate_holds_and_a_rate_limit_pauses_all_workers(
    work: Work, store: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("redis") if store == "redis" else None
    driver = work.start(per_minute=PER_MINUTE, rows_per_shard=100, redis=url)
    wait_for_workers(work, driver)
    work.vendor.give_order(Order(429, PAUSE))
    work.finish(driver)
    work.check()
    calls = work.vendor.list_calls()
    (limited,) = (call for call in calls if call.status == 429)
    check_pause(calls, limited.at + NOTICE, limited.at + PAUSE)
    check_rate(calls)


def test_a_breaker_that_one_worker_opens_is_open_for_all(work: Work) -> None:
    """The vendor fails one worker's requests only, so that the others have no reason of their own to stop."""
    driver = work.start(per_minute=PER_MINUTE, rows_per_shard=100, recovery_timeout=PAUSE)
    wait_for_workers(work, driver)
    work.vendor.give_order(Order(500, PAUSE / 2))
    work.finish(driver)
    work.check()
    calls = work.vendor.list_calls()
    failed = [call for call in calls if call.status == 500]
    assert len({call.worker for call in failed}) == 1
    check_pause(calls, failed[0].at + NOTICE, failed[0].at + PAUSE)


class LostKeeper:
    """Ray and its clock, where the actor does not answer for some seconds."""

    exceptions = ray.exceptions

    def __init__(self, seconds: float) -> None:
        self.now, self.back_at = 0.0, seconds

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def get(self, _: Any) -> None:
        if self.now < self.back_at:
            raise ray.exceptions.ActorUnavailableError("connection refused", b"\0" * 16)


@pytest.mark.parametrize(("seconds", "is_lost"), [(0.0, False), (40.0, False), (1e6, True)])
def test_a_job_waits_for_an_actor_that_is_being_restarted(
    monkeypatch: pytest.MonkeyPatch, seconds: float, is_lost: bool
) -> None:
    lost, actor = LostKeeper(seconds), SimpleNamespace(__ray_ready__=SimpleNamespace(remote=lambda: None))
    monkeypatch.setattr(jobs, "time", lost)
    monkeypatch.setattr(jobs, "_find_keeper", lambda _: actor)
    assert isinstance(jobs._wait_for_keeper(lost), ConnectionFailed) == is_lost
    assert lost.now >= min(seconds, jobs.KEEPER_PATIENCE)
