"""The model limits stored by `victor models --refresh`: a JSON file in the user's configuration directory.

    {"groq": [{"pattern": "m-big", "context_window": 131072, "max_output": 8192, "source": "...", "date":
    "2026-11-20"}]}

A missing file is an empty table. An invalid file is a `FileInvalid`, and is ignored by calls.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.catalogue.spec import ModelLimit
from victor_fp.core.models.limits import NO_LIMITS, LimitTable
from victor_fp.shell.credentials.key_file import find_config_directory

FILE_NAME = "limits.json"
MAX_BYTES = 10_000_000
"""Larger files are rejected."""

Tokens = Annotated[int, msgspec.Meta(ge=1, le=2**53)]


class FileInvalid(msgspec.Struct, frozen=True):
    """The reason why a configuration file cannot be used."""

    reason: str
    location: str = ""
    """Its path, if it has one."""


class _StoredLimit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pattern: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    context_window: Tokens
    max_output: Tokens | None = None
    source: str = ""
    date: str = ""


_DECODER = msgspec.json.Decoder(dict[str, tuple[_StoredLimit, ...]])


def find_limits_file(environment: Mapping[str, str]) -> Path | None:
    """Return the path of the file; None if the environment has no home directory."""
    directory = find_config_directory(environment)
    return None if directory is None else directory / FILE_NAME


def read_limits(path: Path) -> Result[LimitTable, FileInvalid]:
    """Return the limits in a file, or why it cannot be used; empty for a missing file."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return Success(NO_LIMITS)
    except OSError as error:
        return Failure(FileInvalid(error.strerror or "cannot be read", str(path)))
    if len(data) > MAX_BYTES:
        return Failure(FileInvalid(f"larger than {MAX_BYTES} bytes", str(path)))
    try:
        stored = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Failure(FileInvalid(str(error), str(path)))
    return Success({name: tuple(map(_to_limit, rows)) for name, rows in stored.items()})


def load_limits(environment: Mapping[str, str]) -> LimitTable:
    """Return the limits in the user's file; empty if it is missing or invalid."""
    path = find_limits_file(environment)
    if path is None:
        return NO_LIMITS
    limits: LimitTable = read_limits(path).value_or(NO_LIMITS)
    return limits


def write_limits(path: Path, limits: LimitTable) -> Result[None, FileInvalid]:
    """Replace the file atomically, and create its directory if necessary."""
    text = msgspec.json.format(msgspec.json.encode({name: limits[name] for name in sorted(limits)}), indent=1)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text + b"\n")
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        return Failure(FileInvalid(f"cannot be written ({error.strerror})", str(path)))
    return Success(None)


def _to_limit(stored: _StoredLimit) -> ModelLimit:
    return ModelLimit(
        pattern=stored.pattern,
        context_window=stored.context_window,
        max_output=stored.max_output,
        source=stored.source,
        date=stored.date,
    )
