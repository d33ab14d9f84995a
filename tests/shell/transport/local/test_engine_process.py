"""Engines in real child processes, with a fake xllamacpp."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.shell.transport.local.fake_llama import TINY_BYTES
from tests.shell.transport.local.test_transport import read_response, request
from victor_fp.core.faults import InvalidRequest
from victor_fp.shell.transport.local.engine_process import POOL, Engine
from victor_fp.shell.transport.local.transport import LocalTransport

FAKE = Path(__file__).with_name("fake_module")


@pytest.fixture
async def transport(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LocalTransport]:
    monkeypatch.syspath_prepend(str(FAKE))
    transport = LocalTransport(environment={})
    yield transport
    await transport.aclose()
    assert POOL._held == {}


def write_model(folder: Path, name: str) -> Path:
    path = folder / f"{name}.gguf"
    path.write_bytes(TINY_BYTES)
    return path


def get_engine(transport: LocalTransport) -> Engine:
    [engine] = transport._engines.values()
    return engine


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("name", ["plain", "noise"])
async def test_an_engine_serves_from_a_child_process_until_the_transport_is_closed(
    transport: LocalTransport, tmp_path: Path, name: str
) -> None:
    path = write_model(tmp_path, name)
    first, second = await read_response(transport, request(path)), await read_response(transport, request(path))
    assert first == second
    pid = int(first[1].split()[0])
    assert pid != os.getpid()
    assert is_alive(pid)
    await transport.aclose()
    assert not is_alive(pid)


async def test_an_abort_while_loading_is_a_fault(transport: LocalTransport, tmp_path: Path) -> None:
    match await transport.open(request(write_model(tmp_path, "abort")), None, 5):
        case InvalidRequest(code="model_load_failed", message=message):
            assert "SIGABRT" in message
        case other:
            pytest.fail(f"unexpected {other}")


async def test_a_call_that_is_cancelled_while_the_model_loads_ends_at_once(
    transport: LocalTransport, tmp_path: Path
) -> None:
    call = asyncio.create_task(transport.open(request(write_model(tmp_path, "slow")), None, 5))
    while not transport._engines or get_engine(transport)._process is None:
        await asyncio.sleep(0)  # the event loop goes on
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    process = get_engine(transport)._process
    assert process is not None
    assert process.is_running()  # for the next call
    await transport.aclose()
    assert not process.is_running()


async def test_closing_while_the_model_loads_ends_the_waiting_call_with_a_fault(
    transport: LocalTransport, tmp_path: Path
) -> None:
    call = asyncio.create_task(transport.open(request(write_model(tmp_path, "slow")), None, 5))
    while not transport._engines or get_engine(transport)._process is None:
        await asyncio.sleep(0)
    await transport.aclose()
    match await call:
        case InvalidRequest(code="closed"):
            pass
        case other:
            pytest.fail(f"unexpected {other}")


async def test_an_engine_that_died_is_started_again(transport: LocalTransport, tmp_path: Path) -> None:
    path = write_model(tmp_path, "plain")
    pid = int((await read_response(transport, request(path)))[1].split()[0])
    os.kill(pid, signal.SIGKILL)
    while get_engine(transport).address is not None:
        await asyncio.sleep(0.001)
    assert int((await read_response(transport, request(path)))[1].split()[0]) != pid


FORK = """
import asyncio, os, sys, warnings
sys.path.insert(0, {fake!r})
warnings.simplefilter("error")
from tests.shell.transport.local.test_transport import read_response, request
from victor_fp.shell.transport.local.transport import LocalTransport

transport = LocalTransport(environment={{}})

def ask() -> str:
    return asyncio.run(read_response(transport, request({model!r})))[1].split()[0].decode()

first = ask()
child = os.fork()
if child == 0:
    second = ask() if {uses!r} else "none"
    print("child", second, flush=True)
    asyncio.run(transport.aclose()) if {uses!r} else None
    sys.exit(0)
_, status = os.waitpid(child, 0)
print("parent", first, ask(), status, flush=True)
asyncio.run(transport.aclose())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("uses", [True, False], ids=["used in the child", "unused"])
def test_a_forked_process_does_not_use_the_engine(tmp_path: Path, uses: bool) -> None:
    """The child ends, its use of the provider starts an engine of its own, and the parent's engine goes on."""
    code = FORK.format(fake=str(FAKE), model=str(write_model(tmp_path, "plain")), uses=uses)
    environment = {**os.environ, "PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=30, env=environment
    )
    child, parent = (line.split() for line in done.stdout.splitlines())
    assert done.stderr == ""
    assert parent[1] == parent[2], "the parent's engine was ended"
    assert parent[3] == "0"
    assert (child[1] != "none", child[1] != parent[1]) == (uses, True)


async def test_the_child_process_is_isolated_from_the_current_directory(
    transport: LocalTransport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_model(tmp_path, "plain")
    folder = tmp_path / "cloned"
    folder.mkdir()
    for name in ("json", "xllamacpp", "sitecustomize"):
        (folder / f"{name}.py").write_text("import os; os._exit(9)")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    assert (await read_response(transport, request(path)))[0] == 200
