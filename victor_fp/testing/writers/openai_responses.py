"""Writer of OpenAI Responses."""

from __future__ import annotations

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

LIMITS = {"length": "max_output_tokens"}
"""The reasons of incomplete responses."""


def _build_body(turn: Turn) -> Payload:
    output = [*_build_reasoning(turn), *_build_message(turn), *_build_calls(turn)]
    return {**_build_head(turn), **_build_end(turn), "output": output, **_build_usage(turn)}


def _build_events(turn: Turn) -> StreamEvents:
    whole = _build_body(turn)
    begun = {**_build_head(turn), "status": "in_progress", "output": []}
    events = [_build_event("response.created", response=begun), _build_event("response.in_progress", response=begun)]
    for index, item in enumerate(whole["output"]):
        events += _build_item_events(index, item)
    numbered = [
        (name, {**payload, "sequence_number": number})
        for number, (name, payload) in enumerate([*events, _build_event(f"response.{whole['status']}", response=whole)])
    ]
    return StreamEvents(before=numbered[:-1], end=numbered[-1:])


def _build_error(status: int, words: str) -> Answer:
    return json_answer({"error": {"message": words, "type": "error", "param": None, "code": None}}, status)


def _build_error_frame(words: str) -> bytes:
    return encode_sse(_build_event("error", code="server_error", message=words, param=None))


def _build_head(turn: Turn) -> Payload:
    return {"id": "resp_1", "object": "response", "created_at": 1700000000, "model": turn.model}


def _build_end(turn: Turn) -> Payload:
    if turn.reason in ("stop", "tool_use"):
        return {"status": "completed", "incomplete_details": None}
    return {"status": "incomplete", "incomplete_details": {"reason": LIMITS.get(turn.reason, turn.reason)}}


def _build_usage(turn: Turn) -> Payload:
    if turn.usage is None:
        return {}
    prompt, answer = turn.usage
    return {"usage": {"input_tokens": prompt, "output_tokens": answer, "total_tokens": prompt + answer}}


def _build_reasoning(turn: Turn) -> list[Payload]:
    if not turn.reasoning:
        return []
    summary = [{"type": "summary_text", "text": turn.reasoning}]
    return [{"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": SIGNATURE}]


def _build_message(turn: Turn) -> list[Payload]:
    if not turn.text:
        return []
    content = [{"type": "output_text", "text": turn.text, "annotations": []}]
    return [{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}]


def _build_calls(turn: Turn) -> list[Payload]:
    return [
        {
            "type": "function_call",
            "id": f"fc_{index}",
            "call_id": call.id,
            "name": call.name,
            "arguments": encode_json(call.arguments).decode(),
            "status": "completed",
        }
        for index, call in enumerate(turn.calls)
    ]


def _build_item_events(index: int, item: Payload) -> list[Event]:
    at = {"output_index": index, "item_id": item["id"]}
    match item["type"]:
        case "message":
            begun = {**item, "status": "in_progress", "content": []}
            inside = _build_text_events({**at, "content_index": 0}, item["content"][0])
        case "reasoning":
            begun = {**item, "summary": []}
            inside = _build_summary_events({**at, "summary_index": 0}, item["summary"][0])
        case _:
            begun = {**item, "status": "in_progress", "arguments": ""}
            written = item["arguments"]
            inside = [
                _build_event("response.function_call_arguments.delta", **at, delta=piece)
                for piece in split_pieces(written)
            ]
            inside.append(_build_event("response.function_call_arguments.done", **at, arguments=written))
    return [
        _build_event("response.output_item.added", output_index=index, item=begun),
        *inside,
        _build_event("response.output_item.done", output_index=index, item=item),
    ]


def _build_text_events(at: Payload, part: Payload) -> list[Event]:
    return [
        _build_event("response.content_part.added", **at, part={**part, "text": ""}),
        *(_build_event("response.output_text.delta", **at, delta=piece) for piece in split_pieces(part["text"])),
        _build_event("response.output_text.done", **at, text=part["text"]),
        _build_event("response.content_part.done", **at, part=part),
    ]


def _build_summary_events(at: Payload, part: Payload) -> list[Event]:
    return [
        _build_event("response.reasoning_summary_part.added", **at, part={**part, "text": ""}),
        *(
            _build_event("response.reasoning_summary_text.delta", **at, delta=piece)
            for piece in split_pieces(part["text"])
        ),
        _build_event("response.reasoning_summary_text.done", **at, text=part["text"]),
        _build_event("response.reasoning_summary_part.done", **at, part=part),
    ]


def _build_event(name: str, **fields: Any) -> Event:
    return name, {"type": name, **fields}


WRITER = Writer(
    body=_build_body,
    events=_build_events,
    frame=encode_sse,
    error=_build_error,
    error_frame=_build_error_frame,
    streams=is_stream_request,
    unknown_frame=encode_sse(_build_event("response.news", news={"deep": [1]})),
    signs=True,
)
