"""Scripted assistant turns, independent of any wire format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count

import msgspec

from victor_fp.core.json import Json


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A tool call."""

    id: str = ""
    """If empty, an id that is unique in the conversation: `call_1`, `call_2` ..."""
    name: str
    arguments: Mapping[str, Json] = {}


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One assistant turn: text, reasoning and tool calls."""

    text: str = ""
    reasoning: str = ""
    calls: tuple[Call, ...] = ()
    stop: str = ""
    """A standard or vendor-specific stop reason; if empty, `tool_use` for a turn with calls and `stop` otherwise."""
    usage: tuple[int, int] | None = (12, 5)
    """Prompt and completion tokens; None if the vendor reports no usage."""
    model: str = "model-1"

    @property
    def reason(self) -> str:
        """The stop reason."""
        return self.stop or ("tool_use" if self.calls else "stop")


class CallIds:
    """Assigns unique ids to the calls of a script without one."""

    def __init__(self) -> None:
        self._free: Iterator[str] = (f"call_{number}" for number in count(1))
        self._used: set[str] = set()

    def assign(self, turn: Turn) -> Turn:
        """Return the turn with an id on every call; existing ids are kept."""
        self._used.update(call.id for call in turn.calls if call.id)
        if all(call.id for call in turn.calls):
            return turn
        return msgspec.structs.replace(
            turn, calls=tuple(call if call.id else self._with_id(call) for call in turn.calls)
        )

    def _with_id(self, call: Call) -> Call:
        free = next(name for name in self._free if name not in self._used)
        return msgspec.structs.replace(call, id=free)
