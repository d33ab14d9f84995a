"""Calls in JSON: which values are calls, and whether an incomplete value can become one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

import msgspec

from victor_fp.core.json import Json, NotJson, decode_json
from victor_fp.core.text_tools.json_repair import BrokenJson, Repair, repair_json
from victor_fp.core.text_tools.readings import (
    Edge,
    Found,
    NotACall,
    Reading,
    TextCall,
    Unfinished,
    skip_literal,
    skip_space,
)
from victor_fp.core.text_tools.tools import Tools
from victor_fp.core.text_tools.walks import (
    VALUE,
    BracketWalk,
    EndMarks,
    MarkWalk,
    Walk,
    end_marks,
    find_end,
    walk,
    walk_behind,
)

NAME_KEYS = ("name", "tool_name", "tool", "function", "action")
"""`tool_name` is used by Command R, `action` by LangChain, the others by models that follow an example loosely."""
ARGUMENT_KEYS = ("arguments", "parameters", "args", "input", "tool_input", "action_input", "params")
"""`parameters` is used by Llama and Command R."""
WRAPPER_KEYS = ("function", "function_call", "tool_call", "tool_calls")
"""The call is the value of this key, as in OpenAI's `{"type": "function", "function": {...}}`."""
OTHER_KEYS = ("id", "type", "tool_call_id", "call_id", "index")
KEYS = frozenset((*NAME_KEYS, *ARGUMENT_KEYS, *WRAPPER_KEYS, *OTHER_KEYS))
_MAX_DEPTH = 4
"""Maximum nesting of lists and wrappers."""
_UNKNOWN = "no call of a known tool"
_REREAD = 1024
"""Characters that may be read again after they were rejected."""


def read_calls(
    text: str, at: int, tools: Tools, marks: EndMarks | None = None, *, strict: bool = False, several: bool = False
) -> Reading:
    """Read the calls from `at` on.

    Values are separated by white space, commas or semicolons. Without `marks`, only the first is read or, with `several`,
    those before the first that is not a call. Complete values without an end mark, which servers may strip, are calls.
    `strict` is for text without markup: unknown keys are rejected.
    """
    so_far: Found | None = None
    place = skip_space(text, at)
    while True:
        value = _read_value(text, place, tools, strict=strict)
        if isinstance(value, Unfinished):
            return msgspec.structs.replace(value, salvage=so_far)
        if isinstance(value, NotACall):
            return _refuse(value, text, at, place, marks, so_far)
        calls, end = value
        so_far = Found((*(so_far.calls if so_far else ()), *calls), end) if marks or several else Found(calls, end)
        if marks is None and not several:
            return so_far
        place = skip_space(text, end, ",;")
        closed = skip_literal(text, place, marks.marks) if marks is not None else Edge.MISSING
        if isinstance(closed, int):
            return Found(so_far.calls, closed)
        if closed is Edge.UNDECIDED:
            return Unfinished(salvage=so_far, name=calls[0].name)


def _refuse(value: NotACall, text: str, at: int, place: int, marks: EndMarks | None, so_far: Found | None) -> Reading:
    """Reject a value: it is text up to the end mark, or, without marks, to the end of the value at `place`."""
    if so_far is not None and marks is None:
        return so_far
    if so_far is None and text[place] not in "{[":
        return NotACall(end=at)
    if marks is None:
        return NotACall(end=place, unread=VALUE, reason=value.reason)
    # An end mark inside of the value also ends it, unless too much was read to read it again.
    end = at if value.end - at <= _REREAD else value.end
    return NotACall(end=end, unread=MarkWalk(marks), reason=value.reason)


def _read_value(
    text: str, at: int, tools: Tools, *, strict: bool
) -> tuple[tuple[TextCall, ...], int] | Unfinished | NotACall:
    """Read the calls of the value at `at`; return them with the offset after it."""
    if at == len(text):
        return Unfinished()
    if text[at] not in "{[":
        return NotACall(end=at, reason="not JSON")
    view = assess(text, at, tools, strict=strict)
    if isinstance(view, Impossible):
        _, closed = walk(VALUE, text[at : view.at])
        if closed is None:
            return NotACall(end=view.at, reason=_UNKNOWN)
        end = at + closed
    else:
        found = find_end(text, at)
        if isinstance(found, BracketWalk):
            return Unfinished(wake=view.wake if view.name else None, name=view.name)
        end = found
    calls = read_complete(text[at:end], tools, strict=strict)
    return NotACall(end=end, reason=calls) if isinstance(calls, str) else (calls, end)


