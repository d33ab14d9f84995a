"""Parsing of calls in raw entries of a provider and in text, for adapters."""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from victor_fp.agent.tool_calling.results import ParsedToolCall, ToolCallParseResult
from victor_fp.core.text_tools.detector import Remark, find_calls
from victor_fp.core.text_tools.formats import FORMATS, TextFormat, find_formats
from victor_fp.core.text_tools.json_calls import read_arguments
from victor_fp.core.text_tools.readings import TextCall
from victor_fp.core.text_tools.tools import Tools, known_tools
from victor_fp.core.types import ToolDefinition

NameCheck = Callable[[str], bool]

_WRAPPERS = ("function", "functionCall", "function_call", "toolUse")
"""Fields that wrap the call at OpenAI, Gemini (two) and Bedrock."""
_ARGUMENTS = ("arguments", "args", "input", "parameters")
_IDS = ("id", "toolUseId", "call_id", "tool_call_id")
_PYTHON = find_formats("python")
_LINE_CALL = re.compile(r"^(?:\[|print\()?[ \t]*(?:functions\.|default_api\.)?([A-Za-z_][\w\-]{0,127})\(", re.MULTILINE)
"""Dotted names are excluded: they are method calls in ordinary code."""
_NOT_TOOLS = frozenset(dir(builtins))
_MAX_GUESSED = 256
"""Maximum number of names that are collected from a text."""
_REPAIRED = 0.9
"""Factor of the confidence after a repair."""


class FallbackParsingMixin:
    """Parsing methods shared by adapters. They do not run calls, and do not guess.

    `validate_name_fn` accepts or rejects names; `valid_tool_names` lists them, and `tools` also defines their
    arguments, which are required for Python calls with positional arguments and typed parameters in tags. Without
    these, Python calls must have keyword arguments and be alone on a line.
    """

    def parse_json_arguments(self, args: Any) -> tuple[dict[str, Any] | str, str | None]:
        """Parse arguments to an object, or return them unchanged, with an optional warning."""
        read = read_arguments(args)
        if read is None:
            return {}, f"the arguments are not an object but {type(args).__name__}"
        arguments, repairs = read
        if isinstance(arguments, str):
            return arguments, "the arguments are not a JSON object and are kept as text"
        return arguments, f"repaired {', '.join(repairs)}" if repairs else None

    def parse_native_tool_calls(
        self, raw_tool_calls: Sequence[Mapping[str, Any]], validate_name_fn: NameCheck | None = None
    ) -> ToolCallParseResult:
        """Parse raw entries in the formats of OpenAI, Anthropic, Gemini, Bedrock and Ollama."""
        calls: list[ParsedToolCall] = []
        warnings: list[str] = []
        entries: Sequence[object] = raw_tool_calls or ()
        for entry in entries:
            if not isinstance(entry, Mapping):
                warnings.append(f"skipped a call that is not an object but {type(entry).__name__}")
                continue
            inner = next((entry[key] for key in _WRAPPERS if isinstance(entry.get(key), Mapping)), entry)
            name = inner.get("name") or ""
            if not isinstance(name, str) or not name:
                warnings.append("skipped a call without a name")
                continue
            if validate_name_fn is not None and not validate_name_fn(name):
                warnings.append(f"skipped a call of {name!r}, which is not a valid name")
                continue
            given = next((inner[key] for key in _ARGUMENTS if key in inner), None)
            arguments, warning = self.parse_json_arguments(given)
            if warning is not None:
                warnings.append(f"{name}: {warning}")
            id_ = next((place[key] for place in (entry, inner) for key in _IDS if place.get(key)), None)
            calls.append(ParsedToolCall(name=name, arguments=arguments, id=None if id_ is None else str(id_)))
        if not calls and not warnings:
            return ToolCallParseResult()
        return ToolCallParseResult(tool_calls=calls, parse_method="native", warnings=warnings)

    def parse_json_from_content(
        self, content: str, validate_name_fn: NameCheck | None = None, *, tools: Sequence[ToolDefinition] | None = None
    ) -> ToolCallParseResult:
        """Parse calls in plain JSON, bare or in a code block."""
        return _parse(content, _build_tools(validate_name_fn, None, tools), find_formats("json"))

    def parse_xml_from_content(
        self, content: str, validate_name_fn: NameCheck | None = None, *, tools: Sequence[ToolDefinition] | None = None
    ) -> ToolCallParseResult:
        """Parse calls with markers: tags, special tokens, labelled code blocks."""
        marked = tuple(form for form in FORMATS if form.markup)
        return _parse(content, _build_tools(validate_name_fn, None, tools), marked)

    def parse_python_call_from_content(
        self,
        content: str,
        validate_name_fn: NameCheck | None = None,
        valid_tool_names: Collection[str] | None = None,
        *,
        tools: Sequence[ToolDefinition] | None = None,
    ) -> ToolCallParseResult:
        """Parse Python calls, each alone on a line."""
        known = _build_tools(validate_name_fn, valid_tool_names, tools)
        return _parse(content, _collect_written_names(content, known), _PYTHON)

    def parse_from_content(
        self,
        content: str,
        validate_name_fn: NameCheck | None = None,
        valid_tool_names: Collection[str] | None = None,
        *,
        tools: Sequence[ToolDefinition] | None = None,
        formats: Sequence[TextFormat] = FORMATS,
    ) -> ToolCallParseResult:
        """Parse calls in any of the formats, in one pass, in the order of the text."""
        known = _build_tools(validate_name_fn, valid_tool_names, tools)
        found = _parse(content, known, formats)
        if found.tool_calls or known.schemas is not None or not any(form in formats for form in _PYTHON):
            return found
        python = _parse(content, _collect_written_names(content, known), _PYTHON)
        return python if python.tool_calls else found


