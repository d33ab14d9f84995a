"""`victor embed`: embeds texts from arguments, standard input or a file, one JSON object per line."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.cli.commands import TargetOptions, run_with_provider
from victor_fp.cli.exit_codes import CommandError, ExitCode, build_usage_error, error_from_fault
from victor_fp.cli.inputs import is_stream
from victor_fp.cli.output import show_adjustments
from victor_fp.cli.provider_selection import find_server_address, select_provider
from victor_fp.cli.reporting import report_error
from victor_fp.cli.terminal import Terminal
from victor_fp.core.json import NotJson, decode_json_object, encode_json
from victor_fp.core.result import outcome
from victor_fp.core.retrieval.vectors import Purpose, Vector
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.registry import ProviderRegistry

BATCH = 512
"""Number of texts per call, so that memory does not grow with the file."""
VECTOR_FIELD = "embedding"


class EmbedCommand(msgspec.Struct, frozen=True, kw_only=True):
    """The options of `victor embed`."""

    texts: tuple[str, ...] = ()
    file: Path | None = None
    field: str = "text"
    """The field of a JSON line to embed."""
    out: Path | None = None
    dimensions: int | None = None
    purpose: Purpose | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One text, and the object to which its vector is added."""

    text: str
    fields: Mapping[str, Any]


def embed(target: TargetOptions, command: EmbedCommand, stdin: TextIO | None, terminal: Terminal) -> int:
    """Embed texts and write one JSON object for each, in order."""
    with ExitStack() as files:
        lines = _open_lines(command, stdin, files)
        if isinstance(lines, CommandError):
            return report_error(terminal, lines)
        out = terminal
        if command.out is not None and not is_stream(command.out):
            try:
                out = Terminal(files.enter_context(command.out.open("w", encoding="utf-8")), terminal.err)
            except OSError as error:
                why = error.strerror or type(error).__name__
                return report_error(terminal, build_usage_error(f"{command.out} cannot be written", why))
        return asyncio.run(_embed_with_provider(target, command, lines, out, terminal))


async def _embed_with_provider(
    target: TargetOptions,
    command: EmbedCommand,
    lines: Iterator[Result[Line, CommandError]],
    out: Terminal,
    terminal: Terminal,
) -> int:
    capable = [spec for spec in ProviderRegistry.catalogue() if spec.embeddings is not None]
    selection = await select_provider(target.provider, target.model, os.environ, specs=capable)
    if selection.reason:
        terminal.write_hint(f"victor: using {selection.provider} ({selection.reason})")

    async def run(provider: BaseProvider) -> int:
        model = selection.model or _find_default_model(provider.name)
        if model is None:
            what = f"no model given, and {provider.name} has no default embedding model"
            return report_error(terminal, build_usage_error(what, todo="Choose one with --model."))
        error = await _embed_lines(provider, model, command, lines, out, terminal)
        return ExitCode.OK if error is None else report_error(terminal, error)

    return await run_with_provider(selection, target, terminal, run)


def _find_default_model(provider: str) -> str | None:
    spec = ProviderRegistry.catalogue().find(provider).value_or(None)
    return None if spec is None or spec.embeddings is None else spec.embeddings.default_model


async def _embed_lines(
    provider: BaseProvider,
    model: str,
    command: EmbedCommand,
    lines: Iterator[Result[Line, CommandError]],
    out: Terminal,
    terminal: Terminal,
) -> CommandError | None:
    """Embed the lines; return the error that ends the command. Previous results have been written."""
    noted = False
    while True:
        batch, unreadable = _take_batch(lines)
        if not batch:
            return unreadable
        result = await provider.embed_result(
            [line.text for line in batch], model=model, dimensions=command.dimensions, purpose=command.purpose
        )
        match outcome(result):
            case Failure(fault):
                return error_from_fault(fault, find_server_address(provider))
            case Success(response):
                for line, vector in zip(batch, response.vectors, strict=True):
                    out.write_line(encode_json({**line.fields, VECTOR_FIELD: _shorten(vector)}).decode())
                if not noted:
                    show_adjustments(terminal, response.metadata)
                    noted = True
        if unreadable is not None:
            return unreadable


def _take_batch(lines: Iterator[Result[Line, CommandError]]) -> tuple[list[Line], CommandError | None]:
    """Return the next lines, up to the first invalid one, and its error."""
    batch: list[Line] = []
    for line in islice(lines, BATCH):
        match outcome(line):
            case Failure(error):
                return batch, error
            case Success(found):
                batch.append(found)
    return batch, None


def _shorten(vector: Vector) -> list[float]:
    """Round numbers to the digits that a float32 needs for an exact round trip."""
    return [float(f"{value:.9g}") for value in vector]


def _open_lines(
    command: EmbedCommand, stdin: TextIO | None, files: ExitStack
) -> Iterator[Result[Line, CommandError]] | CommandError:
    """Yield the texts: arguments, then the lines of a file or of standard input."""
    if command.file is not None and not is_stream(command.file):
        try:
            opened = files.enter_context(command.file.open(encoding="utf-8-sig", errors="replace"))
        except OSError as error:
            return build_usage_error(f"{command.file} cannot be read", error.strerror or type(error).__name__)
        source: Iterable[str] = opened
    elif stdin is None or (command.texts and command.file is None):
        source = ()
    else:
        source = stdin
    is_json = command.file is not None and command.file.suffix.lower() in (".jsonl", ".ndjson")
    return _read_lines(command, source, is_json=is_json)


def _read_lines(command: EmbedCommand, source: Iterable[str], *, is_json: bool) -> Iterator[Result[Line, CommandError]]:
    for text in command.texts:
        yield Success(Line(text=text, fields={"text": text}))
    for number, line in enumerate(source, 1):
        text = line.rstrip("\r\n")
        if not text.strip():
            continue
        yield _read_json_line(command, number, text) if is_json else Success(Line(text=text, fields={"text": text}))


def _read_json_line(command: EmbedCommand, number: int, text: str) -> Result[Line, CommandError]:
    fields = decode_json_object(text)
    where = f"{command.file} line {number}"
    if isinstance(fields, NotJson):
        return Failure(build_usage_error(f"{where} is not a JSON object", fields.reason))
    value = fields.get(command.field)
    if not isinstance(value, str):
        return Failure(
            build_usage_error(f"{where} has no text in the field {command.field!r}", todo="Set it with --field.")
        )
    return Success(Line(text=value, fields=fields))
