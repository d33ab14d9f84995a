"""`victor chat`: one prompt, or a conversation on a terminal if no prompt is given."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.cli.attachments import read_attachments, read_images
from victor_fp.cli.commands import TargetOptions, choose_provider, open_provider, run_with_provider
from victor_fp.cli.conversation import Conversation
from victor_fp.cli.conversation_log import ConversationLog, choose_target, load_last, merge_pairs, redact_address
from victor_fp.cli.exit_codes import CommandError, ExitCode, build_usage_error, error_from_fault
from victor_fp.cli.inputs import RequestOptions, build_user_message, join_prompt, read_piped_text, read_schema
from victor_fp.cli.log_store import LoggedConversation, find_log
from victor_fp.cli.output import encode_response, show_notes, show_value
from victor_fp.cli.provider_selection import Selection, find_server_address, select_model
from victor_fp.cli.reporting import JsonTerminal, report_error
from victor_fp.cli.request_options import make_chat_options, parse_options
from victor_fp.cli.state import find_state_directory, make_cleaner
from victor_fp.cli.terminal import Terminal
from victor_fp.cli.tool_calls import Confirm, Executor, run_turn
from victor_fp.cli.tool_sources import connect_servers, load_tools
from victor_fp.core.json import Json
from victor_fp.core.result import outcome
from victor_fp.core.schemas.structured import find_form_problem
from victor_fp.core.types import Part
from victor_fp.providers.base import BaseProvider


class PromptOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The prompt and the request options of `victor chat`."""

    prompt: str | None = None
    system: str | None = None
    images: tuple[str, ...] = ()
    attachments: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    """Files of definitions, Python files, and functions as `module:name`."""
    mcp: tuple[str, ...] = ()
    """Commands that start MCP servers."""
    is_confirmed: bool = False
    """Run tools without confirmation."""
    schema: Path | None = None
    options: tuple[str, ...] = ()
    reasoning_effort: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    stream: bool = True
    as_json: bool = False
    is_continued: bool = False
    """Continue the last conversation."""
    is_provider_named: bool = True
    """Whether the provider is given on the command line, not by the environment."""
    is_logged: bool = True

    @property
    def flags(self) -> dict[str, object]:
        """The options that have a flag of their own and were given."""
        flags = {
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "reasoning_effort": self.reasoning_effort,
        }
        return {name: value for name, value in flags.items() if value is not None}


class ChatSession(msgspec.Struct, frozen=True, kw_only=True):
    """The validated inputs of a chat, before the provider is selected."""

    target: TargetOptions
    prompt: PromptOptions
    text: str | None
    """None for a conversation."""
    attachments: tuple[Part, ...]
    options: RequestOptions
    last: LoggedConversation | None

    @property
    def conversation(self) -> Conversation:
        """The conversation so far."""
        turns = () if self.last is None else tuple(turn.messages for turn in self.last.turns)
        system = self.prompt.system or (None if self.last is None else self.last.system)
        return Conversation(system=system, turns=turns)


def chat(target: TargetOptions, prompt_options: PromptOptions, terminal: Terminal) -> int:
    """Send a prompt, or start a conversation on a terminal if no prompt is given."""
    if prompt_options.as_json:
        terminal = JsonTerminal(terminal.out, terminal.err)
    is_talking = prompt_options.prompt is None and sys.stdin is not None and sys.stdin.isatty() and terminal.shown
    if is_talking and prompt_options.as_json:
        return report_error(
            terminal, build_usage_error("--json requires a prompt", todo="Pass it as an argument or on standard input.")
        )
    match outcome(_read_session(target, prompt_options, terminal, is_talking=is_talking)):
        case Failure(error):
            return report_error(terminal, error)
        case Success(session):
            return asyncio.run(_run(session, terminal))


