"""`victor check`: one real, tiny call, and at each step whether it worked."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.cli.exit_codes import Ending, ExitCode, fault_ending
from victor_fp.cli.inputs import Wishes
from victor_fp.cli.output import whole
from victor_fp.cli.provider_selection import model_for, place_of
from victor_fp.cli.terminal import Terminal
from victor_fp.config.api_keys import key_wanted
from victor_fp.core.catalogue import find
from victor_fp.core.faults import Fault
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, Message
from victor_fp.providers.base import BaseProvider
from victor_fp.shell.credentials.lookup import Credential, find_credential, find_key

QUESTION = Message(role="user", content="Answer with the word OK.")
ENOUGH = 16
"""Tokens; some vendors take no smaller limit."""


async def checked(
    provider: BaseProvider, model: str | None, terminal: Terminal, environment: Mapping[str, str]
) -> Ending | None:
    """Show what works; how it ends where something does not."""
    terminal.line(f"provider    {provider.name}" + (f" at {place}" if (place := place_of(provider)) else ""))
    match outcome(_credential(provider.name, environment)):
        case Success(Credential() as found):
            terminal.line(f"key         found: {found.source} {found.place}")
        case Success(_):
            terminal.line("key         not needed")
        case Failure(fault):
            terminal.line("key         missing")
            return fault_ending(fault)
    match outcome(await model_for(provider, model)):
        case Success(name):
            terminal.line(f"model       {name}")
        case Failure(ending):
            terminal.line(f"model       {'none' if ending.code == ExitCode.NOT_FOUND else 'not listed'}")
            return ending
    started = perf_counter()
    match outcome(await whole(provider, name, [QUESTION], Wishes(max_tokens=ENOUGH))):
        case Failure(fault):
            terminal.line(f"connection  {_connection(fault)}")
            return fault_ending(fault, place_of(provider))
        case Success(response):
            seconds = perf_counter() - started
            terminal.line("connection  works")
            terminal.line(f"answer      {_gist(response)} after {seconds:.2f} s")
    can = await provider.discover_capabilities(name)
    abilities = [word for word, able in (("tools", can.supports_tools), ("streaming", can.supports_streaming)) if able]
    terminal.line(f"model can   {' '.join(abilities) or 'text'}, {can.context_window} tokens of context ({can.source})")
    return None


def _credential(name: str, environment: Mapping[str, str]) -> Result[Credential | None, Fault]:
    """A provider that no record describes may do without a key; it knows."""
    match outcome(find(name)):
        case Success(spec):
            return find_credential(spec, None, environment)
        case Failure(_):
            return find_key(msgspec.structs.replace(key_wanted(name), optional=True), None, environment)


def _connection(fault: Fault) -> str:
    return "failed" if fault.status is None else f"works; the server answered {fault.status}"


def _gist(response: CompletionResponse) -> str:
    text = " ".join(response.content.split())
    tokens = (response.usage or {}).get("total_tokens")
    return (repr(text[:40]) if text else "empty") + (f" ({tokens} tokens)" if tokens is not None else "")
