"""Server responses, and their decoded form as plain dicts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import msgspec
from returns.result import Failure, Result, Success

from victor_fp import replay
from victor_fp.core.faults import Fault
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, StreamChunk

HEAD: dict[str, Any] = {"id": "chatcmpl-1", "created": 1700000000, "model": "some-model"}
USAGE = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}


def encode_completion(
    message: dict[str, Any] | None = None,
    finish: str | None = "stop",
    usage: dict[str, Any] | None = None,
    choice: dict[str, Any] | None = None,
    **top: Any,
) -> bytes:
    """A whole completion."""
    whole = {"index": 0, "message": {"role": "assistant", **(message or {})}, "finish_reason": finish, **(choice or {})}
    answer = {**HEAD, "object": "chat.completion", "choices": [whole], **top}
    return json.dumps(answer | ({"usage": usage} if usage else {})).encode()


def build_chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """One chunk with one choice."""
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return {**HEAD, "object": "chat.completion.chunk", "choices": [choice], **more}


def build_call_piece(
    text: str | None = None, *, index: int | None = 0, id: str | None = None, name: str | None = None
) -> dict[str, Any]:
    """A delta with a piece of a tool call; what is None is absent."""
    function = {key: value for key, value in (("name", name), ("arguments", text)) if value is not None}
    call = {key: value for key, value in (("index", index), ("id", id)) if value is not None}
    return {"tool_calls": [{**call, "function": function}]}


def build_text_chunk(text: str) -> dict[str, Any]:
    """A chunk that holds text alone."""
    return build_chunk({"content": text})


def encode_sse(*payloads: Any, done: bool = True) -> bytes:
    """Payloads as server-sent events."""
    lines = [f"data: {payload if isinstance(payload, str) else json.dumps(payload)}\n\n" for payload in payloads]
    return "".join([*lines, *(["data: [DONE]\n\n"] if done else [])]).encode()


def read(provider: str, data: bytes, status: int = 200, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """What a body means."""
    return dump_result(replay.response(provider, status, headers or {}, data))


def dump_result(result: Result[CompletionResponse, Fault]) -> dict[str, Any]:
    """A completion without its raw body, or a fault."""
    match outcome(result):
        case Success(response):
            return response.model_dump(exclude={"raw_response", "role"}, exclude_none=True)
        case Failure(fault):
            return describe_fault(fault)


def describe_fault(fault: Fault) -> dict[str, Any]:
    """A fault with the fields that say something."""
    fields = {name: getattr(fault, name) for name in fault.__struct_fields__}
    return {
        "fault": type(fault).__name__,
        **{name: msgspec.to_builtins(value) for name, value in fields.items() if value not in (None, "", (), False)},
    }


def read_chunks(provider: str, pieces: Iterable[bytes]) -> list[Result[StreamChunk, Fault]]:
    """Everything a stream gives."""
    return list(replay.stream(provider, 200, {}, pieces))


def read_stream(provider: str, data: bytes, size: int = 0) -> dict[str, Any]:
    """A stream's answer in the form that `read` has: its texts joined, the rest from its last chunk or its fault."""
    pieces = [data[start : start + size] for start in range(0, len(data), size)] if size else [data]
    content, last = "", {"fault": "nothing came"}
    for result in read_chunks(provider, pieces):
        match outcome(result):
            case Success(part):
                content += part.content
                if part.is_final:
                    last = {"content": content, **part.model_dump(exclude={"content", "is_final"}, exclude_none=True)}
            case Failure(fault):
                last = describe_fault(fault)
    return last
