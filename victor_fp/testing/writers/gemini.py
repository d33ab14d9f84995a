"""Writer of Gemini generateContent."""

from __future__ import annotations

from victor_fp.testing.answers import Answer, Received, json_answer
from victor_fp.testing.script import Turn
from victor_fp.testing.writers import SIGNATURE, Event, Payload, StreamEvents, Writer, encode_sse, split_pieces

REASONS = {"stop": "STOP", "length": "MAX_TOKENS", "tool_use": "STOP"}
STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}


def _build_body(turn: Turn) -> Payload:
    thought = [{"text": turn.reasoning, "thought": True}] if turn.reasoning else []
    text = [{"text": turn.text}] if turn.text else []
    return _build_piece(turn, [*thought, *text, *_build_calls(turn)], _find_reason(turn))


def _build_events(turn: Turn) -> StreamEvents:
    events = [_build_event(turn, {"text": piece, "thought": True}) for piece in split_pieces(turn.reasoning)]
    events += (_build_event(turn, {"text": piece}) for piece in split_pieces(turn.text))
    events += (_build_event(turn, call) for call in _build_calls(turn))
    return StreamEvents(before=events, end=[("", _build_piece(turn, [{"text": ""}], _find_reason(turn)))])


def _build_error(status: int, words: str) -> Answer:
    return json_answer(_build_error_payload(status, words), status)


def _build_error_payload(status: int, words: str) -> Payload:
    return {"error": {"code": status, "message": words, "status": STATUSES.get(status, "INTERNAL")}}


def _build_error_frame(words: str) -> bytes:
    return encode_sse(("", _build_error_payload(500, words)))


def _is_stream_request(received: Received) -> bool:
    return ":streamGenerateContent" in received.path


def _build_calls(turn: Turn) -> list[Payload]:
    """Build the calls; the first one has the signature of the turn."""
    signed = {"thoughtSignature": SIGNATURE} if turn.reasoning else {}
    return [
        {"functionCall": {"id": call.id, "name": call.name, "args": {**call.arguments}}, **({} if index else signed)}
        for index, call in enumerate(turn.calls)
    ]


def _build_event(turn: Turn, part: Payload) -> Event:
    return "", _build_piece(turn, [part], None)


def _build_piece(turn: Turn, parts: list[Payload], reason: str | None) -> Payload:
    candidate: Payload = {"content": {"parts": parts, "role": "model"}, "index": 0}
    usage: Payload = {}
    if reason is not None:
        candidate["finishReason"] = reason
        if turn.usage is not None:
            prompt, answer = turn.usage
            counts = {"promptTokenCount": prompt, "candidatesTokenCount": answer, "totalTokenCount": prompt + answer}
            usage = {"usageMetadata": counts}
    return {"candidates": [candidate], **usage, "modelVersion": turn.model, "responseId": "resp-1"}


def _find_reason(turn: Turn) -> str:
    return REASONS.get(turn.reason, turn.reason)


WRITER = Writer(
    body=_build_body,
    events=_build_events,
    frame=encode_sse,
    error=_build_error,
    error_frame=_build_error_frame,
    streams=_is_stream_request,
    unknown_frame=encode_sse(("", {"responseId": "resp-1", "news": {"deep": [1]}})),
    signs=True,
)
