"""Replicate predictions as bodies and events, and helpers that decode them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import msgspec
from returns.result import Failure, Success

from victor_fp import replay
from victor_fp.core.result import outcome

Json = dict[str, Any]
API = "https://api.replicate.com/v1"
METRICS: Json = {"predict_time": 1.5, "input_token_count": 26, "output_token_count": 84, "tokens_per_second": 56.0}


def build_prediction(status: str = "succeeded", **changes: Any) -> Json:
    """A prediction in its current state."""
    return {
        "id": "pred1",
        "model": "meta/meta-llama-3-70b-instruct",
        "version": "hidden",
        "input": {"prompt": "Hi"},
        "logs": "",
        "output": None,
        "error": None,
        "data_removed": False,
        "status": status,
        "created_at": "2026-11-22T10:00:00.000Z",
        "urls": {"get": f"{API}/predictions/pred1", "cancel": f"{API}/predictions/pred1/cancel"},
        **changes,
    }


def encode_event(name: str, data: str, id_: str = "1690212292000:0") -> str:
    lines = "".join(f"data: {line}\n" for line in data.split("\n"))
    return f"event: {name}\nid: {id_}\n{lines}\n"


def encode_sse(pieces: Iterable[str], done: Json | None = None) -> bytes:
    """The output in pieces, and the end of it."""
    return "".join(
        [*(encode_event("output", piece) for piece in pieces), encode_event("done", json.dumps(done or {}))]
    ).encode()


def read_response(body: object, status: int = 200) -> Json:
    """What a body means, as a plain dict; the fault as one where it means none."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    match outcome(replay.response("replicate", status, {}, data)):
        case Success(response):
            return response.model_dump(exclude_none=True, exclude={"raw_response", "role"})
        case Failure(fault):
            return describe_fault(fault)


def read_stream(data: bytes, *, size: int = 1 << 20) -> list[Json]:
    """Chunks as plain dicts, then the fault as one if there is one."""
    reads = (data[start : start + size] for start in range(0, len(data), size))
    read: list[Json] = []
    for result in replay.stream("replicate", 200, {"content-type": "text/event-stream"}, reads):
        match outcome(result):
            case Success(chunk):
                read.append(chunk.model_dump(exclude_none=True, exclude_defaults=True))
            case Failure(fault):
                read.append(describe_fault(fault))
    return read


def join_chunks(chunks: list[Json]) -> Json:
    *before, last = chunks
    assert last.pop("is_final") is True, last
    return {**last, "content": "".join(chunk.get("content", "") for chunk in before)}


def describe_fault(fault: Any) -> Json:
    fields = {name: getattr(fault, name) for name in fault.__struct_fields__}
    reported = {name: value for name, value in fields.items() if value not in (None, "", (), False)}
    return {"fault": type(fault).__name__, **msgspec.to_builtins(reported)}
