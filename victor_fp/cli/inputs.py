"""Inputs of a command: standard input, tool definitions, schemas, settings and options."""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

import msgspec
from pydantic import ValidationError
from returns.result import Failure, Result, Success

from victor_fp.cli.exit_codes import CommandError, build_usage_error
from victor_fp.core.json import Json, NotJson, decode_json
from victor_fp.core.options import ChatOptions
from victor_fp.core.result import collect
from victor_fp.core.types import Message, Part, TextPart, ToolDefinition

PIPE_NOTICE_DELAY = 2.0
"""Seconds before a note that the command waits for standard input."""
SOCKET_TIMEOUT = 0.3
"""Seconds to wait for data from a socket: parent programs often leave one open as stdin, shells do not."""


def read_piped_text(stdin: TextIO | None, *, prompted: bool, note: Callable[[str], None]) -> str | None:
    """Return standard input, unless it is a terminal; None if there is nothing to read.

    With a prompt, a socket without data is ignored; a pipe is awaited, as its writer may be slow, with a note after a
    while.
    """
    if stdin is None or stdin.closed or stdin.isatty():
        return None
    if prompted and not _has_input(stdin, note):
        return None
    raw = stdin.buffer.read() if hasattr(stdin, "buffer") else stdin.read().encode()
    return raw.decode("utf-8-sig", errors="replace")


def _has_input(stdin: TextIO, note: Callable[[str], None]) -> bool:
    try:
        descriptor = stdin.fileno()
        mode = os.fstat(descriptor).st_mode
    except (OSError, ValueError):
        return True
    if sys.platform == "win32" or not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return True
    if stat.S_ISSOCK(mode):
        return bool(select.select([descriptor], [], [], SOCKET_TIMEOUT)[0])
    if not select.select([descriptor], [], [], PIPE_NOTICE_DELAY)[0]:
        note("victor: waiting for standard input to end (skip it with </dev/null)")
    return True


def is_stream(path: Path | None) -> bool:
    """Return whether a path is `-`, which means standard input or standard output."""
    return path is not None and str(path) == "-"


def join_prompt(prompt: str | None, piped: str | None) -> str:
    """Return the prompt followed by the piped text."""
    return "\n\n".join(part.strip("\n") for part in (prompt, piped) if part and part.strip())


def build_user_message(text: str, attachments: Sequence[Part]) -> Message:
    """Return the user's message."""
    return Message(role="user", content=[*attachments, TextPart(text=text)] if attachments else text)


def read_tools(path: Path | None) -> Result[list[ToolDefinition], CommandError]:
    """Read tool definitions from a JSON file: a list in the format of this package, OpenAI or Anthropic."""
    if path is None:
        return Success([])
    try:
        value = decode_json(path.read_bytes())
    except OSError as error:
        return Failure(build_usage_error(f"{path} cannot be read", error.strerror or type(error).__name__))
    if isinstance(value, NotJson):
        return Failure(build_usage_error(f"{path} is not JSON", value.reason))
    if isinstance(value, Mapping) and isinstance(value.get("tools"), list):
        value = value["tools"]
    items = value if isinstance(value, list) else [value]
    return collect(_parse_tool(path, item) for item in items)


def _parse_tool(path: Path, item: Json) -> Result[ToolDefinition, CommandError]:
    if isinstance(item, Mapping):
        function = item.get("function")
        given = function if isinstance(function, Mapping) else item
        fields: dict[str, Json] = {key: given[key] for key in given if key not in ("type", "input_schema")}
        if "input_schema" in given:
            fields["parameters"] = given["input_schema"]
        try:
            return Success(ToolDefinition.model_validate(fields))
        except ValidationError as error:
            first = error.errors()[0]
            why = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
            return Failure(_build_tools_error(path, why))
    return Failure(_build_tools_error(path, "expected a list of objects"))


def _build_tools_error(path: Path, why: str) -> CommandError:
    form = '[{"name": ..., "description": ..., "parameters": {JSON Schema}}]'
    return build_usage_error(f"{path} has no valid tool definitions", why, f"Expected {form}")


def parse_settings(pairs: Sequence[str]) -> Result[dict[str, str], CommandError]:
    """Parse `NAME=VALUE` pairs."""
    wrong = next((pair for pair in pairs if not pair.partition("=")[0] or "=" not in pair), None)
    if wrong is not None:
        return Failure(build_usage_error(f"--setting {wrong} is not NAME=VALUE"))
    return Success({name.replace("-", "_"): value for name, _, value in (pair.partition("=") for pair in pairs)})


def read_schema(path: Path) -> Result[Mapping[str, Json], CommandError]:
    """Read a JSON Schema."""
    try:
        value = decode_json(path.read_bytes())
    except OSError as error:
        return Failure(build_usage_error(f"{path} cannot be read", error.strerror or type(error).__name__))
    if isinstance(value, NotJson):
        return Failure(build_usage_error(f"{path} is not JSON", value.reason))
    if not isinstance(value, Mapping):
        return Failure(build_usage_error(f"{path} is not a JSON Schema", "expected an object"))
    return Success(value)


class RequestOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of every request of a command."""

    temperature: float | None = None
    max_tokens: int | None = None
    tools: tuple[ToolDefinition, ...] = ()
    stream: bool = True
    schema: Mapping[str, Json] | None = None
    """Schema of the response."""
    chat: ChatOptions = {}
    """The other options, as `chat` and `stream` accept them."""
