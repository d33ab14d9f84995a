"""Tools that the command runs: Python functions and MCP servers, with and without a question."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.agent import mcp_server
from tests.cli.conftest import KEY, answer_hello, build_options, victor
from tests.loopback import Received, Script, Serve, Talk
from tests.openai_shapes import build_body, build_chunk
from victor_fp.cli.app import app
from victor_fp.cli.tool_sources import load_tools

FUNCTIONS = '''
"""Functions for a model."""
from __future__ import annotations
from os.path import join
from victor_fp.agent.tools import tool

print("loaded")

def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    print("adding\\x9b31m", a)
    return a + b

@tool(name="shout")
def loud(text: str) -> str:
    return text.upper()

def broken() -> str:
    raise ValueError("no\\x1b[31m such\\nthing")

def _hidden() -> str:
    return ""

class Deck:
    @staticmethod
    def draw() -> str:
        return "ace"

LIMIT = 3
'''


def call_tools(*named: tuple[str, dict[str, object]]) -> Script:
    async def answer(talk: Talk, received: Received) -> None:
        made = [
            {
                "index": at,
                "id": f"call_{at}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(given)},
            }
            for at, (name, given) in enumerate(named)
        ]
        if not received.json().get("stream"):
            message = {"role": "assistant", "content": None, "tool_calls": made}
            await talk.answer(build_body(choices=[{"index": 0, "message": message, "finish_reason": "tool_calls"}]))
            return
        called = build_chunk(choices=[{"index": 0, "delta": {"tool_calls": made}, "finish_reason": None}])
        await talk.send_events(called, build_chunk(finish="tool_calls"))

    return answer


def get_results(received: Received) -> dict[str, str]:
    messages: Any = received.json()["messages"]
    return {one["tool_call_id"]: one["content"] for one in messages if one["role"] == "tool"}


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    path = tmp_path / "my_functions.py"
    path.write_text(FUNCTIONS)
    return path


def chat(*arguments: str, env: dict[str, str]) -> Result:
    return CliRunner().invoke(app, ["chat", "Go", *arguments], env=env, input="")


def test_functions_of_a_file_run_and_their_output_is_not_in_the_answer(
    serve: Serve, keyed: dict[str, str], functions: Path
) -> None:
    server = serve(call_tools(("add", {"a": 40, "b": 2}), ("shout", {"text": "hi"}), ("broken", {})), answer_hello)

    done = victor("chat", "Go", "--tools", str(functions), "--yes", *build_options(server), env=keyed)

    assert (done.stdout, done.returncode) == ("Hello there!\n", 0)
    assert done.stderr.splitlines() == [
        "loaded",
        'victor: running add({"a":40,"b":2})',
        'victor: running shout({"text":"hi"})',
        "victor: running broken({})",
        "adding31m 40",
        "victor: broken failed: ValueError: no[31m such thing",
    ]
    offered: Any = server.received[0].json()["tools"]
    assert [one["function"]["name"] for one in offered] == ["add", "shout", "broken"]
    assert offered[0]["function"]["description"] == "Add two numbers."
    results = get_results(server.received[1])
    assert (results["call_0"], results["call_1"]) == ("42", "HI")
    assert "no" in results["call_2"]


@pytest.mark.slow
def test_functions_of_a_module_by_name(
    serve: Serve, keyed: dict[str, str], functions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(functions.parent)
    server = serve(call_tools(("draw", {})), answer_hello)

    done = victor(
        "chat", "Go", "--tools", "my_functions:add,Deck.draw", "--yes", "--json", *build_options(server), env=keyed
    )

    assert json.loads(done.stdout)["content"] == "Hello there!"
    assert get_results(server.received[1]) == {"call_0": "ace"}


@pytest.mark.slow
def test_unknown_tool_is_reported_to_the_model(serve: Serve, keyed: dict[str, str], functions: Path) -> None:
    server = serve(call_tools(("subtract", {"a": 1})), answer_hello)

    done = victor("chat", "Go", "--tools", f"{functions}:add", "-y", *build_options(server), env=keyed)

    assert done.returncode == 0
    assert "unknown tool 'subtract'; tools: add" in get_results(server.received[1])["call_0"]


@pytest.mark.slow
def test_a_model_that_never_stops_calling_is_stopped(serve: Serve, keyed: dict[str, str], functions: Path) -> None:
    server = serve(call_tools(("add", {"a": 1})))

    done = victor("chat", "Go", "--tools", str(functions), "--yes", *build_options(server), env=keyed)

    assert done.returncode == 0
    assert len(server.received) == 32
    assert "stopped after 32 requests" in done.stderr


def test_without_a_terminal_nothing_runs_unless_it_is_allowed(
    serve: Serve, keyed: dict[str, str], functions: Path
) -> None:
    server = serve(answer_hello)
    for more in (("--tools", str(functions)), ("--mcp", "some-server")):
        done = victor("chat", "Go", *more, *build_options(server), env=keyed)
        assert (done.returncode, "--yes" in done.stderr) == (2, True)
    assert server.received == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{file}:nothing", "has no nothing: it has: add, loud, broken"),
        ("{file}:LIMIT", "is not a function"),
        ("no_such_module_here:f", "ModuleNotFoundError"),
        ("{folder}/none.py", "cannot be read"),
        ("{folder}/bad.py", "SyntaxError"),
        ("{folder}/exits.py", "SystemExit"),
        ("{folder}/empty.py", "has no functions"),
        ("{folder}/starred.py", "cannot be a tool"),
    ],
)
def test_unusable_sources_are_reported(tmp_path: Path, functions: Path, source: str, words: str) -> None:
    (tmp_path / "bad.py").write_text("def f(:\n")
    (tmp_path / "exits.py").write_text("raise SystemExit(1)\n")
    (tmp_path / "empty.py").write_text("from os.path import join\n")
    (tmp_path / "starred.py").write_text("def f(*names: str) -> str:\n    return ''\n")

    error = load_tools([source.format(file=functions, folder=tmp_path)]).failure()

    assert (error.code, words in error.line) == (2, True), error.line


@pytest.mark.slow
def test_two_tools_of_one_name_are_refused(functions: Path) -> None:
    assert "two tools have the name add" in load_tools([str(functions), f"{functions}:add"]).failure().line


@pytest.mark.slow
def test_tools_of_an_mcp_server_run_and_keys_are_kept_from_it(
    serve: Serve, keyed: dict[str, str], tmp_path: Path
) -> None:
    pytest.importorskip("mcp")
    other = tmp_path / "server.py"
    other.write_text(
        "import os, sys\nfrom mcp.server.mcpserver import MCPServer\nserver = MCPServer('other')\n"
        "print('\\x1b]0;title\\x07noise', file=sys.stderr, flush=True)\n"
        "@server.tool()\ndef get_weather() -> str:\n    'Variables.'\n"
        "    return ' '.join(f'{name}={os.environ.get(name)}' for name in ('OPENAI_API_KEY', 'MINE'))\n"
        "server.run('stdio')\n"
    )
    commands = [shlex.join([sys.executable, str(path)]) for path in (Path(mcp_server.__file__), other)]
    server = serve(call_tools(("get_weather", {"city": "Oslo"}), ("server2_get_weather", {})), answer_hello)

    done = victor(
        "chat",
        "Go",
        "--mcp",
        commands[0],
        "--mcp",
        commands[1],
        "--yes",
        *build_options(server),
        env=keyed | {"MINE": "yes"},
    )

    assert (done.stdout, done.returncode) == ("Hello there!\n", 0), done.stderr
    assert "noise" not in done.stderr
    assert get_results(server.received[1]) == {"call_0": "Oslo 1", "call_1": "OPENAI_API_KEY=None MINE=yes"}
    assert KEY not in server.received[1].body.decode()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("no-such-program-anywhere --x", "no-such-program-anywhere cannot be used"),
        ("'unfinished", "is not a command"),
        ("", "is not a command"),
        (f"{sys.executable} -c 'import sys; sys.exit(chr(27) + \"[31mbroken pieces\")'", "[31mbroken pieces"),
    ],
)
def test_a_server_that_cannot_be_started_is_one_line(
    serve: Serve, keyed: dict[str, str], command: str, words: str
) -> None:
    pytest.importorskip("mcp")
    server = serve(answer_hello)
    done = victor("chat", "Go", "--mcp", command, "--yes", *build_options(server), env=keyed)
    assert (done.stdout, server.received) == ("", [])
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("victor: ")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
