"""Reader of `openapi/sources.toml`, which names the vendor's document of each of ours."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from victor_fp.codegen.bounds import CodegenFailed
from victor_fp.codegen.schema import to_schema


class Source(NamedTuple):
    """The vendor's document of one of ours.

    `vendor` is the name in `x-vendor` marks; `operations` and `schemas` map our names to the vendor's, the latter for bodies
    that the vendor's operations do not declare, or "" for those that it does not describe.

    If `of` names one of our documents, the entry is that of another vendor with the same format. It is expected to have only
    what is marked for it; with `whole`, also everything that is unmarked.
    """

    vendor: str
    document: str
    version: str
    sha256: str
    compared: str
    operations: Mapping[str, str]
    schemas: Mapping[str, str]
    of: str = ""
    whole: bool = False
    excused: Mapping[str, str] = {}
    """Glob of paths in our document -> the reason why a difference is accepted."""


def read_sources(path: Path) -> dict[str, Source]:
    """Read the sources by name; raises `CodegenFailed` if the file is missing."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise CodegenFailed(f"cannot read {path}: {error}") from error
    return {name: _read_source(path, name, to_schema(entry)) for name, entry in content.items()}


def _read_source(path: Path, name: str, entry: dict[str, object]) -> Source:
    def read_text(key: str) -> str:
        if key not in entry:
            raise CodegenFailed(f"{path}: {key} is missing in [{name}]")
        return str(entry[key])

    def read_names(key: str) -> dict[str, str]:
        return {ours: str(theirs) for ours, theirs in to_schema(entry.get(key)).items()}

    return Source(
        vendor=read_text("vendor"),
        document=read_text("document"),
        version=read_text("version"),
        sha256=read_text("sha256"),
        compared=read_text("compared"),
        operations=read_names("operations"),
        schemas=read_names("schemas"),
        of=str(entry.get("of", "")),
        whole=entry.get("whole") is True,
        excused=read_names("excused"),
    )
