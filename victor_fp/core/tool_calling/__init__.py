"""Tool calls written as text: the formats that models write, read without guessing and told apart from the text."""

from __future__ import annotations

from victor_fp.core.tool_calling.detector import Detector, Remark, detector, feed, flush, found_in
from victor_fp.core.tool_calling.formats import ANY, FORMATS, TextFormat, formats_called
from victor_fp.core.tool_calling.reading import TextCall
from victor_fp.core.tool_calling.repair import Broken, Repair, Repaired, repaired
from victor_fp.core.tool_calling.tools import ANY_TOOL, Tools, tools_of, well_formed

__all__ = [
    "ANY",
    "ANY_TOOL",
    "FORMATS",
    "Broken",
    "Detector",
    "Remark",
    "Repair",
    "Repaired",
    "TextCall",
    "TextFormat",
    "Tools",
    "detector",
    "feed",
    "flush",
    "formats_called",
    "found_in",
    "repaired",
    "tools_of",
    "well_formed",
]
