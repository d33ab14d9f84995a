"""`victor models --refresh`: limits asked of a server on loopback, written where the caller says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.cli.conftest import Serve
from tests.loopback import Received, Talk
from victor_fp.cli.app import app
from victor_fp.config.limits_file import locate_bundled_file
from victor_fp.core.catalogue.model_limits import MODEL_LIMITS

LISTED = [
    {"id": "m-big", "context_window": 131_072, "max_completion_tokens": 8_192},
    {"id": "m-silent"},
]


async def lists(talk: Talk, received: Received) -> None:
    await talk.answer({"object": "list", "data": LISTED})


def refresh(*arguments: str, env: dict[str, str]) -> Result:
    return CliRunner().invoke(app, ["models", "--refresh", *arguments], env=env)


def limits_in(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = {}
    exec(compile(path.read_text(), str(path), "exec"), read)
    found = read["MODEL_LIMITS"]
    assert isinstance(found, dict)
    return found


def test_what_a_provider_tells_is_written_with_source_and_date(
    serve: Serve, world: dict[str, str], tmp_path: Path
) -> None:
    server, before = serve(lists), locate_bundled_file().read_bytes()
    out = tmp_path / "model_limits.py"
    days = {datetime.now(UTC).date().isoformat()}

    result = refresh(
        "-p", "groq", "--base-url", f"{server.url}/v1", "--out", str(out), env=world | {"GROQ_API_KEY": "k"}
    )

    days.add(datetime.now(UTC).date().isoformat())
    assert (result.exit_code, result.stdout) == (0, "m-big\t131072\t8192\n")
    assert [received.path for received in server.received] == ["/v1/models"]
    written = limits_in(out)
    (row,) = written.pop("groq")
    assert row[:4] == ("m-big", 131_072, 8_192, "list of models at 127.0.0.1")
    assert row[4] in days
    assert written == {name: rows for name, rows in MODEL_LIMITS.items() if name != "groq"}
    assert locate_bundled_file().read_bytes() == before


def test_without_another_file_the_bundled_one_is_changed(
    serve: Serve, world: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundled = tmp_path / "bundled.py"
    monkeypatch.setattr("victor_fp.cli.limits_refresh.locate_bundled_file", lambda: bundled)

    result = refresh("-p", "groq", "--base-url", f"{serve(lists).url}/v1", env=world | {"GROQ_API_KEY": "k"})

    assert result.exit_code == 0
    assert limits_in(bundled)["groq"][0][0] == "m-big"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-p", "ollama"], "runs here"),
        ([], "needs a provider"),
        (["-p", "groq", "--base-url", "{silent}/v1"], "does not tell"),
        (["-p", "groq", "--base-url", "{telling}/v1", "--out", "{nowhere}/x.py"], "cannot be written"),
    ],
)
def test_what_cannot_be_refreshed_is_said_in_one_line(
    serve: Serve, world: dict[str, str], tmp_path: Path, arguments: list[str], says: str
) -> None:
    async def silent(talk: Talk, received: Received) -> None:
        await talk.answer({"data": [{"id": "m"}], "models": []})

    places = {"silent": serve(silent).url, "telling": serve(lists).url, "nowhere": str(tmp_path / "nowhere")}
    world = world | {"GROQ_API_KEY": "k", "OLLAMA_HOST": places["silent"]}
    before = locate_bundled_file().read_bytes()

    result = refresh(*(argument.format(**places) for argument in arguments), env=world)

    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
    assert locate_bundled_file().read_bytes() == before


def test_a_file_to_write_without_a_refresh_is_wrong_usage(world: dict[str, str]) -> None:
    assert CliRunner().invoke(app, ["models", "-p", "groq", "--out", "x.py"], env=world).exit_code == 2
