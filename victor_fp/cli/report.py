"""`victor report`: one request, recorded for a bug report."""

from __future__ import annotations

import asyncio
import os
import platform
from pathlib import Path

from returns.result import Failure, Result, Success

from victor_fp import __version__
from victor_fp.cli.chat import PromptOptions
from victor_fp.cli.commands import TargetOptions
from victor_fp.cli.exit_codes import CommandError, ExitCode, build_usage_error, error_from_fault
from victor_fp.cli.inputs import RequestOptions, is_stream, parse_settings
from victor_fp.cli.output import show_response
from victor_fp.cli.provider_selection import create_provider, find_server_address, select_model, select_provider
from victor_fp.cli.reporting import report_error
from victor_fp.cli.terminal import Terminal
from victor_fp.cli.tool_sources import load_tools
from victor_fp.core.faults import describe
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, Message
from victor_fp.providers.base import BaseProvider
from victor_fp.recording import Recording

QUESTION = "Answer with the word OK."


def write_report(target: TargetOptions, prompt_options: PromptOptions, out: Path, terminal: Terminal) -> int:
    """Send the request, show its response, and write the exchanges to `out`."""
    if is_stream(out):
        what, todo = "the report is not written to standard output", "Choose a file: --out FILE"
        return report_error(terminal, build_usage_error(what, todo=todo))
    if out.exists():
        return report_error(terminal, build_usage_error(f"{out} exists", todo="Choose another file: --out FILE"))
    match outcome(load_tools(prompt_options.tools)):
        case Failure(error):
            return report_error(terminal, error)
        case Success(tools):
            options = RequestOptions(tools=tuple(tools), stream=prompt_options.stream)
            return asyncio.run(_write_report(target, prompt_options, options, out, terminal))


async def _write_report(
    target: TargetOptions, prompt_options: PromptOptions, options: RequestOptions, out: Path, terminal: Terminal
) -> int:
    selection = await select_provider(target.provider, target.model, os.environ)
    match outcome(parse_settings(target.settings)):
        case Failure(error):
            return report_error(terminal, error)
        case Success(settings):
            made = create_provider(
                selection.provider, terminal, base_url=target.base_url, timeout=target.timeout, settings=settings
            )
    match outcome(made):
        case Failure(error):
            return report_error(terminal, error)
        case Success(provider):
            async with provider:
                return await _record(provider, selection.model, prompt_options, options, out, terminal)


async def _record(
    provider: BaseProvider,
    model: str | None,
    prompt_options: PromptOptions,
    options: RequestOptions,
    out: Path,
    terminal: Terminal,
) -> int:
    messages = [Message(role="system", content=prompt_options.system)] if prompt_options.system else []
    messages.append(Message(role="user", content=prompt_options.prompt or QUESTION))
    with Recording(out, mode="record") as recording:
        answered = await _ask(provider, model, messages, options, terminal)
        what = f"victor_fp {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
        match outcome(answered):
            case Success(response):
                how, code = f"answered: {response.stop_reason}, {response.usage}", ExitCode.OK
            case Failure(error):
                how, code = error.line if error.fault is None else describe(error.fault), error.code
                terminal.note(error.line)
        recording.note = f"{what}\n{how}"
    if not recording.exchanges:
        terminal.note("victor: nothing was sent, so nothing was recorded")
        return code
    terminal.note(
        f"victor: wrote {out}, without keys. It contains the prompt and the response: check it before you share it"
    )
    return ExitCode.OK


async def _ask(
    provider: BaseProvider, model: str | None, messages: list[Message], options: RequestOptions, terminal: Terminal
) -> Result[CompletionResponse, CommandError]:
    match outcome(await select_model(provider, model)):
        case Failure(error):
            return Failure(error)
        case Success(chosen):
            answered = await show_response(provider, chosen, messages, options, terminal)
            return answered.alt(lambda fault: error_from_fault(fault, find_server_address(provider)))
