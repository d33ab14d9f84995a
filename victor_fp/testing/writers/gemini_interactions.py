"""Writer of Gemini Interactions."""

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
from victor_fp.testing.writers.gemini import STATUSES

ENDINGS = {"stop": "completed", "length": "incomplete", "tool_use": "requires_action"}


def _build_body(turn: Turn) -> Payload:
    return {**_build_head(turn), "status": _choose_status(turn), "steps": _build_steps(turn), **_build_usage(turn)}


def _build_events(turn: Turn) -> StreamEvents:
    events = [_build_event("interaction.created", interaction={**_build_head(turn), "status": "in_progress"})]
    for index, step in enumerate(_build_steps(turn)):
        events += _step_events(index, step)
    completed = {**_build_head(turn), "status": _choose_status(turn), **_build_usage(turn)}
    return StreamEvents(before=events, end=[_build_event("interaction.completed", interaction=completed)])


def _build_error(status: int, words: str) -> Answer:
    return json_answer(
        {"error": {"code": status, "message": words, "status": STATUSES.get(status, "INTERNAL")}}, status
    )


def _build_error_frame(words: str) -> bytes:
    return encode_sse(_build_event("error", error={"code": "internal_error", "message": words}))


def _build_head(turn: Turn) -> Payload:
    return {"object": "interaction", "model": turn.model}  # without an id, since it is not stored


def _choose_status(turn: Turn) -> str:
    return ENDINGS.get(turn.reason, turn.reason)


def _build_usage(turn: Turn) -> Payload:
    if turn.usage is None:
        return {}
    prompt, answer = turn.usage
    return {"usage": {"total_input_tokens": prompt, "total_output_tokens": answer, "total_tokens": prompt + answer}}


def _build_steps(turn: Turn) -> list[Payload]:
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
            texts = split_pieces(step["summary"][0]["text"])
            deltas = [{"type": "thought_summary", "content": {"type": "text", "text": text}} for text in texts]
            deltas.append({"type": "thought_signature", "signature": step["signature"]})
        case "model_output":
            begun = {"type": "model_output"}
            deltas = [{"type": "text", "text": text} for text in split_pieces(step["content"][0]["text"])]
        case _:
            begun = {**step, "arguments": {}}
            written = encode_json(step["arguments"]).decode()
            deltas = [{"type": "arguments_delta", "arguments": piece} for piece in split_pieces(written)]
    return [
        _build_event("step.start", index=index, step=begun),
        *(_build_event("step.delta", index=index, delta=delta) for delta in deltas),
        _build_event("step.stop", index=index),
    ]


def _build_event(name: str, **fields: Any) -> Event:
    return name, {"event_type": name, **fields}


WRITER = Writer(
    body=_build_body,
    events=_build_events,
    frame=encode_sse,
    error=_build_error,
    error_frame=_build_error_frame,
    streams=is_stream_request,
    unknown_frame=encode_sse(_build_event("interaction.news", news={"deep": [1]})),
    ending=b"event: done\ndata: [DONE]\n\n",
    signs=True,
)
