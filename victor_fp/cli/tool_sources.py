"""`--tools` and `--mcp`: definitions from JSON, functions from modules and files, tools of MCP servers."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shlex
import sys
import tempfile
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, redirect_stdout
from functools import reduce
from inspect import isfunction
from pathlib import Path
from types import ModuleType
from typing import TextIO

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.agent.tools import Tool, tool
from victor_fp.cli.exit_codes import CommandError, ExitCode, build_usage_error
from victor_fp.cli.inputs import read_tools
from victor_fp.cli.terminal import NoteStream, Terminal
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.result import outcome
from victor_fp.core.types import ToolDefinition

MCP_TIMEOUT = 60.0
"""Timeout in seconds of a request to a server."""
_NAMES = re.compile(r"[A-Za-z_][\w.]*(?:,[A-Za-z_][\w.]*)*")
_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


class FunctionSource(msgspec.Struct, frozen=True):
    """Python functions: a module or a file, and the names in it; without names all public functions."""

    origin: str
    names: tuple[str, ...] = ()

    @property
    def is_file(self) -> bool:
        """Whether the origin is a file."""
        return self.origin.endswith(".py")


def parse_source(text: str) -> FunctionSource | Path:
    """Parse a value of --tools: functions, or a file of JSON definitions.

    >>> parse_source("pkg.tools:weather,rain"), parse_source("tools.py")
    (FunctionSource(origin='pkg.tools', names=('weather', 'rain')), FunctionSource(origin='tools.py', names=()))
    >>> parse_source("tools.json").name
    'tools.json'
    """
    if text.endswith(".py"):
        return FunctionSource(text)
    origin, colon, names = text.rpartition(":")
    if colon and _NAMES.fullmatch(names) and (origin.endswith(".py") or _MODULE.fullmatch(origin)):
        return FunctionSource(origin, tuple(names.split(",")))
    return Path(text)


def load_tools(sources: Sequence[str]) -> Result[list[ToolDefinition], CommandError]:
    """Load the tools of all sources. Python sources are imported, which runs their code; names must be unique."""
    found: dict[str, ToolDefinition] = {}
    for text in sources:
        source = parse_source(text)
        loaded: Result[list[ToolDefinition], CommandError] = (
            read_tools(source) if isinstance(source, Path) else _load_functions(source)
        )
        match outcome(loaded):
            case Failure(error):
                return Failure(error)
            case Success(tools):
                pass
        if twice := next((one.name for one in tools if one.name in found), None):
            return Failure(build_usage_error(f"two tools have the name {twice}", f"the second is in {text}"))
        found |= {one.name: one for one in tools}
    return Success(list(found.values()))


@asynccontextmanager
async def connect_servers(
    commands: Sequence[str], existing: Sequence[ToolDefinition]
) -> AsyncIterator[Result[Sequence[ToolDefinition], CommandError]]:
    """Start MCP servers and yield their tools; they end with the block.

    Their stderr is shown only if a server cannot be started, without control characters. Names that are already in use
    are prefixed with the server's number.
    """
    if not commands:
        yield Success([])
        return
    try:
        import victor_fp.agent.mcp  # noqa: F401  it requires the extra
    except ImportError as error:
        yield Failure(
            build_usage_error("--mcp requires its extra", f"{error.name} is missing", "pip install 'victor_fp[mcp]'")
        )
        return
    raised: Exception | None = None
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        async with AsyncExitStack() as stack:
            connected = await _connect_all(stack, commands, existing, errors)
            try:
                yield connected
            except Exception as error:  # raised again outside, since the clients' task groups would wrap it
                raised = error
    if raised is not None:
        raise raised


async def _connect_all(
    stack: AsyncExitStack, commands: Sequence[str], existing: Sequence[ToolDefinition], errors: TextIO
) -> Result[Sequence[ToolDefinition], CommandError]:
    """Start the servers, which end with `stack`, and return their tools."""
    taken = {one.name for one in existing}
    added: list[ToolDefinition] = []
    for number, command in enumerate(commands, 1):
        match outcome(await _connect(stack, command, errors, taken, prefix=f"server{number}_")):
            case Failure(failed):
                return Failure(failed)
            case Success(tools):
                added += tools
                taken |= {one.name for one in tools}
    return Success(added)


async def _connect(
    stack: AsyncExitStack, command: str, errors: TextIO, taken: Collection[str], *, prefix: str
) -> Result[Sequence[ToolDefinition], CommandError]:
    """Start one server and return its tools, with the prefix if a name is taken."""
    from mcp import Client, StdioServerParameters
    from mcp.client.stdio import stdio_client

    from victor_fp.agent.mcp import list_tools

    try:
        program, *arguments = shlex.split(command)
    except ValueError as error:
        return Failure(build_usage_error(f"--mcp {command} is not a command", str(error) or "it is empty"))
    parameters = StdioServerParameters(command=program, args=arguments, env=_build_environment())
    try:
        client = await stack.enter_async_context(
            Client(stdio_client(parameters, errlog=errors), read_timeout_seconds=MCP_TIMEOUT)
        )
        tools = await list_tools(client)
        if any(one.name in taken for one in tools):
            tools = await list_tools(client, prefix=prefix)
    except Exception as error:  # an external program
        errors.seek(0)
        last = next((line for line in reversed(errors.read().splitlines()) if line.strip()), "")
        what = f"the MCP server {program} cannot be used"
        return Failure(CommandError(code=ExitCode.FAILED, what=what, why=last or _find_first_reason(error)))
    return Success(tools)


def _build_environment() -> dict[str, str]:
    """Return the environment for a server, without the keys of model vendors."""
    withheld = {name for spec in CATALOGUE for name in spec.key_variables}
    return {name: value for name, value in os.environ.items() if name not in withheld}


def _find_first_reason(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _load_functions(source: FunctionSource) -> Result[list[ToolDefinition], CommandError]:
    try:
        with redirect_stdout(NoteStream(Terminal())):  # stdout is for responses
            module = _import_file(Path(source.origin)) if source.is_file else _import_module(source.origin)
    except OSError as error:
        return Failure(build_usage_error(f"{source.origin} cannot be read", error.strerror or type(error).__name__))
    except (Exception, SystemExit) as error:  # user code
        return Failure(build_usage_error(f"{source.origin} cannot be loaded", f"{type(error).__name__}: {error}"))
    names = source.names or tuple(_find_public(module))
    if not names:
        return Failure(
            build_usage_error(f"{source.origin} has no functions", "names with a leading underscore are ignored")
        )
    tools: list[ToolDefinition] = []
    for name in names:
        value: object = None
        try:
            value = reduce(getattr, name.split("."), module)
            if not isinstance(value, Tool) and not callable(value):
                return Failure(build_usage_error(f"{source.origin}:{name} is not a function"))
            tools.append(value if isinstance(value, Tool) else tool(value))
        except AttributeError:
            return Failure(
                build_usage_error(f"{source.origin} has no {name}", f"it has: {', '.join(_find_public(module))}")
            )
        except TypeError as error:
            return Failure(build_usage_error(f"{source.origin}:{name} cannot be a tool", str(error)))
    return Success(tools)


def _import_module(name: str) -> ModuleType:
    """Import a module by name, also from the current directory, as with `python -m`."""
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    return importlib.import_module(name)


def _import_file(path: Path) -> ModuleType:
    """Import a file as a module; it can import modules of its directory."""
    path = path.expanduser().resolve(strict=True)
    name = f"victor_tools_{re.sub(r'[^0-9A-Za-z_]', '_', path.stem)}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # for the resolution of annotations
    spec.loader.exec_module(module)
    return module


def _find_public(module: ModuleType) -> list[str]:
    """Return the names of the tools and functions defined in a module."""
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (isinstance(value, Tool) or (isfunction(value) and value.__module__ == module.__name__))
    ]
