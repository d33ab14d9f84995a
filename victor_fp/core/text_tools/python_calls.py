"""Calls written as Python: `name(key="value")`, in lists, or in `print(`. The source is parsed and never executed.

Arguments must be literals. Positional arguments require the tool's schema, which provides their names.
"""

from __future__ import annotations

import ast
import math
import re

import msgspec

from victor_fp.core.json import Json, JsonObject
from victor_fp.core.text_tools.readings import TextCall, Unfinished, skip_space
from victor_fp.core.text_tools.tools import Tools
from victor_fp.core.text_tools.walks import MarkWalk, NotPython, find_python_end


class Statement(msgspec.Struct, frozen=True):
    """The calls of one statement, and the offset after it."""

    calls: tuple[TextCall, ...]
    end: int


_NAME = re.compile(r"[A-Za-z_][\w.\-]{0,255}")
_PRINT = "print("
_CALL = ".call"
"""Suffix that Llama adds to the names of built-in tools."""
_STRING = re.compile(
    r"(\b[a-zA-Z]{1,2})?(\"\"\"(?:[^\"\\]|\\.|\"(?!\"\"))*+\"\"\"|'''(?:[^'\\]|\\.|'(?!''))*+'''"
    r"|\"(?:[^\"\\\n]|\\.)*+\"|'(?:[^'\\\n]|\\.)*+')",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def read_statement(text: str, at: int, tools: Tools) -> Statement | Unfinished | NotPython:
    """Read the call, or list of calls, at `at`, including `print(call(...))`."""
    if text.startswith(_PRINT, at) and not tools.resolve_name("print"):
        inner = _read_list_or_call(text, skip_space(text, at + len(_PRINT)), tools)
        if not isinstance(inner, Statement):
            return inner
        end = skip_space(text, inner.end)
        if end == len(text):
            return Unfinished()
        return Statement(inner.calls, end + 1) if text[end] == ")" else NotPython(end)
    return _read_list_or_call(text, at, tools)


def _read_list_or_call(text: str, at: int, tools: Tools) -> Statement | Unfinished | NotPython:
    if at == len(text):
        return Unfinished()
    return _read_list(text, at, tools) if text[at] == "[" else _read_call(text, at, tools)


def _read_list(text: str, at: int, tools: Tools) -> Statement | Unfinished | NotPython:
    calls: list[TextCall] = []
    at = skip_space(text, at + 1)
    while True:
        if at == len(text):
            return Unfinished()
        if calls and text[at] == "]":
            return Statement(tuple(calls), at + 1)
        found = _read_call(text, at, tools)
        if not isinstance(found, Statement):
            return found
        calls += found.calls
        at = skip_space(text, found.end)
        if at == len(text):
            return Unfinished()
        if text[at] == ",":
            at = skip_space(text, at + 1)
        elif text[at] != "]":
            return NotPython(at)


def _read_call(text: str, at: int, tools: Tools) -> Statement | Unfinished | NotPython:
    found = _NAME.match(text, at)
    if found is None:
        return NotPython(at)
    written, open_ = found.group(), found.end()
    if open_ == len(text):
        return Unfinished() if _may_become(written, tools) else NotPython(_find_failure(at, written, tools))
    name = tools.resolve_name(written) or tools.resolve_name(written.removesuffix(_CALL))
    if name is None or text[open_] != "(":
        return NotPython(_find_failure(at, written, tools))
    end = find_python_end(text, open_)
    if end is None or isinstance(end, MarkWalk):
        return Unfinished(wake=end, name=name)
    if isinstance(end, NotPython):
        return end
    arguments = _read_arguments(text[open_:end], tuple(tools.list_properties(name)))
    return NotPython(end) if arguments is None else Statement((TextCall(name=name, arguments=arguments),), end)


def _may_become(written: str, tools: Tools) -> bool:
    known, _, tail = written.rpartition(".")
    may = tools.may_become(written) or _PRINT.startswith(written)
    return may or ("call".startswith(tail) and tools.resolve_name(known) is not None)


def _find_failure(at: int, written: str, tools: Tools) -> int:
    """Return the offset after the first character that no known name has; after the name if there is none."""
    length = next((n for n in range(1, len(written) + 1) if not _may_become(written[:n], tools)), len(written))
    return at + length


def _read_arguments(source: str, names: tuple[str, ...]) -> dict[str, Json] | None:
    """Read the arguments in parentheses; None if they are not literals representable in JSON."""
    parsed = _parse(f"f{_STRING.sub(_escape_backslashes, source)}")
    if not isinstance(parsed, ast.Call) or not isinstance(parsed.func, ast.Name):
        return None
    if len(parsed.args) > len(names) or any(keyword.arg is None for keyword in parsed.keywords):
        return None
    given = [*zip(names, parsed.args, strict=False), *((word.arg or "", word.value) for word in parsed.keywords)]
    arguments: dict[str, Json] = {}
    for name, node in given:
        value = _read_literal(node, _MAX_DEPTH)
        if value is None or name in arguments or not _is_encodable(name):
            return None
        arguments[name] = value[0]
    return arguments


def _parse(source: str) -> ast.expr | None:
    """Parse an expression; None if the source is not one.

    Some releases of CPython 3.11 and 3.12 mix up the recursion depths of parsers in two threads, and raise SystemError although
    the source is valid (https://github.com/python/cpython/issues/106905): then it is parsed again.
    """
    for _ in range(_PARSES):
        try:
            return ast.parse(source, mode="eval").body
        except SystemError:
            continue
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    return None


def write_python(name: str, arguments: JsonObject) -> str:
    """Write a call as Python source."""
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"


_PARSES = 100
"""Maximum number of times that a source is parsed."""
_MAX_DEPTH = 64
_MAX_BITS = 1024
"""Maximum size of an integer literal; Python limits conversion of integers to 4,300 digits."""
_NAMES: dict[str, Json] = {"true": True, "false": False, "null": None}
"""JSON literals, which models mix into Python."""


def _read_literal(node: ast.expr, depth: int) -> tuple[Json] | None:
    """Return the value of a literal, in a tuple; None for other expressions."""
    if depth == 0:
        return None
    match node:
        case ast.Constant(value=str() as value):
            return (value,) if _is_encodable(value) else None
        case ast.Constant(value=bool() | None as value):
            return (value,)
        case ast.Constant(value=int() as value):
            return (value,) if value.bit_length() <= _MAX_BITS else None
        case ast.Constant(value=float() as value):
            return (value,) if math.isfinite(value) else None
        case ast.Name(id=word) if word in _NAMES:
            return (_NAMES[word],)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=ast.Constant(value=int() | float() as value)):
            if isinstance(value, bool) or not _is_json_number(value):
                return None
            return (-value if isinstance(sign, ast.USub) else value,)
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            items = [_read_literal(element, depth - 1) for element in elements]
            known = [item[0] for item in items if item is not None]
            return (known,) if len(known) == len(items) else None
        case ast.Dict(keys=keys, values=values):
            fields: dict[str, Json] = {}
            for key, value_node in zip(keys, values, strict=True):
                value_found = _read_literal(value_node, depth - 1)
                if not isinstance(key, ast.Constant) or not isinstance(key.value, str) or value_found is None:
                    return None
                if not _is_encodable(key.value):
                    return None
                fields[key.value] = value_found[0]
            return (fields,)
        case _:
            return None


def _is_json_number(value: float) -> bool:
    return value.bit_length() <= _MAX_BITS if isinstance(value, int) else math.isfinite(value)


def _is_encodable(text: str) -> bool:
    """Return whether the text has no lone surrogates."""
    return text.isascii() or not any("\ud800" <= mark <= "\udfff" for mark in text)


def _escape_backslashes(string: re.Match[str]) -> str:
    """Double invalid escapes in a string literal, which have the same meaning but make Python warn."""
    prefix, literal = string.group(1) or "", string.group(2)
    return string.group() if "r" in prefix.lower() else prefix + _ESCAPE.sub(_escape_backslash, literal)


def _escape_backslash(escape: re.Match[str]) -> str:
    return escape.group() if escape.group(1) in "\n\\'\"abfnrtvxuNU01234567" else "\\" + escape.group()
