"""An assistant's turn as a test wants it said, apart from any wire format."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from victor_fp.core.json import Json


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A tool call."""

    id: str = "call_1"
    name: str
    arguments: Mapping[str, Json] = {}


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What the model says."""

    text: str = ""
    reasoning: str = ""
    calls: tuple[Call, ...] = ()
    stop: str = ""
    """A standard stop reason or a vendor's own word; where empty, what the calls make true: `tool_use` or `stop`."""
    usage: tuple[int, int] | None = (12, 5)
    """Tokens of the prompt and of the answer; None where the vendor reports none."""
    model: str = "model-1"

    @property
    def reason(self) -> str:
        """Why the turn ended."""
        return self.stop or ("tool_use" if self.calls else "stop")
