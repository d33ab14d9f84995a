"""Gemini Interactions, as its server writes it."""

from __future__ import annotations

from typing import Any

from victor_fp.core.json import encode_json
from victor_fp.testing.answers import Answer, json_answer
from victor_fp.testing.script import Turn
from victor_fp.testing.writers import SIGNATURE, Event, Payload, Telling, Writer, asks_by_body, pieces, sse
from victor_fp.testing.writers.gemini import STATUSES

ENDINGS = {"stop": "completed", "length": "incomplete", "tool_use": "requires_action"}


def _body(turn: Turn) -> Payload:
    return {**_head(turn), "status": _status(turn), "steps": _steps(turn), **_usage(turn)}


def _events(turn: Turn) -> Telling:
    said = [_event("interaction.created", interaction={**_head(turn), "status": "in_progress"})]
    for index, step in enumerate(_steps(turn)):
        said += _step_events(index, step)
    completed = {**_head(turn), "status": _status(turn), **_usage(turn)}
    return Telling(before=said, end=[_event("interaction.completed", interaction=completed)])


def _error(status: int, words: str) -> Answer:
    return json_answer(
        {"error": {"code": status, "message": words, "status": STATUSES.get(status, "INTERNAL")}}, status
    )


def _error_frame(words: str) -> bytes:
    return sse(_event("error", error={"code": "internal_error", "message": words}))


def _head(turn: Turn) -> Payload:
    return {"object": "interaction", "model": turn.model}  # what is not stored has no id


def _status(turn: Turn) -> str:
    return ENDINGS.get(turn.reason, turn.reason)


def _usage(turn: Turn) -> Payload:
    if turn.usage is None:
        return {}
    prompt, answer = turn.usage
    return {"usage": {"total_input_tokens": prompt, "total_output_tokens": answer, "total_tokens": prompt + answer}}


def _steps(turn: Turn) -> list[Payload]:
    steps: list[Payload] = []
    if turn.reasoning:
        summary = [{"type": "text", "text": turn.reasoning}]
        steps.append({"type": "thought", "signature": SIGNATURE, "summary": summary})
    if turn.text:
        steps.append({"type": "model_output", "content": [{"type": "text", "text": turn.text}]})
    steps += (
        {"type": "function_call", "id": call.id, "name": call.name, "arguments": {**call.arguments}}
        for call in turn.calls
    )
    return steps


def _step_events(index: int, step: Payload) -> list[Event]:
    match step["type"]:
        case "thought":
            begun: Payload = {"type": "thought"}
            texts = pieces(step["summary"][0]["text"])
            deltas = [{"type": "thought_summary", "content": {"type": "text", "text": text}} for text in texts]
            deltas.append({"type": "thought_signature", "signature": step["signature"]})
        case "model_output":
            begun = {"type": "model_output"}
            deltas = [{"type": "text", "text": text} for text in pieces(step["content"][0]["text"])]
        case _:
            begun = {**step, "arguments": {}}
            written = encode_json(step["arguments"]).decode()
            deltas = [{"type": "arguments_delta", "arguments": piece} for piece in pieces(written)]
    return [
        _event("step.start", index=index, step=begun),
        *(_event("step.delta", index=index, delta=delta) for delta in deltas),
        _event("step.stop", index=index),
    ]


def _event(name: str, **fields: Any) -> Event:
    return name, {"event_type": name, **fields}


WRITER = Writer(
    body=_body,
    events=_events,
    frame=sse,
    error=_error,
    error_frame=_error_frame,
    streams=asks_by_body,
    unknown_frame=sse(_event("interaction.news", news={"deep": [1]})),
    ending=b"event: done\ndata: [DONE]\n\n",
    signs=True,
)
