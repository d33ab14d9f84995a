"""Lines of an Ollama server, and helpers that decode them as a body and as a stream."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import msgspec
from returns.result import Failure, Success

from victor_fp import replay
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, StreamChunk

TIME = "2026-05-01T12:00:00.5Z"
ENDING = {
    "total_duration": 9_100_000_000,
    "load_duration": 56_000_000,
    "prompt_eval_count": 26,
    "prompt_eval_duration": 840_000_000,
    "eval_count": 9,
    "eval_duration": 7_650_000_000,
}


def build_line(done_reason: str | None = None, **message: Any) -> dict[str, Any]:
    """One line; with a reason the last one."""
    head = {"model": "qwen3:4b", "created_at": TIME, "message": {"role": "assistant", "content": "", **message}}
    return (
        {**head, "done": False} if done_reason is None else {**head, "done_reason": done_reason, "done": True, **ENDING}
    )


def call(name: str, arguments: Any, **more: Any) -> dict[str, Any]:
    function = {key: value for key, value in more.items() if key != "id"}
    return {
        **({"id": more["id"]} if "id" in more else {}),
        "function": {"name": name, "arguments": arguments, **function},
    }


def encode_lines(lines: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in lines)


def read_stream(data: bytes, *, size: int = 1 << 20) -> list[dict[str, Any]]:
    """Chunks as plain dicts, then the fault as one if there is one."""
    reads = (data[start : start + size] for start in range(0, len(data), size))
    read: list[dict[str, Any]] = []
    for result in replay.stream("ollama", 200, {"content-type": "application/x-ndjson"}, reads):
        match outcome(result):
            case Success(chunk):
                read.append(to_dict(chunk))
            case Failure(fault):
                read.append({"fault": type(fault).__name__, **to_dict(fault)})
    return read


def read_response(body: dict[str, Any], *, status: int = 200) -> dict[str, Any]:
    """A completion or a fault as a plain dict."""
    match outcome(replay.response("ollama", status, {}, json.dumps(body).encode())):
        case Success(completion):
            return to_dict(completion)
        case Failure(fault):
            return {"fault": type(fault).__name__, **to_dict(fault)}


def to_dict(value: CompletionResponse | StreamChunk | msgspec.Struct) -> dict[str, Any]:
    """What is set, without the vendor's own body."""
    if isinstance(value, msgspec.Struct):
        built: dict[str, Any] = msgspec.to_builtins(value)
        return {name: item for name, item in built.items() if item not in (None, (), [], False)}
    return value.model_dump(exclude_defaults=True, exclude={"raw_response"})
