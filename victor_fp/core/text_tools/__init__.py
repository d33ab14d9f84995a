"""Tool calls written as text: detection and parsing of the formats that models use.

Names are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from victor_fp.core.text_tools.detector import (
        DetectedPiece,
        Detector,
        Remark,
        feed,
        find_calls,
        flush,
        start_detector,
    )
    from victor_fp.core.text_tools.formats import ANY, FORMATS, TextFormat, find_formats
    from victor_fp.core.text_tools.json_repair import BrokenJson, Repair, RepairedJson, repair_json
    from victor_fp.core.text_tools.readings import TextCall
    from victor_fp.core.text_tools.tools import ANY_TOOL, Tools, is_well_formed, known_tools

__all__ = [
    "ANY",
    "ANY_TOOL",
    "FORMATS",
    "BrokenJson",
    "Detector",
    "DetectedPiece",
    "Remark",
    "Repair",
    "RepairedJson",
    "TextCall",
    "TextFormat",
    "Tools",
    "feed",
    "find_calls",
    "find_formats",
    "flush",
    "is_well_formed",
    "known_tools",
    "repair_json",
    "start_detector",
]

_MODULES = {
    **dict.fromkeys(
        ("Detector", "DetectedPiece", "Remark", "feed", "find_calls", "flush", "start_detector"), "detector"
    ),
    **dict.fromkeys(("ANY", "FORMATS", "TextFormat", "find_formats"), "formats"),
    "TextCall": "readings",
    **dict.fromkeys(("BrokenJson", "Repair", "RepairedJson", "repair_json"), "json_repair"),
    **dict.fromkeys(("ANY_TOOL", "Tools", "is_well_formed", "known_tools"), "tools"),
}


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{module}"), name)