def read_complete(text: str, tools: Tools, *, strict: bool) -> tuple[TextCall, ...] | str:
    """Return all calls of a complete JSON text, or the reason why it is not calls."""
    match repair_json(text):
        case BrokenJson(reason=reason):
            return reason
        case read:
            return _read_calls(read.value, tools, read.repairs, strict=strict, depth=_MAX_DEPTH)


def _read_calls(
    value: Json, tools: Tools, repairs: tuple[Repair, ...], *, strict: bool, depth: int
) -> tuple[TextCall, ...] | str:
    if depth == 0:
        return "nested too deeply"
    if isinstance(value, list):
        found: list[TextCall] = []
        for item in value:
            calls = _read_calls(item, tools, repairs, strict=strict, depth=depth - 1)
            if isinstance(calls, str):
                return calls
            found += calls
        return tuple(found) or "an empty list"
    if not isinstance(value, dict):
        return "not an object"
    if strict and (unknown := value.keys() - KEYS):
        return f"the key {min(unknown)[:40]!r} is not part of a call"
    for key in WRAPPER_KEYS:
        if isinstance(inner := value.get(key), dict | list):
            return _read_calls(inner, tools, repairs, strict=strict, depth=depth - 1)
    written = next((name for key in NAME_KEYS if isinstance(name := value.get(key), str)), None)
    if written is None:
        return "no name"
    name = tools.resolve_name(written)
    if name is None:
        return f"there is no tool {written[:40]!r}"
    if strict and not any(key in value for key in ARGUMENT_KEYS):
        return "no arguments"
    given = next((value[key] for key in ARGUMENT_KEYS if key in value), None)
    arguments = read_arguments(given)
    if arguments is None:
        return "the arguments are not an object"
    return (TextCall(name=name, arguments=arguments[0], repairs=(*repairs, *arguments[1])),)


def read_arguments(given: Json) -> tuple[dict[str, Json] | str, tuple[Repair, ...]] | None:
    """Return arguments as an object. Text is decoded as JSON, or kept if it is not an object; None for other types."""
    if given is None:
        return {}, ()
    if isinstance(given, Mapping):
        return dict(given), ()
    if not isinstance(given, str):
        return None
    if not given.strip():
        return {}, ()
    strict = decode_json(given)
    if not isinstance(strict, NotJson):
        return (dict(strict), ()) if isinstance(strict, Mapping) else (given, ())
    match repair_json(given):
        case BrokenJson():
            return given, ()
        case read:
            return (dict(read.value), read.repairs) if isinstance(read.value, Mapping) else (given, ())


class Possible(msgspec.Struct, frozen=True, gc=False):
    """JSON that can become a call; `name` is the tool, if known."""

    name: str | None = None
    wake: Walk | None = None
    """Nothing is decided before this walk ends; None if any character may decide."""


class Impossible(msgspec.Struct, frozen=True, gc=False):
    """JSON that cannot become a call, as decided at offset `at`."""

    at: int


Assessment: TypeAlias = Possible | Impossible

_STRING_END = {
    '"': re.compile(r'((?:[^"\\]|\\.)*+)(")?', re.DOTALL),
    "'": re.compile(r"((?:[^'\\]|\\.)*+)(')?", re.DOTALL),
}
_LONGEST = 256
"""Number of characters of a key or name that are examined."""
_QUOTES = {'"': end_marks('"'), "'": end_marks("'")}
_BARE = re.compile(r"[^\s,:}\]]{0,128}")


