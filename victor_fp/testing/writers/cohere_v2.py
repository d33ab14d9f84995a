"""Writer of Cohere v2 chat."""

from __future__ import annotations

from typing import Any

from victor_fp.core.json import encode_json
from victor_fp.testing.answers import Answer, json_answer
from victor_fp.testing.script import Turn
from victor_fp.testing.writers import Event, Payload, StreamEvents, Writer, encode_sse, is_stream_request, split_pieces

REASONS = {"stop": "COMPLETE", "length": "MAX_TOKENS", "tool_use": "TOOL_CALL"}


def _build_body(turn: Turn) -> Payload:
    message: Payload = {"role": "assistant"}
    if content := _build_content(turn):
        message["content"] = content
    if turn.calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": _render_arguments(call.arguments)},
            }
            for call in turn.calls
        ]
    return {"id": "ans-1", "message": message, **_build_end(turn)}


def _build_events(turn: Turn) -> StreamEvents:
    fresh = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    events: list[Event] = [_build_event("message-start", id="ans-1", delta={"message": fresh})]
    for index, block in enumerate(_build_content(turn)):
        kind = block["type"]
        events.append(_build_text("content-start", index, content={"type": kind, kind: ""}))
        events += (_build_text("content-delta", index, content={kind: piece}) for piece in split_pieces(block[kind]))
        events.append(_build_event("content-end", index=index))
    for index, call in enumerate(turn.calls):
        head = {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        events.append(_build_text("tool-call-start", index, tool_calls=head))
        for piece in split_pieces(_render_arguments(call.arguments)):
            events.append(_build_text("tool-call-delta", index, tool_calls={"function": {"arguments": piece}}))
        events.append(_build_event("tool-call-end", index=index))
    return StreamEvents(before=events, end=[_build_event("message-end", delta=_build_end(turn))])


def _build_error(status: int, words: str) -> Answer:
    return json_answer({"id": "err-1", "message": words}, status)


def _build_error_frame(words: str) -> bytes:
    return encode_sse(("", {"message": words}))


def _build_content(turn: Turn) -> list[Payload]:
    thought = [{"type": "thinking", "thinking": turn.reasoning}] if turn.reasoning else []
    return [*thought, *([{"type": "text", "text": turn.text}] if turn.text else [])]


def _render_arguments(arguments: object) -> str:
    return encode_json(arguments).decode()


def _build_event(name: str, **fields: Any) -> Event:
    return name, {"type": name, **fields}


def _build_text(name: str, index: int, **message: Any) -> Event:
    return _build_event(name, index=index, delta={"message": message})


def _build_end(turn: Turn) -> Payload:
    usage = {}
    if turn.usage is not None:
        counts = dict(zip(("input_tokens", "output_tokens"), turn.usage, strict=True))
        usage = {"usage": {"billed_units": counts, "tokens": counts}}
    return {"finish_reason": REASONS.get(turn.reason, turn.reason), **usage}


WRITER = Writer(
    body=_build_body,
    events=_build_events,
    frame=encode_sse,
    error=_build_error,
    error_frame=_build_error_frame,
    streams=is_stream_request,
    unknown_frame=encode_sse(_build_event("news", delta={"deep": [1]})),
)
