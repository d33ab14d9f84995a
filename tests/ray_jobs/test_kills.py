"""Jobs on a real cluster whose workers, nodes and driver are killed: no row is lost, doubled, or paid for without need."""

from __future__ import annotations

import random

import pytest

pytest.importorskip("ray")

from tests.ray_jobs.vendor import Call
from tests.ray_jobs.work import CONCURRENCY, ROWS, Work, check_repeats

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("default")]


def test_killed_workers_are_replaced_and_their_shards_continue(work: Work) -> None:
    driver, luck = work.start(), random.Random(3)
    for until in sorted(luck.sample(range(20, 300), 3)):
        work.wait_for_calls(driver, until)
        work.kill_worker(driver, luck)
    ends = work.finish(driver)
    assert len(work.killed) == 3
    assert len(ends) == len({name for name, *_ in ends}) >= ROWS // 25
    assert {(left, is_resumed, reason) for _, _, left, is_resumed, reason in ends} == {("0", "False", "")}
    work.check()
    asked = len(work.vendor.list_calls())
    again = work.finish(work.start())
    assert sorted(name for name, *_ in again) == sorted(name for name, *_ in ends)
    assert {is_resumed for _, _, _, is_resumed, _ in again} == {"True"}
    assert len(work.vendor.list_calls()) == asked


def test_a_killed_node_is_replaced_and_its_shards_continue_elsewhere(work: Work) -> None:
    driver = work.start()
    work.wait_for_calls(driver, random.Random(5).randrange(20, 150))
    assert driver.poll() is None
    work.kill_node()
    work.wait_for_calls(driver, 200)
    work.cluster.restore()
    work.finish(driver)
    work.check()


def test_a_killed_driver_is_restarted_and_continues(work: Work) -> None:
    driver = work.start()
    work.wait_for_calls(driver, random.Random(7).randrange(20, 300))
    work.kill_driver(driver)
    work.finish(work.start())
    work.check()


@pytest.mark.parametrize("seed", [11, 13])
def test_kills_of_all_kinds_in_one_job(work: Work, seed: int) -> None:
    luck = random.Random(seed)
    worker, node, last, again = sorted(luck.sample(range(20, 350), 4))
    driver = work.start()
    work.wait_for_calls(driver, worker)
    work.kill_worker(driver, luck)
    work.wait_for_calls(driver, node)
    work.kill_node()
    work.wait_for_calls(driver, last)
    work.kill_driver(driver)
    work.cluster.restore()
    driver = work.start()
    work.wait_for_calls(driver, again)
    work.kill_worker(driver, luck)
    work.finish(driver)
    work.check()


@pytest.mark.parametrize("store", ["actor", "redis"])
def test_a_shared_budget_and_limit_hold(work: Work, store: str, request: pytest.FixtureRequest) -> None:
    """The budget ends the job; with a larger one it goes on, while workers are killed."""
    url = request.getfixturevalue("redis") if store == "redis" else None
    limit, budget, luck = 6, 90, random.Random(17)
    stopped = work.finish(work.start(limit=limit, budget=budget, redis=url))
    assert any("BudgetExceeded" in reason for *_, reason in stopped)
    assert len(stopped) < ROWS // 25  # no further shard was started
    assert len(work.vendor.list_calls()) == budget
    driver = work.start(limit=limit, budget=2 * ROWS, redis=url)
    for until in (150, 250):
        work.wait_for_calls(driver, until)
        work.kill_worker(driver, luck)
    work.finish(driver)
    assert len(work.killed) == 2
    work.check()
    in_flight = [call.in_flight for call in work.vendor.list_calls()]
    assert CONCURRENCY < max(in_flight) <= limit  # more than one worker was at work


@pytest.mark.parametrize(
    "again",
    [
        pytest.param([("text 0", "b")], id="nobody was killed"),
        pytest.param([("text 0", "a"), ("text 0", "b")], id="twice for one kill"),
        pytest.param([(f"text {number}", "b") for number in range(CONCURRENCY + 1)], id="more than were in flight"),
    ],
)
def test_repeats_without_a_reason_are_seen(again: list[tuple[str, str]]) -> None:
    def call(prompt: str, worker: str) -> Call:
        return Call(0.0, worker, prompt, 1, 200)

    first = [call(f"text {number}", "a") for number in range(ROWS)]
    last = [call(f"text {number}", "b") for number in range(CONCURRENCY)]
    check_repeats([*first, *last], {"a"})
    killed = {"a"} if len(again) > 1 else {"b"}
    with pytest.raises(AssertionError):
        check_repeats([*first, *(call(*each) for each in again)], killed)
