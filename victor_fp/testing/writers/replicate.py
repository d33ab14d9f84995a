"""Replicate's predictions, as its servers write them: one exchange orders the work, another streams what comes of it."""

from __future__ import annotations

from typing import Any

from victor_fp.core.json import encode_json
from victor_fp.testing.answers import Answer, Received, json_answer
from victor_fp.testing.script import Turn
from victor_fp.testing.writers import Event, Payload, Telling, Writer, pieces, sse

STREAM = "/streams/prediction-1"


def _body(turn: Turn) -> Payload:
    metrics: Payload = {"predict_time": 0.5}
    if turn.usage is not None:
        metrics |= dict(zip(("input_token_count", "output_token_count"), turn.usage, strict=True))
    return _prediction("succeeded", output=pieces(_output(turn)), metrics=metrics)


def _events(turn: Turn) -> Telling:
    said: list[Event] = [("output", {"text": piece}) for piece in pieces(_output(turn))]
    return Telling(before=said, end=[("done", {})])


def _output(turn: Turn) -> str:
    """Models there think inside their text."""
    return f"<think>{turn.reasoning}</think>{turn.text}" if turn.reasoning else turn.text


def _frame(event: Event) -> bytes:
    """Output is plain text; what else there is, is JSON."""
    name, payload = event
    if name != "output":
        return sse(event)
    lines = "".join(f"data: {line}\n" for line in str(payload["text"]).split("\n"))
    return f"event: output\nid: 1\n{lines}\n".encode()


def _error(status: int, words: str) -> Answer:
    return json_answer({"title": "Error", "detail": words, "status": status}, status)


def _lead(received: Received) -> Answer | None:
    """The order, where a stream is wanted, and the farewell; whole answers come in one exchange that waits."""
    if received.path.endswith("/cancel"):
        return json_answer(_prediction("canceled"))
    if received.method != "POST" or "prefer" in received.headers:
        return None
    host = received.headers.get("host", "")
    return json_answer(_prediction("starting", urls={"stream": f"http://{host}{STREAM}"}), 201)


def _streams(received: Received) -> bool:
    return received.path == STREAM


def _prediction(status: str, **more: Any) -> Payload:
    return {
        "id": "prediction-1",
        "model": "acme/model-1",
        "version": "hidden",
        "input": {"prompt": "Hi"},
        "error": None,
        "status": status,
        "created_at": "2026-05-01T12:00:00.5Z",
        **more,
    }


def _error_frame(words: str) -> bytes:
    return b"event: error\ndata: " + encode_json({"detail": words}) + b"\n\n"


WRITER = Writer(
    body=_body,
    events=_events,
    frame=_frame,
    error=_error,
    error_frame=_error_frame,
    streams=_streams,
    unknown_frame=sse(("news", {"deep": [1]})),
    lead=_lead,
    reasons=False,
    stream_usage=False,
)