def _read_session(
    target: TargetOptions, prompt: PromptOptions, terminal: Terminal, *, is_talking: bool
) -> Result[ChatSession, CommandError]:
    last: LoggedConversation | None = None
    if prompt.is_continued:
        match outcome(load_last(find_log(os.environ))):
            case Failure(error):
                return Failure(error)
            case Success(last):
                given = target if prompt.is_provider_named else msgspec.structs.replace(target, provider=None)
                target = choose_target(given, last)
                if given.provider is None and target.provider == last.provider:
                    kept = [pair for pair in last.options if parse_options([pair]).map(lambda _: True).value_or(False)]
                    prompt = msgspec.structs.replace(prompt, options=merge_pairs(kept, prompt.options, prompt.flags))
    match outcome(_read_attachments(prompt)):
        case Failure(error):
            return Failure(error)
        case Success(attachments):
            pass
    match outcome(_read_options(prompt)):
        case Failure(error):
            return Failure(error)
        case Success(options):
            pass
    has_functions = bool(prompt.mcp) or bool(Executor(tools=options.tools).runnable)
    if has_functions and not prompt.is_confirmed and not _can_ask(terminal):
        what = "calls of tools must be confirmed, but there is no terminal"
        return Failure(build_usage_error(what, todo="Pass --yes to run them without confirmation."))
    text = None if is_talking else join_prompt(prompt.prompt, _read_standard_input(prompt.prompt, terminal))
    if text == "":
        return Failure(build_usage_error("no prompt given", todo="Pass it as an argument or on standard input."))
    return Success(
        ChatSession(target=target, prompt=prompt, text=text, attachments=tuple(attachments), options=options, last=last)
    )


def _read_attachments(prompt: PromptOptions) -> Result[list[Part], CommandError]:
    match outcome(read_images(prompt.images)):
        case Failure(error):
            return Failure(error)
        case Success(images):
            return read_attachments(prompt.attachments).map(lambda parts: [*images, *parts])


def _read_options(prompt: PromptOptions) -> Result[RequestOptions, CommandError]:
    match outcome(parse_options(prompt.options)):
        case Failure(error):
            return Failure(error)
        case Success(given):
            pass
    for name, value in prompt.flags.items():
        if given.setdefault(name, value) != value:
            return Failure(
                build_usage_error(f"{name} is given twice", f"-o {name} and --{name.replace('_', '-')} differ")
            )
    schema: dict[str, Json] | None = None
    if prompt.schema is not None:
        match outcome(read_schema(prompt.schema)):
            case Failure(error):
                return Failure(error)
            case Success(read):
                schema = dict(read)
        if problem := find_form_problem(schema):
            return Failure(build_usage_error(f"{prompt.schema} cannot be used", problem))
        given["response_format"] = schema
    match outcome(load_tools(prompt.tools)):
        case Failure(error):
            return Failure(error)
        case Success(tools):
            pass
    temperature, max_tokens = given.pop("temperature", None), given.pop("max_tokens", None)
    return Success(
        RequestOptions(
            temperature=temperature,
            max_tokens=max_tokens,
            tools=tuple(tools),
            stream=prompt.stream,
            schema=schema,
            chat=make_chat_options(given),
        )
    )


def _can_ask(terminal: Terminal) -> bool:
    return terminal.watched and sys.stdin is not None and sys.stdin.isatty()


def _read_standard_input(prompt: str | None, terminal: Terminal) -> str | None:
    stdin = sys.stdin
    if prompt is None and stdin is not None and stdin.isatty():
        terminal.note("victor: type the prompt, then Ctrl-D")
        return stdin.read()
    return read_piped_text(stdin, prompted=prompt is not None, note=terminal.note)


