"""Replicate predictions as bodies and events, and helpers that decode them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tests.core.protocols import results

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
    return results.dump_response("replicate", body, status=status)


def read_stream(data: bytes, *, size: int = 1 << 20) -> list[Json]:
    return results.dump_stream("replicate", {"content-type": "text/event-stream"}, data, size)