def assess(text: str, at: int, tools: Tools, *, strict: bool, depth: int = _MAX_DEPTH) -> Assessment:
    """Assess whether the value at `at`, complete or not, can become a call.

    It is read from the start, so that a rejection is not changed by more text.
    """
    if depth == 0:
        return Impossible(at + 1)
    if text[at] == "[":
        return _assess_list(text, at, tools, strict=strict, depth=depth)
    name: str | None = None
    at += 1
    while True:
        at = skip_space(text, at)
        if at == len(text) or text[at] == "}":
            return Possible(name)
        key, end = _read_word(text, at)
        if strict and (failed := _find_failure(text, at, key, end, _may_become_key, _is_key)) is not None:
            return Impossible(failed)
        if end is None:
            return Possible(name)
        at = skip_space(text, end)
        if at == len(text):
            return Possible(name)
        if text[at] != ":":
            return Impossible(at)
        at = skip_space(text, at + 1)
        if at == len(text):
            return Possible(name)
        if text[at] in "{[":
            read = _assess_nested(text, at, tools, key, name, strict=strict, depth=depth)
        else:
            read = _assess_word(text, at, tools, key, name)
        if not isinstance(read, _Closed):
            return read
        name = read.name
        at = skip_space(text, read.end)
        if at == len(text):
            return Possible(name)
        if text[at] == ",":
            at += 1
        elif text[at] != "}":
            return Impossible(at)


class _Closed(msgspec.Struct, frozen=True):
    """A complete value, and the name of the tool so far."""

    name: str | None
    end: int


def _assess_nested(
    text: str, at: int, tools: Tools, key: str, name: str | None, *, strict: bool, depth: int
) -> Assessment | _Closed:
    """Assess an object or a list as the value of a key."""
    wake: Walk | None = None
    if key in WRAPPER_KEYS:
        inner = assess(text, at, tools, strict=strict, depth=depth - 1)
        if isinstance(inner, Impossible):
            return inner
        name, wake = inner.name or name, inner.wake
    elif key in NAME_KEYS or (text[at] == "[" and key in ARGUMENT_KEYS):
        return Impossible(at)
    end = find_end(text, at)
    if isinstance(end, BracketWalk):
        return Possible(name, wake if key in WRAPPER_KEYS else end)
    return _Closed(name, end)


def _assess_word(text: str, at: int, tools: Tools, key: str, name: str | None) -> Assessment | _Closed:
    """Assess a text, a number or a constant as the value of a key."""
    value, end = _read_word(text, at)
    if key in NAME_KEYS:
        if (failed := _find_failure(text, at, value, end, tools.may_become, tools.has_tool)) is not None:
            return Impossible(failed)
        name = name or (None if end is None else tools.resolve_name(value))
    elif end is None and text[at] in "\"'":
        return Possible(name, walk_behind(_QUOTES[text[at]], ""))
    return Possible(name) if end is None else _Closed(name, end)


def _assess_list(text: str, at: int, tools: Tools, *, strict: bool, depth: int) -> Assessment:
    """Assess a list of calls: every element must be an object that is or can become a call."""
    name: str | None = None
    at += 1
    while True:
        at = skip_space(text, at, ",")
        if at == len(text) or text[at] == "]":
            return Possible(name)
        if text[at] != "{":
            return Impossible(at)
        inner = assess(text, at, tools, strict=strict, depth=depth - 1)
        if isinstance(inner, Impossible):
            return inner
        name = inner.name or name
        end = find_end(text, at)
        if isinstance(end, BracketWalk):
            return Possible(name, inner.wake)
        at = end


def _is_key(word: str) -> bool:
    return word in KEYS


def _may_become_key(begun: str) -> bool:
    return any(known.startswith(begun) for known in KEYS)


def _find_failure(
    text: str,
    at: int,
    word: str,
    end: int | None,
    may_become: Callable[[str], bool],
    is_known: Callable[[str], bool],
) -> int | None:
    """Return the offset after the first character that no known word has, or after the word.

    None if the word is known, or may still become known.
    """
    if end is not None and is_known(word):
        return None
    start = at + (text[at] in _STRING_END)
    length = next((n for n in range(1, len(word[:_LONGEST]) + 1) if not may_become(word[:n])), None)
    return start + length if length is not None else end


def _read_word(text: str, at: int) -> tuple[str, int | None]:
    """Read a string or bare word; return it with the offset after it, None if it has not ended."""
    quote = text[at]
    if quote in _STRING_END:
        found = _STRING_END[quote].match(text, at + 1)
        if found is None:
            return "", None
        return found.group(1), found.end() if found.group(2) else None
    bare = _BARE.match(text, at)
    end = bare.end() if bare else at
    return text[at:end], None if end == len(text) else end
