"""Jobs on a real cluster whose workers, nodes and driver are killed: no row is lost, doubled, or paid for without need."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("ray")

from tests.ray_jobs.conftest import ROOT, RayCluster, Vendor, environment
from tests.ray_jobs.settings import Settings
from tests.shell.store.redis_process import find_redis
from victor_fp.jobs.shards import read_job_report

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("default")]

ROWS = 400
CONCURRENCY = 4
SLOTS = 4
"""Workers at a time: two nodes with two CPUs each."""


class Work:
    """One job: its files, and the driver that runs it."""

    def __init__(self, folder: Path, cluster: RayCluster, vendor: Vendor) -> None:
        self.folder, self.cluster, self.vendor = folder, cluster, vendor
        self.output, self.workers = folder / "out", folder / "workers"
        self.workers.mkdir()
        source = folder / "in"
        source.mkdir()
        for file in range(2):
            keys = range(file, ROWS, 2)
            lines = (json.dumps({"id": f"r{key}", "prompt": f"text {key}"}) + "\n" for key in keys)
            (source / f"{file}.jsonl").write_text("".join(lines))
        self.settings = Settings(
            address=cluster.address,
            source=str(source),
            output=str(self.output),
            workers=str(self.workers),
            concurrency=CONCURRENCY,
        )

    def start(self, **changes: object) -> subprocess.Popen[str]:
        settings = msgspec.structs.replace(self.settings, **changes)
        command = [sys.executable, "-m", "tests.ray_jobs.driver", msgspec.json.encode(settings).decode()]
        return subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True)

    def finish(self, driver: subprocess.Popen[str]) -> list[list[str]]:
        """What the driver printed about each shard, once it has ended well."""
        out, _ = driver.communicate(timeout=200)
        assert driver.returncode == 0, out
        return [line.split("\t")[1:] for line in out.splitlines() if line.startswith("shard\t")]

    def wait_for_calls(self, driver: subprocess.Popen[str], count: int) -> None:
        """Until the vendor has counted so many calls, or the driver has ended."""
        while driver.poll() is None and len(self.vendor.calls()) < count:
            time.sleep(0.02)

    def busy_workers(self) -> list[int]:
        """Processes that have run a shard and live."""
        found = (int(file.name.partition("-")[0]) for file in self.workers.iterdir())
        return [pid for pid in found if is_ray_worker(pid)]

    def check(self, most_repeated: int) -> None:
        """Every row is once in the output, with its own answer; the vendor saw few of them again."""
        report = read_job_report(self.output).unwrap()
        assert (report.done, report.failed, report.left) == (ROWS, 0, 0)
        lines = [json.loads(line) for part in self.output.glob("*.jsonl") for line in part.read_text().splitlines()]
        keys = Counter(line["key"] for line in lines)
        assert (len(keys), set(keys.values())) == (ROWS, {1})
        assert all(line["response"]["content"] == f"TEXT {line['key'][1:]}" for line in lines)
        asked = Counter(prompt for prompt, _ in self.vendor.calls())
        assert set(asked) == {f"text {number}" for number in range(ROWS)}
        assert sum(asked.values()) - ROWS <= most_repeated


@pytest.fixture
def work(tmp_path: Path, cluster: RayCluster, vendor: Vendor) -> Work:
    cluster.restore()
    return Work(tmp_path, cluster, vendor)


def is_ray_worker(pid: int) -> bool:
    try:
        return b"ray::" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


@pytest.fixture
def redis() -> Iterator[str]:
    program = find_redis()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    yield f"redis://127.0.0.1:{port}/0"
    process.kill()
    process.wait()


def test_killed_workers_are_replaced_and_their_shards_continue(work: Work) -> None:
    driver, luck, kills = work.start(), random.Random(3), 0
    for until in sorted(luck.sample(range(20, 300), 3)):
        work.wait_for_calls(driver, until)
        if workers := work.busy_workers():
            os.kill(luck.choice(workers), signal.SIGKILL)
            kills += 1
    ends = work.finish(driver)
    assert kills == 3
    assert len(ends) == len({name for name, *_ in ends}) >= ROWS // 25
    assert {(left, is_resumed, reason) for _, _, left, is_resumed, reason in ends} == {("0", "False", "")}
    work.check(most_repeated=kills * CONCURRENCY)
    asked = len(work.vendor.calls())
    again = work.finish(work.start())
    assert sorted(name for name, *_ in again) == sorted(name for name, *_ in ends)
    assert {is_resumed for _, _, _, is_resumed, _ in again} == {"True"}
    assert len(work.vendor.calls()) == asked


def test_a_killed_node_is_replaced_and_its_shards_continue_elsewhere(work: Work) -> None:
    driver = work.start()
    work.wait_for_calls(driver, random.Random(5).randrange(20, 150))
    assert driver.poll() is None
    work.cluster.kill_node()
    work.wait_for_calls(driver, 200)
    work.cluster.restore()
    work.finish(driver)
    work.check(most_repeated=SLOTS // 2 * CONCURRENCY)


def test_a_killed_driver_is_restarted_and_continues(work: Work) -> None:
    driver = work.start()
    work.wait_for_calls(driver, random.Random(7).randrange(20, 300))
    assert driver.poll() is None
    driver.kill()
    driver.communicate()
    work.finish(work.start())
    work.check(most_repeated=SLOTS * CONCURRENCY)


@pytest.mark.parametrize("store", ["actor", "redis"])
def test_a_shared_budget_and_limit_hold(work: Work, store: str, request: pytest.FixtureRequest) -> None:
    """The budget ends the job; with a larger one it goes on, while workers are killed."""
    url = request.getfixturevalue("redis") if store == "redis" else None
    limit, budget = 6, 90
    stopped = work.finish(work.start(limit=limit, budget=budget, redis=url))
    assert any("BudgetExceeded" in reason for *_, reason in stopped)
    assert len(stopped) < ROWS // 25  # no further shard was started
    assert len(work.vendor.calls()) == budget
    driver, kills = work.start(limit=limit, budget=2 * ROWS, redis=url), 0
    for until in (150, 250):
        work.wait_for_calls(driver, until)
        if workers := work.busy_workers():
            os.kill(workers[0], signal.SIGKILL)
            kills += 1
    work.finish(driver)
    assert kills == 2
    work.check(most_repeated=kills * CONCURRENCY)
    in_flight = [count for _, count in work.vendor.calls()]
    assert CONCURRENCY < max(in_flight) <= limit  # more than one worker was at work
