"""Writer of Ollama's chat: one line per delta."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from victor_fp.core.json import encode_json
from victor_fp.testing.answers import Answer, Received, json_answer
from victor_fp.testing.script import Turn
from victor_fp.testing.writers import Event, Payload, StreamEvents, Writer, split_pieces


def _build_body(turn: Turn) -> Payload:
    message: Payload = {"content": turn.text}
    if turn.reasoning:
        message["thinking"] = turn.reasoning
    if turn.calls:
        message["tool_calls"] = _build_calls(turn)
    return {**_build_line(turn, **message)[1], **_build_end(turn)}


def _build_events(turn: Turn) -> StreamEvents:
    events = [_build_line(turn, content="", thinking=piece) for piece in split_pieces(turn.reasoning)]
    events += (_build_line(turn, content=piece) for piece in split_pieces(turn.text))
    events += (_build_line(turn, content="", tool_calls=[call]) for call in _build_calls(turn))
    return StreamEvents(before=events, end=[("", {**_build_line(turn, content="")[1], **_build_end(turn)})])


def _build_error(status: int, words: str) -> Answer:
    return json_answer({"error": words}, status)


def _encode_line(event: Event) -> bytes:
    return encode_json(event[1]) + b"\n"


def _build_error_frame(words: str) -> bytes:
    return _encode_line(("", {"error": words}))


def _is_stream_request(received: Received) -> bool:
    """Return whether a stream is requested, which is the default."""
    body = received.json()
    return isinstance(body, Mapping) and body.get("stream") is not False


def _build_calls(turn: Turn) -> list[Payload]:
    return [
        {"id": call.id, "function": {"index": index, "name": call.name, "arguments": {**call.arguments}}}
        for index, call in enumerate(turn.calls)
    ]


def _build_line(turn: Turn, **message: Any) -> Event:
    return "", {
        "model": turn.model,
        "created_at": "2026-05-01T12:00:00.5Z",
        "message": {"role": "assistant", **message},
        "done": False,
    }


def _build_end(turn: Turn) -> Payload:
    usage = {} if turn.usage is None else dict(zip(("prompt_eval_count", "eval_count"), turn.usage, strict=True))
    reason = "stop" if turn.reason == "tool_use" else turn.reason
    return {"done": True, "done_reason": reason, "total_duration": 9_100_000_000, **usage}


WRITER = Writer(
    body=_build_body,
    events=_build_events,
    frame=_encode_line,
    error=_build_error,
    error_frame=_build_error_frame,
    streams=_is_stream_request,
    content_type="application/x-ndjson",
)
