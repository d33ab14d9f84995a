"""A conversation on a terminal: prompts, commands, responses, and confirmation of tools."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TypeAlias

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.cli.attachments import describe_part, read_attachment
from victor_fp.cli.conversation import Command, Conversation, format_help, parse_command, save_conversation
from victor_fp.cli.conversation_log import ConversationLog
from victor_fp.cli.exit_codes import CommandError, ExitCode, error_from_fault
from victor_fp.cli.inputs import RequestOptions, build_user_message
from victor_fp.cli.line_reader import PromptReader, ReadingStopped
from victor_fp.cli.output import format_call, show_value
from victor_fp.cli.provider_selection import find_server_address, select_model
from victor_fp.cli.terminal import Terminal, escape_controls, to_one_line
from victor_fp.cli.tool_calls import Executor, ToolTurn, run_turn
from victor_fp.core.model_names import split_model_name
from victor_fp.core.result import outcome
from victor_fp.core.types import Message, Part, ToolCall
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.registry import ProviderRegistry

OpenProvider: TypeAlias = Callable[[str], Result[BaseProvider, CommandError]]
"""Creates a provider by name."""
PROMPT = "> "


class Interactive:
    """A conversation with the user. The messages of a failed or stopped turn are dropped."""

    def __init__(
        self,
        provider: BaseProvider,
        model: str,
        options: RequestOptions,
        terminal: Terminal,
        reader: PromptReader,
        *,
        open_provider: OpenProvider,
        log: ConversationLog,
        conversation: Conversation = Conversation(),
        attachments: Sequence[Part] = (),
        is_confirmed: bool = False,
    ) -> None:
        """With `is_confirmed` tools run without confirmation."""
        self._provider = provider
        self._model = model
        self._options = options
        self._terminal = terminal
        self._reader = reader
        self._open_provider = open_provider
        self._opened = AsyncExitStack()
        self._log = log
        self._conversation = conversation
        self._attachments = list(attachments)
        self._prompt: Message | None = next((turn[0] for turn in conversation.turns[-1:]), None)
        """The last prompt, for /retry."""
        self._is_prompt_answered = bool(conversation.turns)
        self._executor = Executor(
            tools=options.tools, confirm=None if is_confirmed else self._confirm, answer_by_hand=self._answer_by_hand
        )

    async def run(self) -> int:
        """Read prompts and show responses until the user exits; return the exit code."""
        self._terminal.write_hint(f"{self._provider.name} {self._model}. /help shows the commands.")
        if self._conversation.turns:
            first = to_one_line(self._conversation.turns[0][0].text)
            self._terminal.write_hint(f"continuing ({len(self._conversation.turns)} turns): {first[:60]}")
        async with self._opened:
            while True:
                try:
                    text = await self._reader.read(PROMPT)
                except KeyboardInterrupt:
                    return ExitCode.INTERRUPTED
                if text is None:
                    return ExitCode.OK
                command = parse_command(text)
                if command == Command("/exit"):
                    return ExitCode.OK
                if command is not None:
                    await self._run_command(command)
                elif text.strip():
                    await self._ask(build_user_message(text, self._attachments))

    async def _ask(self, prompt: Message, *, is_retry: bool = False) -> None:
        """Show the response to a prompt, and add the turn to the conversation."""
        self._prompt, self._is_prompt_answered = prompt, False
        messages = [*self._conversation.messages, prompt]
        work = run_turn(self._provider, self._model, messages, self._options, self._terminal, self._executor)
        try:
            answered = await self._reader.attend(work)
        except ReadingStopped:
            self._terminal.note("\n(stopped; the prompt is dropped, /retry sends it again)")
            return
        match outcome(answered):
            case Failure(fault):
                self._terminal.note(error_from_fault(fault, find_server_address(self._provider)).line)
            case Success(turn):
                self._take(prompt, turn, is_retry=is_retry)

    def _take(self, prompt: Message, turn: ToolTurn, *, is_retry: bool) -> None:
        if self._options.schema is not None:
            match outcome(show_value(turn.response, self._options.schema, self._terminal)):
                case Failure(fault):
                    self._terminal.note(error_from_fault(fault, find_server_address(self._provider)).line)
                case Success(_):
                    pass
        self._terminal.write_hint(turn.spent.line)
        self._conversation = self._conversation.append((prompt, *turn.messages))
        self._is_prompt_answered = True
        self._attachments.clear()
        self._log.record(
            self._provider.name, self._model, prompt, turn, system=self._conversation.system, is_retry=is_retry
        )

    async def _run_command(self, command: Command) -> None:
        match command:
            case Command("/help"):
                self._terminal.note(format_help())
            case Command("/clear"):
                self._conversation = self._conversation.clear()
                self._prompt, self._is_prompt_answered = None, False
                self._log.begin()
                self._terminal.note("new conversation")
            case Command("/model", name):
                await self._change_model(name)
            case Command("/system", text):
                self._change_system(text)
            case Command("/attach", location):
                self._attach(location)
            case Command("/retry"):
                await self._retry()
            case Command("/save", ""):
                self._terminal.note("victor: /save requires a file name")
            case Command("/save", name):
                self._report(save_conversation(self._conversation, Path(name)), f"saved to {name}")
            case Command(name):
                self._terminal.note(
                    f"victor: unknown command {name}; /help lists all. To send it as a prompt, put a space before it"
                )

    async def _change_model(self, name: str) -> None:
        """Change the model, and the provider if given; on failure nothing is changed."""
        if not name:
            self._terminal.note(f"{self._provider.name}/{self._model}")
            return
        named, model = split_model_name(name, ProviderRegistry.is_registered)
        if not ProviderRegistry.is_registered(named):
            self._model = name
        elif named == self._provider.name:
            self._model = model or self._model
        else:
            match outcome(self._open_provider(named)):
                case Failure(error):
                    self._terminal.note(error.line)
                    return
                case Success(provider):
                    self._opened.push_async_callback(provider.close)
            try:
                chosen = await self._reader.attend(select_model(provider, model))
            except ReadingStopped:
                return
            match outcome(chosen):
                case Failure(error):
                    self._terminal.note(error.line)
                    return
                case Success(model_name):
                    self._provider, self._model = provider, model_name
                    self._log.use_default_server()
        self._terminal.note(f"{self._provider.name}/{self._model}")

    def _change_system(self, text: str) -> None:
        if text:
            self._conversation = msgspec.structs.replace(self._conversation, system=None if text == "-" else text)
        self._terminal.note(self._conversation.system or "no instructions")

    def _attach(self, location: str) -> None:
        if location:
            match outcome(read_attachment(location)):
                case Failure(error):
                    self._terminal.note(error.line)
                    return
                case Success(part):
                    self._attachments.append(part)
        for part in self._attachments:
            self._terminal.note(f"attached to the next prompt: {describe_part(part)}")
        if not self._attachments:
            self._terminal.note("nothing is attached to the next prompt")

    async def _retry(self) -> None:
        if self._prompt is None:
            self._terminal.note("victor: no prompt to send again")
            return
        before, was_answered = self._conversation, self._is_prompt_answered
        if was_answered:
            self._conversation = before.drop_last()
        count = len(self._conversation.turns)
        await self._ask(self._prompt, is_retry=was_answered)
        if len(self._conversation.turns) == count:  # keep the previous response
            self._conversation, self._is_prompt_answered = before, was_answered

    def _report(self, done: Result[None, CommandError], text: str) -> None:
        match outcome(done):
            case Failure(error):
                self._terminal.note(error.line)
            case Success(_):
                self._terminal.note(text)

    async def _confirm(self, question: str) -> bool:
        answer = await self._reader.ask(f"{question} [y/N] ")
        return (answer or "").strip().lower() in ("y", "yes")

    async def _answer_by_hand(self, call: ToolCall) -> Message:
        shown = escape_controls(format_call(call["name"], call["arguments"]))
        text = await self._reader.ask(f"result of {shown}: ")
        content = "the user gave no result" if text is None else text
        return Message(role="tool", tool_call_id=call["id"], name=call["name"], content=content, is_error=text is None)
