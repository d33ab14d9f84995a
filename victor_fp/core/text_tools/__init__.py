"""Tool calls written as text: the formats that models write, read without guessing and told apart from the text.

Names are loaded when they are first used: only who looks for calls in texts pays for the readers.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from victor_fp.core.text_tools.detector import Detector, Piece, Remark, feed, find_pieces, flush, look_for
    from victor_fp.core.text_tools.formats import ANY, FORMATS, TextFormat, formats_called
    from victor_fp.core.text_tools.reading import TextCall
    from victor_fp.core.text_tools.repair import Broken, Repair, Repaired, repair_json
    from victor_fp.core.text_tools.tools import ANY_TOOL, Tools, tools_of, well_formed

__all__ = [
    "ANY",
    "ANY_TOOL",
    "FORMATS",
    "Broken",
    "Detector",
    "Piece",
    "Remark",
    "Repair",
    "Repaired",
    "TextCall",
    "TextFormat",
    "Tools",
    "look_for",
    "feed",
    "flush",
    "formats_called",
    "find_pieces",
    "repair_json",
    "tools_of",
    "well_formed",
]

_HOMES = {
    **dict.fromkeys(("Detector", "Piece", "Remark", "feed", "flush", "found_in", "look_for"), "detector"),
    **dict.fromkeys(("ANY", "FORMATS", "TextFormat", "formats_called"), "formats"),
    "TextCall": "reading",
    **dict.fromkeys(("Broken", "Repair", "Repaired", "repaired"), "repair"),
    **dict.fromkeys(("ANY_TOOL", "Tools", "tools_of", "well_formed"), "tools"),
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
