"""Lenient JSON decoding that reports every repair. Missing content is not guessed.

Repaired: trailing commas, single quotes, raw control characters in strings (mostly line breaks), Python's True, False and None,
unquoted keys, invalid escapes, and lone surrogates, which become U+FFFD. Only an incomplete value is `BrokenJson` with
`truncated`.
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


class RepairedJson(msgspec.Struct, frozen=True):
    """A value, and the repairs that were needed, each once, in order of appearance."""

    value: Json
    repairs: tuple[Repair, ...] = ()


class BrokenJson(msgspec.Struct, frozen=True, gc=False):
    """Why a text cannot be decoded."""

    reason: str
    truncated: bool = False
    """Whether the text ends before the value."""


def repair_json(text: str) -> RepairedJson | BrokenJson:
    """Decode a JSON text, strictly if possible, else with repairs.

    >>> repair_json("{'path': 'a.py', 'deep': True,}").value
    {'path': 'a.py', 'deep': True}
    >>> repair_json('{"path": "a.py", "li')
    BrokenJson(reason='the text ends inside a string', truncated=True)
    """
    strict = decode_json(text)
    if not isinstance(strict, NotJson):
        return RepairedJson(strict)
    reading = _Reading(text)
    value = reading.read_value(0)
    if isinstance(value, BrokenJson):
        return value
    reading.skip_space()
    if reading.at < len(text):
        return BrokenJson("more text follows the value")
    return RepairedJson(value[0], tuple(dict.fromkeys(reading.repairs)))


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
"""Hexadecimal digits of escapes; the last two are Python's, accepted in single quotes only."""
_DEPTH = 64


class _Reading:
    """Parser of one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.repairs: list[Repair] = []

    def skip_space(self) -> None:
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def check_end(self, where: str) -> BrokenJson | None:
        return BrokenJson(f"the text ends inside {where}", truncated=True) if self.at >= len(self.text) else None

    def read_value(self, depth: int) -> tuple[Json] | BrokenJson:
        """Read a value; it is in a tuple, to be distinct from a failure."""
        self.skip_space()
        if broken := self.check_end("a value"):
            return broken
        if depth > _DEPTH:
            return BrokenJson("nested too deeply")
        first = self.text[self.at]
        if first == "{":
            return self.read_object(depth)
        if first == "[":
            return self.read_array(depth)
        if first in "\"'":
            string = self.read_string()
            return string if isinstance(string, BrokenJson) else (string,)
        return self.read_scalar()

    def read_scalar(self) -> tuple[Json] | BrokenJson:
        if number := _NUMBER.match(self.text, self.at):
            self.at = number.end()
            if number.group(1) is None and number.group(2) is None:
                return (int(number.group()),) if len(number.group()) < 4000 else BrokenJson("a number is too long")
            value = float(number.group())
            return (value,) if math.isfinite(value) else BrokenJson("a number is too large")
        word = _WORD.match(self.text, self.at)
        if word is None or word.group() not in _WORDS:
            ends = (word.end() if word else self.at + 1) == len(self.text)
            return BrokenJson(f"a value cannot begin with {self.text[self.at : self.at + 12]!r}", truncated=ends)
        self.at = word.end()
        known, python = _WORDS[word.group()]
        if python:
            self.repairs.append("python_literal")
        return (known,)

    def read_array(self, depth: int) -> tuple[Json] | BrokenJson:
        self.at += 1
        items: list[Json] = []
        comma = False
        while True:
            self.skip_space()
            if broken := self.check_end("a list"):
                return broken
            if self.text[self.at] == "]":
                self.at += 1
                if items and comma:
                    self.repairs.append("trailing_comma")
                return (items,)
            if items and not comma:
                return BrokenJson("a comma is missing")
            item = self.read_value(depth + 1)
            if isinstance(item, BrokenJson):
                return item
            items.append(item[0])
            comma = self.skip_comma()

    def read_object(self, depth: int) -> tuple[Json] | BrokenJson:
        self.at += 1
        fields: dict[str, Json] = {}
        comma = False
        while True:
            self.skip_space()
            if broken := self.check_end("an object"):
                return broken
            if self.text[self.at] == "}":
                self.at += 1
                if fields and comma:
                    self.repairs.append("trailing_comma")
                return (fields,)
            if fields and not comma:
                return BrokenJson("a comma is missing")
            key = self.read_key()
            if isinstance(key, BrokenJson):
                return key
            self.skip_space()
            if broken := self.check_end("an object"):
                return broken
            if self.text[self.at] != ":":
                return BrokenJson("a colon is missing")
            self.at += 1
            item = self.read_value(depth + 1)
            if isinstance(item, BrokenJson):
                return item
            fields[key] = item[0]
            comma = self.skip_comma()

    def skip_comma(self) -> bool:
        """Skip a comma and white space before it; return whether there was one."""
        self.skip_space()
        found = self.text.startswith(",", self.at)
        self.at += found
        return found

    def read_key(self) -> str | BrokenJson:
        if self.text[self.at] in "\"'":
            return self.read_string()
        word = _WORD.match(self.text, self.at)
        if word is None:
            return BrokenJson(f"a key cannot begin with {self.text[self.at : self.at + 12]!r}")
        self.at = word.end()
        self.repairs.append("unquoted_key")
        return word.group()

    def read_string(self) -> str | BrokenJson:
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
            if broken := self.check_end("a string"):
                return broken
            mark = self.text[self.at]
            self.at += 1
            if mark == quote:
                return self.join_surrogates("".join(pieces))
            if mark != "\\":
                self.repairs.append("control_character")
                pieces.append(mark)
            elif broken := self.check_end("a string"):
                return broken
            else:
                pieces.append(self.escape(quote))

    def join_surrogates(self, text: str) -> str:
        """Join escaped surrogate pairs to characters; replace lone surrogates."""
        if text.isascii():
            return text
        joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        if joined.count("\ufffd") > text.count("\ufffd"):
            self.repairs.append("invalid_escape")
        return joined

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
