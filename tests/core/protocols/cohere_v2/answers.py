"""Cohere responses as bodies and events, and helpers that decode them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from returns.result import Failure, Success

from victor_fp import replay
from victor_fp.core.result import outcome

Json = dict[str, Any]
USAGE: Json = {
    "billed_units": {"input_tokens": 9, "output_tokens": 4},
    "tokens": {"input_tokens": 80, "output_tokens": 11},
    "cached_tokens": 64,
}


def build_text(words: str) -> Json:
    return {"type": "text", "text": words}


def build_thought(words: str) -> Json:
    return {"type": "thinking", "thinking": words}


def call(id_: str, name: str, arguments: str) -> Json:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def build_citation(start: int, end: int, said: str) -> Json:
    source = {"type": "document", "id": "doc:0", "document": {"id": "doc:0", "text": "The sky is blue."}}
    return {"start": start, "end": end, "text": said, "sources": [source], "type": "TEXT_CONTENT", "content_index": 0}


def answer(*content: Json, finish: str | None = "COMPLETE", usage: Json | None = None, **message: Any) -> Json:
    """A whole body; `message` holds tool_plan, tool_calls, citations."""
    body: Json = {"id": "ans-1", "message": {"role": "assistant", **message}}
    if content:
        body["message"]["content"] = list(content)
    return body | ({"finish_reason": finish} if finish else {}) | ({"usage": usage} if usage else {})


def events(body: Json, *, size: int = 3) -> Iterator[Json]:
    """The events of the same answer, its texts in pieces of a few characters."""
    message = body["message"]
    fresh = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    yield {"id": body["id"], "type": "message-start", "delta": {"message": fresh}}
    for piece in split_text(message.get("tool_plan", ""), size):
        yield {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": piece}}}
    for index, block in enumerate(message.get("content", [])):
        kind = block["type"]
        yield build_message_event("content-start", index, content={"type": kind, kind: ""})
        for piece in split_text(block[kind], size):
            yield build_message_event("content-delta", index, content={kind: piece})
        yield {"type": "content-end", "index": index}
    for index, one in enumerate(message.get("tool_calls", [])):
        function = {**one["function"], "arguments": ""}
        yield build_message_event("tool-call-start", index, tool_calls={**one, "function": function})
        for piece in split_text(one["function"]["arguments"], size):
            yield build_message_event("tool-call-delta", index, tool_calls={"function": {"arguments": piece}})
        yield {"type": "tool-call-end", "index": index}
    for index, one in enumerate(message.get("citations", [])):
        yield build_message_event("citation-start", index, citations=one)
        yield {"type": "citation-end", "index": index}
    if "finish_reason" in body:
        end = {"finish_reason": body["finish_reason"]} | ({"usage": body["usage"]} if "usage" in body else {})
        yield {"type": "message-end", "delta": end}


def build_message_event(kind: str, index: int, **message: Any) -> Json:
    return {"type": kind, "index": index, "delta": {"message": message}}


def split_text(words: str, size: int) -> list[str]:
    return [words[start : start + size] for start in range(0, len(words), size)]


def encode_sse(payloads: Iterable[Json]) -> bytes:
    return "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in payloads).encode()


def read_response(body: object, status: int = 200) -> Json:
    """What a body means, as a plain dict; the fault as one where it means none."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    match outcome(replay.response("cohere", status, {}, data)):
        case Success(response):
            return response.model_dump(exclude_none=True, exclude={"raw_response", "role"})
        case Failure(fault):
            return describe_fault(fault)


def read_stream(data: bytes, *, size: int = 1 << 20) -> list[Json]:
    """Chunks as plain dicts, then the fault as one if there is one."""
    reads = (data[start : start + size] for start in range(0, len(data), size))
    read: list[Json] = []
    for result in replay.stream("cohere", 200, {"content-type": "text/event-stream"}, reads):
        match outcome(result):
            case Success(chunk):
                read.append(chunk.model_dump(exclude_none=True, exclude_defaults=True))
            case Failure(fault):
                read.append(describe_fault(fault))
    return read


def join_chunks(chunks: list[Json]) -> Json:
    """A stream put together: the text of its chunks, and everything that its final chunk carries."""
    *before, last = chunks
    assert last.pop("is_final") is True, last
    return {**last, "content": "".join(chunk.get("content", "") for chunk in before)}


def describe_fault(fault: Any) -> Json:
    fields = {name: getattr(fault, name) for name in fault.__struct_fields__}
    reported = {name: value for name, value in fields.items() if value not in (None, "", (), False)}
    return {"fault": type(fault).__name__, **msgspec.to_builtins(reported)}
