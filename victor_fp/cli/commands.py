"""The commands: each takes its parsed options and returns an exit code."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from traceback import walk_tb

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.cli.exit_codes import CommandError, ExitCode, error_from_fault, error_json, usage_error
from victor_fp.cli.inputs import (
    RequestOptions,
    build_user_message,
    join_prompt,
    parse_settings,
    read_images,
    read_piped_text,
    read_tools,
)
from victor_fp.cli.output import fetch_response, response_json, show_response
from victor_fp.cli.provider_selection import Selection, create_provider, select_model, select_provider, server_address
from victor_fp.cli.terminal import Terminal
from victor_fp.core.protocols import ModelInfo
from victor_fp.core.result import outcome
from victor_fp.core.types import ImagePart, Message
from victor_fp.providers.base import BaseProvider, ProviderError


class TargetOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The provider, model and address of a command."""

    provider: str | None = None
    model: str | None = None
    base_url: str | None = None
    timeout: float | None = None
    settings: tuple[str, ...] = ()


class PromptOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The prompt and the request options of `victor chat`."""

    prompt: str | None = None
    system: str | None = None
    images: tuple[str, ...] = ()
    tools: Path | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    stream: bool = True
    as_json: bool = False


class JsonTerminal(Terminal):
    """A terminal for one JSON object: the response or the error."""


def run_command(command: Callable[[Terminal], int]) -> int:
    """Run a command and return its exit code; errors are reported as one line."""
    terminal = Terminal()
    try:
        return command(terminal)
    except KeyboardInterrupt:
        if terminal.watched:
            terminal.note("")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return ExitCode.PIPE_CLOSED
    except Exception as error:
        if os.environ.get("VICTOR_FP_DEBUG"):
            raise
        return report_error(terminal, _unexpected_error(error))


def _unexpected_error(error: Exception) -> CommandError:
    """Say where an unexpected exception comes from: the system, a provider package, or a defect here."""
    why = f"{type(error).__name__}: {error}"
    if isinstance(error, OSError):
        return CommandError(code=ExitCode.FAILED, what="the operating system refused", why=error.strerror or why)
    if package := _find_plugin(error):
        todo = "Report it to the authors of that package; VICTOR_FP_DEBUG=1 shows where."
        return CommandError(code=ExitCode.FAILED, what=f"the provider package {package} failed", why=why, todo=todo)
    todo = "This is a defect in victor_fp; VICTOR_FP_DEBUG=1 shows where."
    return CommandError(code=ExitCode.BUG, what="unexpected failure", why=why, todo=todo)


def _find_plugin(error: Exception) -> str | None:
    """Return the installed provider package whose code raised the error, or could not be loaded."""
    from importlib.metadata import entry_points

    from victor_fp.providers.registry import ENTRY_POINTS

    raised_in = [frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__)]
    missing = error.name or "" if isinstance(error, ImportError) else ""
    for point in entry_points(group=ENTRY_POINTS):
        package = point.module.partition(".")[0]
        if any(name.partition(".")[0] == package for name in (*raised_in, missing)):
            return package
    return None


def report_error(terminal: Terminal, error: CommandError) -> int:
    """Report an error and return its exit code."""
    if isinstance(terminal, JsonTerminal):
        terminal.line(error_json(error))
    terminal.note(error.line)
    return error.code


def chat(target: TargetOptions, prompt_options: PromptOptions, terminal: Terminal) -> int:
    """Send a prompt, or start a conversation where a terminal is attached and no prompt is given."""
    if prompt_options.as_json:
        terminal = JsonTerminal(terminal.out, terminal.err)
    talking = prompt_options.prompt is None and sys.stdin is not None and sys.stdin.isatty() and terminal.shown
    if talking and prompt_options.as_json:
        return report_error(
            terminal, usage_error("--json needs a prompt", todo="Pass it as an argument or on standard input.")
        )
    match outcome(_read_inputs(prompt_options)):
        case Failure(error):
            return report_error(terminal, error)
        case Success((images, options)):
            pass
    opening = [Message(role="system", content=prompt_options.system)] if prompt_options.system else []
    if talking:
        return _converse(target, options, opening, images, terminal)
    text = join_prompt(prompt_options.prompt, _standard_input(prompt_options.prompt, terminal))
    if not text:
        return report_error(
            terminal, usage_error("no prompt given", todo="Pass it as an argument or on standard input.")
        )
    messages = [*opening, build_user_message(text, images)]
    return asyncio.run(_ask_once(target, messages, options, terminal, as_json=prompt_options.as_json))


def models(target: TargetOptions, terminal: Terminal) -> int:
    """List the models of a provider."""
    from victor_fp.cli.tables import show_models

    def shown_as_table(provider: BaseProvider, found: Sequence[ModelInfo]) -> int:
        if not found:
            terminal.note(f"victor: {provider.name} lists no models")
        show_models(terminal, found)
        return ExitCode.OK

    return _with_models(target, terminal, shown_as_table)


def refresh_limits(target: TargetOptions, out: Path | None, terminal: Terminal) -> int:
    """Work what a provider tells of its models into the bundled limits, or into a copy at `out`."""
    from victor_fp.cli.limits_refresh import store_limits

    if target.provider is None:
        return report_error(terminal, usage_error("--refresh needs a provider", todo="Name it: -p NAME"))

    def kept(provider: BaseProvider, found: Sequence[ModelInfo]) -> int:
        error = store_limits(provider, found, out, terminal)
        return ExitCode.OK if error is None else report_error(terminal, error)

    return _with_models(target, terminal, kept)


def _with_models(
    target: TargetOptions, terminal: Terminal, use: Callable[[BaseProvider, Sequence[ModelInfo]], int]
) -> int:
    async def listed(provider: BaseProvider) -> int:
        try:
            return use(provider, await provider.list_models())
        except ProviderError as error:
            return report_error(terminal, error_from_fault(error.fault, server_address(provider)))

    async def asked() -> int:
        return await _with_provider(await _choice(target, terminal), target, terminal, listed)

    return asyncio.run(asked())


def check(target: TargetOptions, terminal: Terminal) -> int:
    """Send a small request and report what works."""
    from victor_fp.cli.check import run_check

    async def tried(provider: BaseProvider) -> int:
        error = await run_check(provider, target.model, terminal, os.environ)
        return ExitCode.OK if error is None else report_error(terminal, error)

    return asyncio.run(_with_provider(Selection(provider=target.provider or "local"), target, terminal, tried))


def codegen(
    spec: Path, operations: Sequence[str], out: Path, responses: Sequence[str], overlay: Path | None, terminal: Terminal
) -> int:
    """Generate wire models from an OpenAPI document."""
    try:
        from victor_fp.codegen import CodegenFailed, compile_vendor

        try:
            written = compile_vendor(
                spec, tuple(operations), out, overlay_path=overlay, response_components=tuple(responses)
            )
        except (CodegenFailed, OSError) as error:
            return report_error(terminal, usage_error(f"{spec} cannot be compiled", str(error)))
    except ImportError as error:
        todo = "pip install 'victor_fp[codegen]'"
        return report_error(terminal, usage_error("codegen needs its extra", f"{error.name} is missing", todo))
    for name in written.changed:
        terminal.line(f"wrote {out / name}")
    terminal.hint(f"{len(written.changed)} written, {written.unchanged} unchanged")
    return ExitCode.OK


def _read_inputs(prompt_options: PromptOptions) -> Result[tuple[list[ImagePart], RequestOptions], CommandError]:
    match outcome(read_images(prompt_options.images)):
        case Failure(error):
            return Failure(error)
        case Success(images):
            pass
    match outcome(read_tools(prompt_options.tools)):
        case Failure(error):
            return Failure(error)
        case Success(tools):
            options = RequestOptions(
                temperature=prompt_options.temperature,
                max_tokens=prompt_options.max_tokens,
                tools=tuple(tools),
                stream=prompt_options.stream,
            )
            return Success((images, options))


def _standard_input(prompt: str | None, terminal: Terminal) -> str | None:
    stdin = sys.stdin
    if prompt is None and stdin is not None and stdin.isatty():
        terminal.note("victor: type the prompt, then Ctrl-D")
        return stdin.read()
    return read_piped_text(stdin, prompted=prompt is not None, note=terminal.note)


async def _choice(target: TargetOptions, terminal: Terminal) -> Selection:
    selection = await select_provider(target.provider, target.model, os.environ)
    if selection.reason:
        terminal.hint(f"victor: using {selection.provider} ({selection.reason})")
    return selection


async def _with_provider(
    selection: Selection, target: TargetOptions, terminal: Terminal, use: Callable[[BaseProvider], Awaitable[int]]
) -> int:
    match outcome(_provider(selection, target, terminal)):
        case Failure(error):
            return report_error(terminal, error)
        case Success(provider):
            async with provider:
                return await use(provider)


def _provider(selection: Selection, target: TargetOptions, terminal: Terminal) -> Result[BaseProvider, CommandError]:
    def made(settings: Mapping[str, str]) -> Result[BaseProvider, CommandError]:
        return create_provider(
            selection.provider, terminal, base_url=target.base_url, timeout=target.timeout, settings=settings
        )

    return parse_settings(target.settings).bind(made)


async def _ask_once(
    target: TargetOptions, messages: Sequence[Message], options: RequestOptions, terminal: Terminal, *, as_json: bool
) -> int:
    selection = await _choice(target, terminal)

    async def asked(provider: BaseProvider) -> int:
        match outcome(await select_model(provider, selection.model)):
            case Failure(error):
                return report_error(terminal, error)
            case Success(model):
                pass
        if as_json:
            answered = await fetch_response(provider, model, messages, options)
        else:
            answered = await show_response(provider, model, messages, options, terminal)
        match outcome(answered):
            case Failure(fault):
                return report_error(terminal, error_from_fault(fault, server_address(provider)))
            case Success(response):
                if as_json:
                    terminal.line(response_json(response))
                return ExitCode.OK

    return await _with_provider(selection, target, terminal, asked)


def _converse(
    target: TargetOptions,
    options: RequestOptions,
    opening: Sequence[Message],
    images: Sequence[ImagePart],
    terminal: Terminal,
) -> int:
    from victor_fp.cli.conversation import run_conversation

    with suppress(ImportError):
        import readline  # noqa: F401  line editing for input()
    with asyncio.Runner() as runner:
        selection = runner.run(_choice(target, terminal))
        match outcome(_provider(selection, target, terminal)):
            case Failure(error):
                return report_error(terminal, error)
            case Success(provider):
                pass
        try:
            match outcome(runner.run(select_model(provider, selection.model))):
                case Failure(error):
                    return report_error(terminal, error)
                case Success(model):
                    return run_conversation(provider, model, options, terminal, runner, opening=opening, images=images)
        finally:
            runner.run(provider.close())


def _silence_stdout() -> None:
    """Redirect stdout to nowhere, so that flushing it at exit does not fail again after the reader has closed the pipe."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)
