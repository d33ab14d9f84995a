"""LM Studio's own format, for models without one: `[TOOL_REQUEST]{json}[END_TOOL_REQUEST]`."""

from __future__ import annotations

from victor_fp.core.text_tools.formats.form import Opening, TextFormat, fill_template
from victor_fp.core.text_tools.json_body import json_body
from victor_fp.core.text_tools.reading import Reading
from victor_fp.core.text_tools.tools import Tools

OPEN, CLOSE = "[TOOL_REQUEST]", "[END_TOOL_REQUEST]"


def read(text: str, tools: Tools) -> Reading:
    """JSON between the marks."""
    return json_body(text, len(OPEN), tools, (CLOSE,))


LM_STUDIO = TextFormat(
    name="lm_studio",
    title="models that LM Studio serves in its default mode",
    openings=(Opening(OPEN),),
    read=read,
    write=fill_template('[TOOL_REQUEST]{"name": NAME, "arguments": ARGUMENTS}[END_TOOL_REQUEST]'),
    method="tool_request_format",
    confidence=0.95,
    source="LM Studio's documentation of tool use (default tool use format)",
)
