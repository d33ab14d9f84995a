"""Cohere's actions: a list of calls in a fence behind `Action:` (Command R), or between tokens (R7B and Command A)."""

from __future__ import annotations

from victor_fp.core.text_tools.formats.form import Opening, TextFormat, fill_template
from victor_fp.core.text_tools.json_body import json_body
from victor_fp.core.text_tools.reading import Edge, NotACall, Reading, Unfinished, skip_literal, skip_space
from victor_fp.core.text_tools.tools import Tools

_WORD, _FENCES = "Action:", ("```json", "```")
OPEN, CLOSE = "<|START_ACTION|>", "<|END_ACTION|>"


def read(text: str, tools: Tools) -> Reading:
    """The list, in whichever of the two ways it is marked."""
    if text.startswith(OPEN):
        return json_body(text, len(OPEN), tools, (CLOSE,))
    fence = skip_literal(text, skip_space(text, len(_WORD)), _FENCES)
    if fence is Edge.UNTOLD:
        return Unfinished()
    return NotACall(length=len(_WORD)) if isinstance(fence, Edge) else json_body(text, fence, tools, ("```",))


COMMAND_R = TextFormat(
    name="command_r",
    title="Command R, R+, R7B and Command A",
    openings=(Opening(OPEN), Opening(_WORD, "line")),
    read=read,
    write=fill_template('Action: ```json\n[{"tool_name": NAME, "parameters": ARGUMENTS}]\n```'),
    method="command_r",
    confidence=0.95,
    source="Cohere's Command R prompting guide; chat template of Command R7B",
)
