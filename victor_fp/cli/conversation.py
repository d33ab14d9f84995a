"""Several turns on a terminal: lines in, answers out, tool results typed by hand, until Ctrl-D."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.cli.exit_codes import ExitCode, fault_ending
from victor_fp.cli.inputs import Wishes, user_message
from victor_fp.cli.output import call_text, shown
from victor_fp.cli.provider_selection import place_of
from victor_fp.cli.terminal import Terminal
from victor_fp.core.faults import Fault
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, Message, Part
from victor_fp.providers.base import BaseProvider

HELP = "/clear forgets the conversation, /exit or Ctrl-D leaves, Ctrl-C stops an answer"


class Talk(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation: how it began and what was said."""

    opening: tuple[Message, ...] = ()
    messages: tuple[Message, ...] = ()

    def said(self, *messages: Message) -> Talk:
        """With more said."""
        return msgspec.structs.replace(self, messages=(*self.messages, *messages))

    def forgotten(self) -> Talk:
        """Back at the opening."""
        return msgspec.structs.replace(self, messages=())

    @property
    def all(self) -> tuple[Message, ...]:
        """What the model is sent."""
        return (*self.opening, *self.messages)


def talk(
    provider: BaseProvider,
    model: str,
    wishes: Wishes,
    terminal: Terminal,
    runner: asyncio.Runner,
    *,
    opening: Sequence[Message] = (),
    images: Sequence[Part] = (),
    ask: Callable[[str], str] = input,
) -> int:
    """Converse until the user leaves; the exit code. Raises KeyboardInterrupt on Ctrl-C at the prompt.

    A turn that fails or is stopped is taken back whole, so that the next one starts from what both sides know.
    """
    terminal.hint(f"{provider.name} {model}. {HELP}")
    so_far = Talk(opening=tuple(opening))
    waiting = tuple(images)
    while (line := _line(ask, "> ")) is not None:
        match line.strip():
            case "":
                continue
            case "/exit" | "/quit":
                return ExitCode.OK
            case "/help" | "/?":
                terminal.note(HELP)
                continue
            case "/clear":
                so_far = so_far.forgotten()
                continue
            case _:
                pass
        try:
            after = _turn(provider, model, wishes, terminal, runner, so_far.said(user_message(line, waiting)), ask)
        except KeyboardInterrupt:
            terminal.note("\n(stopped; Ctrl-C again leaves)")
            continue
        if after is not None:
            so_far, waiting = after, ()
    terminal.line()
    return ExitCode.OK


def _turn(
    provider: BaseProvider,
    model: str,
    wishes: Wishes,
    terminal: Terminal,
    runner: asyncio.Runner,
    asked: Talk,
    ask: Callable[[str], str],
) -> Talk | None:
    """Answer, and while the model calls tools, take their results from the user; None where it failed."""
    while True:
        answered: Result[CompletionResponse, Fault] = runner.run(shown(provider, model, asked.all, wishes, terminal))
        match outcome(answered):
            case Failure(fault):
                terminal.note(fault_ending(fault, place_of(provider)).line)
                return None
            case Success(response):
                asked = asked.said(response.to_message())
        if not response.tool_calls:
            return asked
        asked = asked.said(*(_result(call["id"], call["name"], call["arguments"], ask) for call in response.tool_calls))


def _result(call_id: str, name: str, arguments: object, ask: Callable[[str], str]) -> Message:
    text = _line(ask, f"result of {call_text(name, arguments)}: ")
    content = "the user gave no result" if text is None else text
    return Message(role="tool", tool_call_id=call_id, name=name, content=content, is_error=text is None)


def _line(ask: Callable[[str], str], prompt: str) -> str | None:
    """A line typed by the user; None at Ctrl-D."""
    try:
        return ask(prompt)
    except EOFError:
        return None
