"""`victor providers`: the catalogue by group, with the location of each key.

For a fast startup, neither the option parser nor pydantic is imported, and the system keyring is not searched.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec
from returns.result import Failure, Success

from victor_fp.cli.terminal import Terminal, to_one_line
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.entries import GROUPS
from victor_fp.core.catalogue.index import NAMES
from victor_fp.core.catalogue.spec import CREDENTIAL_CHAINS, ProviderSpec
from victor_fp.core.result import outcome
from victor_fp.shell.credentials.key_file import open_key_file

if TYPE_CHECKING:
    from victor_fp.providers.base import BaseProvider

_INSTALLED = "Installed packages"
_GAP = 2
"""Spaces between columns."""


class ProviderRow(msgspec.Struct, frozen=True, kw_only=True):
    """A provider in the list."""

    group: str
    name: str
    key: str = ""
    """The location of the key, or what is missing."""
    protocol: str = ""
    supports: str = ""


def list_providers(terminal: Terminal, search: str = "") -> int:
    """List the providers whose names, title or URL contain `search`, case-insensitively.

    Output to a pipe has tab-separated lines of name, protocol, key and capabilities. On a terminal they are grouped,
    and columns that do not fit are omitted.
    """
    rows = list(build_rows(os.environ, search))
    if not terminal.shown:
        for row in rows:
            terminal.write_line("\t".join(map(to_one_line, (row.name, row.protocol, row.key, row.supports))))
        return 0
    for line in format_rows(rows, shutil.get_terminal_size().columns):
        terminal.write_line(line)
    note = "The keyring is not searched here; see: victor keys list."
    similar = CATALOGUE.suggest(search) if search and not rows else ()
    terminal.write_hint(f"no provider matches; similar names: {', '.join(similar)}" if similar else note)
    return 0


def build_rows(environment: Mapping[str, str], search: str = "") -> Iterator[ProviderRow]:
    """Yield the rows: the built-in providers by group, then those of installed packages."""
    from victor_fp.providers.installed import find_entry_points

    stored: Mapping[str, str] = open_key_file(environment).read().value_or({})
    for entry in CATALOGUE:
        if _is_match(search, (entry.name, *entry.aliases, entry.title, entry.base_url)):
            yield ProviderRow(
                group=GROUPS[NAMES[entry.name]],
                name=entry.name,
                key=describe_key(entry, environment, stored),
                protocol=entry.dialect.protocol,
                supports=describe_support(entry),
            )
    for name in sorted(find_entry_points()):
        if name not in CATALOGUE and _is_match(search, (name,)):
            yield describe_installed(name, environment, stored)


def describe_installed(name: str, environment: Mapping[str, str], stored: Mapping[str, str]) -> ProviderRow:
    """Return the row of a provider of an installed package, which is imported.

    A class has its own protocol, and its methods show what it supports.
    """
    from victor_fp.config.api_keys import key_query_from_name
    from victor_fp.providers.installed import build_catalogue, load_class

    match outcome(build_catalogue().find(name)):
        case Success(entry):
            return ProviderRow(
                group=_INSTALLED,
                name=name,
                key=describe_key(entry, environment, stored),
                protocol=entry.dialect.protocol,
                supports=describe_support(entry),
            )
        case Failure(_):
            pass
    try:
        provider = load_class(name)
    except Exception as error:  # code of a package
        return ProviderRow(group=_INSTALLED, name=name, key=f"cannot be loaded: {type(error).__name__}: {error}")
    variables = key_query_from_name(name).variables
    found = next((variable for variable in variables if environment.get(variable, "").strip()), None)
    key = "file" if stored.get(name, "").strip() else "none found"
    return ProviderRow(
        group=_INSTALLED,
        name=name,
        key=key if found is None else f"environment {found}",
        protocol="own class",
        supports="" if provider is None else _describe_class(provider),
    )


def _describe_class(provider: type[BaseProvider]) -> str:
    """Return what a class supports, as far as known without an instance."""
    from victor_fp.providers.base import BaseProvider

    names = {"tools": "supports_tools", "streaming": "supports_streaming", "embeddings": "embed", "reranking": "rerank"}
    return " ".join(
        word for word, method in names.items() if getattr(provider, method) is not getattr(BaseProvider, method)
    )


def describe_key(entry: ProviderSpec, environment: Mapping[str, str], stored: Mapping[str, str]) -> str:
    """Return the location of the key, or the variables that are missing; `stored` is the key file."""
    found = next((name for name in entry.key_variables if environment.get(name, "").strip()), None)
    if found is not None:
        return f"environment {found}"
    if stored.get(entry.key_name or entry.name, "").strip():
        return "file"
    if (chain := CREDENTIAL_CHAINS.get(entry.auth.kind)) is not None:
        return chain
    if entry.key_optional or entry.auth.kind == "none":
        return "not needed"
    return f"missing: {' or '.join(entry.key_variables)}" if entry.key_variables else "missing"


def describe_support(entry: ProviderSpec) -> str:
    """Return the names of supported operations and features; chat is not mentioned."""
    supports = entry.supports
    names = [
        name.replace("_", "-") for name in supports.__struct_fields__ if name != "chat" and getattr(supports, name)
    ]
    retrieval = {"embeddings": entry.embeddings, "reranking": entry.reranking}
    return " ".join([*names, *(name for name, dialect in retrieval.items() if dialect is not None)])


def format_rows(rows: Iterable[ProviderRow], width: int) -> Iterator[str]:
    """Yield the lines of a table of at most `width` characters: names and keys, and other columns that fit.

    A key that does not fit in its column moves to the left, or to its own line, and is not cut.
    """
    rows = list(rows)
    columns = [[row.name for row in rows], [_find_first_variable(row.key) for row in rows]]
    columns += [[row.protocol for row in rows], [row.supports for row in rows]]
    widths = [max(map(len, column), default=0) for column in columns]
    shown = max(2, next((n for n in range(4, 1, -1) if _sum_widths(widths[:n]) <= width), 2))
    group = None
    for row, cells in zip(rows, zip(*columns[:shown], strict=True), strict=True):
        if row.group != group:
            yield row.group if group is None else f"\n{row.group}"
            group = row.group
        padded = (cell.ljust(size + _GAP) for cell, size in zip(cells, widths, strict=False))
        line = f"  {''.join(padded)}".rstrip()
        if len(line) <= width:
            yield line
            continue
        name, key = cells[0], cells[1]
        if _sum_widths([len(name), len(key)]) <= width:
            yield f"  {name}{key:>{width - _GAP - len(name)}}"
        else:
            yield f"  {name}"[:width]
            yield f"{key:>{width}}"


def _sum_widths(widths: list[int]) -> int:
    return _GAP + sum(widths) + _GAP * (len(widths) - 1)


def _find_first_variable(key: str) -> str:
    return key.partition(" or ")[0]


def _is_match(search: str, texts: Iterable[str]) -> bool:
    return any(search.lower() in text.lower() for text in texts)
