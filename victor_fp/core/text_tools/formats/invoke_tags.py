"""`<invoke name="tool"><parameter name="key">value</parameter></invoke>`, plain and in DeepSeek's DSML spelling."""

from __future__ import annotations

import re

import msgspec

from victor_fp.core.json import Json, JsonObject
from victor_fp.core.text_tools.brackets import Brackets, Until, end_of, until
from victor_fp.core.text_tools.formats.form import Opening, TextFormat
from victor_fp.core.text_tools.json_calls import arguments_of
from victor_fp.core.text_tools.parameters import as_text, convert_parameter, strip_line_breaks
from victor_fp.core.text_tools.reading import (
    Edge,
    Found,
    NotACall,
    Reading,
    TextCall,
    Unfinished,
    skip_literal,
    skip_space,
)
from victor_fp.core.text_tools.repair import Broken, Repair, repair_json
from victor_fp.core.text_tools.tools import Tools

_DSML = ("\uff5cDSML\uff5c", "|DSML|")
"""The bar is U+FF5C in the vocabulary; servers and people also write it as an ASCII one."""
_PLAIN = ("", "antml:")
_CONTAINERS = ("function_calls", "tool_calls")
"""DeepSeek V3.2 writes the first, V4 the second."""
_NAME_VALUE = r"\s+name=(?:\"([^\"<>]*)\"|'([^'<>]*)'|([^\s<>\"']+))"
_NAME_ATTRIBUTE = re.compile(rf"{_NAME_VALUE}\s*>")
_NAME_BEGUN = re.compile(r"\s+name=[\"']?([^\"'\s<>]*)")
_PARAMETER_HEAD = re.compile(rf"{_NAME_VALUE}(?:\s+string=[\"']?(true|false)[\"']?)?\s*>")
_HEAD_LIMIT = 256


def read(text: str, tools: Tools) -> Reading:
    """The first call; others in the same container open themselves."""
    opened = next(opening for opening, _ in _OPENINGS if text.startswith(opening))
    prefix = dict(_OPENINGS)[opened]
    if not opened.endswith("invoke"):
        inner = skip_literal(text, skip_space(text, len(opened)), (f"<{prefix}invoke",))
        if inner is Edge.UNTOLD:
            return Unfinished()
        if isinstance(inner, Edge):
            return NotACall(length=len(opened))
        return _invoke(text, inner, prefix, tools)
    return _invoke(text, len(opened), prefix, tools)


def _invoke(text: str, at: int, prefix: str, tools: Tools) -> Reading:
    no_call = NotACall(length=at, unread=Until((f"</{prefix}invoke>",)), reason="no call of a known tool")
    head_end = text.find(">", at)
    head = text[at : head_end + 1 if head_end >= 0 else len(text)]
    begun = _NAME_BEGUN.match(head)
    if len(head) > _HEAD_LIMIT or "<" in head or (begun and not tools.may_become(begun.group(1))):
        return no_call
    if head_end < 0:
        return Unfinished()
    attribute = _NAME_ATTRIBUTE.match(text, at)
    name = tools.spelled(_value_of(attribute)) if attribute else None
    if attribute is None or name is None:
        return no_call
    read_arguments = _arguments(text, attribute.end(), prefix, tools, name)
    if isinstance(read_arguments, str):
        return msgspec.structs.replace(no_call, reason=read_arguments)
    return read_arguments


def _value_of(found: re.Match[str]) -> str:
    return next((value for value in found.groups()[:3] if value is not None), "")


