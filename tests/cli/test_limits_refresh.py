"""`victor models --refresh`: limits requested from a server on loopback, written to the given file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import victor_fp
from tests.loopback import Received, Serve, Talk
from victor_fp.cli.app import app
from victor_fp.shell.limits_file import load_limits

LISTED = [
    {"id": "m-big", "context_window": 131_072, "max_completion_tokens": 8_192},
    {"id": "m-silent"},
]


async def list_models(talk: Talk, received: Received) -> None:
    await talk.answer({"object": "list", "data": LISTED})


def refresh(*arguments: str, env: dict[str, str]) -> Result:
    return CliRunner().invoke(app, ["models", "--refresh", *arguments], env=env)


def read_limits(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text())
    assert isinstance(found, dict)
    return found


PACKAGE = Path(victor_fp.__file__).parent


def record_times() -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in PACKAGE.rglob("*.py")}


def test_what_a_provider_reports_is_stored_with_source_and_date(
    serve: Serve, world: dict[str, str], tmp_path: Path
) -> None:
    server, before = serve(list_models), record_times()
    out = tmp_path / "limits.json"
    days = {datetime.now(UTC).date().isoformat()}

    result = refresh(
        "-p", "groq", "--base-url", f"{server.url}/v1", "--out", str(out), env=world | {"GROQ_API_KEY": "k"}
    )

    days.add(datetime.now(UTC).date().isoformat())
    assert (result.exit_code, result.stdout) == (0, "m-big\t131072\t8192\n")
    assert [received.path for received in server.received] == ["/v1/models"]
    (row,) = read_limits(out).pop("groq")
    assert row.pop("date") in days
    assert row == {
        "pattern": "m-big",
        "context_window": 131_072,
        "max_output": 8_192,
        "source": "list of models at 127.0.0.1",
    }
    assert record_times() == before


def test_without_another_file_the_one_in_the_configuration_directory_is_written(
    serve: Serve, world: dict[str, str]
) -> None:
    world = world | {"GROQ_API_KEY": "k"}
    path = Path(world["VICTOR_FP_CONFIG_DIR"]) / "limits.json"
    first = refresh("-p", "groq", "--base-url", f"{serve(list_models).url}/v1", env=world)
    again = refresh("-p", "groq", "--base-url", f"{serve(list_models).url}/v1", env=world)

    assert (first.exit_code, again.exit_code) == (0, 0)
    assert read_limits(path)["groq"][0]["pattern"] == "m-big"
    assert again.stdout == ""
    assert load_limits(world)["groq"][0].context_window == 131_072


def test_a_damaged_file_is_reported_and_left_alone(serve: Serve, world: dict[str, str]) -> None:
    path = Path(world["VICTOR_FP_CONFIG_DIR"]) / "limits.json"
    path.parent.mkdir(parents=True)
    path.write_text("{")

    result = refresh("-p", "groq", "--base-url", f"{serve(list_models).url}/v1", env=world | {"GROQ_API_KEY": "k"})

    assert result.exit_code == 2
    assert "is not a limits file" in result.stderr
    assert path.read_text() == "{"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-p", "ollama"], "runs on this machine"),
        ([], "requires a provider"),
        (["-p", "groq", "--base-url", "{silent}/v1"], "does not report"),
        (["-p", "groq", "--base-url", "{telling}/v1", "--out", "{nowhere}/x.json"], "cannot be written"),
    ],
)
def test_failed_refresh_is_a_one_line_error(
    serve: Serve, world: dict[str, str], tmp_path: Path, arguments: list[str], says: str
) -> None:
    async def omit_limits(talk: Talk, received: Received) -> None:
        await talk.answer({"data": [{"id": "m"}], "models": []})

    places = {"silent": serve(omit_limits).url, "telling": serve(list_models).url, "nowhere": str(tmp_path / "nowhere")}
    (tmp_path / "nowhere").write_text("a file")
    world = world | {"GROQ_API_KEY": "k", "OLLAMA_HOST": places["silent"]}

    result = refresh(*(argument.format(**places) for argument in arguments), env=world)

    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_file_to_write_without_a_refresh_is_wrong_usage(world: dict[str, str]) -> None:
    assert CliRunner().invoke(app, ["models", "-p", "groq", "--out", "x.py"], env=world).exit_code == 2


def test_limits_are_not_written_to_standard_output(
    serve: Serve, world: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    server = serve(list_models)
    done = refresh("-p", "groq", "--base-url", f"{server.url}/v1", "--out", "-", env=world | {"GROQ_API_KEY": "k"})
    assert (done.exit_code, "not written to standard output" in done.stderr) == (2, True)
    assert not (tmp_path / "-").exists()
