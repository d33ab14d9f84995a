"""The commands without their command line: each takes what was asked and gives an exit code."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.cli.exit_codes import Ending, ExitCode, ending_json, fault_ending, wrong_usage
from victor_fp.cli.inputs import (
    Wishes,
    asked_text,
    images_of,
    piped_text,
    settings_of,
    tools_of,
    user_message,
)
from victor_fp.cli.output import shown, whole
from victor_fp.cli.provider_selection import Choice, chosen, created, model_for, place_of
from victor_fp.cli.terminal import Terminal
from victor_fp.core.protocols import ModelInfo
from victor_fp.core.result import outcome
from victor_fp.core.types import ImagePart, Message
from victor_fp.providers.base import BaseProvider, ProviderError


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to ask, as the command line says it."""

    provider: str | None = None
    model: str | None = None
    base_url: str | None = None
    timeout: float | None = None
    settings: tuple[str, ...] = ()


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask, as the command line says it."""

    prompt: str | None = None
    system: str | None = None
    images: tuple[str, ...] = ()
    tools: Path | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    stream: bool = True
    as_json: bool = False


class JsonTerminal(Terminal):
    """A terminal whose output is one JSON object, whether the command does what was asked or not."""


def guarded(command: Callable[[Terminal], int]) -> int:
    """Run a command; its exit code, whatever happens."""
    terminal = Terminal()
    try:
        return command(terminal)
    except KeyboardInterrupt:
        if terminal.watched:
            terminal.note("")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        _mute_stdout()
        return ExitCode.PIPE_CLOSED
    except Exception as error:
        if os.environ.get("VICTOR_FP_DEBUG"):
            raise
        why = f"{type(error).__name__}: {error}"
        todo = "This is a defect in victor_fp; VICTOR_FP_DEBUG=1 shows where."
        return ended(terminal, Ending(code=ExitCode.BUG, what="unexpected failure", why=why, todo=todo))


def ended(terminal: Terminal, ending: Ending) -> int:
    """Say how it ended; the exit code."""
    if isinstance(terminal, JsonTerminal):
        terminal.line(ending_json(ending))
    terminal.note(ending.line)
    return ending.code


def chat(place: Place, question: Question, terminal: Terminal) -> int:
    """Ask once, or converse where there is nobody but a person to ask."""
    if question.as_json:
        terminal = JsonTerminal(terminal.out, terminal.err)
    talking = question.prompt is None and sys.stdin is not None and sys.stdin.isatty() and terminal.shown
    if talking and question.as_json:
        return ended(
            terminal, wrong_usage("--json needs a prompt", todo="Give it as an argument or on standard input.")
        )
    match outcome(_materials(question)):
        case Failure(ending):
            return ended(terminal, ending)
        case Success((images, wishes)):
            pass
    opening = [Message(role="system", content=question.system)] if question.system else []
    if talking:
        return _converse(place, wishes, opening, images, terminal)
    text = asked_text(question.prompt, _standard_input(question.prompt, terminal))
    if not text:
        return ended(terminal, wrong_usage("there is no prompt", todo="Give it as an argument or on standard input."))
    messages = [*opening, user_message(text, images)]
    return asyncio.run(_once(place, messages, wishes, terminal, as_json=question.as_json))


def models(place: Place, terminal: Terminal) -> int:
    """List a provider's models."""
    from victor_fp.cli.tables import show_models

    def shown_as_table(provider: BaseProvider, found: Sequence[ModelInfo]) -> int:
        if not found:
            terminal.note(f"victor: {provider.name} lists no models")
        show_models(terminal, found)
        return ExitCode.OK

    return _with_models(place, terminal, shown_as_table)


def limits_refreshed(place: Place, out: Path | None, terminal: Terminal) -> int:
    """Work what a provider tells of its models into the bundled limits, or into a copy at `out`."""
    from victor_fp.cli.limits_refresh import stored

    if place.provider is None:
        return ended(terminal, wrong_usage("--refresh needs a provider", todo="Name it: -p NAME"))

    def kept(provider: BaseProvider, found: Sequence[ModelInfo]) -> int:
        ending = stored(provider, found, out, terminal)
        return ExitCode.OK if ending is None else ended(terminal, ending)

    return _with_models(place, terminal, kept)


def _with_models(place: Place, terminal: Terminal, use: Callable[[BaseProvider, Sequence[ModelInfo]], int]) -> int:
    async def listed(provider: BaseProvider) -> int:
        try:
            return use(provider, await provider.list_models())
        except ProviderError as error:
            return ended(terminal, fault_ending(error.fault, place_of(provider)))

    async def asked() -> int:
        return await _with_provider(await _choice(place, terminal), place, terminal, listed)

    return asyncio.run(asked())


