"""Where each document's facts come from: the reader of `openapi/sources.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from victor_fp.codegen.bounds import CodegenFailed
from victor_fp.codegen.schema import to_schema


class Source(NamedTuple):
    """The vendor's document behind one of ours.

    `vendor` is the name that `x-vendor` marks use; `operations` and `schemas` map our names to the vendor's, the
    latter for bodies that the vendor's operations do not declare, or "" for those that it describes nowhere.

    Where `of` names one of our documents, the entry is a follower's: a vendor whose own document describes the format
    of another. It is not expected to have all that the first vendor has, only what a mark says that it has; where it is
    `whole`, what is unmarked belongs to both of them.
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
    """Glob of places in our document -> why it stays although the vendor's document says otherwise."""


def read_sources(path: Path) -> dict[str, Source]:
    """Sources by their names; a missing file is a `CodegenFailed`."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise CodegenFailed(f"cannot read {path}: {error}") from error
    return {name: _read_source(path, name, to_schema(entry)) for name, entry in content.items()}


def _read_source(path: Path, name: str, entry: dict[str, object]) -> Source:
    def text(key: str) -> str:
        if key not in entry:
            raise CodegenFailed(f"{path}: [{name}] lacks {key}")
        return str(entry[key])

    def names(key: str) -> dict[str, str]:
        return {ours: str(theirs) for ours, theirs in to_schema(entry.get(key)).items()}

    return Source(
        vendor=text("vendor"),
        document=text("document"),
        version=text("version"),
        sha256=text("sha256"),
        compared=text("compared"),
        operations=names("operations"),
        schemas=names("schemas"),
        of=str(entry.get("of", "")),
        whole=entry.get("whole") is True,
        excused=names("excused"),
    )
