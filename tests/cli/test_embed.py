"""`victor embed`: texts and files in, one JSON object a line out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.loopback import Loopback, Received, Serve, Talk
from tests.openai_shapes import build_error
from victor_fp.cli.app import app
from victor_fp.testing.answers import Received as Seen
from victor_fp.testing.retrieval import answer_retrieval, stub_vector


async def answer_embeddings(talk: Talk, received: Received) -> None:
    found = answer_retrieval(Seen(method=received.method, path=received.path, body=received.body))
    assert found is not None
    await talk.answer(b"".join(found.pieces))


async def refuse_key(talk: Talk, _: Received) -> None:
    await talk.answer(build_error("bad key", "invalid_api_key"), 401)


def embed(*arguments: str, env: dict[str, str], stdin: str = "") -> Result:
    return CliRunner().invoke(app, ["embed", *arguments], env=env, input=stdin)


def build_options(server: Loopback) -> list[str]:
    return ["-p", "openai", "--base-url", f"{server.url}/v1"]


def parse_lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_texts_become_lines_with_vectors(serve: Serve, keyed: dict[str, str]) -> None:
    server = serve(answer_embeddings)
    result = embed("a cat", "a dog", *build_options(server), env=keyed)
    assert (result.exit_code, result.stderr) == (0, "")
    shown = parse_lines(result.stdout)
    assert [line["text"] for line in shown] == ["a cat", "a dog"]
    assert shown[0]["embedding"] == pytest.approx(stub_vector("a cat"), rel=1e-7)
    (received,) = server.received
    assert received.json()["model"] == "text-embedding-3-small"


def test_standard_input_and_files_are_embedded_line_by_line(
    serve: Serve, keyed: dict[str, str], tmp_path: Path
) -> None:
    server = serve(answer_embeddings)
    result = embed(*build_options(server), env=keyed, stdin="one\n\n two \r\n")
    assert [line["text"] for line in parse_lines(result.stdout)] == ["one", " two "]
    file = tmp_path / "texts.txt"
    file.write_text("\ufeffone\ntwo\n", encoding="utf-8")
    result = embed("--file", str(file), *build_options(server), env=keyed)
    assert [line["text"] for line in parse_lines(result.stdout)] == ["one", "two"]


def test_a_dash_is_standard_input_and_output(
    serve: Serve, keyed: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = embed("one", "-f", "-", "-o", "-", *build_options(serve(answer_embeddings)), env=keyed, stdin="two\n")
    assert [line["text"] for line in parse_lines(result.stdout)] == ["one", "two"]
    assert not (tmp_path / "-").exists()


def test_json_lines_keep_their_fields_and_get_a_vector(serve: Serve, keyed: dict[str, str], tmp_path: Path) -> None:
    server = serve(answer_embeddings)
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"id": 1, "body": "one"}\n\n{"id": 2, "body": "zwei \u2600"}\n', encoding="utf-8")
    result = embed("-f", str(source), "--field", "body", "-o", str(out), *build_options(server), env=keyed)
    assert (result.exit_code, result.stdout) == (0, "")
    written = parse_lines(out.read_text(encoding="utf-8"))
    assert [(line["id"], line["body"]) for line in written] == [(1, "one"), (2, "zwei \u2600")]
    assert all(isinstance(line["embedding"], list) for line in written)


def test_a_file_of_many_lines_is_sent_in_several_requests_in_order(
    serve: Serve, keyed: dict[str, str], tmp_path: Path
) -> None:
    server = serve(answer_embeddings)
    source = tmp_path / "in.jsonl"
    source.write_text("".join(f'{{"text": "t{number}"}}\n' for number in range(1100)), encoding="utf-8")
    result = embed("-f", str(source), *build_options(server), env=keyed)
    assert [line["text"] for line in parse_lines(result.stdout)] == [f"t{number}" for number in range(1100)]
    assert len(server.received) == 3


@pytest.mark.parametrize(
    ("line", "said"),
    [("not json", "line 2 is not a JSON object"), ('{"other": 1}', "line 2 has no text in the field 'text'")],
)
def test_a_line_that_cannot_be_read_is_named_and_those_before_it_are_written(
    serve: Serve, keyed: dict[str, str], tmp_path: Path, line: str, said: str
) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(f'{{"text": "one"}}\n{line}\n{{"text": "three"}}\n', encoding="utf-8")
    result = embed("-f", str(source), *build_options(serve(answer_embeddings)), env=keyed)
    assert (result.exit_code, len(parse_lines(result.stdout))) == (2, 1)
    assert said in result.stderr


def test_options_are_sent_and_adjustments_noted(serve: Serve, keyed: dict[str, str]) -> None:
    server = serve(answer_embeddings)
    assert embed("a", "--dimensions", "4", *build_options(server), env=keyed).exit_code == 0
    assert server.received[0].json()["dimensions"] == 4
    result = embed("a", "--purpose", "query", *build_options(server), env=keyed)
    assert (result.exit_code, "purpose" in result.stderr) == (2, True)
    assert embed("a", "--purpose", "fun", *build_options(server), env=keyed).exit_code == 2


def test_errors_end_with_their_exit_codes(serve: Serve, keyed: dict[str, str], tmp_path: Path) -> None:
    assert embed("a", *build_options(serve(refuse_key)), env=keyed).exit_code == 3
    assert embed("-f", str(tmp_path / "none.txt"), "-p", "openai", env=keyed).exit_code == 2
    assert embed("a", "-o", str(tmp_path), "-p", "openai", env=keyed).exit_code == 2
    without = embed("a", "-p", "anthropic", "-m", "claude", env=keyed | {"ANTHROPIC_API_KEY": "k"})
    assert (without.exit_code, "this provider does not support embeddings" in without.stderr) == (2, True)
    nameless = embed("a", "-p", "vllm", env=keyed)
    assert (nameless.exit_code, "--model" in nameless.stderr) == (2, True)


def test_no_texts_is_not_an_error(keyed: dict[str, str]) -> None:
    result = embed("-p", "openai", env=keyed)
    assert (result.exit_code, result.stdout) == (0, "")
