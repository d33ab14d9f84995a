"""`victor chat` for one answer: what reaches the server, what reaches stdout, and how it ends."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.cli.conftest import KEY, answer_hello, build_options
from tests.loopback import Received, Serve, Talk
from tests.openai_shapes import build_body, build_chunk, build_chunks, build_error
from victor_fp.cli.app import app

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
CALL = {
    "index": 0,
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Bonn"}'},
}


def chat(*arguments: str, env: dict[str, str], stdin: str = "") -> Result:
    return CliRunner().invoke(app, ["chat", *arguments], env=env, input=stdin)


def read_body(received: Received) -> Any:
    return received.json()["messages"]


def test_an_answer_is_streamed_to_stdout_and_nothing_else(serve: Serve, keyed: dict[str, str]) -> None:
    server = serve(answer_hello)

    result = chat("Hi", *build_options(server), env=keyed)

    assert (result.stdout, result.stderr, result.exit_code) == ("Hello there!\n", "", 0)
    (received,) = server.received
    assert received.json()["stream"] is True
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert read_body(received) == [{"role": "user", "content": "Hi"}]


def test_no_stream_asks_for_the_whole_answer(serve: Serve, keyed: dict[str, str]) -> None:
    server = serve(answer_hello)

    result = chat("Hi", "--no-stream", *build_options(server), env=keyed)

    assert (result.stdout, result.exit_code) == ("Hello there!\n", 0)
    assert not server.received[0].json().get("stream")


def test_only_requested_options_are_sent(serve: Serve, keyed: dict[str, str]) -> None:
    server = serve(answer_hello)

    chat("Hi", "--system", "Be kind", "--temperature", "0.2", "--max-tokens", "9", *build_options(server), env=keyed)

    sent = server.received[0].json()
    assert sent["temperature"] == 0.2
    assert 9 in (sent.get("max_tokens"), sent.get("max_completion_tokens"))
    assert [message["content"] for message in read_body(server.received[0])] == ["Be kind", "Hi"]


@pytest.mark.parametrize(
    ("prompt", "stdin", "expected"),
    [
        ([], "from the pipe\n", "from the pipe"),
        (["Sum this up"], "line 1\nline 2\n", "Sum this up\n\nline 1\nline 2"),
        (["Only me"], "", "Only me"),
        ([], "\ufeffgr\u00fc\u00dfe", "gr\u00fc\u00dfe"),
    ],
)
def test_prompt_and_standard_input_make_the_message(
    serve: Serve, keyed: dict[str, str], prompt: list[str], stdin: str, expected: str
) -> None:
    server = serve(answer_hello)

    assert chat(*prompt, *build_options(server), env=keyed, stdin=stdin).exit_code == 0
    assert read_body(server.received[0])[-1]["content"] == expected


def test_json_is_one_object_with_the_completion(serve: Serve, keyed: dict[str, str]) -> None:
    result = chat("Hi", "--json", *build_options(serve(answer_hello)), env=keyed)

    completion = json.loads(result.stdout)
    assert result.stdout.count("\n") == 1
    assert completion["content"] == "Hello there!"
    assert completion["stop_reason"] == "stop"
    assert completion["usage"] == {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


def test_image_type_is_detected_from_content(serve: Serve, keyed: dict[str, str], tmp_path: Path) -> None:
    server = serve(answer_hello)
    (tmp_path / "picture.txt").write_bytes(PNG)

    assert (
        chat("What is it?", "--image", str(tmp_path / "picture.txt"), *build_options(server), env=keyed).exit_code == 0
    )
    image, text = read_body(server.received[0])[0]["content"]
    assert image["image_url"]["url"] == "data:image/png;base64," + base64.b64encode(PNG).decode()
    assert text["text"] == "What is it?"


def test_tools_are_sent_and_calls_printed(serve: Serve, keyed: dict[str, str], tmp_path: Path) -> None:
    async def call_tool(talk: Talk, received: Received) -> None:
        called = build_chunk(choices=[{"index": 0, "delta": {"tool_calls": [CALL]}, "finish_reason": None}])
        await talk.send_events(called, build_chunk(finish="tool_calls"))

    server = serve(call_tool)
    tools = [{"name": "weather", "description": "Now", "parameters": {"type": "object", "properties": {}}}]
    (tmp_path / "tools.json").write_text(json.dumps(tools))

    result = chat("Rain?", "--tools", str(tmp_path / "tools.json"), *build_options(server), env=keyed)

    assert (result.stdout, result.exit_code) == ('weather({"city":"Bonn"})\n', 0)
    sent: Any = server.received[0].json()["tools"]
    assert sent[0]["function"]["name"] == "weather"


def test_truncated_response_is_noted(serve: Serve, keyed: dict[str, str]) -> None:
    async def cut(talk: Talk, received: Received) -> None:
        await talk.send_events(build_chunk("Once upon"), build_chunk(finish="length"))

    result = chat("Tell", *build_options(serve(cut)), env=keyed)

    assert result.stdout == "Once upon\n"
    assert "--max-tokens" in result.stderr
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("status", "payload", "code", "says"),
    [
        (401, build_error("Incorrect key", "invalid_api_key"), 3, "victor keys set openai"),
        (404, build_error("No such model", "model_not_found"), 4, "victor models -p openai"),
        (400, build_error("Too long", "context_length_exceeded"), 2, "Shorten it"),
        (429, build_error("No credit", "insufficient_quota"), 5, "A retry does not help"),
        (400, build_error("Bad value", "invalid_value"), 2, "not valid"),
    ],
)
def test_errors_are_one_line_and_a_code(
    serve: Serve, keyed: dict[str, str], status: int, payload: object, code: int, says: str
) -> None:
    async def refuse(talk: Talk, received: Received) -> None:
        await talk.answer(payload, status=status)

    result = chat("Hi", *build_options(serve(refuse)), env=keyed)

    assert (result.stdout, result.exit_code) == ("", code)
    assert result.stderr.startswith("victor: openai")
    assert result.stderr.count("\n") == 1
    assert says in result.stderr
    assert str(status) in result.stderr
    assert KEY not in result.stderr


def test_an_error_with_json_is_an_object_too(serve: Serve, keyed: dict[str, str]) -> None:
    async def refuse(talk: Talk, received: Received) -> None:
        await talk.answer(build_error("Incorrect key", "invalid_api_key"), status=401)

    failed = chat("Hi", "--json", *build_options(serve(refuse)), env=keyed)
    unknown = chat("Hi", "--json", "-p", "nobody", env=keyed)

    assert json.loads(failed.stdout)["error"]["type"] == "AuthRejected"
    assert json.loads(failed.stdout)["error"]["status"] == 401
    assert json.loads(failed.stdout)["error"]["url"].endswith("/v1/chat/completions")
    assert json.loads(unknown.stdout)["error"]["type"] == "ProviderNotFound"
    assert (failed.exit_code, unknown.exit_code) == (3, 4)


def test_broken_stream_shows_partial_text_and_error(serve: Serve, keyed: dict[str, str]) -> None:
    async def break_stream(talk: Talk, received: Received) -> None:
        await talk.send_head(content_type="text/event-stream")
        await talk.send_event(build_chunk("Half an ans"))
        await talk.end()

    result = chat("Hi", *build_options(serve(break_stream)), env=keyed)

    assert result.stdout == "Half an ans\n"
    assert "the response ended early" in result.stderr
    assert result.exit_code == 6


@pytest.mark.usefixtures("no_pauses")
def test_a_refused_connection_names_the_address(keyed: dict[str, str]) -> None:
    place = ["-p", "openai", "-m", "m", "--base-url", "http://127.0.0.1:9/v1", "--timeout", "1"]

    result = chat("Hi", *place, env=keyed)

    assert "http://127.0.0.1:9/v1" in result.stderr
    assert result.exit_code == 6


def test_missing_key_error_lists_searched_locations(world: dict[str, str]) -> None:
    result = chat("Hi", "-p", "openai", "-m", "m", env=world)

    assert result.exit_code == 3
    for place in ("OPENAI_API_KEY", "keyring", "keys.json", "victor keys set openai"):
        assert place in result.stderr


def test_a_key_from_the_file_is_used(serve: Serve, world: dict[str, str]) -> None:
    server = serve(answer_hello)
    stored = CliRunner().invoke(app, ["keys", "set", "openai"], env=world, input=f"{KEY}\n")

    assert chat("Hi", *build_options(server), env=world).exit_code == stored.exit_code == 0
    assert server.received[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["Hi", "-p", "opnai"], 4, "did you mean openai? See: victor providers\n"),
        (["Hi", "-p", "openai", "--setting", "regin=x"], 2, "does not have the setting regin"),
        (["Hi", "-p", "openai", "--setting", "x"], 2, "NAME=VALUE"),
        (["Hi", "--image", "/no/such.png"], 2, "cannot be read"),
        (["Hi", "--tools", "/no/such.json"], 2, "cannot be read"),
        ([], 2, "no prompt"),
        (["Hi", "--temperature", "-1"], 2, "temperature"),
        (["Hi", "--nonsense"], 2, "--nonsense"),
    ],
)
def test_usage_errors_are_reported(keyed: dict[str, str], arguments: list[str], code: int, says: str) -> None:
    result = chat(*arguments, env=keyed)

    assert result.exit_code == code
    assert says in result.stderr


@pytest.mark.parametrize("text", ["nonsense", '{"tools": 1}', "[1]", '[{"name": 1}]', '[{"description": "x"}]'])
def test_a_file_without_tools_is_refused(keyed: dict[str, str], tmp_path: Path, text: str) -> None:
    (tmp_path / "tools.json").write_text(text)

    result = chat("Hi", "--tools", str(tmp_path / "tools.json"), "-p", "openai", env=keyed)

    assert result.exit_code == 2
    assert "tools.json" in result.stderr


def test_a_defect_is_one_line_too(keyed: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("surprise")

    monkeypatch.setattr("victor_fp.cli.commands.create_provider", fail)

    result = chat("Hi", "-p", "openai", env=keyed)

    assert (result.exit_code, result.stdout) == (70, "")
    assert "RuntimeError: surprise" in result.stderr
    assert result.stderr.count("\n") == 1


def test_without_a_choice_the_provider_with_a_key_answers(serve: Serve, keyed: dict[str, str]) -> None:
    async def stream_text(talk: Talk, received: Received) -> None:
        await talk.send_events(*build_chunks("mine"))

    server = serve(stream_text)

    result = chat("Hi", "--base-url", f"{server.url}/v1", env=keyed)

    assert result.stdout == "mine\n"
    assert server.received[0].json()["model"]


def test_response_without_text_prints_no_empty_line(serve: Serve, keyed: dict[str, str]) -> None:
    async def answer_nothing(talk: Talk, received: Received) -> None:
        await talk.answer(build_body(""))

    result = chat("Hi", "--no-stream", *build_options(serve(answer_nothing)), env=keyed)

    assert (result.stdout, result.exit_code) == ("", 0)


def test_json_with_deeply_nested_arguments_is_written(serve: Serve, keyed: dict[str, str]) -> None:
    async def answer_nested(talk: Talk, received: Received) -> None:
        function = {"name": "f", "arguments": '{"a":' * 300 + "1" + "}" * 300}
        message = {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "function": function}]}
        await talk.answer(build_body(choices=[{"index": 0, "message": message, "finish_reason": "tool_calls"}]))

    result = chat("Hi", "--json", *build_options(serve(answer_nested)), env=keyed)

    assert result.exit_code == 0
    assert json.loads(result.stdout)["tool_calls"][0]["name"] == "f"


def test_a_full_disk_is_not_a_defect(keyed: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def report_full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("victor_fp.cli.commands.create_provider", report_full)
    result = chat("Hi", "-p", "openai", env=keyed)
    assert (result.exit_code, "defect" in result.stderr) == (1, False)
    assert "No space left on device" in result.stderr
