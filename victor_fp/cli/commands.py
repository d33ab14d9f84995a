"""The commands: each accepts parsed options and returns an exit code."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.cli.exit_codes import CommandError, ExitCode, build_usage_error, error_from_fault
from victor_fp.cli.inputs import (
    parse_settings,
)
from victor_fp.cli.provider_selection import Selection, create_provider, find_server_address, select_provider
from victor_fp.cli.reporting import report_error
from victor_fp.cli.terminal import Terminal
from victor_fp.core.catalogue.spec import ModelInfo
from victor_fp.core.model_names import split_model_name
from victor_fp.core.result import outcome
from victor_fp.providers.base import BaseProvider, ProviderError
from victor_fp.providers.registry import ProviderRegistry


class TargetOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The provider, model and address of a command."""

    provider: str | None = None
    model: str | None = None
    base_url: str | None = None
    timeout: float | None = None
    settings: tuple[str, ...] = ()


def run_models(target: TargetOptions, terminal: Terminal) -> int:
    """List the models of a provider."""
    from victor_fp.cli.tables import show_models

    def show_as_table(provider: BaseProvider, found: Sequence[ModelInfo]) -> int:
        if not found:
            terminal.note(f"victor: {provider.name} lists no models")
        show_models(terminal, found)
        return ExitCode.OK

    return _run_with_models(target, terminal, show_as_table)


def refresh_limits(target: TargetOptions, out: Path | None, terminal: Terminal) -> int:
    """Store the limits reported by a provider in the user's limits file, or at `out`."""
    from victor_fp.cli.limits_refresh import store_limits

    if target.provider is None:
        return report_error(terminal, build_usage_error("--refresh requires a provider", todo="Pass it: -p NAME"))

    def store(provider: BaseProvider, found: Sequence[ModelInfo]) -> int:
        error = store_limits(provider, found, out, terminal)
        return ExitCode.OK if error is None else report_error(terminal, error)

    return _run_with_models(target, terminal, store)


def _run_with_models(
    target: TargetOptions, terminal: Terminal, use: Callable[[BaseProvider, Sequence[ModelInfo]], int]
) -> int:
    async def list_and_use(provider: BaseProvider) -> int:
        try:
            return use(provider, await provider.list_models())
        except ProviderError as error:
            return report_error(terminal, error_from_fault(error.fault, find_server_address(provider)))

    async def run() -> int:
        return await run_with_provider(await choose_provider(target, terminal), target, terminal, list_and_use)

    return asyncio.run(run())


def check(target: TargetOptions, terminal: Terminal) -> int:
    """Send a small request and report what works."""
    from victor_fp.cli.check import run_check

    async def check(provider: BaseProvider) -> int:
        error = await run_check(provider, target.model, terminal, os.environ)
        return ExitCode.OK if error is None else report_error(terminal, error)

    name, named = split_model_name(target.provider or "local", ProviderRegistry.is_registered)
    target = msgspec.structs.replace(target, provider=name, model=target.model or named)
    return asyncio.run(run_with_provider(Selection(provider=name), target, terminal, check))


def run_codegen(
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
            return report_error(terminal, build_usage_error(f"{spec} cannot be compiled", str(error)))
    except ImportError as error:
        todo = "pip install 'victor_fp[codegen]'"
        return report_error(terminal, build_usage_error("codegen requires its extra", f"{error.name} is missing", todo))
    for name in written.changed:
        terminal.write_line(f"wrote {out / name}")
    terminal.write_hint(f"{len(written.changed)} written, {written.unchanged} unchanged")
    return ExitCode.OK


async def choose_provider(target: TargetOptions, terminal: Terminal) -> Selection:
    """Select the provider, and print it on a terminal if it was not given on the command line."""
    selection = await select_provider(target.provider, target.model, os.environ)
    if selection.reason:
        terminal.write_hint(f"victor: using {selection.provider} ({selection.reason})")
    return selection


async def run_with_provider(
    selection: Selection, target: TargetOptions, terminal: Terminal, use: Callable[[BaseProvider], Awaitable[int]]
) -> int:
    """Create the selected provider, use it, and close it; return the exit code."""
    match outcome(open_provider(selection, target, terminal)):
        case Failure(error):
            return report_error(terminal, error)
        case Success(provider):
            async with provider:
                return await use(provider)


def open_provider(
    selection: Selection, target: TargetOptions, terminal: Terminal
) -> Result[BaseProvider, CommandError]:
    """Create the selected provider."""

    def create(settings: Mapping[str, str]) -> Result[BaseProvider, CommandError]:
        return create_provider(
            selection.provider, terminal, base_url=target.base_url, timeout=target.timeout, settings=settings
        )

    return parse_settings(target.settings).bind(create)
