"""OpenAI Chat Completions, as servers write it."""

from __future__ import annotations

from victor_fp.core.json import encode_json
from victor_fp.testing.answers import Answer, json_answer
from victor_fp.testing.script import Turn
from victor_fp.testing.writers import Event, Payload, Telling, Writer, asks_by_body, pieces, sse

HEAD: Payload = {"id": "chatcmpl-1", "created": 1700000000}
REASONS = {"tool_use": "tool_calls"}


def _body(turn: Turn) -> Payload:
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
    choice = {"index": 0, "message": message, "finish_reason": reason_of(turn)}
    return {**HEAD, "object": "chat.completion", "model": turn.model, "choices": [choice], **usage_of(turn)}


def _events(turn: Turn) -> Telling:
    said = [_chunk(turn, {"role": "assistant", "content": ""})]
    said += (_chunk(turn, {"reasoning_content": piece}) for piece in pieces(turn.reasoning))
    said += (_chunk(turn, {"content": piece}) for piece in pieces(turn.text))
    for index, call in enumerate(turn.calls):
        head = {"index": index, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        said.append(_chunk(turn, {"tool_calls": [head]}))
        for piece in pieces(encode_json(call.arguments).decode()):
            said.append(_chunk(turn, {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}))
    end = [_chunk(turn, {}, reason_of(turn))]
    if turn.usage is not None:
        name, last = _chunk(turn, {})
        end.append((name, {**last, "choices": [], **usage_of(turn)}))
    return Telling(before=said, end=end)


def _error(status: int, words: str) -> Answer:
    return json_answer({"error": {"message": words, "type": "error", "param": None, "code": None}}, status)


def _error_frame(words: str) -> bytes:
    return sse(("", {"error": {"message": words, "type": "server_error", "code": None}}))


def _chunk(turn: Turn, delta: Payload, reason: str | None = None) -> Event:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return "", {**HEAD, "object": "chat.completion.chunk", "model": turn.model, "choices": [choice]}


def reason_of(turn: Turn) -> str:
    """Why the answer ended, in the protocol's word."""
    return REASONS.get(turn.reason, turn.reason)


def usage_of(turn: Turn) -> Payload:
    """The field of the counts; nothing where none are reported."""
    if turn.usage is None:
        return {}
    prompt, answer = turn.usage
    return {"usage": {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}}


WRITER = Writer(
    body=_body,
    events=_events,
    frame=sse,
    error=_error,
    error_frame=_error_frame,
    streams=asks_by_body,
    unknown_frame=b": a comment\n\n" + sse(("", {**HEAD, "object": "chat.completion.news", "choices": []})),
    ending=b"data: [DONE]\n\n",
)