def check(place: Place, terminal: Terminal) -> int:
    """Make a real, tiny call."""
    from victor_fp.cli.check import checked

    async def tried(provider: BaseProvider) -> int:
        ending = await checked(provider, place.model, terminal, os.environ)
        return ExitCode.OK if ending is None else ended(terminal, ending)

    return asyncio.run(_with_provider(Choice(provider=place.provider or "local"), place, terminal, tried))


def codegen(
    spec: Path, operations: Sequence[str], out: Path, responses: Sequence[str], overlay: Path | None, terminal: Terminal
) -> int:
    """Compile a vendor's document."""
    try:
        from victor_fp.codegen import CodegenFailed, compile_vendor

        try:
            written = compile_vendor(
                spec, tuple(operations), out, overlay_path=overlay, response_components=tuple(responses)
            )
        except (CodegenFailed, OSError) as error:
            return ended(terminal, wrong_usage(f"{spec} was not compiled", str(error)))
    except ImportError as error:
        todo = "pip install 'victor_fp[codegen]'"
        return ended(terminal, wrong_usage("codegen needs the extra of that name", f"{error.name} is missing", todo))
    for name in written.changed:
        terminal.line(f"wrote {out / name}")
    terminal.hint(f"{len(written.changed)} written, {written.unchanged} unchanged")
    return ExitCode.OK


def _materials(question: Question) -> Result[tuple[list[ImagePart], Wishes], Ending]:
    match outcome(images_of(question.images)):
        case Failure(ending):
            return Failure(ending)
        case Success(images):
            pass
    match outcome(tools_of(question.tools)):
        case Failure(ending):
            return Failure(ending)
        case Success(tools):
            wishes = Wishes(
                temperature=question.temperature,
                max_tokens=question.max_tokens,
                tools=tuple(tools),
                stream=question.stream,
            )
            return Success((images, wishes))


def _standard_input(prompt: str | None, terminal: Terminal) -> str | None:
    stdin = sys.stdin
    if prompt is None and stdin is not None and stdin.isatty():
        terminal.note("victor: type the prompt, then Ctrl-D")
        return stdin.read()
    return piped_text(stdin, prompted=prompt is not None, note=terminal.note)


async def _choice(place: Place, terminal: Terminal) -> Choice:
    choice = await chosen(place.provider, place.model, os.environ)
    if choice.reason:
        terminal.hint(f"victor: asking {choice.provider} ({choice.reason})")
    return choice


async def _with_provider(
    choice: Choice, place: Place, terminal: Terminal, use: Callable[[BaseProvider], Awaitable[int]]
) -> int:
    match outcome(_provider(choice, place, terminal)):
        case Failure(ending):
            return ended(terminal, ending)
        case Success(provider):
            async with provider:
                return await use(provider)


def _provider(choice: Choice, place: Place, terminal: Terminal) -> Result[BaseProvider, Ending]:
    def made(settings: Mapping[str, str]) -> Result[BaseProvider, Ending]:
        return created(choice.provider, terminal, base_url=place.base_url, timeout=place.timeout, settings=settings)

    return settings_of(place.settings).bind(made)


async def _once(place: Place, messages: Sequence[Message], wishes: Wishes, terminal: Terminal, *, as_json: bool) -> int:
    choice = await _choice(place, terminal)

    async def asked(provider: BaseProvider) -> int:
        match outcome(await model_for(provider, choice.model)):
            case Failure(ending):
                return ended(terminal, ending)
            case Success(model):
                pass
        if as_json:
            answered = await whole(provider, model, messages, wishes)
        else:
            answered = await shown(provider, model, messages, wishes, terminal)
        match outcome(answered):
            case Failure(fault):
                return ended(terminal, fault_ending(fault, place_of(provider)))
            case Success(response):
                if as_json:
                    terminal.line(response.model_dump_json(exclude_none=True))
                return ExitCode.OK

    return await _with_provider(choice, place, terminal, asked)


def _converse(
    place: Place, wishes: Wishes, opening: Sequence[Message], images: Sequence[ImagePart], terminal: Terminal
) -> int:
    from victor_fp.cli.conversation import talk

    with suppress(ImportError):
        import readline  # noqa: F401  line editing for input()
    with asyncio.Runner() as runner:
        choice = runner.run(_choice(place, terminal))
        match outcome(_provider(choice, place, terminal)):
            case Failure(ending):
                return ended(terminal, ending)
            case Success(provider):
                pass
        try:
            match outcome(runner.run(model_for(provider, choice.model))):
                case Failure(ending):
                    return ended(terminal, ending)
                case Success(model):
                    return talk(provider, model, wishes, terminal, runner, opening=opening, images=images)
        finally:
            runner.run(provider.close())


def _mute_stdout() -> None:
    """Whoever read the output has gone: what is left in the buffer must not fail again when Python ends."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)
