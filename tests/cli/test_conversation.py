"""A conversation's turns: tool results come from the user, and a turn that fails never was."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from tests.acme import acme
from tests.loopback import Received, Script, Serve, Talk
from tests.openai_shapes import chunk, chunks, error
from victor_fp.cli.conversation import run_conversation
from victor_fp.cli.inputs import RequestOptions
from victor_fp.cli.output import show_response
from victor_fp.cli.terminal import DownloadProgress, Terminal

CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def typing(*lines: str | None) -> Callable[[str], str]:
    """Someone who types these lines and then Ctrl-D; None is a Ctrl-D in between."""
    left: Iterator[str | None] = iter(lines)

    def ask(prompt: str) -> str:
        line = next(left, None)
        if line is None:
            raise EOFError
        return line

    return ask


def converse(url: str, *lines: str | None) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    provider = acme(url, max_retries=0)
    with asyncio.Runner() as runner:
        code = run_conversation(provider, "m-1", RequestOptions(), Terminal(out, err), runner, ask=typing(*lines))
        runner.run(provider.close())
    return code, out.getvalue(), err.getvalue()


def saying(*texts: str) -> Script:
    async def script(conversation: Talk, received: Received) -> None:
        await conversation.events(*chunks(*texts))

    return script


async def calling(conversation: Talk, received: Received) -> None:
    called = chunk(choices=[{"index": 0, "delta": {"tool_calls": [CALL]}, "finish_reason": None}])
    await conversation.events(called, chunk(finish="tool_calls"))


async def refusing(conversation: Talk, received: Received) -> None:
    await conversation.answer(error("Bad", "invalid_value"), status=400)


def messages(received: Received) -> list[Any]:
    value: Any = received.json()["messages"]
    assert isinstance(value, list)
    return value


@pytest.mark.parametrize(("typed", "content"), [("2", "2"), (None, "the user gave no result")])
def test_the_result_of_a_call_is_typed_by_hand(serve: Serve, typed: str | None, content: str) -> None:
    server = serve(calling, saying("It is 2"))

    code, out, _ = converse(server.url, "Add", typed)

    assert (code, out) == (0, 'add({"a":1})\nIt is 2\n\n')
    asked, called, result = messages(server.received[1])
    assert asked["content"] == "Add"
    assert called["tool_calls"][0]["id"] == result["tool_call_id"] == "call_1"
    assert content in result["content"]


def test_a_failed_turn_is_told_and_forgotten(serve: Serve) -> None:
    server = serve(refusing, saying("Well"))

    code, out, err = converse(server.url, "Wrong", "", "/help", "Right", "/exit", "never")

    assert (code, out) == (0, "Well\n")
    assert err.startswith("victor: acme")
    assert messages(server.received[1]) == [{"role": "user", "content": "Right"}]
    assert len(server.received) == 2


def test_thinking_is_shown_dim_to_those_who_watch_and_kept_from_pipes(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    from victor_fp.core.types import CompletionResponse, Message, StreamChunk
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


def test_a_download_is_told_in_place_to_those_who_watch_and_once_to_logs() -> None:
    told: list[str] = []
    for err in (Screen(), io.StringIO()):
        notice = DownloadProgress(Terminal(io.StringIO(), err))
        for done in (0, 10, 10, 100):
            notice(done * 10**6, 100 * 10**6)
        told.append(err.getvalue())

    assert told[0].count("\r") == 3
    assert told[0].endswith("100 % of 100 MB\n")
    assert told[1] == "victor: downloading the model, once: 100 MB\n"


HOSTILE = "f\x1b]52;c;ZXZpbA==\x07\u202e\n> "


async def calling_hostile(conversation: Talk, received: Received) -> None:
    call = CALL | {"function": {"name": HOSTILE, "arguments": f"not json {HOSTILE}"}}
    called = chunk(choices=[{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}])
    await conversation.events(called, chunk(finish="tool_calls"))


def test_prompts_have_one_line_and_no_control_characters(serve: Serve) -> None:
    prompts: list[str] = []
    typed = typing("hi", "ok")

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return typed(prompt)

    provider = acme(serve(calling_hostile, saying("done")).url, max_retries=0)
    with asyncio.Runner() as runner:
        run_conversation(provider, "m-1", RequestOptions(), Terminal(io.StringIO(), io.StringIO()), runner, ask=ask)
        runner.run(provider.close())
    assert prompts[0] == "> "
    assert prompts[1].startswith("result of f]52;c;ZXZpbA==")
    assert all(prompt.isprintable() and prompt.isascii() for prompt in prompts)


def test_tables_have_no_control_characters_even_in_a_pipe() -> None:
    out = io.StringIO()
    Terminal(out, io.StringIO()).table(("a", "b"), [(HOSTILE, "x\ty")])
    assert out.getvalue() == "f]52;c;ZXZpbA== >\tx y\n"
