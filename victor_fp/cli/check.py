"""`victor check`: sends a small request and reports each step."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.cli.exit_codes import CommandError, ExitCode, error_from_fault
from victor_fp.cli.inputs import RequestOptions
from victor_fp.cli.output import fetch_response
from victor_fp.cli.provider_selection import find_server_address, select_model
from victor_fp.cli.terminal import Terminal
from victor_fp.config.api_keys import key_query_from_name
from victor_fp.core.faults import Fault
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, Message
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.credentials.lookup import Credential, find_credential, find_key

QUESTION = Message(role="user", content="Answer with the word OK.")
MAX_TOKENS = 16
"""Tokens; some vendors reject smaller limits."""


async def run_check(
    provider: BaseProvider, model: str | None, terminal: Terminal, environment: Mapping[str, str]
) -> CommandError | None:
    """Report each step; return the error of the first failed step."""
    terminal.write_line(
        f"provider    {provider.name}" + (f" at {address}" if (address := find_server_address(provider)) else "")
    )
    match outcome(_find_credential(provider.name, environment)):
        case Success(Credential() as found):
            terminal.write_line(f"key         found: {found.source} {found.location}")
        case Success(_):
            terminal.write_line("key         not required")
        case Failure(fault):
            terminal.write_line("key         missing")
            return error_from_fault(fault)
    match outcome(await select_model(provider, model)):
        case Success(name):
            terminal.write_line(f"model       {name}")
        case Failure(error):
            terminal.write_line(f"model       {'none' if error.code == ExitCode.NOT_FOUND else 'not listed'}")
            return error
    started = perf_counter()
    match outcome(await fetch_response(provider, name, [QUESTION], RequestOptions(max_tokens=MAX_TOKENS))):
        case Failure(fault):
            terminal.write_line(f"connection  {_describe_connection(fault)}")
            return error_from_fault(fault, find_server_address(provider))
        case Success(response):
            seconds = perf_counter() - started
            terminal.write_line("connection  works")
            terminal.write_line(f"response    {_summarise(response)} after {seconds:.2f} s")
    can = await provider.discover_capabilities(name)
    describe_support = [
        word for word, able in (("tools", can.supports_tools), ("streaming", can.supports_streaming)) if able
    ]
    terminal.write_line(
        f"model can   {' '.join(describe_support) or 'text'}, {can.context_window} tokens of context ({can.source})"
    )
    return None


def _find_credential(name: str, environment: Mapping[str, str]) -> Result[Credential | None, Fault]:
    """Find the key. A provider class without a catalogue entry may not need one."""
    match outcome(ProviderRegistry.catalogue().find(name)):
        case Success(spec):
            return find_credential(spec, None, environment)
        case Failure(_):
            return find_key(msgspec.structs.replace(key_query_from_name(name), optional=True), None, environment)


def _describe_connection(fault: Fault) -> str:
    return "failed" if fault.status is None else f"works; the server answered {fault.status}"


def _summarise(response: CompletionResponse) -> str:
    text = " ".join(response.content.split())
    tokens = (response.usage or {}).get("total_tokens")
    return (repr(text[:40]) if text else "empty") + (f" ({tokens} tokens)" if tokens is not None else "")
