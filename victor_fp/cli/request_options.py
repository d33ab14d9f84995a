"""`-o NAME=VALUE`: parsing of request options by their types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any, cast, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError
from returns.result import Failure, Result, Success

from victor_fp.cli.exit_codes import CommandError, build_usage_error
from victor_fp.core.json import NotJson, decode_json
from victor_fp.core.options import ChatOptions, ReasoningEffort

EFFORTS: tuple[str, ...] = get_args(ReasoningEffort)


@cache
def list_option_types() -> Mapping[str, Any]:
    """Return the options with their types, except `response_format`, for which there is --schema."""
    hints = get_type_hints(ChatOptions)
    hints.pop("response_format")
    return {"temperature": float, "max_tokens": int, **hints}


def parse_options(pairs: Sequence[str]) -> Result[dict[str, Any], CommandError]:
    """Parse `NAME=VALUE` pairs by the types of the options. List values are accumulated; objects are given as JSON.

    >>> parse_options(["top_p=0.5", "stop=END", "stop=##", "tool_choice=none"]).unwrap()
    {'top_p': 0.5, 'stop': ['END', '##'], 'tool_choice': 'none'}
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        name = name.strip().replace("-", "_")
        if not name or not equals:
            return Failure(build_usage_error(f"-o {name or pair} is not NAME=VALUE"))
        kind = list_option_types().get(name)
        if kind is None:
            return Failure(_build_unknown_option(name))
        try:
            value = TypeAdapter(kind).validate_python(_read_value(kind, text))
        except ValidationError as error:
            reasons = dict.fromkeys(one["msg"] for one in error.errors(include_input=False, include_url=False))
            return Failure(build_usage_error(f"-o {name} has a value that is not valid", "; ".join(reasons)))
        before = found.get(name)
        if name in found and not isinstance(before, list):
            return Failure(build_usage_error(f"-o {name} is given twice"))
        found[name] = [*before, *value] if isinstance(before, list) else value
    return Success(found)


def make_chat_options(found: Mapping[str, Any]) -> ChatOptions:
    """Return the parsed options with the type that providers declare."""
    return cast("ChatOptions", dict(found))


def _read_value(kind: Any, text: str) -> object:
    """Parse a value: a string if the option is a string, else JSON, else the text itself."""
    if kind is str:
        return text
    value = decode_json(text)
    if isinstance(value, NotJson):
        value = text
    return [value] if kind == list[str] and not isinstance(value, list) else value


def _build_unknown_option(name: str) -> CommandError:
    near = get_close_matches(name, list_option_types(), n=1)
    if name == "response_format":
        return build_usage_error("-o response_format is not supported", todo="Use --schema FILE.")
    todo = f"Did you mean {near[0]}?" if near else "Pass vendor-specific fields as -o 'extra_body={\"name\": value}'."
    return build_usage_error(f"unknown option {name}", f"options: {', '.join(sorted(list_option_types()))}", todo)
