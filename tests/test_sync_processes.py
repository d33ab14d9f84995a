"""Synchronous programs from start to end, in processes of their own: exits, forks, spawned workers and Ctrl-C, with every warning an error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import openai_shapes as shapes
from tests.loopback import Loopback, Received, Serve, Talk, serve_in_thread

ROOT = Path(__file__).parents[1]
FLAGS = ("-W", "error", "-X", "dev")

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture
def serve() -> Iterator[Serve]:
    with serve_in_thread() as start:
        yield start


async def answer_hello(talk: Talk, received: Received) -> None:
    if received.json().get("stream"):
        await talk.send_events(*shapes.build_chunks("Hel", "lo"))
    else:
        await talk.answer(shapes.build_body())


def start(server: Loopback, code: str) -> subprocess.Popen[str]:
    # a shell may have the suite run with SIGINT ignored, which children inherit
    script = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    script += f"from tests.acme import build_acme\nfrom victor_fp.sync import SyncProvider\nURL = {server.url!r}\n"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "generated")])}
    return subprocess.Popen(
        [sys.executable, *FLAGS, "-c", script + textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def run(server: Loopback, code: str) -> str:
    """What the program prints; it must end well and say nothing else."""
    code_, out, err = finish(start(server, code))
    assert (code_, err) == (0, "")
    return out


def test_a_script_that_closes_nothing_prints_nothing(serve: Serve) -> None:
    code = """
    provider = SyncProvider(build_acme(URL))
    print(provider.chat("Hi", model="m").content, *(c.content for c in provider.stream("Hi", model="m")))
    """
    assert run(serve(answer_hello), code) == "Hello! Hel lo \n"


@pytest.mark.parametrize("where", ["in a loop", "in hand", "in a daemon thread"])
def test_a_program_that_ends_inside_a_stream_prints_nothing(serve: Serve, where: str) -> None:
    gone = threading.Event()

    async def stream_half(talk: Talk, _: Received) -> None:
        await talk.send_head(content_type="text/event-stream")
        await talk.send_event(shapes.build_chunk("Hel"))
        if await talk.wait_for_close(10):
            gone.set()

    code = {
        "in a loop": """
            for chunk in SyncProvider(build_acme(URL)).stream("Hi", model="m"):
                print(chunk.content)
                raise SystemExit(0)
            """,
        "in hand": """
            stream = SyncProvider(build_acme(URL)).stream("Hi", model="m")
            print(next(stream).content)
            """,
        "in a daemon thread": """
            import threading
            first = threading.Event()
            def read():
                for chunk in SyncProvider(build_acme(URL)).stream("Hi", model="m"):
                    print(chunk.content, flush=True)
                    first.set()
            threading.Thread(target=read, daemon=True).start()
            first.wait()
            """,
    }[where]
    assert run(serve(stream_half), code) == "Hel\n"
    assert gone.wait(5)


@pytest.mark.slow
def test_a_provider_that_was_used_before_a_fork_works_in_parent_and_children(serve: Serve) -> None:
    code = """
    import os
    provider = SyncProvider(build_acme(URL))
    stream = provider.stream("Hi", model="m")
    print(provider.chat("Hi", model="m").content, next(stream).content, flush=True)
    for _ in range(2):
        child = os.fork()
        if child == 0:
            print(provider.chat("Hi", model="m").content, len(list(provider.stream("Hi", model="m"))), flush=True)
            try:
                next(stream)
                next(stream)
            except Exception as error:
                print(type(error).__name__, str(error), flush=True)
            provider.close()
            del provider, stream
            raise SystemExit(0)
        assert os.waitpid(child, 0)[1] == 0
    print(*(chunk.content for chunk in stream), provider.chat("Hi", model="m").content)
    """
    first, *children, last = run(serve(answer_hello), code).splitlines()
    assert (first, last) == ("Hello! Hel", "lo  Hello!")
    assert [line for line in children if line == "Hello! 3"] == ["Hello! 3"] * 2


@pytest.mark.slow
def test_connections_of_the_parent_survive_cleanup_in_a_child(serve: Serve) -> None:
    server = serve(answer_hello)
    code = """
    import gc, os
    provider = SyncProvider(build_acme(URL))
    print(provider.chat("Hi", model="m").content, flush=True)
    child = os.fork()
    if child == 0:
        provider = None
        gc.collect()
        raise SystemExit(0)
    assert os.waitpid(child, 0)[1] == 0
    print(provider.chat("Hi", model="m").content)
    """
    assert run(server, code) == "Hello!\nHello!\n"
    assert server.connections == 1


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_pools_of_processes_work(serve: Serve, method: str, tmp_path: Path) -> None:
    server = serve(answer_hello)
    (tmp_path / "pool_work.py").write_text(
        textwrap.dedent(
            f"""
            from tests.acme import build_acme
            from victor_fp.sync import SyncProvider

            def work(number):
                with SyncProvider(build_acme({server.url!r})) as provider:
                    return provider.chat("Hi", model="m").content
            """
        )
    )
    code = f"""
    import multiprocessing, sys
    sys.path.insert(0, {str(tmp_path)!r})
    from pool_work import work
    print(work(0))
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        print(*pool.map(work, range(4)))
        pool.close()
        pool.join()
    """
    assert run(server, code) == "Hello!\nHello! Hello! Hello! Hello!\n"


@pytest.mark.parametrize("call", ["chat", "stream", "stream before its first chunk"])
def test_ctrl_c_closes_the_connection_and_raises_keyboard_interrupt(serve: Serve, call: str) -> None:
    asked, gone = threading.Event(), threading.Event()

    async def hold_request(talk: Talk, received: Received) -> None:
        if call == "stream":
            await talk.send_head(content_type="text/event-stream")
            await talk.send_event(shapes.build_chunk("Hel"))
        asked.set()
        if await talk.wait_for_close(10):
            gone.set()

    method = "list(provider.stream('Hi', model='m'))" if call.startswith("stream") else "provider.chat('Hi', model='m')"
    code = f"""
    provider = SyncProvider(build_acme(URL))
    try:
        {method}
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    """
    process = start(serve(hold_request), code)
    assert asked.wait(20)
    time.sleep(0.1)  # the client reads the chunk
    process.send_signal(signal.SIGINT)
    assert gone.wait(5)
    assert finish(process) == (0, "interrupted\n", "")


@pytest.mark.slow
def test_the_provider_is_usable_after_ctrl_c(serve: Serve) -> None:
    asked = threading.Event()

    async def hold_request(talk: Talk, _: Received) -> None:
        asked.set()
        await talk.wait_for_close(10)

    code = """
    provider = SyncProvider(build_acme(URL))
    try:
        provider.chat("Hi", model="m")
    except KeyboardInterrupt:
        print(provider.chat("Hi", model="m").content)
    """
    process = start(serve(hold_request, answer_hello), code)
    assert asked.wait(20)
    process.send_signal(signal.SIGINT)
    assert finish(process) == (0, "Hello!\n", "")


@pytest.mark.slow
def test_a_call_after_interpreter_shutdown_is_a_fault(serve: Serve) -> None:
    code = """
    import atexit
    atexit.register(lambda: (print(provider.chat_result("Hi", model="m").failure().message), provider.close()))
    provider = SyncProvider(build_acme(URL))
    provider.chat("Hi", model="m")
    """
    # callbacks are called last in, first out: one that was registered after the loop's runs before it
    assert run(serve(answer_hello), code.replace("failure().message", "unwrap().content")) == "Hello!\n"
    early = "import atexit\natexit.register(lambda: late())\n"
    late = """
    from tests.acme import build_acme
    from victor_fp.sync import SyncProvider
    provider = SyncProvider(build_acme(URL))
    provider.chat("Hi", model="m")
    def late():
        print(provider.chat_result("Hi", model="m").failure().message)
        provider.close()
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "generated")])}
    program = early + f"URL = {serve(answer_hello).url!r}\n" + textwrap.dedent(late)
    done = subprocess.run(
        [sys.executable, *FLAGS, "-c", program],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "the process is about to exit: no more requests can be sent\n",
        "",
    )
