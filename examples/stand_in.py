"""Scripted answers for the examples: they run without a key, and ask the real provider where its key is set."""

from __future__ import annotations

import os
from typing import Any

from victor_fp.testing import Answer, ScriptedWire, Turn


def build_options(*turns: Turn | Answer, provider: str = "openai", variable: str = "OPENAI_API_KEY") -> dict[str, Any]:
    """Keywords for `create`: none where the key is set, else a transport that answers with these turns."""
    if os.environ.get(variable):
        return {}
    return {"api_key": "unused", "transport": ScriptedWire(*turns, provider=provider)}