async def _run(session: ChatSession, terminal: Terminal) -> int:
    selection = await choose_provider(session.target, terminal)

    async def use(provider: BaseProvider) -> int:
        match outcome(await select_model(provider, selection.model)):
            case Failure(error):
                return report_error(terminal, error)
            case Success(model):
                pass
        async with connect_servers(session.prompt.mcp, session.options.tools) as connected:
            match outcome(connected):
                case Failure(error):
                    return report_error(terminal, error)
                case Success(tools):
                    pass
            options = msgspec.structs.replace(session.options, tools=(*session.options.tools, *tools))
            if session.text is None:
                return await _converse(session, provider, model, options, terminal)
            return await _ask_once(session, session.text, provider, model, options, terminal)

    return await run_with_provider(selection, session.target, terminal, use)


def _make_log(session: ChatSession, terminal: Terminal) -> ConversationLog:
    is_logged = session.prompt.is_logged and not os.environ.get("VICTOR_FP_NO_LOG")
    return ConversationLog(
        find_log(os.environ) if is_logged else None,
        terminal,
        make_cleaner(os.environ),
        base_url=redact_address(session.target.base_url),
        options=merge_pairs(
            [f"{name}={value}" for name, value in session.prompt.flags.items()], session.prompt.options
        ),
        settings=session.target.settings,
        conversation=None if session.last is None else session.last.id,
    )


async def _ask_once(
    session: ChatSession, text: str, provider: BaseProvider, model: str, options: RequestOptions, terminal: Terminal
) -> int:
    prompt = build_user_message(text, session.attachments)
    messages = [*session.conversation.messages, prompt]
    executor = Executor(tools=options.tools, confirm=None if session.prompt.is_confirmed else _make_confirm(terminal))
    as_json = session.prompt.as_json
    answered = await run_turn(provider, model, messages, options, terminal, executor, is_quiet=as_json)
    match outcome(answered):
        case Failure(fault):
            return report_error(terminal, error_from_fault(fault, find_server_address(provider)))
        case Success(turn):
            pass
    _make_log(session, terminal).record(provider.name, model, prompt, turn, system=session.conversation.system)
    if options.schema is not None and not turn.response.tool_calls:
        shown = show_value(turn.response, options.schema, terminal, is_quiet=as_json)
        match outcome(shown):
            case Failure(fault):
                return report_error(terminal, error_from_fault(fault, find_server_address(provider)))
            case Success(_):
                pass
    elif options.schema is not None and not as_json:
        show_notes(terminal, turn.response)
    if as_json:
        terminal.write_line(encode_response(turn.response))
    else:
        terminal.write_hint(turn.spent.line)
    return ExitCode.OK


def _make_confirm(terminal: Terminal) -> Confirm:
    async def confirm(question: str) -> bool:
        from victor_fp.cli.line_reader import ReadingStopped, TerminalReader

        try:
            answer = await TerminalReader(terminal.err).ask(f"{question} [y/N] ")
        except ReadingStopped:
            raise KeyboardInterrupt from None
        return (answer or "").strip().lower() in ("y", "yes")

    return confirm


async def _converse(
    session: ChatSession, provider: BaseProvider, model: str, options: RequestOptions, terminal: Terminal
) -> int:
    try:
        from victor_fp.cli.interactive import Interactive
        from victor_fp.cli.line_reader import make_reader
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "prompt_toolkit":
            raise
        todo = "pip install 'victor_fp[cli]'"
        return report_error(
            terminal, build_usage_error("a conversation requires prompt_toolkit, which is not installed", todo=todo)
        )

    def open_named(name: str) -> Result[BaseProvider, CommandError]:
        target = TargetOptions(timeout=session.target.timeout)
        return open_provider(Selection(provider=name), target, terminal)

    directory = find_state_directory(os.environ) if session.prompt.is_logged else None
    with make_reader(terminal.out, directory, make_cleaner(os.environ)).take_over() as reader:
        return await Interactive(
            provider,
            model,
            options,
            terminal,
            reader,
            open_provider=open_named,
            log=_make_log(session, terminal),
            conversation=session.conversation,
            attachments=session.attachments,
            is_confirmed=session.prompt.is_confirmed,
        ).run()
