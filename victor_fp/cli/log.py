"""`victor log`: list, show, search and delete conversations."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from returns.result import Failure, Result, Success

from victor_fp.cli.attachments import describe_part
from victor_fp.cli.exit_codes import CommandError, ExitCode, build_usage_error
from victor_fp.cli.log_store import FoundTurn, Header, LogFailed, LoggedTurn, LogStore, find_log
from victor_fp.cli.output import format_call
from victor_fp.cli.reporting import report_error
from victor_fp.cli.terminal import Terminal
from victor_fp.cli.usage import Spent
from victor_fp.core.json import encode_json
from victor_fp.core.result import outcome
from victor_fp.core.types import Message

T = TypeVar("T")

PREVIEW = 200
"""Maximum characters of a prompt in a list."""


def list_log(limit: int, terminal: Terminal) -> int:
    """List the latest conversations."""

    def show(headers: list[Header]) -> int:
        rows = [
            (str(one.id), _format_time(one.updated), one.model, one.provider, str(one.turns), one.prompt[:PREVIEW])
            for one in headers
        ]
        if not rows:
            terminal.write_hint("victor: nothing is logged yet")
        else:
            terminal.write_table(("id", "time", "model", "provider", "turns", "first prompt"), rows, cut_last=True)
        return ExitCode.OK

    return _use_log(terminal, lambda log: log.list_conversations(limit), show)


def show_log(conversation: int | None, terminal: Terminal, *, as_json: bool) -> int:
    """Show a conversation, by default the last one."""
    store = find_log(os.environ)
    if conversation is None and store is not None:
        match outcome(store.find_last()):
            case Failure(failure):
                return report_error(terminal, _error_from(failure))
            case Success(conversation):
                pass
    if store is None or conversation is None:
        return report_error(terminal, _build_not_found("nothing is logged yet"))
    match outcome(store.load(conversation)):
        case Failure(failure):
            return report_error(terminal, _error_from(failure))
        case Success(None):
            return report_error(terminal, _build_not_found(f"conversation {conversation} not found"))
        case Success(loaded):
            pass
    if loaded is None:
        return report_error(terminal, _build_not_found(f"conversation {conversation} not found"))
    if as_json:
        opening = [Message(role="system", content=loaded.system)] if loaded.system else []
        messages = [*opening, *(message for turn in loaded.turns for message in turn.messages)]
        terminal.write_line(encode_json([message.to_dict() for message in messages]).decode())
        return ExitCode.OK
    terminal.write_line(f"conversation {loaded.id}")
    if loaded.system:
        terminal.write_line(f"\nsystem: {loaded.system}")
    for turn in loaded.turns:
        _show_turn(turn, terminal)
    return ExitCode.OK


def search_log(text: str, limit: int, terminal: Terminal) -> int:
    """List the turns that contain all words of a text."""
    if not text.split():
        return report_error(terminal, build_usage_error("no words to search for"))

    def show(found: list[FoundTurn]) -> int:
        rows = [(str(one.conversation), _format_time(one.time), one.model, one.text) for one in found]
        if not rows:
            terminal.write_hint("victor: no prompt or response contains these words")
        else:
            terminal.write_table(("id", "time", "model", "text"), rows, cut_last=True)
        return ExitCode.OK

    return _use_log(terminal, lambda log: log.search(text, limit), show)


def delete_log(conversation: int | None, terminal: Terminal) -> int:
    """Delete a conversation, or all of them."""

    def show(count: int) -> int:
        if not count and conversation is not None:
            return report_error(terminal, _build_not_found(f"conversation {conversation} not found"))
        terminal.note(f"victor: deleted {count} conversation{'' if count == 1 else 's'}")
        return ExitCode.OK

    return _use_log(terminal, lambda log: log.delete(conversation), show)


def _use_log(terminal: Terminal, ask: Callable[[LogStore], Result[T, LogFailed]], show: Callable[[T], int]) -> int:
    store = find_log(os.environ)
    if store is None:
        return report_error(terminal, _build_not_found("there is no directory for a log", "Set VICTOR_FP_STATE_DIR."))
    match outcome(ask(store)):
        case Failure(failure):
            return report_error(terminal, _error_from(failure))
        case Success(value):
            return show(value)


def _show_turn(turn: LoggedTurn, terminal: Terminal) -> None:
    when = "" if turn.time is None else f" {_format_time(turn.time)}"
    terminal.write_line(f"\n--{when} {turn.provider}/{turn.model}")
    for message in turn.messages:
        who = f"{message.role} {message.name}" if message.role == "tool" and message.name else message.role
        parts = message.content if isinstance(message.content, list) else []
        texts = [f"[{describe_part(part)}]" if part.type != "text" else part.text for part in parts]
        text = "\n".join(texts) if parts else message.text
        calls = [format_call(call["name"], call["arguments"]) for call in message.tool_calls or ()]
        terminal.write_line(f"{who}: " + "\n".join(filter(None, [text, *calls])))
    spent = Spent(prompt_tokens=turn.prompt_tokens, completion_tokens=turn.completion_tokens, dollars=turn.dollars).line
    if spent:
        terminal.write_line(f"({spent})")


def _format_time(time: datetime) -> str:
    return time.astimezone().strftime("%Y-%m-%d %H:%M")


def _build_not_found(what: str, todo: str = "See: victor log list") -> CommandError:
    return CommandError(code=ExitCode.NOT_FOUND, what=what, todo=todo)


def _error_from(failure: LogFailed) -> CommandError:
    return CommandError(code=ExitCode.FAILED, what=failure.reason)
