"""Writer of Mistral's chat completions: thinking is part of the content, and calls are not split."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from victor_fp.core.json import encode_json
from victor_fp.testing.answers import Answer, json_answer
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
from victor_fp.testing.writers.openai_chat import build_usage, find_reason

HEAD: Payload = {"id": "cmpl-1", "created": 1700000000}


def _build_body(turn: Turn) -> Payload:
    message: Payload = {"role": "assistant", "content": turn.text, "tool_calls": _build_calls(turn) or None}
    if turn.reasoning:
        text = [{"type": "text", "text": turn.text}] if turn.text else []
        message["content"] = [{**_build_thought(turn.reasoning), "closed": True, "signature": SIGNATURE}, *text]
    choice = {"index": 0, "message": message, "finish_reason": find_reason(turn)}
    return {**HEAD, "object": "chat.completion", "model": turn.model, "choices": [choice], **build_usage(turn)}


def _build_events(turn: Turn) -> StreamEvents:
    events = [_build_chunk(turn, {"role": "assistant", "content": content}) for content in _list_contents(turn)]
    if calls := _build_calls(turn):
        events.append(_build_chunk(turn, {"content": "", "tool_calls": calls}))
    return StreamEvents(
        before=events, end=[_build_chunk(turn, {"content": ""}, find_reason(turn), **build_usage(turn))]
    )


def _list_contents(turn: Turn) -> Iterator[Any]:
    """Yield the content of each delta; the first one is empty."""
    yield ""
    for piece in split_pieces(turn.reasoning):
        yield [_build_thought(piece)]
    if turn.reasoning:
        yield [{"type": "thinking", "thinking": [], "signature": SIGNATURE}]
    yield from split_pieces(turn.text)


def _build_thought(text: str) -> Payload:
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}


def _build_calls(turn: Turn) -> list[Payload]:
    return [
        {
            "id": call.id,
            "function": {"name": call.name, "arguments": encode_json(call.arguments).decode()},
            "index": index,
        }
        for index, call in enumerate(turn.calls)
    ]


def _build_error(status: int, words: str) -> Answer:
    return json_answer({"object": "error", "message": words, "type": "error", "param": None, "code": None}, status)


def _build_error_frame(words: str) -> bytes:
    return encode_sse(("", {"object": "error", "message": words, "type": "internal_server_error", "code": None}))


def _build_chunk(turn: Turn, delta: Payload, reason: str | None = None, **more: Any) -> Event:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return "", {**HEAD, "object": "chat.completion.chunk", "model": turn.model, "choices": [choice], **more}


WRITER = Writer(
    body=_build_body,
    events=_build_events,
    frame=encode_sse,
    error=_build_error,
    error_frame=_build_error_frame,
    streams=is_stream_request,
    unknown_frame=encode_sse(("", {**HEAD, "object": "chat.completion.news", "choices": []})),
    ending=b"data: [DONE]\n\n",
    signs=True,
)
