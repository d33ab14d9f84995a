"""The textual formats as data, in the order in which they are tried."""

from __future__ import annotations

from victor_fp.core.text_tools.formats.form import Opening, TextFormat
from victor_fp.core.text_tools.formats.function_gemma import FUNCTION_GEMMA
from victor_fp.core.text_tools.formats.function_tags import FUNCTION_TAGS
from victor_fp.core.text_tools.formats.invoke_tags import DSML, INVOKE_TAGS
from victor_fp.core.text_tools.formats.marked_json import COMMAND_R, LM_STUDIO, MISTRAL, TOKEN_LIST
from victor_fp.core.text_tools.formats.plain_json import PLAIN_JSON
from victor_fp.core.text_tools.formats.python import LFM2, PYTHON_CALLS, PYTHON_TAG, TOOL_CODE
from victor_fp.core.text_tools.formats.tags import FUNCTION_CALL_TAGS, TOOL_CALL_TAGS
from victor_fp.core.text_tools.formats.tokens import DEEPSEEK, HARMONY, KIMI

__all__ = ["ANY", "FORMATS", "Opening", "TextFormat", "find_formats"]

FORMATS: tuple[TextFormat, ...] = (
    TOOL_CALL_TAGS,
    FUNCTION_TAGS,
    FUNCTION_CALL_TAGS,
    DSML,
    INVOKE_TAGS,
    PYTHON_TAG,
    MISTRAL,
    LM_STUDIO,
    DEEPSEEK,
    KIMI,
    HARMONY,
    COMMAND_R,
    TOKEN_LIST,
    LFM2,
    FUNCTION_GEMMA,
    TOOL_CODE,
    PLAIN_JSON,
    PYTHON_CALLS,
)

ANY = "any"
"""Name for all formats."""


def find_formats(name: str) -> tuple[TextFormat, ...]:
    """Return the formats of comma-separated names, or all for `any`; empty if a name is unknown."""
    if name == ANY:
        return FORMATS
    by_name = {known.name: known for known in FORMATS}
    names = [part.strip() for part in name.split(",")]
    return tuple(by_name[part] for part in names if part in by_name) if all(p in by_name for p in names) else ()
