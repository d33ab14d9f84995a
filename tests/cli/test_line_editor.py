"""A conversation on a pseudo-terminal: pasting, lines, history, typing ahead, commands and questions."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import stat
import sys
import termios
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.agent import mcp_server
from tests.cli.conftest import KEY, answer_hello, build_options, open_terminal, victor
from tests.loopback import Received, Serve, Talk
from tests.openai_shapes import build_chunk, build_chunks
from victor_fp.cli.layout import measure_cell

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")

TOOLS = '''
def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    print("adding")
    return a + b
'''
CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 40, "b": 2}'}}


class Slow:
    """An answer that goes on when the test says so."""

    def __init__(self, *rest: dict[str, Any]) -> None:
        self.go_on = Event()
        self._rest = rest or tuple(build_chunks(" over."))

    async def __call__(self, talk: Talk, received: Received) -> None:
        await talk.send_head(content_type="text/event-stream")
        await talk.send_event(build_chunk("Once"))
        assert await asyncio.to_thread(self.go_on.wait, 90)
        for event in (*self._rest, "[DONE]"):
            await talk.send_event(event)
        await talk.end()


async def call_tool(talk: Talk, received: Received) -> None:
    called = build_chunk(choices=[{"index": 0, "delta": {"tool_calls": [CALL]}, "finish_reason": None}])
    usage = {"prompt_tokens": 1000, "completion_tokens": 3, "total_tokens": 1003}
    await talk.send_events(called, build_chunk(finish="tool_calls"), build_chunk(choices=[], usage=usage))


def read_messages(received: Received) -> list[Any]:
    messages: Any = received.json()["messages"]
    assert isinstance(messages, list)
    return messages


def get_texts(received: Received) -> list[str]:
    return [message["content"] for message in read_messages(received)]


def test_pasted_text_is_one_prompt_and_lines_can_be_added(serve: Serve, keyed: dict[str, str]) -> None:
    server = serve(answer_hello)
    with open_terminal("chat", *build_options(server), env=keyed) as (process, tty):
        tty.read_until("> ")
        tty.send_paste("one\n/exit\n\tthree \u4f60\n")
        tty.send_keys(b"four\x1b\rfive\\\rsix\r")
        tty.read_until("Hello there!")
        tty.read_until("> ")
        tty.send_keys(b"\x04")
        assert process.wait(60) == 0

    (received,) = server.received
    assert get_texts(received) == ["one\n/exit\n\tthree \u4f60\nfour\nfive\nsix"]


@pytest.mark.slow
def test_input_typed_during_an_answer_is_buffered_without_echo(serve: Serve, keyed: dict[str, str]) -> None:
    slow = Slow()
    server = serve(slow, answer_hello)
    with open_terminal("chat", *build_options(server), env=keyed) as (process, tty):
        tty.read_until("> ")
        tty.send_keys(b"First\r")
        tty.read_until("Once")
        tty.send_keys(b"Second")
        tty.send_paste(" part\nand more")
        tty.send_keys(b"\rThird\r\x04")
        slow.go_on.set()
        shown = tty.read_until("over.")
        assert process.wait(60) == 0

    assert "Second" not in shown
    assert get_texts(server.received[1]) == ["First", "Once over.", "Second part\nand more"]
    assert get_texts(server.received[2])[-1] == "Third"


@pytest.mark.slow
def test_input_typed_before_a_question_does_not_answer_it(serve: Serve, keyed: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "adder.py").write_text(TOOLS)
    called = build_chunk(choices=[{"index": 0, "delta": {"tool_calls": [CALL]}, "finish_reason": None}])
    slow = Slow(called, build_chunk(finish="tool_calls"))
    server = serve(slow, answer_hello, answer_hello)
    with open_terminal("chat", *build_options(server), "--tools", str(tmp_path / "adder.py"), env=keyed) as (
        process,
        tty,
    ):
        tty.read_until("> ")
        tty.send_keys(b"Add\r")
        tty.read_until("Once")
        tty.send_keys(b"y\r")
        slow.go_on.set()
        assert 'run add({"a":40,"b":2})?' in tty.read_until("[y/N] ")
        tty.send_keys(b"n\r")
        tty.read_until("Hello there!")
        tty.read_until("Hello there!")
        tty.send_keys(b"\x04")
        assert process.wait(60) == 0

    answer = read_messages(server.received[1])[-1]
    assert (answer["role"], "declined" in answer["content"]) == ("tool", True)
    assert get_texts(server.received[2])[-1] == "y"


@pytest.mark.slow
def test_confirmed_tool_runs(serve: Serve, keyed: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "adder.py").write_text(TOOLS)
    server = serve(call_tool, answer_hello)
    with open_terminal("chat", *build_options(server), "--tools", str(tmp_path / "adder.py"), env=keyed) as (
        process,
        tty,
    ):
        tty.read_until("> ")
        tty.send_keys(b"Add\r")
        tty.read_until("[y/N] ")
        tty.send_keys(b"y\r")
        assert "adding" in tty.read_until("Hello there!")
        tty.read_until("tokens: 1,005 in, 6 out; 2 requests")
        tty.send_keys(b"\x04")
        assert process.wait(60) == 0

    assert read_messages(server.received[1])[-1]["content"] == "42"


@pytest.mark.slow
def test_tools_of_a_server_run_in_a_conversation(serve: Serve, keyed: dict[str, str]) -> None:
    pytest.importorskip("mcp")
    function = {"name": "get_weather", "arguments": '{"city": "Oslo\u202e"}'}

    async def ask_weather(talk: Talk, received: Received) -> None:
        call = CALL | {"function": function}
        called = build_chunk(choices=[{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}])
        await talk.send_events(called, build_chunk(finish="tool_calls"))

    server = serve(ask_weather, answer_hello)
    command = shlex.join([sys.executable, mcp_server.__file__])
    with open_terminal("chat", *build_options(server), "--mcp", command, env=keyed) as (process, tty):
        tty.read_until("> ")
        tty.send_keys(b"Weather?\r")
        assert r'run get_weather({"city":"Oslo\u202e"})?' in tty.read_until("[y/N] ")
        tty.send_keys(b"y\r")
        tty.read_until("Hello there!")
        tty.read_until("> ")
        tty.send_keys(b"\x04")
        assert process.wait(60) == 0
    assert read_messages(server.received[1])[-1]["content"] == "Oslo\u202e 1"


@pytest.mark.slow
@pytest.mark.parametrize("size", [50_000])
def test_a_long_text_is_pasted_whole(serve: Serve, keyed: dict[str, str], size: int) -> None:
    server = serve(answer_hello)
    text = "word \u4f60\n" * (size // 7) + "end"
    with open_terminal("chat", *build_options(server), env=keyed) as (process, tty):
        tty.read_until("> ")
        tty.send_paste(text)
        tty.send_keys(b"\r")
        tty.read_until("Hello there!")
        tty.send_keys(b"\x04")
        assert process.wait(60) == 0
    assert get_texts(server.received[0]) == [text]


@pytest.mark.slow
def test_a_terminal_without_escape_sequences_gets_none(serve: Serve, keyed: dict[str, str]) -> None:
    server = serve(answer_hello)
    with open_terminal("chat", *build_options(server), env=keyed | {"TERM": "dumb"}) as (process, tty):
        tty.read_until("> ")
        tty.send_keys(b"Hi\r")
        tty.read_until("Hello there!")
        tty.read_until("> ")
        tty.send_keys(b"\x04")
        assert process.wait(60) == 0
    assert get_texts(server.received[0]) == ["Hi"]
    assert "\x1b" not in tty.raw


@pytest.mark.slow
def test_one_prompt_on_a_terminal_asks_before_a_call(serve: Serve, keyed: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "adder.py").write_text(TOOLS)
    server = serve(call_tool, answer_hello)
    arguments = ("chat", "Add", *build_options(server), "--tools", f"{tmp_path / 'adder.py'}:add")
    with open_terminal(*arguments, env=keyed) as (process, tty):
        tty.read_until("[y/N] ")
        tty.send_keys(b"yes\r")
        tty.read_until("Hello there!")
        assert process.wait(60) == 0
    assert read_messages(server.received[1])[-1]["content"] == "42"

    server = serve(call_tool, answer_hello)
    with open_terminal("chat", "Add", *build_options(server), *arguments[-2:], env=keyed) as (process, tty):
        tty.read_until("[y/N] ")
        tty.send_keys(b"\x03")
        assert process.wait(60) == 130
    assert len(server.received) == 1


@pytest.mark.slow
def test_the_history_is_kept_across_runs_and_has_no_secrets(serve: Serve, keyed: dict[str, str]) -> None:
    server = serve(answer_hello)
    with open_terminal("chat", *build_options(server), env=keyed) as (process, tty):
        tty.read_until("> ")
        tty.send_keys(f"My key is {KEY}, or password=hunter2-hunter2\r".encode())
        tty.read_until("Hello there!")
        tty.read_until("> ")
        tty.send_keys(b"\x04")
        assert process.wait(60) == 0
    with open_terminal("chat", *build_options(server), env=keyed) as (process, tty):
        tty.read_until("> ")
        tty.send_keys(b"\x1b[A\r")
        tty.read_until("Hello there!")
        tty.read_until("> ")
        tty.send_keys(b"\x04")
        assert process.wait(60) == 0

    assert KEY in get_texts(server.received[0])[-1]
    assert get_texts(server.received[1]) == ["My key is [redacted], or password=[redacted]"]
    state = Path(keyed["VICTOR_FP_STATE_DIR"])
    assert {path.name for path in state.iterdir()} == {"history", "log.sqlite"}
    for path in (state, *state.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
        assert path.is_dir() or not any(secret in path.read_bytes() for secret in (KEY.encode(), b"hunter2"))


@pytest.mark.slow
def test_without_a_log_nothing_is_kept(serve: Serve, keyed: dict[str, str]) -> None:
    with open_terminal("chat", "--no-log", *build_options(serve(answer_hello)), env=keyed) as (process, tty):
        tty.read_until("> ")
        tty.send_keys(b"Hi\r")
        tty.read_until("Hello there!")
        tty.read_until("> ")
        tty.send_keys(b"\x04")
        assert process.wait(60) == 0
    assert not Path(keyed["VICTOR_FP_STATE_DIR"]).exists()


@pytest.mark.slow
def test_commands_change_the_conversation(serve: Serve, keyed: dict[str, str], tmp_path: Path) -> None:
    server, other = serve(answer_hello), serve(answer_hello)
    (tmp_path / "letter.pdf").write_bytes(b"%PDF-1.4 x")
    (tmp_path / "notes.txt").write_bytes(b"hello")
    saved = tmp_path / "talk.json"
    lines = [
        ("/system Be brief", "Be brief"),
        (f"/attach {tmp_path / 'notes.txt'}", "cannot be attached"),
        (f"/attach {tmp_path / 'letter.pdf'}", "file letter.pdf (application/pdf"),
        ("What is it?", "Hello there!"),
        ("/retry", "Hello there!"),
        (f"/save {saved}", "saved to"),
        ("/clear", "new conversation"),
        ("/model vllm/m-9", "vllm/m-9"),
        ("Again", "Hello there!"),
        ("/help", "/attach"),
    ]
    with open_terminal("chat", *build_options(server), env=keyed | {"VLLM_BASE_URL": f"{other.url}/v1"}) as (
        process,
        tty,
    ):
        for typed, shown in lines:
            tty.read_until("> ")
            tty.send_keys(typed.encode() + b"\r")
            tty.read_until(shown)
        tty.read_until("> ")
        tty.send_keys(b"/exit\r")
        assert process.wait(60) == 0

    first, retried = server.received
    assert [message["role"] for message in read_messages(first)] == ["system", "user"]
    assert [part["type"] for part in read_messages(first)[1]["content"]] == ["file", "text"]
    assert read_messages(retried) == read_messages(first)
    (last,) = other.received
    assert (last.json()["model"], get_texts(last)) == ("m-9", ["Be brief", "Again"])
    assert [message["role"] for message in json.loads(saved.read_text())] == ["system", "user", "assistant"]


def test_ctrl_c_empties_the_prompt_before_it_leaves_and_the_terminal_is_given_back(
    serve: Serve, keyed: dict[str, str]
) -> None:
    server = serve(answer_hello)
    with open_terminal("chat", *build_options(server), env=keyed) as (process, tty):
        before = termios.tcgetattr(tty.descriptor)
        tty.read_until("> ")
        tty.send_keys(b"never sent\x03Hi\r")
        tty.read_until("Hello there!")
        tty.read_until("> ")
        during = termios.tcgetattr(tty.descriptor)
        tty.send_keys(b"\x03")
        assert process.wait(60) == 130
        after = termios.tcgetattr(tty.descriptor)
        tty.rest()

    assert get_texts(server.received[0]) == ["Hi"]
    assert not during[3] & (termios.ECHO | termios.ICANON)
    assert after[3] & termios.ECHO
    assert after[3] & termios.ICANON
    assert after[0] == before[0]
    assert tty.raw.rfind("\x1b[?2004l") > tty.raw.rfind("\x1b[?2004h")


@pytest.mark.slow
def test_a_stopped_answer_can_be_asked_again(serve: Serve, keyed: dict[str, str]) -> None:
    slow = Slow()
    server = serve(slow, answer_hello)
    with open_terminal("chat", *build_options(server), env=keyed) as (process, tty):
        tty.read_until("> ")
        tty.send_keys(b"Tell me\r")
        tty.read_until("Once")
        tty.send_keys(b"\x03")
        tty.read_until("stopped")
        slow.go_on.set()
        tty.read_until("> ")
        tty.send_keys(b"/retry\r")
        tty.read_until("Hello there!")
        tty.send_keys(b"\x04")
        assert process.wait(60) == 0
    assert get_texts(server.received[1]) == ["Tell me"]


@pytest.mark.slow
def test_a_conversation_goes_on_where_it_was_left(serve: Serve, keyed: dict[str, str]) -> None:
    server = serve(answer_hello)
    assert victor("chat", "First", *build_options(server), "--system", "Be kind", env=keyed).returncode == 0
    with open_terminal("chat", "-c", env=keyed) as (process, tty):
        assert "continuing (1 turns): First" in tty.read_until("> ")
        tty.send_keys(b"Second\r")
        tty.read_until("Hello there!")
        tty.read_until("> ")
        tty.send_keys(b"\x04")
        assert process.wait(60) == 0
    assert victor("chat", "-c", "Third", env=keyed).stdout == "Hello there!\n"
    assert get_texts(server.received[2]) == ["Be kind", "First", "Hello there!", "Second", "Hello there!", "Third"]


@pytest.mark.slow
def test_options_and_settings_of_a_conversation_are_restored(serve: Serve, keyed: dict[str, str]) -> None:
    server, other = serve(answer_hello), serve(answer_hello)
    begun = (
        "--temperature",
        "0.3",
        "-o",
        "top_p=0.5",
        "-o",
        "stop=END",
        "-o",
        "stop=##",
        "--setting",
        "organization=org-1",
    )
    assert victor("chat", "First", *build_options(server), *begun, env=keyed).returncode == 0
    environment = keyed | {"VLLM_BASE_URL": f"{other.url}/v1"}

    def send(*arguments: str) -> tuple[dict[str, object], str | None]:
        assert victor("chat", "-c", "Again", *arguments, env=environment).returncode == 0
        received = (server.received + other.received)[-1] if other.received else server.received[-1]
        body = received.json()
        sent: dict[str, object] = {
            name: body[name] for name in ("temperature", "top_p", "stop", "seed") if name in body
        }
        return sent, received.headers.get("openai-organization")

    assert send() == ({"temperature": 0.3, "top_p": 0.5, "stop": ["END", "##"]}, "org-1")
    changed = {"temperature": 0.9, "top_p": 0.5, "stop": ["NO"], "seed": 1}
    assert send("-o", "temperature=0.9", "-o", "stop=NO", "-o", "seed=1", "--setting", "organization=org-2") == (
        changed,
        "org-2",
    )
    assert send() == (changed, "org-2")
    assert send("-p", "vllm", "-m", "m-1") == ({"temperature": 0.7}, None)
    assert send() == ({"temperature": 0.7}, None)


@pytest.mark.slow
def test_options_that_hold_a_secret_are_not_kept(serve: Serve, keyed: dict[str, str]) -> None:
    server = serve(answer_hello)
    begun = ("-o", f'extra_body={{"note": "{KEY}"}}', "-o", "seed=1")
    assert victor("chat", "First", *build_options(server), *begun, env=keyed).returncode == 0
    assert server.received[0].json()["note"] == KEY
    assert victor("chat", "-c", "Again", env=keyed).returncode == 0
    assert ("note" in server.received[1].json(), server.received[1].json()["seed"]) == (False, 1)
    assert KEY.encode() not in (Path(keyed["VICTOR_FP_STATE_DIR"]) / "log.sqlite").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [("providers",), ("models",), ("keys",), ("log",), ("log", "search", "hello"), ("chat", "--help")]
)
def test_tables_and_help_fit_60_columns(serve: Serve, keyed: dict[str, str], arguments: tuple[str, ...]) -> None:
    async def models(talk: Talk, received: Received) -> None:
        if received.method == "GET":
            names = ["m-1", "a-model-with-a-rather-long-name-2026-11-29", "\u6a21\u578b" * 8]
            await talk.answer({"object": "list", "data": [{"id": name, "object": "model"} for name in names]})
        else:
            await answer_hello(talk, received)

    server = serve(models)
    victor("chat", "A long question about \u4f60\u597d and everything " * 4, *build_options(server), env=keyed)
    more = ("-p", "openai", "--base-url", f"{server.url}/v1") if arguments == ("models",) else ()
    with open_terminal(*arguments, *more, env=keyed, columns=60) as (process, tty):
        shown = tty.rest()
        assert process.wait(60) == 0

    lines = [line.rstrip("\r") for line in shown.split("\n")]
    assert len(lines) > 2
    assert max(map(measure_cell, lines)) <= 60
    assert "\x1b" not in shown
