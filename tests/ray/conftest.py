"""A Ray cluster of two node processes on this machine, and a vendor in a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
RAY_SETTINGS = {
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    # A busy machine takes its time.
    "RAY_agent_register_timeout_ms": "300000",
    "RAY_health_check_timeout_ms": "60000",
    "RAY_gcs_server_request_timeout_seconds": "300",
    "RAY_raylet_start_wait_time_s": "300",
    "RAY_worker_register_timeout_seconds": "300",
}
ATTEMPTS = 4
AGENT_PORTS = ("metrics_agent_port", "metrics_export_port", "runtime_env_agent_port", "dashboard_agent_listen_port")
NODE = {"num_cpus": 2, "object_store_memory": 100 * 2**20}


def choose_ports() -> dict[str, int]:
    """Ports of a node's agents. Where they are not given, a node waits a few seconds for its agents to say, and ends else."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in AGENT_PORTS]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return {name: int(listener.getsockname()[1]) for name, listener in zip(AGENT_PORTS, listeners, strict=True)}


class RayCluster:
    """A head, where drivers and the store's actor run, and a second node. Both have workers; the second can be killed."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster()
        self._second: Any = None
        self._add_node(include_dashboard=False)
        self.restore()

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def restore(self) -> None:
        """Start the second node where it is not there."""
        if self._second is None:
            self._second = self._add_node()

    def kill_node(self) -> None:
        """SIGKILL for the processes that are the second node; its workers have nobody then."""
        node, self._second = self._second, None
        self._cluster.remove_node(node, allow_graceful=False)

    def _add_node(self, **arguments: Any) -> Any:
        """A node of the cluster. Ray gives up one that has not registered within half a minute, which a busy machine may need."""
        for _ in range(ATTEMPTS - 1):
            try:
                return self._cluster.add_node(**NODE, **choose_ports(), **arguments)
            except Exception as error:
                if "timed out during startup" not in str(error):
                    raise
        return self._cluster.add_node(**NODE, **choose_ports(), **arguments)

    def shutdown(self) -> None:
        self._cluster.shutdown()


@pytest.fixture(scope="session")
def cluster() -> Iterator[RayCluster]:
    os.environ.update(environment())
    os.environ.update(RAY_SETTINGS)
    # Each node starts this program and gives it 15 s; the first start of all compiles many modules.
    subprocess.run([sys.executable, "-c", "import ray.dashboard.agent"], check=False, capture_output=True)
    started = RayCluster()
    yield started
    started.shutdown()


class Vendor:
    """A vendor's process, and the calls that it counted."""

    def __init__(self, calls: Path, seconds: float) -> None:
        self._calls = calls
        command = [sys.executable, "-m", "tests.ray.vendor", str(calls), str(seconds)]
        self._process = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()

    def calls(self) -> list[tuple[str, int]]:
        """Prompts in the order in which they came, and how many requests were in flight with each."""
        lines = self._calls.read_text().splitlines() if self._calls.exists() else []
        return [(prompt, int(count)) for prompt, count in (line.split("\t") for line in lines)]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture
def vendor(tmp_path: Path) -> Iterator[Vendor]:
    started = Vendor(tmp_path / "calls", 0.05)
    yield started
    started.close()


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "generated")])}
