"""Writer of Anthropic Messages."""

from __future__ import annotations

from typing import Any

from victor_fp.core.json import encode_json
from victor_fp.testing.answers import Answer, Received, json_answer
from victor_fp.testing.script import Turn
from victor_fp.testing.writers import (
    SIGNATURE,
    Event,
    Payload,
    StreamEvents,
    Writer,
    encode_sse,
    is_stream_request,
    split_pieces,
)

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


def _build_body(turn: Turn) -> Payload:
    usage = (
        {} if turn.usage is None else {"usage": dict(zip(("input_tokens", "output_tokens"), turn.usage, strict=True))}
    )
    return {
        **_build_head(turn),
        "content": _build_blocks(turn),
        "stop_reason": _find_reason(turn),
        "stop_sequence": None,
        **usage,
    }


def _build_events(turn: Turn) -> StreamEvents:
    start: Payload = {**_build_head(turn), "content": [], "stop_reason": None, "stop_sequence": None}
    late: Payload = {}
    if turn.usage is not None:
        prompt, answer = turn.usage
        start["usage"] = {"input_tokens": prompt, "output_tokens": 1}
        late = {"usage": {"output_tokens": answer}}
    events = [_build_event("message_start", message=start), _build_event("ping")]
    for index, block in enumerate(_build_blocks(turn)):
        events += _build_block_events(index, block)
    delta = {"stop_reason": _find_reason(turn), "stop_sequence": None}
    return StreamEvents(
        before=events, end=[_build_event("message_delta", delta=delta, **late), _build_event("message_stop")]
    )


def _build_error(status: int, words: str) -> Answer:
    return json_answer({"type": "error", "error": {"type": KINDS.get(status, "api_error"), "message": words}}, status)


def _build_error_frame(words: str) -> bytes:
    return encode_sse(_build_event("error", error={"type": "api_error", "message": words}))


def _is_stream_request(received: Received) -> bool:
    return is_stream_request(received) or ":streamRawPredict" in received.path


def _build_head(turn: Turn) -> Payload:
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": turn.model}


def _build_blocks(turn: Turn) -> list[Payload]:
    thought = [{"type": "thinking", "thinking": turn.reasoning, "signature": SIGNATURE}] if turn.reasoning else []
    text = [{"type": "text", "text": turn.text}] if turn.text else []
    return [
        *thought,
        *text,
        *({"type": "tool_use", "id": call.id, "name": call.name, "input": {**call.arguments}} for call in turn.calls),
    ]


def _build_block_events(index: int, block: Payload) -> list[Event]:
    match block["type"]:
        case "thinking":
            empty = {**block, "thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in split_pieces(block["thinking"])]
            deltas.append({"type": "signature_delta", "signature": SIGNATURE})
        case "text":
            empty = {**block, "text": ""}
            deltas = [{"type": "text_delta", "text": piece} for piece in split_pieces(block["text"])]
        case _:
            empty = {**block, "input": {}}
            written = encode_json(block["input"]).decode() if block["input"] else ""
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *split_pieces(written)]]
    return [
        _build_event("content_block_start", index=index, content_block=empty),
        *(_build_event("content_block_delta", index=index, delta=delta) for delta in deltas),
        _build_event("content_block_stop", index=index),
    ]


def _build_event(name: str, **fields: Any) -> Event:
    return name, {"type": name, **fields}


def _find_reason(turn: Turn) -> str:
    return REASONS.get(turn.reason, turn.reason)


WRITER = Writer(
    body=_build_body,
    events=_build_events,
    frame=encode_sse,
    error=_build_error,
    error_frame=_build_error_frame,
    streams=_is_stream_request,
    unknown_frame=encode_sse(_build_event("message_news", news={"deep": [1]})),
    signs=True,
)
