"""Vendor messages as bodies and events, and helpers that decode them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from returns.result import Failure, Success

from victor_fp import replay
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, StreamChunk

USAGE = {"input_tokens": 21, "output_tokens": 9}
ID = "msg_01AbCd"
MODEL = "claude-sonnet-4-5-20250929"


def build_message(
    *content: dict[str, Any], stop: str | None = "end_turn", usage: Any = USAGE, **more: Any
) -> dict[str, Any]:
    head = {"id": ID, "type": "message", "role": "assistant", "model": MODEL, "content": list(content)}
    return {**head, "stop_reason": stop, "stop_sequence": None, "usage": usage, **more}


def build_text(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": text, **more}


def build_thinking(thinking: str, signature: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": thinking, "signature": signature}


def call(id_: str, name: str, **input_: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": id_, "name": name, "input": input_}


def build_search_blocks(query: str, *urls: str) -> list[dict[str, Any]]:
    """A search that the vendor runs itself: its call, and what it found."""
    found = [
        {"type": "web_search_result", "url": url, "title": "T", "encrypted_content": "Ec" + url[-1], "page_age": None}
        for url in urls
    ]
    asked = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": query}}
    return [asked, {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": found}]


def events(whole: dict[str, Any], *, size: int = 4) -> list[dict[str, Any]]:
    """The same message as a stream: counts of the input first, texts in pieces of a few characters."""
    usage = whole["usage"]
    start: dict[str, Any] = {**whole, "content": [], "stop_reason": None, "stop_sequence": None}
    late: dict[str, Any] = {key: start.pop(key) for key in ("stop_details", "container") if key in start}
    if usage is not None:
        start["usage"] = {**usage, "output_tokens": 1}
    delta = {"stop_reason": whole["stop_reason"], "stop_sequence": whole["stop_sequence"], **late}
    ending: dict[str, Any] = {"type": "message_delta", "delta": delta}
    if usage is not None:
        ending["usage"] = {"output_tokens": usage["output_tokens"]}
    blocks = [
        event for place, block in enumerate(whole["content"]) for event in build_block_events(place, block, size=size)
    ]
    return [{"type": "message_start", "message": start}, {"type": "ping"}, *blocks, ending, {"type": "message_stop"}]


def build_block_events(place: int, block: dict[str, Any], *, size: int = 4) -> list[dict[str, Any]]:
    started, deltas = dict(block), list[dict[str, Any]]()
    match block["type"]:
        case "text":
            deltas += [{"type": "citations_delta", "citation": found} for found in started.pop("citations", ())]
            deltas += [{"type": "text_delta", "text": piece} for piece in split_text(block["text"], size)]
            started["text"] = ""
        case "thinking":
            deltas += [{"type": "thinking_delta", "thinking": piece} for piece in split_text(block["thinking"], size)]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
            started |= {"thinking": "", "signature": ""}
        case "tool_use" | "server_tool_use":
            written = json.dumps(block["input"]) if block["input"] else ""
            deltas += [
                {"type": "input_json_delta", "partial_json": piece} for piece in ["", *split_text(written, size)]
            ]
            started["input"] = {}
    return [
        {"type": "content_block_start", "index": place, "content_block": started},
        *({"type": "content_block_delta", "index": place, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": place},
    ]


def split_text(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def encode_sse(stream: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in stream)


def read_stream(data: bytes, *, provider: str = "anthropic", size: int = 1 << 20, **more: Any) -> list[dict[str, Any]]:
    """Chunks as plain dicts, then the fault as one if there is one."""
    reads = (data[start : start + size] for start in range(0, len(data), size))
    headers = {"content-type": "text/event-stream", **more.pop("headers", {})}
    read: list[dict[str, Any]] = []
    for result in replay.stream(provider, 200, headers, reads, **more):
        match outcome(result):
            case Success(chunk):
                read.append(to_dict(chunk))
            case Failure(fault):
                read.append({"fault": type(fault).__name__, **to_dict(fault)})
    return read


def read_response(
    body: object, *, status: int = 200, headers: dict[str, str] | None = None, provider: str = "anthropic"
) -> dict[str, Any]:
    """The completion or the fault as a plain dict, without the raw body."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    match outcome(replay.response(provider, status, headers or {}, data)):
        case Success(response):
            return {key: value for key, value in to_dict(response).items() if key != "raw_response"}
        case Failure(fault):
            return {"fault": type(fault).__name__, **to_dict(fault)}


def read_completion(body: dict[str, Any]) -> CompletionResponse:
    match outcome(replay.response("anthropic", 200, {}, json.dumps(body).encode())):
        case Success(response):
            return response
        case Failure(fault):
            raise AssertionError(fault)


def to_dict(value: object) -> dict[str, Any]:
    """The fields that are set."""
    if isinstance(value, (CompletionResponse, StreamChunk)):
        return value.model_dump(exclude_defaults=True)
    found: dict[str, Any] = msgspec.to_builtins(value)
    return {name: item for name, item in found.items() if item not in (None, "", [], False)}


def join_chunks(chunks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A stream's final chunk with the text of all, for comparison with a whole answer."""
    final = {key: value for key, value in chunks[-1].items() if key != "is_final"}
    return {"content": "".join(chunk.get("content", "") for chunk in chunks), **final}