def _build_tools(
    check: NameCheck | None, names: Collection[str] | None, definitions: Iterable[ToolDefinition] | None
) -> Tools:
    """Build the set of tools; listed names are valid, other names must pass the check."""
    if definitions is not None:
        return known_tools(definitions)
    if names is not None:
        return Tools({name: {} for name in names})
    return Tools(allows=check)


def _collect_written_names(content: str, known: Tools) -> Tools:
    """Collect names at the start of a line before a parenthesis, except Python's builtins, if no names are given."""
    if known.schemas is not None:
        return known
    written = dict.fromkeys(found.group(1) for found in _LINE_CALL.finditer(content))
    names = [name for name in written if name not in _NOT_TOOLS and known.resolve_name(name)]
    return Tools({name: {} for name in names[:_MAX_GUESSED]}, guessed=True)


def _parse(content: str, tools: Tools, formats: Sequence[TextFormat]) -> ToolCallParseResult:
    pieces = find_calls(content, tools, formats)
    calls = [piece for piece in pieces if isinstance(piece, TextCall)]
    warnings = [_describe_remark(piece) for piece in pieces if isinstance(piece, Remark)]
    if not calls:
        return ToolCallParseResult(remaining_content=content, warnings=warnings)
    by_name = {form.name: form for form in FORMATS}
    return ToolCallParseResult(
        tool_calls=[ParsedToolCall(name=call.name, arguments=_to_plain(call)) for call in calls],
        remaining_content="".join(piece for piece in pieces if isinstance(piece, str)).strip(),
        parse_method=by_name[calls[0].format].method,
        confidence=min(by_name[call.format].confidence * (_REPAIRED if call.repairs else 1) for call in calls),
        warnings=[
            *warnings,
            *(f"{call.name}: repaired {', '.join(dict.fromkeys(call.repairs))}" for call in calls if call.repairs),
        ],
    )


def _to_plain(call: TextCall) -> dict[str, Any] | str:
    return call.arguments if isinstance(call.arguments, str) else dict(call.arguments)


def _describe_remark(remark: Remark) -> str:
    named = f" of {remark.name!r}" if remark.name else ""
    return f"a call{named} in the format {remark.format} was kept as text: {remark.reason}"
