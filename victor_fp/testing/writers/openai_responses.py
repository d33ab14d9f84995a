"""OpenAI Responses, as its server writes it."""

from __future__ import annotations

from typing import Any

from victor_fp.core.json import encode_json
from victor_fp.testing.answers import Answer, json_answer
from victor_fp.testing.script import Turn
from victor_fp.testing.writers import SIGNATURE, Event, Payload, Telling, Writer, asks_by_body, pieces, sse

LIMITS = {"length": "max_output_tokens"}
"""Why a response is incomplete; one that is complete says nothing."""


def _body(turn: Turn) -> Payload:
    output = [*_build_reasoning(turn), *_message(turn), *_calls(turn)]
    return {**_head(turn), **_build_end(turn), "output": output, **_usage(turn)}


def _events(turn: Turn) -> Telling:
    whole = _body(turn)
    begun = {**_head(turn), "status": "in_progress", "output": []}
    said = [_event("response.created", response=begun), _event("response.in_progress", response=begun)]
    for index, item in enumerate(whole["output"]):
        said += _item_events(index, item)
    numbered = [
        (name, {**payload, "sequence_number": number})
        for number, (name, payload) in enumerate([*said, _event(f"response.{whole['status']}", response=whole)])
    ]
    return Telling(before=numbered[:-1], end=numbered[-1:])


def _error(status: int, words: str) -> Answer:
    return json_answer({"error": {"message": words, "type": "error", "param": None, "code": None}}, status)


def _error_frame(words: str) -> bytes:
    return sse(_event("error", code="server_error", message=words, param=None))


def _head(turn: Turn) -> Payload:
    return {"id": "resp_1", "object": "response", "created_at": 1700000000, "model": turn.model}


def _build_end(turn: Turn) -> Payload:
    if turn.reason in ("stop", "tool_use"):
        return {"status": "completed", "incomplete_details": None}
    return {"status": "incomplete", "incomplete_details": {"reason": LIMITS.get(turn.reason, turn.reason)}}


def _usage(turn: Turn) -> Payload:
    if turn.usage is None:
        return {}
    prompt, answer = turn.usage
    return {"usage": {"input_tokens": prompt, "output_tokens": answer, "total_tokens": prompt + answer}}


def _build_reasoning(turn: Turn) -> list[Payload]:
    if not turn.reasoning:
        return []
    summary = [{"type": "summary_text", "text": turn.reasoning}]
    return [{"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": SIGNATURE}]


def _message(turn: Turn) -> list[Payload]:
    if not turn.text:
        return []
    content = [{"type": "output_text", "text": turn.text, "annotations": []}]
    return [{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}]


def _calls(turn: Turn) -> list[Payload]:
    return [
        {
            "type": "function_call",
            "id": f"fc_{place}",
            "call_id": call.id,
            "name": call.name,
            "arguments": encode_json(call.arguments).decode(),
            "status": "completed",
        }
        for place, call in enumerate(turn.calls)
    ]


def _item_events(index: int, item: Payload) -> list[Event]:
    at = {"output_index": index, "item_id": item["id"]}
    match item["type"]:
        case "message":
            begun = {**item, "status": "in_progress", "content": []}
            inside = _text_events({**at, "content_index": 0}, item["content"][0])
        case "reasoning":
            begun = {**item, "summary": []}
            inside = _summary_events({**at, "summary_index": 0}, item["summary"][0])
        case _:
            begun = {**item, "status": "in_progress", "arguments": ""}
            written = item["arguments"]
            inside = [_event("response.function_call_arguments.delta", **at, delta=piece) for piece in pieces(written)]
            inside.append(_event("response.function_call_arguments.done", **at, arguments=written))
    return [
        _event("response.output_item.added", output_index=index, item=begun),
        *inside,
        _event("response.output_item.done", output_index=index, item=item),
    ]


def _text_events(at: Payload, part: Payload) -> list[Event]:
    return [
        _event("response.content_part.added", **at, part={**part, "text": ""}),
        *(_event("response.output_text.delta", **at, delta=piece) for piece in pieces(part["text"])),
        _event("response.output_text.done", **at, text=part["text"]),
        _event("response.content_part.done", **at, part=part),
    ]


def _summary_events(at: Payload, part: Payload) -> list[Event]:
    return [
        _event("response.reasoning_summary_part.added", **at, part={**part, "text": ""}),
        *(_event("response.reasoning_summary_text.delta", **at, delta=piece) for piece in pieces(part["text"])),
        _event("response.reasoning_summary_text.done", **at, text=part["text"]),
        _event("response.reasoning_summary_part.done", **at, part=part),
    ]


def _event(name: str, **fields: Any) -> Event:
    return name, {"type": name, **fields}


WRITER = Writer(
    body=_body,
    events=_events,
    frame=sse,
    error=_error,
    error_frame=_error_frame,
    streams=asks_by_body,
    unknown_frame=sse(_event("response.news", news={"deep": [1]})),
    signs=True,
)
