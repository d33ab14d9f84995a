"""`<invoke name="tool"><parameter name="key">value</parameter></invoke>`, plain and in DeepSeek's DSML spelling."""

from __future__ import annotations

import re

import msgspec

from victor_fp.core.json import Json, JsonObject
from victor_fp.core.text_tools.formats.form import Opening, TextFormat
from victor_fp.core.text_tools.json_calls import read_arguments
from victor_fp.core.text_tools.json_repair import BrokenJson, Repair, repair_json
from victor_fp.core.text_tools.parameters import read_parameter, strip_line_breaks, write_parameter
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
from victor_fp.core.text_tools.walks import BracketWalk, EndMarks, MarkWalk, end_marks, find_end, walk_behind

_DSML = ("\uff5cDSML\uff5c", "|DSML|")
"""The bar is U+FF5C in the vocabulary; it is also written in ASCII."""
_PLAIN = ("", "antml:")
_CONTAINERS = ("function_calls", "tool_calls")
"""DeepSeek V3.2 writes the first, V4 the second."""
_NAME_VALUE = r"\s+name=(?:\"([^\"<>]*)\"|'([^'<>]*)'|([^\s<>\"']+))"
_NAME_ATTRIBUTE = re.compile(rf"{_NAME_VALUE}\s*>")
_NAME_BEGUN = re.compile(r"\s+name=[\"']?([^\"'\s<>]*)")
_PARAMETER_HEAD = re.compile(rf"{_NAME_VALUE}(?:\s+string=[\"']?(true|false)[\"']?)?\s*>")
_HEAD_LIMIT = 256
_HEAD_END = end_marks(">")


class _Tags(msgspec.Struct, frozen=True):
    """The tags of one prefix."""

    invoke: str
    parameter: str
    parameter_end: EndMarks
    close: EndMarks


_TAGS = {
    prefix: _Tags(
        f"<{prefix}invoke", f"<{prefix}parameter", end_marks(f"</{prefix}parameter>"), end_marks(f"</{prefix}invoke>")
    )
    for prefix in (*_DSML, *_PLAIN)
}


def read(text: str, at: int, tools: Tools) -> Reading:
    """Read the first call; further ones in the same container have their own opening."""
    opened, prefix = next(opening for opening in _OPENINGS if text.startswith(opening[0], at))
    tags, body = _TAGS[prefix], at + len(opened)
    if opened != tags.invoke:
        inner = skip_literal(text, skip_space(text, body), (tags.invoke,))
        if inner is Edge.UNDECIDED:
            return Unfinished()
        if isinstance(inner, Edge):
            return NotACall(end=body)
        body = inner
    return _read_invoke(text, body, tags, tools)


def _read_invoke(text: str, at: int, tags: _Tags, tools: Tools) -> Reading:
    head_end = text.find(">", at, at + _HEAD_LIMIT)
    head = text[at : head_end + 1 if head_end >= 0 else at + _HEAD_LIMIT]
    begun = _NAME_BEGUN.match(head)
    too_long = head_end < 0 and len(head) == _HEAD_LIMIT
    if too_long or "<" in head or (begun and not tools.may_become(begun.group(1))):
        return _refuse(at, tags, "no call of a known tool")
    if head_end < 0:
        return Unfinished()
    attribute = _NAME_ATTRIBUTE.match(text, at)
    name = tools.resolve_name(_read_value(attribute)) if attribute else None
    if attribute is None or name is None:
        return _refuse(at, tags, "no call of a known tool")
    return _read_body(text, attribute.end(), tags, tools, name)


def _refuse(end: int, tags: _Tags, reason: str) -> NotACall:
    return NotACall(end=end, unread=MarkWalk(tags.close), reason=reason)


def _read_value(found: re.Match[str]) -> str:
    return next((value for value in found.groups()[:3] if value is not None), "")


