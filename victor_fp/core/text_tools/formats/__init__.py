"""The textual formats as data. Adding one is adding a record, in the order in which they are tried."""

from __future__ import annotations

from victor_fp.core.text_tools.formats.command_r import COMMAND_R
from victor_fp.core.text_tools.formats.form import Opening, TextFormat
from victor_fp.core.text_tools.formats.function_call_tags import FUNCTION_CALL_TAGS
from victor_fp.core.text_tools.formats.function_tags import FUNCTION_TAGS
from victor_fp.core.text_tools.formats.invoke_tags import DSML, INVOKE_TAGS
from victor_fp.core.text_tools.formats.lm_studio import LM_STUDIO
from victor_fp.core.text_tools.formats.marked_calls import DEEPSEEK, KIMI
from victor_fp.core.text_tools.formats.mistral import MISTRAL
from victor_fp.core.text_tools.formats.plain_json import PLAIN_JSON
from victor_fp.core.text_tools.formats.python_calls import PYTHON_CALLS
from victor_fp.core.text_tools.formats.python_tag import PYTHON_TAG
from victor_fp.core.text_tools.formats.tool_call_tags import TOOL_CALL_TAGS
from victor_fp.core.text_tools.formats.tool_code import TOOL_CODE

__all__ = ["ANY", "FORMATS", "Opening", "TextFormat", "formats_called"]

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
    COMMAND_R,
    TOOL_CODE,
    PLAIN_JSON,
    PYTHON_CALLS,
)

ANY = "any"
"""Stands for all formats."""


def formats_called(name: str) -> tuple[TextFormat, ...]:
    """The formats of a name, or of several with commas between, or of `any`; empty where one is not known."""
    if name == ANY:
        return FORMATS
    by_name = {known.name: known for known in FORMATS}
    wanted = [part.strip() for part in name.split(",")]
    return tuple(by_name[part] for part in wanted if part in by_name) if all(p in by_name for p in wanted) else ()
