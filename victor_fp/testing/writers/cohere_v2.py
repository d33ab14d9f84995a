"""Cohere v2 chat, as its server writes it."""

from __future__ import annotations

from typing import Any

from victor_fp.core.json import encode_json
from victor_fp.testing.answers import Answer, json_answer
from victor_fp.testing.script import Turn
from victor_fp.testing.writers import Event, Payload, Telling, Writer, asks_by_body, pieces, sse

REASONS = {"stop": "COMPLETE", "length": "MAX_TOKENS", "tool_use": "TOOL_CALL"}


def _body(turn: Turn) -> Payload:
    message: Payload = {"role": "assistant"}
    if content := _content(turn):
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


def _events(turn: Turn) -> Telling:
    fresh = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    said: list[Event] = [_event("message-start", id="ans-1", delta={"message": fresh})]
    for index, block in enumerate(_content(turn)):
        kind = block["type"]
        said.append(_build_text("content-start", index, content={"type": kind, kind: ""}))
        said += (_build_text("content-delta", index, content={kind: piece}) for piece in pieces(block[kind]))
        said.append(_event("content-end", index=index))
    for index, call in enumerate(turn.calls):
        head = {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        said.append(_build_text("tool-call-start", index, tool_calls=head))
        for piece in pieces(_render_arguments(call.arguments)):
            said.append(_build_text("tool-call-delta", index, tool_calls={"function": {"arguments": piece}}))
        said.append(_event("tool-call-end", index=index))
    return Telling(before=said, end=[_event("message-end", delta=_build_end(turn))])


def _error(status: int, words: str) -> Answer:
    return json_answer({"id": "err-1", "message": words}, status)


def _error_frame(words: str) -> bytes:
    return sse(("", {"message": words}))


def _content(turn: Turn) -> list[Payload]:
    thought = [{"type": "thinking", "thinking": turn.reasoning}] if turn.reasoning else []
    return [*thought, *([{"type": "text", "text": turn.text}] if turn.text else [])]


def _render_arguments(arguments: object) -> str:
    return encode_json(arguments).decode()


def _event(name: str, **fields: Any) -> Event:
    return name, {"type": name, **fields}


def _build_text(name: str, index: int, **message: Any) -> Event:
    return _event(name, index=index, delta={"message": message})


def _build_end(turn: Turn) -> Payload:
    usage = {}
    if turn.usage is not None:
        counts = dict(zip(("input_tokens", "output_tokens"), turn.usage, strict=True))
        usage = {"usage": {"billed_units": counts, "tokens": counts}}
    return {"finish_reason": REASONS.get(turn.reason, turn.reason), **usage}


WRITER = Writer(
    body=_body,
    events=_events,
    frame=sse,
    error=_error,
    error_frame=_error_frame,
    streams=asks_by_body,
    unknown_frame=sse(_event("news", delta={"deep": [1]})),
)
