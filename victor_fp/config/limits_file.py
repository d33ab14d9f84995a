"""The bundled limits as a file: what providers tell of their models is worked into it when somebody asks for that."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from glob import escape
from pathlib import Path

from returns.result import Failure, Result, Success

from victor_fp.core.catalogue.model_limits import MODEL_LIMITS, Row
from victor_fp.core.protocols import ModelInfo

HEAD = '''"""Limits of models as data, by provider: changed by `victor models --refresh` or by hand.

Patterns are globs in lower case, and the first that matches counts. What was asked of a provider has the date of that.
"""

# fmt: off
from __future__ import annotations

from typing import TypeAlias

Row: TypeAlias = tuple[str, int, int | None, str, str]
"""Pattern, context window and longest answer in tokens, source, date."""

MODEL_LIMITS: dict[str, tuple[Row, ...]] = {
'''


def locate_bundled_file() -> Path:
    """Where the limits that come with the package are kept."""
    from victor_fp.core.catalogue import model_limits

    return Path(model_limits.__file__)


def refresh_rows(rows: Iterable[Row], told: Iterable[ModelInfo], *, source: str, date: str) -> tuple[Row, ...]:
    """The rows of one provider after it told of its models: a row for each that no pattern describes as it was told.

    What it does not tell stays as it stood; so do the rows of models that it no longer lists.
    """
    models = {info.id.lower(): info for info in told if info.context_window}
    kept = tuple(row for row in rows if row[0] not in {escape(name) for name in models})
    fresh: list[Row] = []
    for name, info in sorted(models.items()):
        known = next((row for row in kept if fnmatchcase(name, row[0])), None)
        window = info.context_window or 0
        output = info.max_output or (known[2] if known else None)
        if known is None or (window, output) != known[1:3]:
            fresh.append((escape(name), window, output, source, date))
    return (*fresh, *kept)


def with_rows(name: str, rows: tuple[Row, ...]) -> dict[str, tuple[Row, ...]]:
    """All bundled limits, those of one provider replaced."""
    return {**MODEL_LIMITS, name: rows}


def render_limits(limits: Mapping[str, tuple[Row, ...]]) -> str:
    """The file's text: one line for each row, providers in the order of their names."""
    lines = [HEAD]
    for name in sorted(limits):
        lines.append(f"    {_render_text(name)}: (\n")
        lines += [f"        {_render_row(row)},\n" for row in limits[name]]
        lines.append("    ),\n")
    lines.append("}\n")
    return "".join(lines)


def store(path: Path, limits: Mapping[str, tuple[Row, ...]]) -> Result[None, str]:
    """Replace the file as a whole; why not, where it cannot be."""
    try:
        descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
                file.write(render_limits(limits))
            os.chmod(beside, 0o644)
            os.replace(beside, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(beside)
            raise
    except OSError as error:
        return Failure(f"{path} cannot be written ({error.strerror})")
    return Success(None)


def _render_row(row: Row) -> str:
    pattern, window, output, source, date = row
    longest = "None" if output is None else f"{output:_}"
    return f"({_render_text(pattern)}, {window:_}, {longest}, {_render_text(source)}, {_render_text(date)})"


def _render_text(text: str) -> str:
    """A Python literal in double quotes that holds nothing but ASCII, whatever a provider calls its models."""
    quoted = ascii(text)[1:-1].replace("\\'", "'")
    return '"' + quoted.replace('"', '\\"') + '"'
