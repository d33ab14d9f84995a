"""`victor models`, `check` and `codegen`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.cli.conftest import answer_hello, build_options
from tests.loopback import Received, Serve, Talk
from tests.openai_shapes import build_error
from victor_fp.cli.app import app


def run(*arguments: str, env: dict[str, str]) -> Result:
    return CliRunner().invoke(app, list(arguments), env=env)


def test_models_are_lines_with_the_id_first(serve: Serve, keyed: dict[str, str]) -> None:
    result = run("models", "-p", "openai", "--base-url", f"{serve(answer_hello).url}/v1", env=keyed)

    assert [line.split("\t")[0] for line in result.stdout.splitlines()] == ["m-1", "m-2"]
    assert result.exit_code == 0


def test_a_rejected_model_list_has_the_exit_code_of_a_call(serve: Serve, keyed: dict[str, str]) -> None:
    async def refuse(talk: Talk, received: Received) -> None:
        await talk.answer(build_error("no", "invalid_api_key"), status=401)

    result = run("models", "-p", "openai", "--base-url", f"{serve(refuse).url}/v1", env=keyed)

    assert (result.exit_code, result.stdout) == (3, "")
    assert "victor keys set openai" in result.stderr


def test_check_sends_a_request_and_reports_steps(serve: Serve, keyed: dict[str, str]) -> None:
    server = serve(answer_hello)
    place = build_options(server)

    result = run("check", "openai", *place[2:], env=keyed)

    said = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert result.exit_code == 0
    assert said["provider"] == f"openai at {server.url}/v1"
    assert said["key"] == "found: environment OPENAI_API_KEY"
    assert said["model"].startswith(("m-1", "can"))
    assert said["connection"] == "works"
    assert said["response"].startswith("'Hello there!' (7 tokens) after ")
    assert any(received.method == "POST" for received in server.received)


@pytest.mark.usefixtures("no_pauses")
def test_a_check_stops_where_it_fails(serve: Serve, world: dict[str, str], keyed: dict[str, str]) -> None:
    async def refuse(talk: Talk, received: Received) -> None:
        await talk.answer(build_error("no", "invalid_api_key"), status=401)

    refused = run("check", "openai", *build_options(serve(refuse))[2:], env=keyed)
    unlisted = run("check", "openai", "--model", "m", "--base-url", "http://127.0.0.1:9/v1", env=keyed)
    keyless = run("check", "openai", env=world)

    assert "connection  works; the server answered 401" in refused.stdout
    assert "connection  failed" in unlisted.stdout
    assert "key         missing" in keyless.stdout
    assert [result.exit_code for result in (refused, unlisted, keyless)] == [3, 6, 3]


def test_a_documents_operation_is_compiled(world: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("datamodel_code_generator")
    reply = {"description": "fine", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pong"}}}}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Ping", "version": "1"},
        "paths": {"/ping": {"get": {"operationId": "ping", "responses": {"200": reply}}}},
        "components": {"schemas": {"Pong": {"type": "object", "properties": {"at": {"type": "string"}}}}},
    }
    (tmp_path / "ping.json").write_text(json.dumps(document))
    out = tmp_path / "ping_wire"

    done = run("codegen", str(tmp_path / "ping.json"), "--operation", "ping", "--out", str(out), env=world)
    unknown = run("codegen", str(tmp_path / "ping.json"), "--operation", "pong", "--out", str(out), env=world)
    absent = run("codegen", str(tmp_path / "none.json"), "--operation", "ping", "--out", str(out), env=world)

    assert done.exit_code == 0, done.output
    assert "class Pong" in "".join(path.read_text() for path in out.glob("*.py"))
    assert (unknown.exit_code, absent.exit_code) == (2, 2)
    assert "pong" in unknown.stderr
