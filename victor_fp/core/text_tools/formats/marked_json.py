"""JSON calls between format-specific marks: Mistral, Command R, LM Studio, Granite 3, Phi-4 mini."""

from __future__ import annotations

import re

import msgspec

from victor_fp.core.text_tools.formats.form import Opening, TextFormat, fill_template
from victor_fp.core.text_tools.json_calls import read_arguments, read_calls
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
from victor_fp.core.text_tools.walks import VALUE, BracketWalk, end_marks, find_end

_TOOL_CALLS = "[TOOL_CALLS]"
_ARGUMENTS, _ID = "[ARGS]", "[CALL_ID]"
_NAME = re.compile(r"[^\s{\[]{0,256}")
_ID_WORD = re.compile(r"[^\[]{0,64}")


def read_mistral(text: str, at: int, tools: Tools) -> Reading:
    """Read the list, or the single call, after the mark. Call ids are skipped, since ids are derived for all calls."""
    body = at + len(_TOOL_CALLS)
    place = skip_space(text, body)
    if place == len(text):
        return Unfinished()
    if text[place] in "{[":
        return read_calls(text, body, tools)
    found = _NAME.match(text, place)
    end = found.end() if found else place
    name = tools.resolve_name(text[place:end])
    if not tools.may_become(text[place:end]) or (name is None and end < len(text)):
        return NotACall(end=body, reason="no call of a known tool")
    place = skip_space(text, end)
    if place == len(text) or name is None:
        return Unfinished(name=name)
    if text[place] == "[":
        marked = skip_literal(text, place, (_ARGUMENTS, _ID))
        if not isinstance(marked, Edge) and text.startswith(_ID, place):
            word = _ID_WORD.match(text, marked)
            mark = word.end() if word else marked
            marked = Edge.UNDECIDED if mark == len(text) else skip_literal(text, mark, (_ARGUMENTS,))
        if isinstance(marked, Edge):
            undecided = marked is Edge.UNDECIDED
            return Unfinished(name=name) if undecided else NotACall(end=body, reason="no arguments")
        place = skip_space(text, marked)
        if place == len(text):
            return Unfinished(name=name)
    if text[place] != "{":
        return NotACall(end=body, reason="no arguments")
    closed = find_end(text, place)
    if isinstance(closed, BracketWalk):
        return Unfinished(name=name, wake=closed)
    arguments = read_arguments(text[place:closed])
    if arguments is None or isinstance(arguments[0], str):
        return NotACall(end=place, unread=VALUE, reason="the arguments are not an object")
    return Found((TextCall(name=name, arguments=arguments[0], repairs=arguments[1]),), closed)


MISTRAL = TextFormat(
    name="mistral",
    title="Mistral, Ministral, Devstral and Magistral",
    openings=(Opening(_TOOL_CALLS),),
    read=read_mistral,
    gap=",;",
    trailers=("</s>",),
    write=fill_template('[TOOL_CALLS][{"name": NAME, "arguments": ARGUMENTS}]'),
    method="mistral",
    confidence=0.98,
    source="mistral-common's tokenizers v3 to v13",
)

_ACTION, _FENCES = "Action:", ("```json", "```")
_FENCE_END = end_marks("```")
_START_ACTION, _END_ACTION = "<|START_ACTION|>", end_marks("<|END_ACTION|>")


def read_command_r(text: str, at: int, tools: Tools) -> Reading:
    """Read the list, in a fence after `Action:` (Command R), or between tokens (R7B and Command A)."""
    if text.startswith(_START_ACTION, at):
        return read_calls(text, at + len(_START_ACTION), tools, _END_ACTION)
    body = at + len(_ACTION)
    fence = skip_literal(text, skip_space(text, body), _FENCES)
    if fence is Edge.UNDECIDED:
        return Unfinished()
    return NotACall(end=body) if isinstance(fence, Edge) else read_calls(text, fence, tools, _FENCE_END)


COMMAND_R = TextFormat(
    name="command_r",
    title="Command R, R+, R7B and Command A",
    openings=(Opening(_START_ACTION), Opening(_ACTION, "line")),
    read=read_command_r,
    write=fill_template('Action: ```json\n[{"tool_name": NAME, "parameters": ARGUMENTS}]\n```'),
    method="command_r",
    confidence=0.95,
    source="Cohere's Command R prompting guide; chat template of Command R7B",
)

_REQUEST, _REQUEST_END = "[TOOL_REQUEST]", end_marks("[END_TOOL_REQUEST]")


def read_lm_studio(text: str, at: int, tools: Tools) -> Reading:
    """Read JSON between the marks."""
    return read_calls(text, at + len(_REQUEST), tools, _REQUEST_END)


LM_STUDIO = TextFormat(
    name="lm_studio",
    title="models that LM Studio serves in its default mode",
    openings=(Opening(_REQUEST),),
    read=read_lm_studio,
    write=fill_template('[TOOL_REQUEST]{"name": NAME, "arguments": ARGUMENTS}[END_TOOL_REQUEST]'),
    method="tool_request_format",
    confidence=0.95,
    source="LM Studio's documentation of tool use (default tool use format)",
)

_LIST_TOKENS = ("<|tool_call|>", "functools")


def read_token_list(text: str, at: int, tools: Tools) -> Reading:
    """Read a list after the token, or after `functools`, which requires brackets."""
    opening = next(token for token in _LIST_TOKENS if text.startswith(token, at))
    body = at + len(opening)
    place = skip_space(text, body)
    if place == len(text):
        return Unfinished()
    if text[place] not in ("[" if opening == _LIST_TOKENS[1] else "[{"):
        return NotACall(end=body)
    reading = read_calls(text, body, tools)
    if opening == _LIST_TOKENS[1] and isinstance(reading, NotACall):
        return msgspec.structs.replace(reading, reason=None)
    return reading


TOKEN_LIST = TextFormat(
    name="granite",
    title="Granite 3, and Phi-4 mini",
    openings=(Opening(_LIST_TOKENS[0]), Opening(_LIST_TOKENS[1], "line")),
    read=read_token_list,
    trailers=("<|/tool_call|>", "<|end_of_text|>", "<|end|>"),
    write=fill_template('<|tool_call|>[{"name": NAME, "arguments": ARGUMENTS}]'),
    method="xml_fallback",
    confidence=0.95,
    source="chat templates of Granite 3.1 to 3.3 and of Phi-4 mini; the Granite and Phi-4 mini parsers of vLLM",
)
