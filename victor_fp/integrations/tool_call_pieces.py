"""Converts the tool calls of a stream to the pieces that other libraries expect: id and name, then argument text."""

from __future__ import annotations

import msgspec

from victor_fp.core.json import encode_json
from victor_fp.core.types import StreamChunk


class ToolCallPiece(msgspec.Struct, frozen=True):
    """A piece of the call with this index."""

    index: int
    id: str | None
    name: str | None
    arguments: str
    """Text to append to the arguments so far."""


class ToolCallPieces:
    """Converts the chunks of one stream to pieces of its tool calls.

    Arguments that arrive as text are forwarded immediately. Those that arrive in another form, or only in the final
    chunk, are forwarded with the final chunk.
    """

    def __init__(self) -> None:
        self._started: set[int] = set()
        self._with_arguments: set[int] = set()

    def read(self, chunk: StreamChunk) -> list[ToolCallPiece]:
        """Return the pieces in a chunk."""
        if chunk.is_final:
            return self._find_missing(chunk)
        found: list[ToolCallPiece] = []
        for delta in (chunk.metadata or {}).get("tool_call_deltas") or ():
            index, text = delta["index"], delta.get("arguments")
            arguments = text if isinstance(text, str) else ""
            if arguments:
                self._with_arguments.add(index)
            is_new = index not in self._started
            if is_new and not delta.get("name"):
                continue  # the name is in the final chunk at the latest
            self._started.add(index)
            if is_new or arguments:
                id_, name = (delta.get("id"), delta.get("name")) if is_new else (None, None)
                found.append(ToolCallPiece(index, id_, name, arguments))
        return found

    def _find_missing(self, chunk: StreamChunk) -> list[ToolCallPiece]:
        """Return the missing pieces of the complete calls."""
        found: list[ToolCallPiece] = []
        for index, call in enumerate(chunk.tool_calls or ()):
            if index in self._started and index in self._with_arguments:
                continue
            given = call["arguments"]
            arguments = given if isinstance(given, str) else encode_json(given).decode()
            id_, name = (None, None) if index in self._started else (call["id"], call["name"])
            found.append(ToolCallPiece(index, id_, name, arguments))
        return found
