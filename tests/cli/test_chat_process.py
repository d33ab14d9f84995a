"""The command as a process: signals, pipes, terminals, what it loads, and what is missing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from threading import Event

import pytest

from tests.cli.conftest import RUN, answer_hello, build_options, open_terminal, victor
from tests.loopback import Received, Serve, Talk
from tests.openai_shapes import build_chunk, build_chunks

posix = pytest.mark.skipif(os.name != "posix", reason="signals and terminals as POSIX has them")


class Endless:
    """A stream that never ends, and whether its reader hung up."""

    def __init__(self) -> None:
        self.hung_up = Event()

    async def __call__(self, talk: Talk, received: Received) -> None:
        await talk.send_head(content_type="text/event-stream")
        await talk.send_event(build_chunk("Once"))
        if await talk.wait_for_close(20):
            self.hung_up.set()


@posix
def test_ctrl_c_ends_with_130_without_a_traceback_and_hangs_up(serve: Serve, keyed: dict[str, str]) -> None:
    endless = Endless()
    command = [sys.executable, "-c", RUN, "chat", "Hi", *build_options(serve(endless))]
    with subprocess.Popen(
        command, env=keyed, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(4) == "Once"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)

    assert (process.returncode, out, err) == (130, "", "")
    assert endless.hung_up.wait(5)


@posix
def test_a_reader_that_leaves_ends_it_quietly_and_hangs_up(serve: Serve, keyed: dict[str, str]) -> None:
    left = Event()

    async def stream_words(talk: Talk, received: Received) -> None:
        await talk.send_head(content_type="text/event-stream")
        try:
            for _ in range(400):
                await talk.send_event(build_chunk("word " * 400))
                if await talk.wait_for_close(0.005):
                    left.set()
                    return
        except ConnectionError:
            left.set()

    command = [sys.executable, "-c", RUN, "chat", "Hi", *build_options(serve(stream_words))]
    with subprocess.Popen(
        command, env=keyed, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(5)
        process.stdout.close()
        said = process.stderr.read()
        code = process.wait(60)

    assert (code, said) == (141, b"")
    assert left.wait(5)


@pytest.mark.slow
@posix
def test_an_open_socket_as_stdin_is_not_waited_for(serve: Serve, keyed: dict[str, str]) -> None:
    import socket

    ours, theirs = socket.socketpair()
    with ours, theirs:
        ran = subprocess.run(
            [sys.executable, "-c", RUN, "chat", "Hi", *build_options(serve(answer_hello))],
            env=keyed,
            stdin=theirs.fileno(),
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    assert (ran.stdout, ran.returncode) == ("Hello there!\n", 0)


@pytest.mark.slow
@posix
def test_a_slow_pipe_is_waited_for(serve: Serve, keyed: dict[str, str]) -> None:
    server = serve(answer_hello)
    reading, writing = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", RUN, "chat", "Explain", *build_options(server)],
        env=keyed,
        stdin=reading,
        stdout=subprocess.PIPE,
    ) as process:
        os.close(reading)
        time.sleep(0.8)
        os.write(writing, b"late words")
        os.close(writing)
        process.communicate(timeout=20)

    messages = server.received[0].json()["messages"]
    assert messages == [{"role": "user", "content": "Explain\n\nlate words"}]


@pytest.mark.slow
@posix
def test_ctrl_c_at_exit_ends_with_130(world: dict[str, str]) -> None:
    program = """
import os, signal, threading

from victor_fp.cli import main

signal.signal(signal.SIGINT, signal.default_int_handler)


def interrupt():
    while signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        threading.Event().wait(0.01)
    os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait()


