"""Writer of Replicate's predictions: one exchange creates a prediction, another streams its output."""

from __future__ import annotations

from typing import Any

from victor_fp.core.json import encode_json
from victor_fp.testing.answers import Answer, Received, json_answer
from victor_fp.testing.script import Turn
from victor_fp.testing.writers import Event, Payload, StreamEvents, Writer, encode_sse, split_pieces

STREAM = "/streams/prediction-1"


def _build_body(turn: Turn) -> Payload:
    metrics: Payload = {"predict_time": 0.5}
    if turn.usage is not None:
        metrics |= dict(zip(("input_token_count", "output_token_count"), turn.usage, strict=True))
    return _build_prediction("succeeded", output=split_pieces(_render_output(turn)), metrics=metrics)


def _build_events(turn: Turn) -> StreamEvents:
    events: list[Event] = [("output", {"text": piece}) for piece in split_pieces(_render_output(turn))]
    return StreamEvents(before=events, end=[("done", {})])


def _render_output(turn: Turn) -> str:
    """Render the output; reasoning is part of the text."""
    return f"<think>{turn.reasoning}</think>{turn.text}" if turn.reasoning else turn.text


def _encode_frame(event: Event) -> bytes:
    """Encode an event: output is plain text, anything else JSON."""
    name, payload = event
    if name != "output":
        return encode_sse(event)
    lines = "".join(f"data: {line}\n" for line in str(payload["text"]).split("\n"))
    return f"event: output\nid: 1\n{lines}\n".encode()


def _build_error(status: int, words: str) -> Answer:
    return json_answer({"title": "Error", "detail": words, "status": status}, status)


def _answer_lead(received: Received) -> Answer | None:
    """Answer the creation of a streamed prediction, and its cancellation; complete results need one exchange."""
    if received.path.endswith("/cancel"):
        return json_answer(_build_prediction("canceled"))
    if received.method != "POST" or "prefer" in received.headers:
        return None
    host = received.headers.get("host", "")
    return json_answer(_build_prediction("starting", urls={"stream": f"http://{host}{STREAM}"}), 201)


def _is_stream_request(received: Received) -> bool:
    return received.path == STREAM


def _build_prediction(status: str, **more: Any) -> Payload:
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


def _build_error_frame(words: str) -> bytes:
    return b"event: error\ndata: " + encode_json({"detail": words}) + b"\n\n"


WRITER = Writer(
    body=_build_body,
    events=_build_events,
    frame=_encode_frame,
    error=_build_error,
    error_frame=_build_error_frame,
    streams=_is_stream_request,
    unknown_frame=encode_sse(("news", {"deep": [1]})),
    lead=_answer_lead,
    reasons=False,
    stream_usage=False,
)
