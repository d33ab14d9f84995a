"""What is asked: prompt and standard input, images, tools and settings, read from where the command line says."""

from __future__ import annotations

import mimetypes
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

from victor_fp.cli.exit_codes import Ending, wrong_usage
from victor_fp.core.json import Json, NotJson, decode_json
from victor_fp.core.result import collect
from victor_fp.core.types import ImagePart, Message, Part, TextPart, ToolDefinition

SILENCE = 2.0
"""Seconds after which somebody who waits is told what for."""
SOCKET_SILENCE = 0.3
"""Seconds a socket may take to say its first word. Programs that start others leave sockets open as their stdin; shells do not."""

_MAGIC = ((b"\x89PNG\r\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"), (b"BM", "image/bmp"))


def piped_text(stdin: TextIO | None, *, prompted: bool, note: Callable[[str], None]) -> str | None:
    """The whole of standard input where it is no terminal; None where there is nothing to read.

    With a prompt at hand an open socket that stays silent is left alone; an open pipe is waited for, as its writer may be
    slow, and after a while this is said.
    """
    if stdin is None or stdin.closed or stdin.isatty():
        return None
    if prompted and not _speaks(stdin, note):
        return None
    raw = stdin.buffer.read() if hasattr(stdin, "buffer") else stdin.read().encode()
    return raw.decode("utf-8-sig", errors="replace")


def _speaks(stdin: TextIO, note: Callable[[str], None]) -> bool:
    try:
        descriptor = stdin.fileno()
        mode = os.fstat(descriptor).st_mode
    except (OSError, ValueError):
        return True
    if sys.platform == "win32" or not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return True
    if stat.S_ISSOCK(mode):
        return bool(select.select([descriptor], [], [], SOCKET_SILENCE)[0])
    if not select.select([descriptor], [], [], SILENCE)[0]:
        note("victor: waiting for standard input to end (leave it out with </dev/null)")
    return True


def asked_text(prompt: str | None, piped: str | None) -> str:
    """The prompt, then what was piped in."""
    return "\n\n".join(part.strip("\n") for part in (prompt, piped) if part and part.strip())


def user_message(text: str, images: Sequence[Part]) -> Message:
    """The user's turn."""
    return Message(role="user", content=[*images, TextPart(text=text)] if images else text)


def images_of(places: Sequence[str]) -> Result[list[ImagePart], Ending]:
    """Images by path or URL."""
    return collect(map(_image, places))


def _image(place: str) -> Result[ImagePart, Ending]:
    if place.startswith(("http://", "https://", "data:")):
        return Success(ImagePart(url=place))
    try:
        data = Path(place).expanduser().read_bytes()
    except OSError as error:
        return Failure(wrong_usage(f"image {place} cannot be read", error.strerror or type(error).__name__))
    kind = image_type(data) or mimetypes.guess_type(place)[0] or ""
    if not kind.startswith("image/"):
        return Failure(wrong_usage(f"{place} is not an image", "neither its content nor its name says so"))
    return Success(ImagePart(data=data, media_type=kind))


def image_type(data: bytes) -> str | None:
    """The media type that the first bytes tell."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _MAGIC if data.startswith(magic)), None)


def tools_of(path: Path | None) -> Result[list[ToolDefinition], Ending]:
    """Tool definitions from a JSON file: a list, ours or in OpenAI's or Anthropic's spelling."""
    if path is None:
        return Success([])
    try:
        value = decode_json(path.read_bytes())
    except OSError as error:
        return Failure(wrong_usage(f"{path} cannot be read", error.strerror or type(error).__name__))
    if isinstance(value, NotJson):
        return Failure(wrong_usage(f"{path} is not JSON", value.reason))
    if isinstance(value, Mapping) and isinstance(value.get("tools"), list):
        value = value["tools"]
    items = value if isinstance(value, list) else [value]
    return collect(_tool(path, item) for item in items)


def _tool(path: Path, item: Json) -> Result[ToolDefinition, Ending]:
    if isinstance(item, Mapping):
        function = item.get("function")
        told = function if isinstance(function, Mapping) else item
        fields: dict[str, Json] = {key: told[key] for key in told if key not in ("type", "input_schema")}
        if "input_schema" in told:
            fields["parameters"] = told["input_schema"]
        try:
            return Success(ToolDefinition.model_validate(fields))
        except ValidationError as error:
            first = error.errors()[0]
            why = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
            return Failure(_no_tool(path, why))
    return Failure(_no_tool(path, "a tool is an object"))


def _no_tool(path: Path, why: str) -> Ending:
    form = '[{"name": ..., "description": ..., "parameters": {JSON Schema}}]'
    return wrong_usage(f"{path} holds no tool definitions", why, f"Write {form}")


def settings_of(pairs: Sequence[str]) -> Result[dict[str, str], Ending]:
    """`NAME=VALUE` pairs."""
    wrong = next((pair for pair in pairs if not pair.partition("=")[0] or "=" not in pair), None)
    if wrong is not None:
        return Failure(wrong_usage(f"--setting {wrong} is not NAME=VALUE"))
    return Success({name.replace("-", "_"): value for name, _, value in (pair.partition("=") for pair in pairs)})


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asks of every answer."""

    temperature: float | None = None
    max_tokens: int | None = None
    tools: tuple[ToolDefinition, ...] = ()
    stream: bool = True
