"""Tool calls: confirmed by the user and run, until the model makes no more calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import redirect_stdout
from typing import TypeAlias

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.agent.tools import Tool, run_tools
from victor_fp.cli.inputs import RequestOptions
from victor_fp.cli.output import fetch_response, format_call, show_response
from victor_fp.cli.terminal import NoteStream, Terminal, escape_controls, to_one_line
from victor_fp.cli.usage import Spent, add_up, measure_response
from victor_fp.core.faults import Fault
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, Message, ToolCall, ToolDefinition
from victor_fp.providers.base import BaseProvider

MAX_ROUNDS = 32
"""Maximum number of requests of one turn."""
DECLINED = "the user declined this call"

Confirm: TypeAlias = Callable[[str], Awaitable[bool]]
"""Asks the user a yes-or-no question."""
AnswerCall: TypeAlias = Callable[[ToolCall], Awaitable[Message]]
"""Asks the user for the result of a tool that cannot be run."""


class ToolTurn(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a prompt: the messages that follow it, and their usage."""

    messages: tuple[Message, ...]
    response: CompletionResponse
    """The last response."""
    spent: Spent


class Executor(msgspec.Struct, frozen=True, kw_only=True):
    """Runs the calls of a response."""

    tools: tuple[ToolDefinition, ...] = ()
    confirm: Confirm | None = None
    """None runs calls without confirmation."""
    answer_by_hand: AnswerCall | None = None
    """None ends the turn at calls of tools without a function."""

    @property
    def runnable(self) -> tuple[Tool, ...]:
        """The tools that can be run."""
        return tuple(one for one in self.tools if isinstance(one, Tool))

    def is_by_hand(self, name: str) -> bool:
        """Return whether the result of a tool must be entered by the user."""
        return any(one.name == name and not isinstance(one, Tool) for one in self.tools) or not self.runnable

    async def answer(self, response: CompletionResponse, terminal: Terminal) -> list[Message] | None:
        """Return the tool messages in order of the calls; None if a result must come from elsewhere.

        Confirmations are asked one after another, then the confirmed calls run concurrently. Output of functions
        is written to stderr.
        """
        calls = response.tool_calls or []
        if self.answer_by_hand is None and any(self.is_by_hand(call["name"]) for call in calls):
            return None
        answers: dict[int, Message] = {}
        approved: list[int] = []
        for at, call in enumerate(calls):
            if self.answer_by_hand is not None and self.is_by_hand(call["name"]):
                answers[at] = await self.answer_by_hand(call)
            elif await self._is_confirmed(call, terminal):
                approved.append(at)
            else:
                answers[at] = _build_declined(call)
        approved_calls = response.model_copy(update={"tool_calls": [calls[at] for at in approved]})
        with redirect_stdout(NoteStream(terminal)):
            results = await run_tools(approved_calls, self.runnable)
        answers |= dict(zip(approved, results, strict=True))
        for at in approved:
            if answers[at].is_error:
                terminal.note(to_one_line(f"victor: {calls[at]['name']} failed: {answers[at].text}"))
        return [answers[at] for at in range(len(calls))]

    async def _is_confirmed(self, call: ToolCall, terminal: Terminal) -> bool:
        shown = escape_controls(format_call(call["name"], call["arguments"]))
        if self.confirm is not None and any(one.name == call["name"] for one in self.runnable):
            return await self.confirm(f"run {shown}?")
        terminal.note(f"victor: {'running' if self.confirm is None else 'no such tool:'} {shown}")
        return True


async def run_turn(
    provider: BaseProvider,
    model: str,
    messages: Sequence[Message],
    options: RequestOptions,
    terminal: Terminal,
    executor: Executor,
    *,
    is_quiet: bool = False,
) -> Result[ToolTurn, Fault]:
    """Send a request, show the response, and run its calls until there are no more. `is_quiet`: show nothing."""
    added: list[Message] = []
    spent: list[Spent] = []
    hidden = frozenset(one.name for one in executor.runnable)
    while True:
        conversation = [*messages, *added]
        if is_quiet or options.schema is not None:
            answered = await fetch_response(provider, model, conversation, options)
        else:
            answered = await show_response(provider, model, conversation, options, terminal, hidden_calls=hidden)
        match outcome(answered):
            case Failure(fault):
                return Failure(fault)
            case Success(response):
                pass
        added.append(response.to_message())
        spent.append(measure_response(provider, model, response, priced=terminal.watched))
        turn = ToolTurn(messages=tuple(added), response=response, spent=add_up(spent))
        if not response.tool_calls:
            return Success(turn)
        if len(spent) >= MAX_ROUNDS:
            terminal.note(f"victor: stopped after {MAX_ROUNDS} requests with tool calls")
            return Success(turn)
        results = await executor.answer(response, terminal)
        if results is None:
            return Success(turn)
        added += results


def _build_declined(call: ToolCall) -> Message:
    return Message(role="tool", tool_call_id=call["id"], name=call["name"], content=DECLINED, is_error=True)
