"""Options of a request and schemas on the command line: their types, what is sent, and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from returns.result import Success
from typer.testing import CliRunner, Result

from tests.cli.conftest import answer_hello, build_options
from tests.loopback import Received, Serve, Talk
from tests.openai_shapes import build_body
from victor_fp.cli.app import Effort, app
from victor_fp.cli.request_options import list_option_types, parse_options
from victor_fp.core.options import ChatOptions, ReasoningEffort

CITY = {
    "title": "City",
    "type": "object",
    "properties": {"name": {"type": "string"}, "n": {"type": "integer"}},
    "required": ["name", "n"],
    "additionalProperties": False,
}


def chat(*arguments: str, env: dict[str, str]) -> Result:
    return CliRunner().invoke(app, ["chat", "Hi", *arguments], env=env, input="")


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        (["top_p=0.5"], {"top_p": 0.5}),
        (["top-k=40", "seed=7"], {"top_k": 40, "seed": 7}),
        (["stop=END"], {"stop": ["END"]}),
        (['stop=["a", "b"]', "stop=c"], {"stop": ["a", "b", "c"]}),
        (["user=123"], {"user": "123"}),
        (["user=a=b"], {"user": "a=b"}),
        (["logprobs=true"], {"logprobs": True}),
        (["logprobs=5"], {"logprobs": 5}),
        (["parallel_tool_calls=no"], {"parallel_tool_calls": False}),
        (["tool_choice=required"], {"tool_choice": "required"}),
        (['tool_choice={"name": "f"}'], {"tool_choice": {"name": "f"}}),
        (['extra_body={"a": [1]}'], {"extra_body": {"a": [1]}}),
        (["temperature=0"], {"temperature": 0.0}),
        ([], {}),
    ],
)
def test_values_have_the_types_of_their_options(pairs: list[str], expected: dict[str, object]) -> None:
    assert parse_options(pairs) == Success(expected)


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ("top_p=much", "top_p"),
        ("seed=1.5", "seed"),
        ("reasoning_effort=huge", "reasoning_effort"),
        ("tool_choice=[1]", "tool_choice"),
        ("extra_body=[1]", "extra_body"),
        ("top_p", "NAME=VALUE"),
        ("=1", "NAME=VALUE"),
        ("tmperature=1", "Did you mean temperature?"),
        ("nonsense=1", "extra_body"),
        ("response_format=json", "--schema"),
    ],
)
def test_invalid_options_are_reported(pair: str, words: str) -> None:
    assert words in parse_options([pair]).failure().line


def test_a_value_is_not_quoted_in_the_error_and_may_be_given_once() -> None:
    assert "hunter2" not in parse_options(["extra_headers=hunter2"]).failure().line
    assert "twice" in parse_options(["seed=1", "seed=2"]).failure().line


def test_every_option_can_be_given() -> None:
    assert set(list_option_types()) == {*ChatOptions.__annotations__, "temperature", "max_tokens"} - {"response_format"}
    assert get_args(Effort) == get_args(ReasoningEffort)


def test_options_reach_the_request(serve: Serve, keyed: dict[str, str]) -> None:
    server = serve(answer_hello)

    done = chat(
        "-o",
        "top_p=0.5",
        "-o",
        "seed=7",
        "--reasoning-effort",
        "low",
        "-o",
        "max_tokens=9",
        *build_options(server),
        env=keyed,
    )

    assert (done.exit_code, done.stderr) == (0, "")
    sent = server.received[0].json()
    assert (sent["top_p"], sent["seed"], sent["reasoning_effort"]) == (0.5, 7, "low")
    assert 9 in (sent.get("max_tokens"), sent.get("max_completion_tokens"))


def test_two_values_for_one_option_are_refused(keyed: dict[str, str]) -> None:
    done = chat("-o", "temperature=0", "--temperature", "1", "-p", "openai", env=keyed)
    assert (done.exit_code, "temperature" in done.stderr) == (2, True)


def write_schema(tmp_path: Path, schema: object = CITY) -> str:
    path = tmp_path / "city.json"
    path.write_text(json.dumps(schema))
    return str(path)


def test_an_answer_by_a_schema_is_one_line_of_json(serve: Serve, keyed: dict[str, str], tmp_path: Path) -> None:
    async def answer(talk: Talk, received: Received) -> None:
        await talk.answer(build_body('{"name": "Oslo",\n "n": 1}'))

    server = serve(answer)
    done = chat("--schema", write_schema(tmp_path), *build_options(server), env=keyed)

    assert (done.stdout, done.stderr, done.exit_code) == ('{"name":"Oslo","n":1}\n', "", 0)
    format_: Any = server.received[0].json()["response_format"]
    assert format_["json_schema"]["schema"]["required"] == ["name", "n"]


def test_an_answer_that_does_not_match_is_an_error(serve: Serve, keyed: dict[str, str], tmp_path: Path) -> None:
    async def answer(talk: Talk, received: Received) -> None:
        await talk.answer(build_body('{"name": 1, "n": 1}'))

    path = write_schema(tmp_path)
    done = chat("--schema", path, *build_options(serve(answer)), env=keyed)
    as_json = chat("--schema", path, "--json", *build_options(serve(answer)), env=keyed)

    assert (done.stdout, done.exit_code) == ("", 1)
    assert "name" in done.stderr
    assert json.loads(as_json.stdout)["error"]["type"] == "InvalidResponse"


@pytest.mark.parametrize("schema", [[1], "text", {"type": 5}])
def test_invalid_schema_is_rejected_before_sending(
    serve: Serve, keyed: dict[str, str], tmp_path: Path, schema: object
) -> None:
    server = serve(answer_hello)
    done = chat("--schema", write_schema(tmp_path, schema), *build_options(server), env=keyed)
    missing = chat("--schema", str(tmp_path / "none.json"), *build_options(server), env=keyed)
    assert (done.exit_code, missing.exit_code, server.received) == (2, 2, [])
    assert "city.json" in done.stderr
