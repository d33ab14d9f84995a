"""The command line sends a key and prints it nowhere, whatever a server repeats and whatever breaks."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.cli.conftest import victor
from tests.faults.canaries import KEY, answer_401, answer_500, answer_html, check_clean, refuse_in_200
from tests.loopback import Serve
from victor_fp.cli.app import app

COMMANDS = {
    "chat": ("chat", "Hi", "-p", "openai"),
    "chat --json": ("chat", "Hi", "--json", "-p", "openai"),
    "chat --no-stream": ("chat", "Hi", "--no-stream", "-p", "openai"),
    "models": ("models", "-p", "openai"),
    "check": ("check", "openai"),
}


@pytest.mark.parametrize(
    "answer", [answer_401, refuse_in_200, answer_500, answer_html], ids=lambda answer: answer.__name__
)
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.usefixtures("no_pauses")
def test_no_command_prints_a_key(command: str, answer: Any, serve: Serve, world: dict[str, str]) -> None:
    server = serve(answer)
    place = ["--base-url", f"{server.url}/v1"]
    result = CliRunner().invoke(app, [*COMMANDS[command], *place], env=world | {"OPENAI_API_KEY": KEY})
    assert result.exit_code != 0
    check_clean(result.stdout + result.stderr)
    assert KEY in server.received[0].headers["authorization"]


def test_keys_are_stored_and_listed_without_being_printed(world: dict[str, str]) -> None:
    reported = [victor("keys", *arguments, env=world, stdin=KEY) for arguments in (("set", "openai"), ("list",))]
    assert [one.returncode for one in reported] == [0, 0]
    assert "openai" in reported[1].stdout
    check_clean("".join(one.stdout + one.stderr for one in reported))


def test_a_defect_shows_no_variables(world: dict[str, str]) -> None:
    code = (
        "import victor_fp.cli.commands as commands\n"
        "def broken(*given, **more):\n"
        "    key = __import__('os').environ['OPENAI_API_KEY']\n"
        "    raise RuntimeError('surprise')\n"
        "commands.create_provider = broken\n"
        "from victor_fp.cli import main\n"
        "main()\n"
    )
    environment = world | {"OPENAI_API_KEY": KEY, "VICTOR_FP_DEBUG": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, "chat", "Hi", "-p", "openai"],
        env=environment,
        input="",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "surprise" in done.stderr
    assert "Traceback" in done.stderr
    check_clean(done.stdout + done.stderr)
