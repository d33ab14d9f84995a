"""A program's own table of model capabilities, read from YAML; see `core.models.capabilities` for its fields.

match outcome(read_capabilities(text)):
    case Success(table):
        find_capabilities("vllm", "acme-large", overlay_capabilities(load_bundled_capabilities(), table))
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.models.capability_table import CapabilityTable, ModelCapabilities, Section
from victor_fp.core.result import outcome
from victor_fp.shell.limits_file import FileInvalid

MAX_NODES = 100_000
"""Values of a file, with those that its aliases stand for: a few lines can stand for billions."""


def read_capabilities(text: str) -> Result[CapabilityTable, FileInvalid]:
    """Parse a table from YAML; duplicate keys, unknown fields and values of a wrong type are rejected."""
    match outcome(_load_yaml(text)):
        case Failure(invalid):
            return Failure(invalid)
        case Success(value):
            pass
    try:
        table = msgspec.convert(value, CapabilityTable)
        for section in iterate_all_sections(table):
            msgspec.convert(section, _Strict)
    except msgspec.ValidationError as error:
        return Failure(FileInvalid(str(error)))
    return Success(table)


def load_capabilities(path: str | Path) -> Result[CapabilityTable, FileInvalid]:
    """Load a table from a file."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return Failure(FileInvalid(str(error), str(path)))
    return read_capabilities(text).alt(lambda invalid: FileInvalid(invalid.reason, str(path)))


def iterate_all_sections(table: CapabilityTable) -> Iterator[Section]:
    """Yield every section of a table."""
    yield table.defaults
    yield from table.kinds.values()
    yield from table.protocols.values()
    yield from table.provider_defaults.values()
    for entry in table.models.values():
        yield entry.training
        yield from entry.providers.values()
        yield entry.settings


class _Strict(ModelCapabilities, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Used to validate a section."""


def _load_yaml(text: str) -> Result[object, FileInvalid]:
    """Parse YAML without duplicate keys; an empty text is an empty table."""
    try:
        import yaml
    except ImportError:
        return Failure(FileInvalid("cannot be read without the extra: pip install 'victor-fp[yaml]'"))
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        node = loader.get_single_node()
        if _count_nodes(node, {}) > MAX_NODES:
            return Failure(FileInvalid(f"has more than {MAX_NODES} values, those of its aliases included"))
        if double := next(_find_doubles(node), None):
            return Failure(FileInvalid(f"duplicate key {double!r}"))
        return Success({} if node is None else loader.construct_document(node))
    except (yaml.YAMLError, ValueError) as error:  # an integer of many digits and a day 99 are ValueErrors
        return Failure(FileInvalid(str(error)))
    except RecursionError:
        return Failure(FileInvalid("is nested too deeply, or holds itself"))
    finally:
        loader.dispose()


def _count_nodes(node: Any, known: dict[int, int]) -> int:
    """Count the nodes with aliases written out; `known` are the counts of those that were seen. Raises RecursionError."""
    if node is None or node.id == "scalar":
        return 1
    if id(node) not in known:
        children = node.value if node.id == "sequence" else (part for pair in node.value for part in pair)
        known[id(node)] = 1 + sum(_count_nodes(child, known) for child in children)
    return known[id(node)]


def _find_doubles(node: Any, path: str = "") -> Iterator[str]:
    """Yield the keys that occur more than once in one mapping, with their paths."""
    if node is None or node.id == "scalar":
        return
    if node.id == "sequence":
        for item in node.value:
            yield from _find_doubles(item, path)
        return
    seen: set[str] = set()
    for key, value in node.value:
        name = str(key.value)
        here = f"{path}.{name}" if path else name
        if name in seen:
            yield f"{here}, line {key.start_mark.line + 1}"
        seen.add(name)
        yield from _find_doubles(value, here)
