"""Server responses as bodies and events, and their decoded form as plain dicts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import msgspec
from returns.result import Failure, Result, Success

from victor_fp import replay
from victor_fp.core.faults import Fault
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, Message

HEAD: dict[str, Any] = {"id": "resp_1", "object": "response", "created_at": 1700000000, "model": "gpt-5.1"}
USAGE: dict[str, Any] = {
    "input_tokens": 12,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 17,
}


def build_text(said: str, *annotations: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": said, "annotations": [*annotations], "logprobs": [], **more}


def build_refusal(said: str) -> dict[str, Any]:
    return {"type": "refusal", "refusal": said}


def build_message(*parts: dict[str, Any] | str, id: str = "msg_1", **more: Any) -> dict[str, Any]:
    content = [build_text(part) if isinstance(part, str) else part for part in parts]
    return {"type": "message", "id": id, "role": "assistant", "status": "completed", "content": content, **more}


def build_reasoning(*summary: str, id: str = "rs_1", **more: Any) -> dict[str, Any]:
    parts = [{"type": "summary_text", "text": part} for part in summary]
    return {"type": "reasoning", "id": id, "summary": parts, "encrypted_content": f"enc-{id}", **more}


def build_thought(said: str, id: str = "rs_1") -> dict[str, Any]:
    """Reasoning as open models show it: plain, without a summary."""
    content = [{"type": "reasoning_text", "text": said}]
    return {"type": "reasoning", "id": id, "summary": [], "content": content, "status": "completed"}


def call(name: str, arguments: str, id: str = "1", **more: Any) -> dict[str, Any]:
    item = {"type": "function_call", "id": f"fc_{id}", "call_id": f"call_{id}", "name": name, "arguments": arguments}
    return {**item, "status": "completed", **more}


def build_custom_call(name: str, given: str, id: str = "1") -> dict[str, Any]:
    return {"type": "custom_tool_call", "id": f"ctc_{id}", "call_id": f"call_{id}", "name": name, "input": given}


def build_search_call(query: str, id: str = "ws_1") -> dict[str, Any]:
    action = {"type": "search", "query": query, "sources": None}
    return {"type": "web_search_call", "id": id, "status": "completed", "action": action}


def response(*output: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**HEAD, "status": "completed", "error": None, "output": [*output], "usage": USAGE, **more}


def build_incomplete_response(
    *output: dict[str, Any], reason: str = "max_output_tokens", **more: Any
) -> dict[str, Any]:
    return response(*output, status="incomplete", incomplete_details={"reason": reason}, **more)


def split_text(whole: str) -> list[str]:
    """A text as a model streams it."""
    return [whole[start : start + 3] for start in range(0, len(whole), 3)]


def events(whole: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a response, as OpenAI sends them."""
    begun = {**whole, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    written = [{"type": "response.created", "response": begun}, {"type": "response.in_progress", "response": begun}]
    for index, item in enumerate(whole["output"]):
        written += build_item_events(index, item)
    written.append({"type": f"response.{whole['status']}", "response": whole})
    return [{**event, "sequence_number": number} for number, event in enumerate(written)]


def build_item_events(index: int, item: dict[str, Any]) -> list[dict[str, Any]]:
    at = {"output_index": index, "item_id": item["id"]}
    match item["type"]:
        case "message":
            announced = {**item, "status": "in_progress", "content": []}
            inside = [
                event for place, part in enumerate(item["content"]) for event in build_part_events(at, place, part)
            ]
        case "reasoning":
            announced = {**item, "summary": [], **({"content": []} if "content" in item else {})}
            inside = build_thinking_events(at, item)
        case "function_call":
            announced = {**item, "status": "in_progress", "arguments": ""}
            inside = [
                *(
                    {"type": "response.function_call_arguments.delta", **at, "delta": p}
                    for p in split_text(item["arguments"])
                ),
                {"type": "response.function_call_arguments.done", **at, "arguments": item["arguments"]},
            ]
        case "custom_tool_call":
            announced = {**item, "input": ""}
            inside = [
                *(
                    {"type": "response.custom_tool_call_input.delta", **at, "delta": p}
                    for p in split_text(item["input"])
                ),
                {"type": "response.custom_tool_call_input.done", **at, "input": item["input"]},
            ]
        case kind:
            announced = {**item, "status": "in_progress"}
            inside = [{"type": f"response.{kind}.in_progress", **at}, {"type": f"response.{kind}.completed", **at}]
    return [
        {"type": "response.output_item.added", "output_index": index, "item": announced},
        *inside,
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]


def build_part_events(at: dict[str, Any], place: int, part: dict[str, Any]) -> list[dict[str, Any]]:
    at = {**at, "content_index": place}
    kind, field = ("output_text", "text") if part["type"] == "output_text" else ("refusal", "refusal")
    empty = {**part, field: "", **({"annotations": [], "logprobs": []} if field == "text" else {})}
    cited = part.get("annotations", [])
    return [
        {"type": "response.content_part.added", **at, "part": empty},
        *({"type": f"response.{kind}.delta", **at, "delta": said} for said in split_text(part[field])),
        *({"type": "response.output_text.annotation.added", **at, "annotation": one} for one in cited),
        {"type": f"response.{kind}.done", **at, field: part[field]},
        # Its log probabilities are left out here, as they are on the wire.
        {"type": "response.content_part.done", **at, "part": {k: v for k, v in part.items() if k != "logprobs"}},
    ]


def build_thinking_events(at: dict[str, Any], item: dict[str, Any]) -> list[dict[str, Any]]:
    written: list[dict[str, Any]] = []
    for place, part in enumerate(item["summary"]):
        there = {**at, "summary_index": place}
        written.append({"type": "response.reasoning_summary_part.added", **there, "part": {**part, "text": ""}})
        written += (
            {"type": "response.reasoning_summary_text.delta", **there, "delta": p} for p in split_text(part["text"])
        )
        written.append({"type": "response.reasoning_summary_text.done", **there, "text": part["text"]})
        written.append({"type": "response.reasoning_summary_part.done", **there, "part": part})
    for place, part in enumerate(item.get("content", [])):
        there = {**at, "content_index": place}
        written += ({"type": "response.reasoning_text.delta", **there, "delta": p} for p in split_text(part["text"]))
        written.append({"type": "response.reasoning_text.done", **there, "text": part["text"]})
    return written


def encode_sse(payloads: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in payloads)


def read(whole: Any, *, provider: str = "openai-responses", status: int = 200) -> dict[str, Any]:
    """What a body means."""
    return dump_result(replay.response(provider, status, {}, json.dumps(whole).encode()))


def dump_result(result: Result[CompletionResponse, Fault]) -> dict[str, Any]:
    """A completion without its raw body, or a fault."""
    match outcome(result):
        case Success(completion):
            return completion.model_dump(exclude={"raw_response", "role"}, exclude_none=True)
        case Failure(fault):
            return describe_fault(fault)


def describe_fault(fault: Fault) -> dict[str, Any]:
    """A fault with the fields that say something."""
    fields = {name: msgspec.to_builtins(getattr(fault, name)) for name in fault.__struct_fields__}
    return {
        "fault": type(fault).__name__,
        **{name: value for name, value in fields.items() if value not in (None, "", (), [], False)},
    }


def read_stream(data: bytes, *, size: int = 0, provider: str = "openai-responses") -> dict[str, Any]:
    """A stream's answer in the form that `read` has: its texts joined, the rest from its last chunk or its fault."""
    reads = [data[start : start + size] for start in range(0, len(data), size)] if size else [data]
    content, last = "", {"fault": "nothing came"}
    for result in replay.stream(provider, 200, {}, reads):
        match outcome(result):
            case Success(part):
                content += part.content
                if part.is_final:
                    last = {"content": content, **part.model_dump(exclude={"content", "is_final"}, exclude_none=True)}
            case Failure(fault):
                last = describe_fault(fault)
    return last


def read_message(whole: dict[str, Any], provider: str = "openai-responses") -> Message:
    """The assistant's message for the next turn."""
    match outcome(replay.response(provider, 200, {}, json.dumps(whole).encode())):
        case Success(completion):
            return completion.to_message()
        case Failure(fault):
            raise AssertionError(fault)