def _arguments(text: str, at: int, prefix: str, tools: Tools, name: str) -> Found | Unfinished | str:
    opening, end_tag, close = f"<{prefix}parameter", f"</{prefix}parameter>", f"</{prefix}invoke>"
    arguments: dict[str, Json] = {}
    repairs: list[Repair] = []
    at = skip_space(text, at)
    if text.startswith("{", at):
        return _json(text, at, close, name)
    while True:
        after = skip_literal(text, at, (opening, close))
        if after is Edge.UNTOLD:
            return Unfinished(name=name)
        if isinstance(after, Edge):
            return "neither a parameter nor the end"
        if text.startswith(close, at):
            return Found((TextCall(name=name, arguments=arguments, repairs=tuple(repairs)),), after)
        if text.find(">", after) < 0:
            return Unfinished(name=name, wake=until((">",)))
        head = _PARAMETER_HEAD.match(text, after)
        if head is None:
            return "a parameter without a name"
        end = text.find(end_tag, head.end())
        if end < 0:
            return Unfinished(name=name, wake=until((end_tag,), text))
        value = text[head.end() : end]
        key, kind = _value_of(head), head.group(4)
        if kind == "true":
            arguments[key] = value
        elif kind == "false":
            read_value = repair_json(value.strip())
            if isinstance(read_value, Broken):
                return f"the parameter {key!r} is no JSON"
            arguments[key] = read_value.value
            repairs += read_value.repairs
        else:
            arguments[key], made = convert_parameter(strip_line_breaks(value), tools.properties(name).get(key))
            repairs += made
        at = skip_space(text, end + len(end_tag))


def _json(text: str, at: int, close: str, name: str) -> Found | Unfinished | str:
    end = end_of(text, at)
    if isinstance(end, Brackets):
        return Unfinished(name=name, wake=end)
    arguments = arguments_of(text[at:end])
    if arguments is None or isinstance(arguments[0], str):
        return "the arguments are no object"
    after = skip_literal(text, skip_space(text, end), (close,))
    if after is Edge.UNTOLD:
        return Unfinished(name=name)
    call = TextCall(name=name, arguments=arguments[0], repairs=arguments[1])
    return "no end tag" if isinstance(after, Edge) else Found((call,), after)


def write_dsml(name: str, arguments: JsonObject) -> str:
    """A call as DeepSeek V3.2 writes it."""
    tag = _DSML[0]
    inner = "".join(
        f'<{tag}parameter name="{key}" string="{str(isinstance(value, str)).lower()}">{as_text(value)}</{tag}parameter>\n'
        for key, value in arguments.items()
    )
    return f'<{tag}function_calls>\n<{tag}invoke name="{name}">\n{inner}</{tag}invoke>\n</{tag}function_calls>'


def write_plain(name: str, arguments: JsonObject) -> str:
    """A call in plain tags."""
    inner = "".join(f'<parameter name="{key}">\n{as_text(value)}\n</parameter>\n' for key, value in arguments.items())
    return f'<function_calls>\n<invoke name="{name}">\n{inner}</invoke>\n</function_calls>'


def _openings(prefixes: tuple[str, ...], containers: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """What opens a call, with the prefix its tags bear."""
    return tuple(
        (opening, prefix)
        for prefix in prefixes
        for opening in (f"<{prefix}invoke", *(f"<{prefix}{container}>" for container in containers))
    )


_DSML_OPENINGS = _openings(_DSML, _CONTAINERS)
_PLAIN_OPENINGS = (*_openings(_PLAIN, _CONTAINERS), ("<minimax:tool_call>", ""))
_OPENINGS = (*_DSML_OPENINGS, *_PLAIN_OPENINGS)


def _trailers(openings: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    return tuple(f"</{opening[1:]}" for opening, _ in openings if opening.endswith(">"))


DSML = TextFormat(
    name="dsml",
    title="DeepSeek V3.2 and V4",
    openings=tuple(Opening(opening) for opening, _ in _DSML_OPENINGS),
    read=read,
    trailers=_trailers(_DSML_OPENINGS),
    write=write_dsml,
    method="xml_fallback",
    confidence=0.98,
    source="DeepSeek V3.2 encoding; the DeepSeek V3.2 and V4 parsers of vLLM",
)

INVOKE_TAGS = TextFormat(
    name="invoke",
    title="MiniMax M2, and models that follow Anthropic's old XML",
    openings=tuple(Opening(opening) for opening, _ in _PLAIN_OPENINGS),
    read=read,
    trailers=_trailers(_PLAIN_OPENINGS),
    write=write_plain,
    method="xml_fallback",
    confidence=0.9,
    source="chat template of MiniMax M2; Anthropic's legacy tool use",
)
