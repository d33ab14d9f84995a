"""Parsing of docstrings in the styles of Google, NumPy and Sphinx."""

from __future__ import annotations

import re
from collections.abc import Mapping
from inspect import cleandoc

import msgspec

_SPHINX = re.compile(r"^:(?:param|parameter|arg|argument)\s+(?:[^:]*?\s)?\*{0,2}(\w+)\s*:\s*(.*)$")
_SPHINX_FIELD = re.compile(r"^:\w[^:]*:")
_GOOGLE = re.compile(r"^\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)$")
_NUMPY = re.compile(r"^\*{0,2}(\w+)\s*(?::.*)?$")
_PARAMETER_SECTIONS = frozenset(
    {"args", "arguments", "parameters", "params", "keyword args", "keyword arguments", "other parameters"}
)
_SECTIONS = _PARAMETER_SECTIONS | {
    "attributes", "example", "examples", "note", "notes", "raises", "references", "return", "returns", "see also", "todo",
    "warning", "warnings", "warns", "yield", "yields",
}  # fmt: skip


class Documentation(msgspec.Struct, frozen=True):
    """The text of a docstring before its first section, and the descriptions of parameters."""

    text: str = ""
    parameters: Mapping[str, str] = {}


def parse_docstring(docstring: str | None) -> Documentation:
    """Parse a docstring; anything of unknown form is part of the text.

    >>> parse_docstring("Add numbers.\\n\\nArgs:\\n    a: The first.\\n    b (int): The second.")
    Documentation(text='Add numbers.', parameters={'a': 'The first.', 'b': 'The second.'})
    """
    if not docstring:
        return Documentation()
    lines = cleandoc(docstring).splitlines()
    text: list[str] = []
    parameters: dict[str, list[str]] = {}
    at = 0
    while at < len(lines):
        line = lines[at]
        if found := _SPHINX.match(line):
            end = _find_block_end(lines, at + 1)
            parameters[found[1]] = [found[2], *lines[at + 1 : end]]
            at = end
        elif _SPHINX_FIELD.match(line):
            at = _find_block_end(lines, at + 1)
        elif section := _find_section(lines, at):
            start = at + (2 if _is_underline(lines, at + 1) else 1)
            end = _find_section_end(lines, start, is_numpy=start == at + 2)
            if section in _PARAMETER_SECTIONS:
                parameters |= _read_parameters(lines[start:end], _NUMPY if start == at + 2 else _GOOGLE)
            at = end
        else:
            if not parameters:  # text after the parameters is not part of the summary
                text.append(line)
            at += 1
    return Documentation("\n".join(text).strip(), {name: _join(words) for name, words in parameters.items()})


def _find_section(lines: list[str], at: int) -> str | None:
    """Return the name of a section that starts here: `Args:`, or an underlined title."""
    line = lines[at]
    if _is_underline(lines, at + 1) and line.strip().lower() in _SECTIONS:
        return line.strip().lower()
    name = line.removesuffix(":").lower()
    return name if line.endswith(":") and name in _SECTIONS else None


def _is_underline(lines: list[str], at: int) -> bool:
    return at < len(lines) and len(lines[at]) > 2 and set(lines[at].strip()) == {"-"}


def _find_block_end(lines: list[str], at: int) -> int:
    """Return the index of the first line that is not indented."""
    while at < len(lines) and (not lines[at] or lines[at].startswith((" ", "\t"))):
        at += 1
    return at


def _find_section_end(lines: list[str], at: int, *, is_numpy: bool) -> int:
    if not is_numpy:
        return _find_block_end(lines, at)
    while at < len(lines) and _find_section(lines, at) is None:
        at += 1
    return at


def _read_parameters(lines: list[str], pattern: re.Pattern[str]) -> dict[str, list[str]]:
    """Return the names at the lowest indentation, each with the more indented lines below it."""
    margins = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    margin = min(margins, default=0)
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in lines:
        begins = pattern.match(line.strip()) if line.strip() and len(line) - len(line.lstrip()) == margin else None
        if begins is None:
            current.append(line)
        else:
            current = found[begins[1]] = [begins[2]] if begins.re is _GOOGLE else []
    return found


def _join(lines: list[str]) -> str:
    return " ".join(word for line in lines for word in line.split())
