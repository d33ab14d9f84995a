"""A job on the cluster: its files, its driver, the workers that are killed, and what the vendor saw of it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import msgspec

from tests.ray_jobs.conftest import ROOT, RayCluster, Vendor, build_environment
from tests.ray_jobs.settings import Settings
from tests.ray_jobs.vendor import Call
from victor_fp.jobs.shards import read_job_report

ROWS = 400
CONCURRENCY = 4
SLOTS = 4
"""Workers at a time: two nodes with two CPUs each."""


class Work:
    """One job: its files, and the driver that runs it."""

    def __init__(self, folder: Path, cluster: RayCluster, vendor: Vendor) -> None:
        self.folder, self.cluster, self.vendor = folder, cluster, vendor
        self.output, self.workers = folder / "out", folder / "workers"
        self.killed: set[str] = set()
        """Names of the workers that were killed while they may have had rows in flight."""
        self.drivers: list[subprocess.Popen[str]] = []
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
        driver = subprocess.Popen(command, cwd=ROOT, env=build_environment(), stdout=subprocess.PIPE, text=True)
        self.drivers.append(driver)
        return driver

    def close(self) -> None:
        """End the drivers, so that those of a failed test disturb no other."""
        for driver in self.drivers:
            with driver:
                driver.kill()

    def finish(self, driver: subprocess.Popen[str]) -> list[list[str]]:
        """What the driver printed about each shard, once it has ended well."""
        out, _ = driver.communicate(timeout=200)
        assert driver.returncode == 0, out
        return [line.split("\t")[1:] for line in out.splitlines() if line.startswith("shard\t")]

    def wait_for_calls(self, driver: subprocess.Popen[str], count: int) -> None:
        """Until the vendor has counted so many calls, or the driver has ended."""
        while driver.poll() is None and len(self.vendor.list_calls()) < count:
            time.sleep(0.02)

    def kill_worker(self, driver: subprocess.Popen[str], luck: random.Random) -> None:
        """SIGKILL for a worker that runs shards, once there is one."""
        found: list[str] = []
        while not found:
            assert driver.poll() is None
            found = sorted(name for name in self.list_workers() if is_ray_worker(read_pid(name)))
            time.sleep(0.02)
        name = luck.choice(found)
        os.kill(read_pid(name), signal.SIGKILL)
        self.killed.add(name)

    def kill_node(self) -> None:
        """SIGKILL for all processes of the second node."""
        node = self.cluster.kill_node()
        self.killed |= {name for name in self.list_workers() if read_node(name) == node}

    def kill_driver(self, driver: subprocess.Popen[str]) -> None:
        """SIGKILL for a driver, whose workers Ray ends."""
        assert driver.poll() is None
        driver.kill()
        driver.wait()
        workers = self.list_workers()
        while any(is_ray_worker(read_pid(name)) for name in workers):
            time.sleep(0.02)
            workers = self.list_workers()
        self.killed |= workers

    def list_workers(self) -> set[str]:
        """Names of the workers that have run a shard."""
        return {file.name for file in self.workers.iterdir()}

    def check(self) -> None:
        """Every row is once in the output, with its own answer, and the vendor saw again only what was in flight at a kill."""
        report = read_job_report(self.output).unwrap()
        assert (report.done, report.failed, report.left) == (ROWS, 0, 0)
        lines = [json.loads(line) for part in self.output.glob("*.jsonl") for line in part.read_text().splitlines()]
        keys = Counter(line["key"] for line in lines)
        assert (len(keys), set(keys.values())) == (ROWS, {1})
        assert all(line["response"]["content"] == f"TEXT {line['key'][1:]}" for line in lines)
        check_repeats([call for call in self.vendor.list_calls() if call.status == 200], self.killed)


def check_repeats(calls: list[Call], killed: set[str]) -> None:
    """Each row was asked once, and again only after its worker was killed: once for each such worker, and of one worker
    no more rows than it had in flight."""
    askers: dict[str, list[str]] = defaultdict(list)
    for call in calls:
        askers[call.prompt].append(call.worker)
    assert set(askers) == {f"text {number}" for number in range(ROWS)}
    for prompt, workers in askers.items():
        lost = workers[:-1]
        assert set(lost) <= killed, prompt
        assert len(set(lost)) == len(lost), prompt
    repeats = Counter(worker for workers in askers.values() for worker in workers[:-1])
    assert all(count <= CONCURRENCY for count in repeats.values()), repeats


def read_pid(worker: str) -> int:
    return int(worker.partition("-")[0])


def read_node(worker: str) -> str:
    return worker.partition("-")[2]


def is_ray_worker(pid: int) -> bool:
    try:
        return b"ray::" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