threading.Thread(target=interrupt).start()
main()
"""
    ran = subprocess.run(
        [sys.executable, "-c", program, "--version"], env=world, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stdout[:9], ran.stderr) == (130, "victor 0.", "")


@pytest.mark.slow
@posix
def test_ctrl_c_while_the_interpreter_ends_does_not_kill_it(world: dict[str, str]) -> None:
    program = "import atexit, os, signal\natexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))\n" + RUN
    ran = subprocess.run(
        [sys.executable, "-c", program, "--version"], env=world, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.slow
@posix
def test_conversation_is_continued(serve: Serve, keyed: dict[str, str]) -> None:
    server = serve(answer_hello)
    with open_terminal("chat", *build_options(server), "--system", "Be kind", env=keyed) as (process, tty):
        tty.read_until("> ")
        tty.send_keys(b"First\n")
        tty.read_until("Hello there!")
        tty.read_until("> ")
        tty.send_keys(b"Second\n")
        tty.read_until("Hello there!")
        tty.read_until("> ")
        tty.send_keys(b"/clear\n")
        tty.read_until("> ")
        tty.send_keys(b"Third\n")
        tty.read_until("Hello there!")
        tty.read_until("> ")
        tty.send_keys(b"\x04")
        assert process.wait(60) == 0

    reported = [[message["content"] for message in received.json()["messages"]] for received in server.received]  # type: ignore[attr-defined]  # JSON
    assert reported == [
        ["Be kind", "First"],
        ["Be kind", "First", "Hello there!", "Second"],
        ["Be kind", "Third"],
    ]


@posix
def test_ctrl_c_stops_an_answer_and_at_the_prompt_the_conversation(serve: Serve, keyed: dict[str, str]) -> None:
    endless = Endless()

    async def stream_fine(talk: Talk, received: Received) -> None:
        await talk.send_events(*build_chunks("Fine"))

    server = serve(endless, stream_fine)
    with open_terminal("chat", *build_options(server), env=keyed) as (process, tty):
        tty.read_until("> ")
        tty.send_keys(b"Tell me\n")
        tty.read_until("Once")
        tty.send_keys(b"\x03")
        assert "Traceback" not in tty.read_until("stopped")
        assert endless.hung_up.wait(5)
        tty.read_until("> ")
        tty.send_keys(b"Again\n")
        tty.read_until("Fine")
        tty.read_until("> ")
        tty.send_keys(b"\x03")
        assert process.wait(60) == 130
        assert "Traceback" not in tty.rest()

    assert server.received[1].json()["messages"] == [{"role": "user", "content": "Again"}]


@pytest.mark.slow
@posix
def test_control_characters_of_a_model_are_removed(serve: Serve, keyed: dict[str, str]) -> None:
    async def stream_escapes(talk: Talk, received: Received) -> None:
        await talk.send_events(*build_chunks("safe\x1b]52;c;ZXZpbA==\x07\x9b31mtext"))

    with open_terminal("chat", "Hi", *build_options(serve(stream_escapes)), env=keyed) as (_, tty):
        tty.read_until("text")

    assert not {"\x1b", "\x07", "\x9b"} & set(tty.raw)


@pytest.mark.slow
@posix
def test_providers_are_grouped_on_a_terminal(world: dict[str, str]) -> None:
    with open_terminal("providers", env=world) as (process, tty):
        shown = tty.read_until("ollama-chat")
        process.wait(60)

        assert "Local servers" in shown
    assert "\t" not in shown


@pytest.mark.slow
def test_version_loads_neither_typer_nor_pydantic(world: dict[str, str]) -> None:
    program = (
        "import sys\nfrom victor_fp.cli import run\ncode = run(['--version'])\n"
        "print(code, sorted({'typer', 'rich', 'pydantic', 'httpx', 'asyncio'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], env=world, capture_output=True, text=True, check=True)

    assert ran.stdout.splitlines()[-1] == "0 []"
    assert ran.stdout.startswith("victor 0.")


@pytest.mark.slow
def test_help_loads_no_provider_and_no_client(world: dict[str, str]) -> None:
    program = (
        "import sys\nfrom victor_fp.cli import run\ncode = run(['--help'])\n"
        "heavy = {'rich', 'pydantic', 'httpx', 'aiohttp', 'keyring', 'sqlite3', 'prompt_toolkit', 'mcp', 'victor_fp.core'}\n"
        "print(code, sorted(heavy & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], env=world, capture_output=True, text=True, check=True)

    assert ran.stdout.splitlines()[-1] == "0 []"
    for command in ("chat", "log", "providers", "models", "check", "keys", "codegen"):
        assert command in ran.stdout


@pytest.mark.slow
def test_missing_extra_is_reported(world: dict[str, str]) -> None:
    program = "import sys\nsys.modules['typer'] = None\nfrom victor_fp.cli import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", program, "chat", "Hi"], env=world, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 2
    assert ran.stderr == "victor: the command requires typer, which is not installed: pip install 'victor_fp[cli]'\n"


def test_a_response_in_any_script_is_printed_in_an_ascii_locale(serve: Serve, keyed: dict[str, str]) -> None:
    async def stream_chinese(talk: Talk, received: Received) -> None:
        await talk.send_events(*build_chunks("\u4f60\u597d ok"))

    ran = victor(
        "chat",
        "Hi",
        *build_options(serve(stream_chinese)),
        env=keyed | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    )

    assert (ran.stdout, ran.returncode) == ("?? ok\n", 0)
