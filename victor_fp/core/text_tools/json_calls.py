"""Which JSON values are calls: the spellings of name and arguments, as data, and the values read by them."""

from __future__ import annotations

from collections.abc import Mapping

from victor_fp.core.json import Json, NotJson, decode_json_object
from victor_fp.core.text_tools.reading import TextCall
from victor_fp.core.text_tools.repair import Broken, Repair, repair_json
from victor_fp.core.text_tools.tools import Tools

NAME_KEYS = ("name", "tool_name", "tool", "function", "action")
"""`tool_name` is Command-R's, `action` LangChain's; the others are seen in models that follow an example loosely."""
ARGUMENT_KEYS = ("arguments", "parameters", "args", "input", "tool_input", "action_input", "params")
"""`parameters` is Llama's and Command-R's."""
WRAPPER_KEYS = ("function", "function_call", "tool_call", "tool_calls")
"""The call is the value of this key, as in OpenAI's `{"type": "function", "function": {...}}`."""
OTHER_KEYS = ("id", "type", "tool_call_id", "call_id", "index")
_DEPTH = 4
KEYS = frozenset((*NAME_KEYS, *ARGUMENT_KEYS, *WRAPPER_KEYS, *OTHER_KEYS))


def calls_of(text: str, tools: Tools, *, strict: bool) -> tuple[TextCall, ...] | str:
    """The calls that a whole JSON text holds, all or none; a str says why it holds none.

    `strict` is for text without markup around it: no keys beyond the known ones.
    """
    match repair_json(text):
        case Broken(reason=reason):
            return reason
        case read:
            return _calls_in(read.value, tools, read.repairs, strict=strict, depth=_DEPTH)


def _calls_in(
    value: Json, tools: Tools, repairs: tuple[Repair, ...], *, strict: bool, depth: int
) -> tuple[TextCall, ...] | str:
    if depth == 0:
        return "nested too deeply"
    if isinstance(value, list):
        found: list[TextCall] = []
        for item in value:
            calls = _calls_in(item, tools, repairs, strict=strict, depth=depth - 1)
            if isinstance(calls, str):
                return calls
            found += calls
        return tuple(found) or "an empty list"
    if not isinstance(value, dict):
        return "not an object"
    if strict and (strangers := value.keys() - KEYS):
        return f"the key {min(strangers)!r} is no part of a call"
    for key in WRAPPER_KEYS:
        if isinstance(inner := value.get(key), dict | list):
            return _calls_in(inner, tools, repairs, strict=strict, depth=depth - 1)
    written = next((name for key in NAME_KEYS if isinstance(name := value.get(key), str)), None)
    if written is None:
        return "no name"
    name = tools.spelled(written)
    if name is None:
        return f"no tool is called {written!r}"
    if strict and not any(key in value for key in ARGUMENT_KEYS):
        return "no arguments"
    given = next((value[key] for key in ARGUMENT_KEYS if key in value), None)
    arguments = arguments_of(given)
    if arguments is None:
        return "the arguments are no object"
    return (TextCall(name=name, arguments=arguments[0], repairs=(*repairs, *arguments[1])),)


def arguments_of(given: Json) -> tuple[dict[str, Json] | str, tuple[Repair, ...]] | None:
    """Arguments as an object: a text is read as JSON and stays text where it is none. None for any other kind."""
    if given is None:
        return {}, ()
    if isinstance(given, Mapping):
        return dict(given), ()
    if not isinstance(given, str):
        return None
    if not given.strip():
        return {}, ()
    strict = decode_json_object(given)
    if not isinstance(strict, NotJson):
        return strict, ()
    match repair_json(given):
        case Broken():
            return given, ()
        case read:
            return (dict(read.value), read.repairs) if isinstance(read.value, Mapping) else (given, ())
