"""A Ray cluster of two node processes on this machine, and a vendor in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.ray_jobs.vendor import Call, Order, name_orders
from tests.shell.store.redis_process import find_redis

if TYPE_CHECKING:
    from tests.ray_jobs.work import Work

ROOT = Path(__file__).parents[2]
RAY_SETTINGS = {
    "RAY_DEFAULT_OBJECT_STORE_MAX_MEMORY_BYTES": str(100 * 2**20),
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    # A busy machine is slow.
    "RAY_agent_register_timeout_ms": "300000",
    "RAY_health_check_timeout_ms": "60000",
    "RAY_gcs_server_request_timeout_seconds": "300",
    "RAY_raylet_start_wait_time_s": "300",
    "RAY_worker_register_timeout_seconds": "300",
}
ATTEMPTS = 4
AGENT_PORTS = ("metrics_agent_port", "metrics_export_port", "runtime_env_agent_port", "dashboard_agent_listen_port")
ANSWER_SECONDS = 0.05
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

    def kill_node(self) -> str:
        """SIGKILL for all processes of the second node; return its id."""
        node, self._second = self._second, None
        self._cluster.remove_node(node, allow_graceful=False)
        kill_processes(node.node_id)
        return str(node.node_id)

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
        nodes = [node.node_id for node in self._cluster.list_all_nodes()]
        self._cluster.shutdown()
        for node in nodes:
            kill_processes(node)


def kill_processes(node: str) -> None:
    """SIGKILL for what is left of a node: its workers, and agents, which may survive it."""
    mark = f"RAY_NODE_ID={node}".encode()
    for file in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # processes end at any time
            if mark in file.read_bytes().split(b"\0"):
                os.kill(int(file.parent.name), signal.SIGKILL)


class Vendor:
    """A vendor's process, and the calls that it has counted since the test began."""

    def __init__(self, log: Path) -> None:
        self._log = log
        command = [sys.executable, "-m", "tests.ray_jobs.vendor", str(log), str(ANSWER_SECONDS)]
        self._process = subprocess.Popen(command, cwd=ROOT, env=build_environment(), stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = f"{self._process.stdout.readline().strip()}/v1"
        self._seen = 0

    def list_calls(self) -> list[Call]:
        """Requests in the order in which they came."""
        lines = self._log.read_bytes().splitlines()[self._seen :]
        return [msgspec.json.decode(line, type=Call) for line in lines]

    def give_order(self, order: Order) -> None:
        """Let it fail, from its next request."""
        file = name_orders(self._log)
        partial = file.with_suffix(".partial")
        partial.write_bytes(msgspec.json.encode(order))
        partial.replace(file)

    def forget(self) -> None:
        """Begin to count anew."""
        self._seen += len(self.list_calls())

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="session")
def vendor_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vendor]:
    """The vendor of all tests: the workers of a node have the environment with which the node was started."""
    with pytest.MonkeyPatch.context() as patch:
        started = Vendor(tmp_path_factory.mktemp("vendor") / "calls")
        for name, value in {**RAY_SETTINGS, "OPENAI_BASE_URL": started.url, "OPENAI_API_KEY": "k"}.items():
            patch.setenv(name, value)
        yield started
        started.close()


@pytest.fixture
def vendor(vendor_process: Vendor) -> Vendor:
    vendor_process.forget()
    return vendor_process


@pytest.fixture(scope="session")
def cluster(vendor_process: Vendor) -> Iterator[RayCluster]:
    pytest.importorskip("ray")
    # A node gives its agent 15 s to start, and the first start of all compiles many modules.
    subprocess.run([sys.executable, "-c", "import ray.dashboard.agent"], check=False, capture_output=True)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in build_environment().items():
            patch.setenv(name, value)
        started = RayCluster()
        try:
            yield started
        finally:
            started.shutdown()


@pytest.fixture
def work(tmp_path: Path, cluster: RayCluster, vendor: Vendor) -> Iterator[Work]:
    from tests.ray_jobs.work import Work  # it needs Ray

    cluster.restore()
    started = Work(tmp_path, cluster, vendor)
    yield started
    started.close()


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


def build_environment() -> dict[str, str]:
    """That of this process, in which other processes find the package and the tests."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "generated")])}