def _read_body(text: str, at: int, tags: _Tags, tools: Tools, name: str) -> Reading:
    close = tags.close.marks[0]
    arguments: dict[str, Json] = {}
    repairs: list[Repair] = []
    at = skip_space(text, at)
    if text.startswith("{", at):
        return _read_json(text, at, tags, name)
    while True:
        after = skip_literal(text, at, (tags.parameter, close))
        if after is Edge.UNDECIDED:
            return Unfinished(name=name)
        if isinstance(after, Edge):
            return _refuse(at, tags, "neither a parameter nor the end")
        if text.startswith(close, at):
            return Found((TextCall(name=name, arguments=arguments, repairs=tuple(repairs)),), after)
        head_end = text.find(">", after, after + _HEAD_LIMIT)
        if head_end < 0 and len(text) - after < _HEAD_LIMIT:
            return Unfinished(name=name, wake=MarkWalk(_HEAD_END))
        head = _PARAMETER_HEAD.match(text, after, after + _HEAD_LIMIT)
        if head is None:
            return _refuse(after, tags, "a parameter without a name")
        end = text.find(tags.parameter_end.marks[0], head.end())
        if end < 0:
            return Unfinished(name=name, wake=walk_behind(tags.parameter_end, text, head.end()))
        value = text[head.end() : end]
        key, kind = _read_value(head), head.group(4)
        if kind == "true":
            arguments[key] = value
        elif kind == "false":
            read_value = repair_json(value.strip())
            if isinstance(read_value, BrokenJson):
                return _refuse(end, tags, f"the parameter {key!r} is not JSON")
            arguments[key] = read_value.value
            repairs += read_value.repairs
        else:
            arguments[key], made = read_parameter(strip_line_breaks(value), tools.list_properties(name).get(key))
            repairs += made
        at = skip_space(text, end + tags.parameter_end.longest)


def _read_json(text: str, at: int, tags: _Tags, name: str) -> Reading:
    end = find_end(text, at)
    if isinstance(end, BracketWalk):
        return Unfinished(name=name, wake=end)
    arguments = read_arguments(text[at:end])
    if arguments is None or isinstance(arguments[0], str):
        return _refuse(end, tags, "the arguments are not an object")
    after = skip_literal(text, skip_space(text, end), tags.close.marks)
    if after is Edge.UNDECIDED:
        return Unfinished(name=name)
    call = TextCall(name=name, arguments=arguments[0], repairs=arguments[1])
    return _refuse(end, tags, "no end tag") if isinstance(after, Edge) else Found((call,), after)


def write_dsml(name: str, arguments: JsonObject) -> str:
    """Write a call in DeepSeek V3.2's form."""
    tag = _DSML[0]
    inner = "".join(
        f'<{tag}parameter name="{key}" string="{str(isinstance(value, str)).lower()}">{write_parameter(value)}</{tag}parameter>\n'
        for key, value in arguments.items()
    )
    return f'<{tag}function_calls>\n<{tag}invoke name="{name}">\n{inner}</{tag}invoke>\n</{tag}function_calls>'


def write_plain(name: str, arguments: JsonObject) -> str:
    """Write a call in plain tags."""
    inner = "".join(
        f'<parameter name="{key}">\n{write_parameter(value)}\n</parameter>\n' for key, value in arguments.items()
    )
    return f'<function_calls>\n<invoke name="{name}">\n{inner}</invoke>\n</function_calls>'


def _build_openings(prefixes: tuple[str, ...], containers: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return the openings of calls, with the prefix of their tags."""
    return tuple(
        (opening, prefix)
        for prefix in prefixes
        for opening in (f"<{prefix}invoke", *(f"<{prefix}{container}>" for container in containers))
    )


_DSML_OPENINGS = _build_openings(_DSML, _CONTAINERS)
_PLAIN_OPENINGS = (*_build_openings(_PLAIN, _CONTAINERS), ("<minimax:tool_call>", ""))
_OPENINGS = (*_DSML_OPENINGS, *_PLAIN_OPENINGS)


def _build_trailers(openings: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    return tuple(f"</{opening[1:]}" for opening, _ in openings if opening.endswith(">"))


DSML = TextFormat(
    name="dsml",
    title="DeepSeek V3.2 and V4",
    openings=tuple(Opening(opening) for opening, _ in _DSML_OPENINGS),
    read=read,
    trailers=_build_trailers(_DSML_OPENINGS),
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
    trailers=_build_trailers(_PLAIN_OPENINGS),
    write=write_plain,
    method="xml_fallback",
    confidence=0.9,
    source="chat template of MiniMax M2; Anthropic's legacy tool use",
)
