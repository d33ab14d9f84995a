"""Interactive conversations on a terminal; tool results are typed by the user."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.cli.exit_codes import ExitCode, error_from_fault
from victor_fp.cli.inputs import RequestOptions, build_user_message
from victor_fp.cli.output import format_call, show_response
from victor_fp.cli.provider_selection import server_address
from victor_fp.cli.terminal import Terminal, to_one_line
from victor_fp.core.faults import Fault
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, Message, Part
from victor_fp.providers.base import BaseProvider

HELP = "/clear starts a new conversation, /exit or Ctrl-D quits, Ctrl-C stops a response"


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """The messages of a conversation."""

    opening: tuple[Message, ...] = ()
    """Kept when the conversation is cleared: the system prompt."""
    messages: tuple[Message, ...] = ()

    def append(self, *messages: Message) -> Conversation:
        """Return the conversation with more messages."""
        return msgspec.structs.replace(self, messages=(*self.messages, *messages))

    def clear(self) -> Conversation:
        """Return the conversation without anything after the opening."""
        return msgspec.structs.replace(self, messages=())

    @property
    def all(self) -> tuple[Message, ...]:
        """The messages to send."""
        return (*self.opening, *self.messages)


def run_conversation(
    provider: BaseProvider,
    model: str,
    options: RequestOptions,
    terminal: Terminal,
    runner: asyncio.Runner,
    *,
    opening: Sequence[Message] = (),
    images: Sequence[Part] = (),
    ask: Callable[[str], str] = input,
) -> int:
    """Read prompts and show responses until the user quits; return the exit code. Raises KeyboardInterrupt on Ctrl-C at the prompt.

    The messages of a turn that fails or is stopped are dropped, so that the next request repeats only complete turns.
    """
    terminal.hint(f"{provider.name} {model}. {HELP}")
    conversation = Conversation(opening=tuple(opening))
    waiting = tuple(images)
    while (line := _read_line(ask, ">")) is not None:
        match line.strip():
            case "":
                continue
            case "/exit" | "/quit":
                return ExitCode.OK
            case "/help" | "/?":
                terminal.note(HELP)
                continue
            case "/clear":
                conversation = conversation.clear()
                continue
            case _:
                pass
        try:
            after = _run_turn(
                provider, model, options, terminal, runner, conversation.append(build_user_message(line, waiting)), ask
            )
        except KeyboardInterrupt:
            terminal.note("\n(stopped; Ctrl-C again quits)")
            continue
        if after is not None:
            conversation, waiting = after, ()
    terminal.line()
    return ExitCode.OK


def _run_turn(
    provider: BaseProvider,
    model: str,
    options: RequestOptions,
    terminal: Terminal,
    runner: asyncio.Runner,
    conversation: Conversation,
    ask: Callable[[str], str],
) -> Conversation | None:
    """Show the response and, while the model calls tools, read their results; None if the request failed."""
    while True:
        answered: Result[CompletionResponse, Fault] = runner.run(
            show_response(provider, model, conversation.all, options, terminal)
        )
        match outcome(answered):
            case Failure(fault):
                terminal.note(error_from_fault(fault, server_address(provider)).line)
                return None
            case Success(response):
                conversation = conversation.append(response.to_message())
        if not response.tool_calls:
            return conversation
        conversation = conversation.append(
            *(_read_tool_result(call["id"], call["name"], call["arguments"], ask) for call in response.tool_calls)
        )


def _read_tool_result(call_id: str, name: str, arguments: object, ask: Callable[[str], str]) -> Message:
    text = _read_line(ask, f"result of {format_call(name, arguments)}:")
    content = "the user gave no result" if text is None else text
    return Message(role="tool", tool_call_id=call_id, name=name, content=content, is_error=text is None)


def _read_line(ask: Callable[[str], str], prompt: str) -> str | None:
    """Return a line typed by the user; None at Ctrl-D. The prompt is stripped: `input` writes it to the terminal unchanged."""
    try:
        return ask(to_one_line(prompt) + " ")
    except EOFError:
        return None
