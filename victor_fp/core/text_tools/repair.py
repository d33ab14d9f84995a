"""JSON as models write it, read with every deviation named: what it was taken for is told, what is missing is not guessed.

Repaired: trailing commas, single quotes, raw control characters (line breaks above all) inside strings, Python's True,
False and None, keys without quotes, and backslashes that escape nothing. An object that breaks off is `Broken` and
`truncated`; so is nothing else.
"""

from __future__ import annotations

import math
import re
from typing import Literal, TypeAlias

import msgspec

from victor_fp.core.json import Json, NotJson, decode_json

Repair: TypeAlias = Literal[
    "trailing_comma", "single_quotes", "control_character", "python_literal", "unquoted_key", "invalid_escape"
]


class Repaired(msgspec.Struct, frozen=True):
    """A value, and what had to be repaired to read it, each once and in order of appearance."""

    value: Json
    repairs: tuple[Repair, ...] = ()


class Broken(msgspec.Struct, frozen=True, gc=False):
    """No value, and why."""

    reason: str
    truncated: bool = False
    """The text ends before the value does."""


def repair_json(text: str) -> Repaired | Broken:
    """The JSON value of a text: strictly read if that goes, else with repairs.

    >>> repaired("{'path': 'a.py', 'deep': True,}").value
    {'path': 'a.py', 'deep': True}
    >>> repaired('{"path": "a.py", "li')
    Broken(reason='the text ends inside a string', truncated=True)
    """
    strict = decode_json(text)
    if not isinstance(strict, NotJson):
        return Repaired(strict)
    reading = _Reading(text)
    value = reading.value(0)
    if isinstance(value, Broken):
        return value
    reading.skip_space()
    if reading.at < len(text):
        return Broken("more text follows the value")
    return Repaired(value[0], tuple(dict.fromkeys(reading.repairs)))


_SPACE = re.compile(r"\s*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?(?![\w.])")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_\-]*")
_PLAIN = {'"': re.compile(r'[^"\\\x00-\x1f]*'), "'": re.compile(r"[^'\\\x00-\x1f]*")}
_WORDS: dict[str, tuple[Json, bool]] = {
    "true": (True, False),
    "false": (False, False),
    "null": (None, False),
    "True": (True, True),
    "False": (False, True),
    "None": (None, True),
}
_ESCAPES = {'"': '"', "'": "'", "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HEX = {
    "u": re.compile(r"[0-9a-fA-F]{4}"),
    "x": re.compile(r"[0-9a-fA-F]{2}"),
    "U": re.compile(r"00(?:0[0-9a-fA-F]|10)[0-9a-fA-F]{4}"),
}
"""Digits of a character's number; the last two are Python's and count where its quotes are used."""
_DEPTH = 64


class _Reading:
    """One reading of one text; lives no longer than `repaired`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.repairs: list[Repair] = []

    def skip_space(self) -> None:
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def ends(self, where: str) -> Broken | None:
        return Broken(f"the text ends inside {where}", truncated=True) if self.at >= len(self.text) else None

    def value(self, depth: int) -> tuple[Json] | Broken:
        """In a tuple, so that no value looks like a failure."""
        self.skip_space()
        if broken := self.ends("a value"):
            return broken
        if depth > _DEPTH:
            return Broken("nested too deeply")
        first = self.text[self.at]
        if first == "{":
            return self.object(depth)
        if first == "[":
            return self.array(depth)
        if first in "\"'":
            string = self.string()
            return string if isinstance(string, Broken) else (string,)
        return self.scalar()

    def scalar(self) -> tuple[Json] | Broken:
        if number := _NUMBER.match(self.text, self.at):
            self.at = number.end()
            if number.group(1) is None and number.group(2) is None:
                return (int(number.group()),) if len(number.group()) < 4000 else Broken("a number is too long")
            value = float(number.group())
            return (value,) if math.isfinite(value) else Broken("a number is too large")
        word = _WORD.match(self.text, self.at)
        if word is None or word.group() not in _WORDS:
            ends = (word.end() if word else self.at + 1) == len(self.text)
            return Broken(f"no value begins with {self.text[self.at : self.at + 12]!r}", truncated=ends)
        self.at = word.end()
        known, python = _WORDS[word.group()]
        if python:
            self.repairs.append("python_literal")
        return (known,)

    def array(self, depth: int) -> tuple[Json] | Broken:
        self.at += 1
        items: list[Json] = []
        comma = False
        while True:
            self.skip_space()
            if broken := self.ends("a list"):
                return broken
            if self.text[self.at] == "]":
                self.at += 1
                if items and comma:
                    self.repairs.append("trailing_comma")
                return (items,)
            if items and not comma:
                return Broken("a comma is missing")
            item = self.value(depth + 1)
            if isinstance(item, Broken):
                return item
            items.append(item[0])
            comma = self.comma()

    def object(self, depth: int) -> tuple[Json] | Broken:
        self.at += 1
        fields: dict[str, Json] = {}
        comma = False
        while True:
            self.skip_space()
            if broken := self.ends("an object"):
                return broken
            if self.text[self.at] == "}":
                self.at += 1
                if fields and comma:
                    self.repairs.append("trailing_comma")
                return (fields,)
            if fields and not comma:
                return Broken("a comma is missing")
            key = self.key()
            if isinstance(key, Broken):
                return key
            self.skip_space()
            if broken := self.ends("an object"):
                return broken
            if self.text[self.at] != ":":
                return Broken("a colon is missing")
            self.at += 1
            item = self.value(depth + 1)
            if isinstance(item, Broken):
                return item
            fields[key] = item[0]
            comma = self.comma()

    def comma(self) -> bool:
        """Step over a comma and the space before it, if there is one."""
        self.skip_space()
        found = self.text.startswith(",", self.at)
        self.at += found
        return found

    def key(self) -> str | Broken:
        if self.text[self.at] in "\"'":
            return self.string()
        word = _WORD.match(self.text, self.at)
        if word is None:
            return Broken(f"no key begins with {self.text[self.at : self.at + 12]!r}")
        self.at = word.end()
        self.repairs.append("unquoted_key")
        return word.group()

    def string(self) -> str | Broken:
        quote = self.text[self.at]
        if quote == "'":
            self.repairs.append("single_quotes")
        self.at += 1
        pieces: list[str] = []
        while True:
            plain = _PLAIN[quote].match(self.text, self.at)
            if plain:
                pieces.append(plain.group())
                self.at = plain.end()
            if broken := self.ends("a string"):
                return broken
            mark = self.text[self.at]
            self.at += 1
            if mark == quote:
                return self.sound("".join(pieces))
            if mark != "\\":
                self.repairs.append("control_character")
                pieces.append(mark)
            elif broken := self.ends("a string"):
                return broken
            else:
                pieces.append(self.escape(quote))

    def sound(self, text: str) -> str | Broken:
        """Surrogate halves that escapes left alone are no text."""
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            return Broken("half a surrogate pair")

    def escape(self, quote: str) -> str:
        mark = self.text[self.at]
        self.at += 1
        digits = _HEX[mark].match(self.text, self.at) if mark == "u" or (quote == "'" and mark in _HEX) else None
        if digits is not None:
            self.at = digits.end()
            return chr(int(digits.group(), 16))
        if mark == "\n":
            self.repairs.append("control_character")
            return mark
        known = _ESCAPES.get(mark)
        if known is None:
            self.repairs.append("invalid_escape")
            return "\\" + mark
        return known
