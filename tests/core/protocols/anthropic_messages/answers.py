"""Vendor messages as bodies and events, and helpers that decode them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tests.core.protocols import results
from victor_fp.core.types import CompletionResponse

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
    headers = {"content-type": "text/event-stream", **more.pop("headers", {})}
    return results.dump_stream(provider, headers, data, size, **more)


def read_response(
    body: object, *, status: int = 200, headers: dict[str, str] | None = None, provider: str = "anthropic"
) -> dict[str, Any]:
    return results.dump_response(provider, body, status=status, headers=headers)


def read_completion(body: dict[str, Any]) -> CompletionResponse:
    return results.read_completion("anthropic", body)
