"""Anthropic Messages, as its server writes it."""

from __future__ import annotations

from typing import Any

from victor_fp.core.json import encode_json
from victor_fp.testing.answers import Answer, Received, json_answer
from victor_fp.testing.script import Turn
from victor_fp.testing.writers import SIGNATURE, Event, Payload, Telling, Writer, asks_by_body, pieces, sse

REASONS = {"stop": "end_turn", "length": "max_tokens"}
KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    529: "overloaded_error",
}


def _body(turn: Turn) -> Payload:
    usage = (
        {} if turn.usage is None else {"usage": dict(zip(("input_tokens", "output_tokens"), turn.usage, strict=True))}
    )
    return {**_head(turn), "content": _blocks(turn), "stop_reason": _reason(turn), "stop_sequence": None, **usage}


def _events(turn: Turn) -> Telling:
    start: Payload = {**_head(turn), "content": [], "stop_reason": None, "stop_sequence": None}
    late: Payload = {}
    if turn.usage is not None:
        prompt, answer = turn.usage
        start["usage"] = {"input_tokens": prompt, "output_tokens": 1}
        late = {"usage": {"output_tokens": answer}}
    said = [_event("message_start", message=start), _event("ping")]
    for index, block in enumerate(_blocks(turn)):
        said += _block_events(index, block)
    delta = {"stop_reason": _reason(turn), "stop_sequence": None}
    return Telling(before=said, end=[_event("message_delta", delta=delta, **late), _event("message_stop")])


def _error(status: int, words: str) -> Answer:
    return json_answer({"type": "error", "error": {"type": KINDS.get(status, "api_error"), "message": words}}, status)


def _error_frame(words: str) -> bytes:
    return sse(_event("error", error={"type": "api_error", "message": words}))


def _streams(received: Received) -> bool:
    return asks_by_body(received) or ":streamRawPredict" in received.path


def _head(turn: Turn) -> Payload:
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": turn.model}


def _blocks(turn: Turn) -> list[Payload]:
    thought = [{"type": "thinking", "thinking": turn.reasoning, "signature": SIGNATURE}] if turn.reasoning else []
    text = [{"type": "text", "text": turn.text}] if turn.text else []
    return [
        *thought,
        *text,
        *({"type": "tool_use", "id": call.id, "name": call.name, "input": {**call.arguments}} for call in turn.calls),
    ]


def _block_events(index: int, block: Payload) -> list[Event]:
    match block["type"]:
        case "thinking":
            empty = {**block, "thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"])]
            deltas.append({"type": "signature_delta", "signature": SIGNATURE})
        case "text":
            empty = {**block, "text": ""}
            deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
        case _:
            empty = {**block, "input": {}}
            written = encode_json(block["input"]).decode() if block["input"] else ""
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *pieces(written)]]
    return [
        _event("content_block_start", index=index, content_block=empty),
        *(_event("content_block_delta", index=index, delta=delta) for delta in deltas),
        _event("content_block_stop", index=index),
    ]


def _event(name: str, **fields: Any) -> Event:
    return name, {"type": name, **fields}


def _reason(turn: Turn) -> str:
    return REASONS.get(turn.reason, turn.reason)


WRITER = Writer(
    body=_body,
    events=_events,
    frame=sse,
    error=_error,
    error_frame=_error_frame,
    streams=_streams,
    unknown_frame=sse(_event("message_news", news={"deep": [1]})),
    signs=True,
)
