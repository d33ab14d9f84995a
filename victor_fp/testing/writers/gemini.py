"""Gemini generateContent, as its server writes it."""

from __future__ import annotations

from victor_fp.testing.answers import Answer, Received, json_answer
from victor_fp.testing.script import Turn
from victor_fp.testing.writers import SIGNATURE, Event, Payload, Telling, Writer, pieces, sse

REASONS = {"stop": "STOP", "length": "MAX_TOKENS", "tool_use": "STOP"}
STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}


def _body(turn: Turn) -> Payload:
    thought = [{"text": turn.reasoning, "thought": True}] if turn.reasoning else []
    text = [{"text": turn.text}] if turn.text else []
    return _piece(turn, [*thought, *text, *_calls(turn)], _reason(turn))


def _events(turn: Turn) -> Telling:
    said = [_build_event(turn, {"text": piece, "thought": True}) for piece in pieces(turn.reasoning)]
    said += (_build_event(turn, {"text": piece}) for piece in pieces(turn.text))
    said += (_build_event(turn, call) for call in _calls(turn))
    return Telling(before=said, end=[("", _piece(turn, [{"text": ""}], _reason(turn)))])


def _error(status: int, words: str) -> Answer:
    return json_answer(_refusal(status, words), status)


def _refusal(status: int, words: str) -> Payload:
    return {"error": {"code": status, "message": words, "status": STATUSES.get(status, "INTERNAL")}}


def _error_frame(words: str) -> bytes:
    return sse(("", _refusal(500, words)))


def _streams(received: Received) -> bool:
    return ":streamGenerateContent" in received.path


def _calls(turn: Turn) -> list[Payload]:
    """A turn's signature stands on its first call."""
    signed = {"thoughtSignature": SIGNATURE} if turn.reasoning else {}
    return [
        {"functionCall": {"id": call.id, "name": call.name, "args": {**call.arguments}}, **({} if place else signed)}
        for place, call in enumerate(turn.calls)
    ]


def _build_event(turn: Turn, part: Payload) -> Event:
    return "", _piece(turn, [part], None)


def _piece(turn: Turn, parts: list[Payload], reason: str | None) -> Payload:
    candidate: Payload = {"content": {"parts": parts, "role": "model"}, "index": 0}
    usage: Payload = {}
    if reason is not None:
        candidate["finishReason"] = reason
        if turn.usage is not None:
            prompt, answer = turn.usage
            counts = {"promptTokenCount": prompt, "candidatesTokenCount": answer, "totalTokenCount": prompt + answer}
            usage = {"usageMetadata": counts}
    return {"candidates": [candidate], **usage, "modelVersion": turn.model, "responseId": "resp-1"}


def _reason(turn: Turn) -> str:
    return REASONS.get(turn.reason, turn.reason)


WRITER = Writer(
    body=_body,
    events=_events,
    frame=sse,
    error=_error,
    error_frame=_error_frame,
    streams=_streams,
    unknown_frame=sse(("", {"responseId": "resp-1", "news": {"deep": [1]}})),
    signs=True,
)
