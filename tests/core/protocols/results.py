"""Results of `replay` as plain dicts, for comparison and snapshots."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from returns.result import Failure, Success

from victor_fp import replay
from victor_fp.core.faults import Fault
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, StreamChunk

Json = dict[str, Any]


def to_dict(value: object) -> Json:
    """The fields that are set."""
    if isinstance(value, CompletionResponse | StreamChunk):
        return value.model_dump(exclude_defaults=True)
    found: Json = msgspec.to_builtins(value)
    return {name: item for name, item in found.items() if item not in (None, "", [], (), False)}


def describe_fault(fault: Fault) -> Json:
    return {"fault": type(fault).__name__, **to_dict(fault)}


def read_response(
    provider: str, body: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> CompletionResponse | Fault:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    match outcome(replay.response(provider, status, headers or {}, data)):
        case Success(response):
            return response
        case Failure(fault):
            return fault


def dump_response(provider: str, body: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Json:
    """The completion or the fault as a plain dict, without the raw body."""
    read = read_response(provider, body, status=status, headers=headers)
    if isinstance(read, CompletionResponse):
        return {key: value for key, value in to_dict(read).items() if key != "raw_response"}
    return describe_fault(read)


def read_completion(provider: str, body: object) -> CompletionResponse:
    response = read_response(provider, body)
    assert isinstance(response, CompletionResponse), response
    return response


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def dump_stream(provider: str, headers: Mapping[str, str], data: bytes, size: int, **more: Any) -> list[Json]:
    """Chunks as plain dicts, then the fault as one if there is one."""
    read: list[Json] = []
    for result in replay.stream(provider, 200, headers, cut(data, size), **more):
        match outcome(result):
            case Success(chunk):
                read.append(to_dict(chunk))
            case Failure(fault):
                read.append(describe_fault(fault))
    return read


def join_chunks(chunks: Sequence[Json]) -> Json:
    """A stream's final chunk with the text of all, for comparison with a whole answer."""
    final = {key: value for key, value in chunks[-1].items() if key != "is_final"}
    return {"content": "".join(chunk.get("content", "") for chunk in chunks), **final}
