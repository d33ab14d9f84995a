"""Bodies and chunks of OpenAI's chat format, minimal, for tests of the layers around the protocol."""

from __future__ import annotations

from typing import Any


def build_body(text: str = "Hello!", **changes: Any) -> dict[str, Any]:
    """A whole answer."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "m-1",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"},
        ],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
        **changes,
    }


def build_chunk(text: str | None = None, finish: str | None = None, **changes: Any) -> dict[str, Any]:
    """One chunk of a stream."""
    delta = {} if text is None else {"content": text}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "m-1",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        **changes,
    }


def build_chunks(*texts: str) -> list[dict[str, Any]]:
    """A stream of these texts, with its finish and usage chunks."""
    usage = {"prompt_tokens": 5, "completion_tokens": len(texts), "total_tokens": 5 + len(texts)}
    return [*map(build_chunk, texts), build_chunk(finish="stop"), build_chunk(choices=[], usage=usage)]


def build_error(message: str, code: str | None = None, kind: str = "server_error") -> dict[str, Any]:
    """An error's body."""
    return {"error": {"message": message, "type": kind, "code": code}}
