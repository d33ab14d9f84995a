"""`<function_call>{json}</function_call>`, or with name and arguments as tags; also Glaive's `<functioncall>`."""

from __future__ import annotations

from victor_fp.core.text_tools.formats.form import Opening, TextFormat, fill_template
from victor_fp.core.text_tools.json_body import json_body
from victor_fp.core.text_tools.named_body import read_named_body
from victor_fp.core.text_tools.reading import Edge, NotACall, Reading, Unfinished, skip_literal, skip_space
from victor_fp.core.text_tools.tools import Tools

_TAGS = {"<function_call>": "</function_call>", "<functioncall>": "</functioncall>"}


def read(text: str, tools: Tools) -> Reading:
    """JSON, or a name tag, in the tag that opens the text."""
    opening = next(tag for tag in _TAGS if text.startswith(tag))
    at = skip_space(text, len(opening))
    if at == len(text):
        return Unfinished()
    if text[at] in "{[":
        return json_body(text, len(opening), tools, (_TAGS[opening],))
    inner = skip_literal(text, at, ("<name>",))
    if inner is Edge.UNTOLD:
        return Unfinished()
    return (
        NotACall(length=len(opening)) if isinstance(inner, Edge) else read_named_body(text, at, tools, _TAGS[opening])
    )


FUNCTION_CALL_TAGS = TextFormat(
    name="function_call",
    title="Glaive, Granite 20B and models told to answer with tags",
    openings=tuple(Opening(tag) for tag in _TAGS),
    read=read,
    write=fill_template('<function_call>{"name": NAME, "arguments": ARGUMENTS}</function_call>'),
    method="xml_fallback",
    confidence=0.9,
    source="chat template of Granite 20B function calling; the Glaive function calling data",
)
