"""Mistral responses as bodies and streams, and helpers that decode them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.core.protocols.openai_chat import answers

HEAD: dict[str, Any] = {"id": "cmpl-1", "created": 1700000000, "model": "mistral-large-latest"}
USAGE = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}


def build_text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def build_thought(*pieces: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "thinking", "thinking": list(pieces), **more}


def build_reference(*ids: int | str) -> dict[str, Any]:
    return {"type": "reference", "reference_ids": list(ids)}


def call(id_: str | None, name: str, arguments: object, index: int = 0) -> dict[str, Any]:
    """A call as it comes, whole or streamed: the index may be 0 for all of them."""
    named = {} if id_ is None else {"id": id_}
    return {**named, "function": {"name": name, "arguments": arguments}, "index": index}


def answer(
    content: object = "", finish: str = "stop", usage: Mapping[str, Any] | None = None, **message: Any
) -> dict[str, Any]:
    """A whole completion."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "tool_calls": None, "content": content, **message},
        "finish_reason": finish,
    }
    counted = {} if usage is None else {"usage": usage}
    return {**HEAD, "object": "chat.completion", "choices": [choice], **counted}


def build_chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """One chunk with one choice."""
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return {**HEAD, "object": "chat.completion.chunk", "choices": [choice], "p": "abcdefgh", **more}


def events(whole: dict[str, Any], size: int = 4) -> list[dict[str, Any]]:
    """The chunks in which a completion would be streamed."""
    (choice,) = whole["choices"]
    message = choice["message"]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": piece} for piece in _split_content(message["content"], size)]
    if message["tool_calls"]:
        deltas.append({"content": "", "tool_calls": message["tool_calls"]})
    usage = {"usage": whole["usage"]} if "usage" in whole else {}
    head = {key: whole.get(key) for key in HEAD}
    last = build_chunk({"content": ""}, choice["finish_reason"], **usage)
    return [{**event, **head} for event in (*map(build_chunk, deltas), last)]


def _split_content(content: object, size: int) -> Iterator[object]:
    """Texts and thoughts piece by piece, all else whole."""
    if isinstance(content, str):
        yield from _cut(content, size)
        return
    assert isinstance(content, list)
    for one in content:
        if one["type"] == "text":
            yield from _cut(one["text"], size)
        elif one["type"] == "thinking" and "signature" not in one and isinstance(one["thinking"], list):
            for part in one["thinking"]:
                cut = [build_text(piece) for piece in _cut(part["text"], size)] if part["type"] == "text" else [part]
                yield from ([build_thought(piece)] for piece in cut)
        else:
            yield [one]


def _cut(words: str, size: int) -> list[str]:
    return [words[start : start + size] for start in range(0, len(words), size)]


def encode_sse(*payloads: Any, done: bool = True) -> bytes:
    """Payloads as server-sent events."""
    return answers.encode_sse(*payloads, done=done)


def read(whole: object, status: int = 200, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """What a body means."""
    return answers.read("mistral", json.dumps(whole).encode(), status, headers)


def read_stream(data: bytes, size: int = 0) -> dict[str, Any]:
    """What a stream means, in the form that `read` has."""
    return answers.read_stream("mistral", data, size)
