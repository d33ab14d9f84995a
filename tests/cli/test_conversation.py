"""A conversation's turns: tool results come from the user, and a turn that fails never was."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from returns.result import Failure, Success

from tests.acme import build_acme
from tests.loopback import Received, Script, Serve, Talk
from tests.openai_shapes import build_chunk, build_chunks, build_error
from victor_fp.cli.conversation import Command, Conversation, parse_command, save_conversation
from victor_fp.cli.conversation_log import ConversationLog
from victor_fp.cli.exit_codes import build_usage_error
from victor_fp.cli.inputs import RequestOptions
from victor_fp.cli.interactive import Interactive
from victor_fp.cli.output import show_response
from victor_fp.cli.terminal import DownloadProgress, Terminal
from victor_fp.core.types import ImagePart, Message, TextPart

T = TypeVar("T")
CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


class Typist:
    """Someone who types these lines and then Ctrl-D; None is a Ctrl-D in between. Records the questions."""

    def __init__(self, *lines: str | None) -> None:
        self._left = iter(lines)
        self.prompts: list[str] = []

    async def read(self, prompt: str) -> str | None:
        self.prompts.append(prompt)
        return next(self._left, None)

    async def ask(self, question: str) -> str | None:
        return await self.read(question)

    async def attend(self, work: Coroutine[Any, Any, T]) -> T:
        return await work


def converse(url: str, *lines: str | None) -> tuple[int, str, str]:
    code, out, err, _ = watch(url, *lines)
    return code, out, err


def watch(url: str, *lines: str | None) -> tuple[int, str, str, list[str]]:
    """The exit code, what was written, and the prompts."""
    terminal, typist = Terminal(io.StringIO(), io.StringIO()), Typist(*lines)

    async def run() -> int:
        async with build_acme(url, max_retries=0) as provider:
            interactive = Interactive(
                provider,
                "m-1",
                RequestOptions(),
                terminal,
                typist,
                open_provider=lambda name: Failure(build_usage_error(f"{name} is not for tests")),
                log=ConversationLog(None, terminal, str),
            )
            return await interactive.run()

    code = asyncio.run(run())
    assert isinstance(terminal.out, io.StringIO)
    assert isinstance(terminal.err, io.StringIO)
    return code, terminal.out.getvalue(), terminal.err.getvalue(), typist.prompts


def say(*texts: str) -> Script:
    async def answer(conversation: Talk, received: Received) -> None:
        await conversation.send_events(*build_chunks(*texts))

    return answer


async def call_tool(conversation: Talk, received: Received) -> None:
    called = build_chunk(choices=[{"index": 0, "delta": {"tool_calls": [CALL]}, "finish_reason": None}])
    await conversation.send_events(called, build_chunk(finish="tool_calls"))


async def refuse(conversation: Talk, received: Received) -> None:
    await conversation.answer(build_error("Bad", "invalid_value"), status=400)


def get_messages(received: Received) -> list[Any]:
    value: Any = received.json()["messages"]
    assert isinstance(value, list)
    return value


@pytest.mark.parametrize(("typed", "content"), [("2", "2"), (None, "the user gave no result")])
def test_the_user_enters_the_result_of_a_call(serve: Serve, typed: str | None, content: str) -> None:
    server = serve(call_tool, say("It is 2"))

    code, out, _ = converse(server.url, "Add", typed)

    assert (code, out) == (0, 'add({"a":1})\nIt is 2\n')
    asked, called, result = get_messages(server.received[1])
    assert asked["content"] == "Add"
    assert called["tool_calls"][0]["id"] == result["tool_call_id"] == "call_1"
    assert content in result["content"]


def test_failed_turn_is_reported_and_dropped(serve: Serve) -> None:
    server = serve(refuse, say("Well"))

    code, out, err = converse(server.url, "Wrong", "", "/help", "Right", "/exit", "never")

    assert (code, out) == (0, "Well\n")
    assert err.startswith("victor: acme")
    assert get_messages(server.received[1]) == [{"role": "user", "content": "Right"}]
    assert len(server.received) == 2


def test_reasoning_is_shown_on_terminals_only(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    from victor_fp.core.types import CompletionResponse, StreamChunk
    from victor_fp.providers.base import BaseProvider

    class Thinker(BaseProvider):
        @property
        def name(self) -> str:
            return "thinker"

        def supports_streaming(self) -> bool:
            return True

        async def chat(self, messages: Any, **_: Any) -> CompletionResponse:
            raise NotImplementedError

        async def stream(self, messages: Any, **_: Any) -> AsyncIterator[StreamChunk]:
            yield StreamChunk(metadata={"reasoning_content": "hmm"})
            yield StreamChunk(content="Yes")
            yield StreamChunk(is_final=True, stop_reason="stop", metadata={"reasoning_content": "hmm"})

        async def close(self) -> None:
            pass

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    hello = [Message(role="user", content="?")]
    shown_on: list[str] = []
    for out in (Screen(), io.StringIO()):
        answered = asyncio.run(show_response(Thinker(), "m", hello, RequestOptions(), Terminal(out, io.StringIO())))
        shown_on.append(out.getvalue())
        assert answered.map(lambda response: response.content).value_or("") == "Yes"

    assert shown_on == ["\x1b[2mhmm\x1b[0m\n\nYes\n", "Yes\n"]


def test_download_progress_is_shown() -> None:
    reported: list[str] = []
    for err in (Screen(), io.StringIO()):
        notice = DownloadProgress(Terminal(io.StringIO(), err))
        for done in (0, 10, 10, 100):
            notice(done * 10**6, 100 * 10**6)
        reported.append(err.getvalue())

    assert reported[0].count("\r") == 3
    assert reported[0].endswith("100 % of 100 MB\n")
    assert reported[1] == "victor: downloading the model (once): 100 MB\n"


HOSTILE = "f\x1b]52;c;ZXZpbA==\x07\u202e\n> "


async def call_hostile_tool(conversation: Talk, received: Received) -> None:
    call = CALL | {"function": {"name": HOSTILE, "arguments": f"not json {HOSTILE}"}}
    called = build_chunk(choices=[{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}])
    await conversation.send_events(called, build_chunk(finish="tool_calls"))


def test_questions_have_one_line_and_show_control_characters_as_escapes(serve: Serve) -> None:
    *_, prompts = watch(serve(call_hostile_tool, say("done")).url, "hi", "ok")
    assert prompts[0] == "> "
    assert prompts[1].startswith(r"result of f\u001b]52;c;ZXZpbA==\u0007\u202e\n> (")
    assert all(prompt.isprintable() and prompt.isascii() for prompt in prompts)


def test_tables_have_no_control_characters_even_in_a_pipe() -> None:
    out = io.StringIO()
    Terminal(out, io.StringIO()).write_table(("a", "b"), [(HOSTILE, "x\ty")])
    assert out.getvalue() == "f]52;c;ZXZpbA== >\tx y\n"


def test_a_turn_that_failed_can_be_asked_again_and_an_answer_replaced(serve: Serve) -> None:
    server = serve(refuse, say("One"), say("Two"), say("Next"))

    _, out, err = converse(server.url, "/retry", "Hi", "/retry", "/retry", "More")

    assert "no prompt to send again" in err
    assert out == "One\nTwo\nNext\n"
    assert [[one["content"] for one in get_messages(each)] for each in server.received] == [
        ["Hi"],
        ["Hi"],
        ["Hi"],
        ["Hi", "Two", "More"],
    ]


def test_a_response_is_kept_if_the_retry_fails(serve: Serve) -> None:
    server = serve(say("One"), refuse, say("Next"))

    converse(server.url, "Hi", "/retry", "More")

    assert [one["content"] for one in get_messages(server.received[2])] == ["Hi", "One", "More"]


def test_instructions_and_model_change_in_the_middle(serve: Serve) -> None:
    server = serve(say("One"))

    _, _, err = converse(
        server.url, "/system", "Hi", "/system Be brief\nand kind", "/model m-2", "Hi", "/system -", "Hi", "/model"
    )

    assert err.splitlines() == [
        "no instructions", "Be brief", "and kind", "acme/m-2", "no instructions", "acme/m-2",
    ]  # fmt: skip
    first, second, third = server.received
    assert [one["role"] for one in get_messages(first)] == ["user"]
    assert get_messages(second)[0] == {"role": "system", "content": "Be brief\nand kind"}
    assert [first.json()["model"], second.json()["model"]] == ["m-1", "m-2"]
    assert [one["role"] for one in get_messages(third)] == ["user", "assistant", "user", "assistant", "user"]


def test_a_provider_that_cannot_be_used_changes_nothing(serve: Serve) -> None:
    _, _, err = converse(serve(say("One")).url, "/model groq/llama", "/model")
    assert err == "victor: groq is not for tests\nacme/m-1\n"


def test_unknown_command_is_not_sent(serve: Serve) -> None:
    server = serve(say("One"))
    _, _, err = converse(server.url, "/modle x", " /etc/hosts?")
    assert "unknown command /modle" in err
    assert get_messages(server.received[0])[0]["content"] == " /etc/hosts?"


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/help", Command("/help")),
        ("/?", Command("/help")),
        (" /quit ", Command("/exit")),
        ("/save my file.md", Command("/save", "my file.md")),
        ("/usr/bin/env python", None),
        ("/model x\nand a second line", None),
        ("/system a\nb", Command("/system", "a\nb")),
        ("2 / 3", None),
        ("", None),
    ],
)
def test_commands_and_prompts_are_distinguished(text: str, command: Command | None) -> None:
    assert parse_command(text) == command


@pytest.mark.parametrize("name", ["talk.md", "talk.json"])
def test_a_conversation_is_saved_once(tmp_path: Path, name: str) -> None:
    image = ImagePart(data=b"\x89PNG", media_type="image/png")
    user = Message(role="user", content=[image, TextPart(text="What is it?")])
    call = Message(role="assistant", tool_calls=[{"id": "c", "name": "look", "arguments": {"at": 1}}])
    result = Message(role="tool", name="look", tool_call_id="c", content="a cat")
    conversation = Conversation(
        system="Be kind", turns=((user, call, result, Message(role="assistant", content="A cat")),)
    )

    saved = save_conversation(conversation, tmp_path / name)
    again = save_conversation(conversation, tmp_path / name)

    assert isinstance(saved, Success)
    assert "exists" in again.failure().what
    text = (tmp_path / name).read_text()
    if name.endswith(".json"):
        assert [Message.model_validate_json(json.dumps(one)) for one in json.loads(text)] == conversation.messages
    else:
        assert text.splitlines()[::2] == [
            "## system", "Be kind", "## user", "[image (image/png, 0.0 kB)]", "What is it?", "## assistant",
            '`look({"at":1})`', "## tool look", "a cat", "## assistant", "A cat",
        ]  # fmt: skip
