"""Gemini responses as bodies, server-sent events and streamed arrays, and helpers that decode them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from returns.result import Failure, Success

from victor_fp import replay
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, StreamChunk

Json = dict[str, Any]
SSE = {"content-type": "text/event-stream"}
ARRAY = {"content-type": "application/json; charset=UTF-8"}


def answer(*parts: Json, finish: str | None = "STOP", usage: Json | None = None, **candidate: Any) -> Json:
    """One answer, or one piece of a streamed one."""
    return {
        "candidates": [
            {
                "content": {"parts": list(parts), "role": "model"},
                "index": 0,
                **({"finishReason": finish} if finish else {}),
                **candidate,
            }
        ],
        **({"usageMetadata": usage} if usage else {}),
        "modelVersion": "gemini-2.5-flash",
        "responseId": "resp-1",
    }


def build_text(words: str, **more: Any) -> Json:
    return {"text": words, **more}


def build_thought(words: str, **more: Any) -> Json:
    return {"text": words, "thought": True, **more}


def call(name: str, args: Json | None = None, *, id: str | None = None, signature: str | None = None) -> Json:
    function: Json = {"name": name} | ({} if args is None else {"args": args}) | ({"id": id} if id else {})
    return {"functionCall": function} | ({"thoughtSignature": signature} if signature else {})


def build_argument_piece(path: str, more: bool = True, **value: Any) -> Json:
    """A further piece of the newest call's arguments."""
    piece = {"jsonPath": path, **value, **({"willContinue": True} if more else {})}
    return {"functionCall": {"partialArgs": [piece], "willContinue": True}}


def encode_sse(pieces: Iterable[Json], newline: str = "\r\n") -> bytes:
    return "".join(f"data: {json.dumps(piece)}{newline}{newline}" for piece in pieces).encode()


def encode_array(pieces: Iterable[Json]) -> bytes:
    return ("[" + ",\r\n".join(json.dumps(piece, indent=2) for piece in pieces) + "\n]").encode()


def read_response(body: object, provider: str = "google") -> CompletionResponse | Failure[Any]:
    """A body's answer, or the failure it is."""
    match outcome(replay.response(provider, 200, {}, json.dumps(body).encode())):
        case Success(response):
            return response
        case Failure() as failure:
            return failure


def read_completion(body: object) -> CompletionResponse:
    response = read_response(body)
    assert isinstance(response, CompletionResponse), response
    return response


def read_chunks(data: bytes | Iterable[bytes], headers: Mapping[str, str] = SSE) -> list[StreamChunk | Failure[Any]]:
    """What a caller sees of a stream: chunks, then perhaps one failure."""
    pieces = [data] if isinstance(data, bytes) else data
    seen: list[StreamChunk | Failure[Any]] = []
    for result in replay.stream("google", 200, headers, pieces):
        match outcome(result):
            case Success(chunk):
                seen.append(chunk)
            case Failure() as failure:
                seen.append(failure)
    return seen


def read_final_chunk(data: bytes | Iterable[bytes], headers: Mapping[str, str] = SSE) -> StreamChunk:
    chunk = read_chunks(data, headers)[-1]
    assert isinstance(chunk, StreamChunk), chunk
    assert chunk.is_final
    return chunk


def read_stream_fault(data: bytes | Iterable[bytes], headers: Mapping[str, str] = SSE) -> Any:
    failure = read_chunks(data, headers)[-1]
    assert isinstance(failure, Failure), failure
    return failure.failure()


def to_dict(response: CompletionResponse) -> Json:
    """A completion as a plain dict, without the raw body that it repeats."""
    return response.model_dump(exclude_none=True, exclude={"raw_response"})


def describe_fault(fault: Any) -> Json:
    named = {name: getattr(fault, name) for name in fault.__struct_fields__}
    return {"fault": type(fault).__name__, **{name: value for name, value in named.items() if value not in (None, ())}}


def dump_stream(data: bytes | Iterable[bytes], headers: Mapping[str, str] = SSE) -> Json:
    """A stream put together: the text of its chunks, and everything its final chunk carries."""
    *before, last = read_chunks(data, headers)
    assert isinstance(last, StreamChunk), last
    assert last.is_final
    content = "".join(chunk.content for chunk in before if isinstance(chunk, StreamChunk)) + last.content
    return {"role": "assistant", **last.model_dump(exclude_none=True, exclude={"is_final"}), "content": content}
