"""Real servers on ephemeral loopback ports, each started once, at first use, and stopped at the end."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, NoReturn

import pytest
from returns.result import Failure, Success

from tests.e2e.faulty_vendors import MANNERS, VENDORS, Case, Servers, run_scenario
from victor_fp.core.result import outcome
from victor_fp.shell.transport.local.model_cache import resolve
from victor_fp.shell.transport.local.small_model import CHATML_WITH_TOOLS

HERE = Path(__file__).parent


class Place(NamedTuple):
    """Where a server listens."""

    url: str
    key: str = ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever is in this folder needs real servers."""
    folder = f"{HERE}{os.sep}"
    for item in items:
        if str(item.path).startswith(folder):
            item.add_marker(pytest.mark.e2e)


def skip_or_fail(what: str) -> NoReturn:
    """Skip on a developer's machine; on CI everything must be there."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def require_module(module: str, package: str) -> None:
    if find_spec(module) is None:
        skip_or_fail(f"{package} is not installed")


@pytest.fixture(scope="session")
def small_gguf() -> Path:
    """The small model, fetched once per machine."""
    match outcome(resolve(None, os.environ)):
        case Success(path):
            return path
        case Failure(fault):
            skip_or_fail(fault.message)


@contextmanager
def run_child(command: list[str], **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A child that goes when the block ends: its stdin is closed, and then it is killed."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **variables},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def llamacpp_server(small_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The llama.cpp server with a key, a context of 4096 tokens and a chat template that knows tools."""
    require_module("xllamacpp", "xllamacpp")
    template = tmp_path_factory.mktemp("llamacpp") / "template.jinja"
    template.write_text(CHATML_WITH_TOOLS, "utf-8")
    key = "key-of-the-test-server"
    with run_child([sys.executable, str(HERE / "serve_llamacpp.py"), str(small_gguf), str(template), key]) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), "the llama.cpp server did not start"
        yield Place(address, key)


@pytest.fixture(scope="session")
def mlx_server(small_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """mlx_lm.server with the small model's weights; it runs without an accelerator too."""
    require_module("mlx_lm", "mlx-lm")
    require_module("mlx", "mlx")
    folder = tmp_path_factory.mktemp("mlx")
    hub = folder / "hub"
    hub.mkdir()  # without it the list of models is an empty body
    model = folder / "smollm2"
    subprocess.run([sys.executable, str(HERE / "mlx_model.py"), str(small_gguf), str(model)], check=True)
    port = find_free_port()
    command = [sys.executable, "-m", "mlx_lm", "server", "--model", str(model), "--port", str(port)]
    with run_child(command, HF_HOME=str(folder), HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1"):
        url = f"http://127.0.0.1:{port}"
        await_health(f"{url}/health", seconds=60)
        yield Place(url)


@pytest.fixture(scope="session")
def fault_servers() -> Iterator[Servers]:
    """A server for each vendor and manner. They implement the vendors' protocols and failures, and check their clients."""
    require_module("llmock", "llmock")
    from llmock.testing import LLMockServer

    with ExitStack() as stack:
        servers: Servers = {
            (manner, vendor.provider): stack.enter_context(LLMockServer()) for manner in MANNERS for vendor in VENDORS
        }
        for server in servers.values():
            build_routes(server.url)
        asyncio.run(run_scenario(Case.check_answer, servers))  # loading at the first call is slow
        yield servers


def build_routes(url: str) -> None:
    """A server builds its routes at the first request that it has none for; several of one process get in each other's way."""
    with suppress(urllib.error.HTTPError):
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{url}/nowhere", timeout=30)


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def await_health(url: str, *, seconds: float) -> None:
    end = time.monotonic() + seconds
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        try:
            with opener.open(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > end:
                pytest.fail(f"no server at {url} after {seconds} s")
            time.sleep(0.1)
