"""Writer of OpenAI Chat Completions."""

from __future__ import annotations

from victor_fp.core.json import encode_json
from victor_fp.testing.answers import Answer, json_answer
from victor_fp.testing.script import Turn
from victor_fp.testing.writers import Event, Payload, StreamEvents, Writer, encode_sse, is_stream_request, split_pieces

HEAD: Payload = {"id": "chatcmpl-1", "created": 1700000000}
REASONS = {"tool_use": "tool_calls"}


def _build_body(turn: Turn) -> Payload:
    message: Payload = {"role": "assistant", "content": turn.text or None}
    if turn.reasoning:
        message["reasoning_content"] = turn.reasoning
    if turn.calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": encode_json(call.arguments).decode()},
            }
            for call in turn.calls
        ]
    choice = {"index": 0, "message": message, "finish_reason": find_reason(turn)}
    return {**HEAD, "object": "chat.completion", "model": turn.model, "choices": [choice], **build_usage(turn)}


def _build_events(turn: Turn) -> StreamEvents:
    events = [_build_chunk(turn, {"role": "assistant", "content": ""})]
    events += (_build_chunk(turn, {"reasoning_content": piece}) for piece in split_pieces(turn.reasoning))
    events += (_build_chunk(turn, {"content": piece}) for piece in split_pieces(turn.text))
    for index, call in enumerate(turn.calls):
        head = {"index": index, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        events.append(_build_chunk(turn, {"tool_calls": [head]}))
        for piece in split_pieces(encode_json(call.arguments).decode()):
            events.append(_build_chunk(turn, {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}))
    end = [_build_chunk(turn, {}, find_reason(turn))]
    if turn.usage is not None:
        name, last = _build_chunk(turn, {})
        end.append((name, {**last, "choices": [], **build_usage(turn)}))
    return StreamEvents(before=events, end=end)


def _build_error(status: int, words: str) -> Answer:
    return json_answer({"error": {"message": words, "type": "error", "param": None, "code": None}}, status)


def _build_error_frame(words: str) -> bytes:
    return encode_sse(("", {"error": {"message": words, "type": "server_error", "code": None}}))


def _build_chunk(turn: Turn, delta: Payload, reason: str | None = None) -> Event:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return "", {**HEAD, "object": "chat.completion.chunk", "model": turn.model, "choices": [choice]}


def find_reason(turn: Turn) -> str:
    """Return the stop reason in the protocol's value."""
    return REASONS.get(turn.reason, turn.reason)


def build_usage(turn: Turn) -> Payload:
    """Return the usage field; empty if usage is not reported."""
    if turn.usage is None:
        return {}
    prompt, answer = turn.usage
    return {"usage": {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}}


WRITER = Writer(
    body=_build_body,
    events=_build_events,
    frame=encode_sse,
    error=_build_error,
    error_frame=_build_error_frame,
    streams=is_stream_request,
    unknown_frame=b": a comment\n\n" + encode_sse(("", {**HEAD, "object": "chat.completion.news", "choices": []})),
    ending=b"data: [DONE]\n\n",
)
