"""Vendor responses as bodies and frames, and helpers that decode them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, TypeAlias

from tests import aws_frames
from tests.core.protocols import results
from victor_fp.core.types import CompletionResponse

USAGE = {"inputTokens": 21, "outputTokens": 9, "totalTokens": 30}
REGION = {"region": "eu-west-1"}
Event: TypeAlias = tuple[str, dict[str, Any]]


def answer(*content: dict[str, Any], stop: str | None = "end_turn", usage: Any = USAGE, **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"output": {"message": {"role": "assistant", "content": list(content)}}, **more}
    if usage is not None:
        body["usage"] = usage
    return {**body, "stopReason": stop, "metrics": {"latencyMs": 812}}


def build_text(text: str) -> dict[str, Any]:
    return {"text": text}


def build_thought(text: str, signature: str | None = None) -> dict[str, Any]:
    signed = {} if signature is None else {"signature": signature}
    return {"reasoningContent": {"reasoningText": {"text": text, **signed}}}


def build_redacted_thought(blob: str) -> dict[str, Any]:
    return {"reasoningContent": {"redactedContent": blob}}


def call(id_: str, name: str, **input_: Any) -> dict[str, Any]:
    return {"toolUse": {"toolUseId": id_, "name": name, "input": input_}}


def build_cited_text(text: str, *citations: dict[str, Any]) -> dict[str, Any]:
    return {"citationsContent": {"content": [{"text": text}], "citations": list(citations)}}


def build_code_blocks(snippet: str, out: str) -> list[dict[str, Any]]:
    """Code that the vendor runs itself: its call, and what came of it."""
    use = {"toolUseId": "tooluse_s", "name": "code", "type": "server_tool_use", "input": {"snippet": snippet}}
    result = {"toolUseId": "tooluse_s", "type": "code_result", "status": "success", "content": [{"json": {"out": out}}]}
    return [{"toolUse": use}, {"toolResult": result}]


def events(whole: dict[str, Any], *, size: int = 4) -> list[Event]:
    """The same answer as a stream, texts in pieces of a few characters."""
    blocks = [
        event
        for place, block in enumerate(whole["output"]["message"]["content"])
        for event in build_block_events(place, block, size=size)
    ]
    ending = {"stopReason": whole["stopReason"]}
    if "additionalModelResponseFields" in whole:
        ending["additionalModelResponseFields"] = whole["additionalModelResponseFields"]
    facts = ("usage", "metrics", "trace", "performanceConfig", "serviceTier")
    metadata = {name: whole[name] for name in facts if name in whole}
    return [("messageStart", {"role": "assistant"}), *blocks, ("messageStop", ending), ("metadata", metadata)]


def build_block_events(place: int, block: dict[str, Any], *, size: int = 4) -> list[Event]:
    start: dict[str, Any] | None = None
    deltas: list[dict[str, Any]] = []
    ((kind, value),) = block.items()
    match kind, value:
        case "text", str():
            deltas = [{"text": piece} for piece in split_text(value, size)]
        case "toolUse", {"input": input_, **head}:
            start = {"toolUse": head}
            written = json.dumps(input_) if input_ else ""
            deltas = [{"toolUse": {"input": piece}} for piece in ["", *split_text(written, size)]]
        case "toolResult", {"content": content, **head}:
            start = {"toolResult": head}
            deltas = [{"toolResult": [item]} for item in content]
        case "reasoningContent", {"reasoningText": {"text": said, **signed}}:
            deltas = [{"reasoningContent": {"text": piece}} for piece in split_text(said, size)]
            deltas += [{"reasoningContent": signed}] if signed else []
        case "reasoningContent", {"redactedContent": blob}:
            deltas = [{"reasoningContent": {"redactedContent": blob}}]
        case "citationsContent", {"content": content, "citations": citations}:
            deltas = [{"text": piece} for item in content for piece in split_text(item["text"], size)]
            deltas += [{"citation": citation} for citation in citations]
        case _:
            start = {kind: value}
    at = {"contentBlockIndex": place}
    return [
        *([("contentBlockStart", {**at, "start": start})] if start is not None else []),
        *(("contentBlockDelta", {**at, "delta": delta}) for delta in deltas),
        ("contentBlockStop", at),
    ]


def split_text(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def encode_frames(stream: Iterable[Event]) -> bytes:
    return b"".join(aws_frames.encode_event(name, value) for name, value in stream)


def read_stream(data: bytes, *, size: int = 1 << 20) -> list[dict[str, Any]]:
    headers = {"content-type": "application/vnd.amazon.eventstream"}
    return results.dump_stream("bedrock", headers, data, size, settings=REGION)


def read_response(body: object, *, status: int = 200, headers: dict[str, str] | None = None) -> dict[str, Any]:
    return results.dump_response("bedrock", body, status=status, headers=headers)


def read_completion(body: dict[str, Any]) -> CompletionResponse:
    return results.read_completion("bedrock", body)
