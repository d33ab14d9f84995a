"""Inputs that grow, for every framer, protocol, textual format and checker."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec
from pydantic import BaseModel

from tests.aws_frames import encode_event, encode_message
from tests.catalogue_samples import PROVIDERS
from tests.core.growth.measurement import Make
from victor_fp import replay
from victor_fp.core.deltas import TextDelta
from victor_fp.core.framing import (
    Framer,
    ServerSentEvents,
)
from victor_fp.core.framing.aws import build_event_stream_framer
from victor_fp.core.framing.json_array import build_json_array_framer
from victor_fp.core.framing.ndjson import build_ndjson_framer
from victor_fp.core.protocols import PROTOCOLS
from victor_fp.core.protocols.ollama_chat.discovery import read_model
from victor_fp.core.schemas.structured import structured
from victor_fp.core.schemas.validation import compile_schema
from victor_fp.core.streaming.think_tags import START
from victor_fp.core.text_tools import FORMATS, TextFormat, repair_json, text_calls
from victor_fp.core.text_tools.tools import Tools
from victor_fp.core.types import CompletionResponse, FilePart, Message, ToolDefinition
from victor_fp.testing.script import Call, Turn
from victor_fp.testing.writers import Writer, load_writer

REGION = {"region": "eu-west-1"}
"""Setting that Bedrock requires."""


class Cell(msgspec.Struct, frozen=True):
    """One thing that must grow linearly."""

    name: str
    make: Make
    size: int
    """To begin with."""
    largest: int | None = None
    """Of the eightfold size, where the input is bounded."""


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def make_framer_work(framer: Callable[[], Framer], data: Callable[[int], bytes], piece: int) -> Make:
    def make(size: int) -> Callable[[], object]:
        pieces = cut(data(size), piece)

        def work() -> object:
            state = framer()
            for one in pieces:
                state, _, _ = state.feed(one)
            return state.finish()

        return work

    return make


def _list_framer_cells() -> Iterator[Cell]:
    shapes: list[tuple[str, Callable[[], Framer], Callable[[int], bytes]]] = [
        ("sse one event", ServerSentEvents, lambda n: b"data: " + b"x" * n + b"\n\n"),
        ("sse many events", ServerSentEvents, lambda n: b'data: {"a":1}\n\n' * n),
        ("sse many lines", ServerSentEvents, lambda n: b"data: a\n" * n + b"\n"),
        ("sse many fields", ServerSentEvents, lambda n: b"id: 1\nevent: e\ndata: a\n\n" * n),
        ("sse comments", ServerSentEvents, lambda n: b": ping\n" * n + b"\n\n"),
        ("sse blank lines", ServerSentEvents, lambda n: b"\n" * n),
        ("sse carriage returns", ServerSentEvents, lambda n: b"data: a\r\n\r\n" * n),
        ("sse unfinished", ServerSentEvents, lambda n: b"data: " + b"x" * n),
        ("ndjson one line", build_ndjson_framer, lambda n: b"x" * n + b"\n"),
        ("ndjson many lines", build_ndjson_framer, lambda n: b'{"a":1}\n' * n),
        ("ndjson blank lines", build_ndjson_framer, lambda n: b" \n" * n),
        ("ndjson spaces", build_ndjson_framer, lambda n: b" " * n),
        ("array one element", build_json_array_framer, lambda n: b'[{"a":"' + b"x" * n + b'"}]'),
        ("array many elements", build_json_array_framer, lambda n: b"[" + b'{"a":1},' * n + b"{}]"),
        ("array deep", build_json_array_framer, lambda n: b"[" * n),
        ("array strings", build_json_array_framer, lambda n: b'[{"a":[' + b'"x\\"",' * n + b"1]}]"),
        ("array white space", build_json_array_framer, lambda n: b"[" + b" \n" * n),
        ("aws one message", build_event_stream_framer, lambda n: encode_event("contentBlockDelta", {"x": "a" * n})),
        ("aws many messages", build_event_stream_framer, lambda n: encode_event("contentBlockDelta", {"x": "a"}) * n),
        (
            "aws headers",
            build_event_stream_framer,
            lambda n: encode_message(b"{}", **{f"h{i}": "v" for i in range(min(n, 4000))}),
        ),
    ]
    for name, framer, data in shapes:
        for piece in (7, 65536):
            yield Cell(
                f"{name}, reads of {piece}",
                make_framer_work(framer, data, piece),
                400,
                32_000 if "headers" in name else None,
            )


def make_response_work(protocol: str, body: Callable[[int], bytes], status: int = 200) -> Make:
    def make(size: int) -> Callable[[], object]:
        data = body(size)
        return lambda: replay.response(PROVIDERS[protocol], status, {}, data)

    return make


def make_stream_work(protocol: str, data: Callable[[int], bytes], piece: int, status: int = 200) -> Make:
    def make(size: int) -> Callable[[], object]:
        pieces = cut(data(size), piece)

        def work() -> object:
            for _ in replay.stream(PROVIDERS[protocol], status, {}, pieces):
                pass
            return None

        return work

    return make


def _repeat(form: Writer, turn: Turn, times: int) -> bytes:
    """All that comes before the end, many times over."""
    telling = form.events(turn)
    return b"".join(map(form.frame, telling.before)) * times + b"".join(map(form.frame, telling.end)) + form.ending


def _build_calls_turn(count: int) -> Turn:
    return Turn(calls=tuple(Call(id=f"c{n}", name="f", arguments={"n": n}) for n in range(count)))


def _write_body(form: Writer, turn: Callable[[int], Turn], size: int) -> bytes:
    return b"".join(form.build_answer(turn(size)).pieces)


def _write_stream(form: Writer, turn: Callable[[int], Turn], size: int) -> bytes:
    return b"".join(form.stream(turn(size)).pieces)


def _list_protocol_cells(protocol: str) -> Iterator[Cell]:
    form = load_writer(protocol)
    turns: list[tuple[str, Callable[[int], Turn], int | None]] = [
        ("text", lambda n: Turn(text="a word " * n), None),
        ("unicode", lambda n: Turn(text="\U0001f600 \u00e9 " * n), None),
        ("reasoning", lambda n: Turn(reasoning="a thought " * n, text="."), None),
        ("calls", _build_calls_turn, 1024),
        ("arguments", lambda n: Turn(calls=(Call(id="c", name="f", arguments={"x": "y" * n}),)), None),
    ]
    for name, turn, largest in turns[:2] if protocol == "replicate" else turns:
        size = 100 if largest is None else 128
        body, stream = partial(_write_body, form, turn), partial(_write_stream, form, turn)
        yield Cell(f"{protocol} body: {name}", make_response_work(protocol, body), size, largest)
        for piece in (11, 65536):
            yield Cell(
                f"{protocol} stream: {name}, reads of {piece}", make_stream_work(protocol, stream, piece), size, largest
            )
    mixed = Turn(text="a b", reasoning="c d", calls=(Call(id="c1", name="f", arguments={"x": 1}),))
    mixed = mixed if protocol != "replicate" else Turn(text="a b")
    end = _write_stream(form, lambda n: Turn(text="a"), 1)
    shapes: dict[str, tuple[Callable[[int], bytes], int, int]] = {
        "one turn many times over": (lambda n: _repeat(form, mixed, n), 65536, 50),
        "unknown events": (lambda n: form.unknown_frame * n + end, 65536, 100),
        "error event": (lambda n: form.error_frame("words " * n), 11, 100),
    }
    for name, (data, piece, size) in shapes.items():
        yield Cell(f"{protocol} stream: {name}", make_stream_work(protocol, data, piece), size)
    words = make_response_work(protocol, lambda n: b"".join(form.error(500, "words " * n).pieces), 500)
    yield Cell(f"{protocol} error: long words", words, 1000)
    for name, data in _HOSTILE.items():
        yield Cell(f"{protocol} body: {name}", make_response_work(protocol, data), 500)
        yield Cell(f"{protocol} stream: {name}", make_stream_work(protocol, data, 4096), 500)
        yield Cell(f"{protocol} error: {name}", make_response_work(protocol, data, 400), 500)


_HOSTILE: dict[str, Callable[[int], bytes]] = {
    "deep lists": lambda n: b"[" * n,
    "deep objects": lambda n: b'{"a":' * n,
    "wide object": lambda n: b"{" + b",".join(b'"k%d":1' % i for i in range(n)) + b"}",
    "wide list": lambda n: b"[" + b"{}," * n + b"{}]",
    "white space in JSON": lambda n: b"{" + b" " * n + b"}",
    "escapes": lambda n: b'{"error":"' + b"\\ud83d" * n + b'"}',
    "bytes that are not UTF-8": lambda n: b"\xff" * n,
    "markup": lambda n: b"<html><title>" + b"<" * n,
    "digits": lambda n: b'{"a":' + b"9" * n + b"}",
}


def _encode_events(*payloads: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in payloads)


def _make_anthropic_blocks(kind: str) -> Callable[[int], bytes]:
    start: dict[str, Any] = {
        "type": "message_start",
        "message": {"id": "m", "content": [], "model": "c", "usage": {"input_tokens": 1}},
    }
    blocks: dict[str, dict[str, Any]] = {
        "text": {"type": "text", "text": "a"},
        "server": {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        "thinking": {"type": "thinking", "thinking": "t", "signature": "s"},
    }

    def encode_data(size: int) -> bytes:
        opened = [{"type": "content_block_start", "index": n, "content_block": blocks[kind]} for n in range(size)]
        pieces = [
            {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "1"}}
        ] * size
        cited = [
            {"type": "content_block_delta", "index": 1, "delta": {"type": "citations_delta", "citation": {"a": n}}}
            for n in range(size)
        ]
        closed = [{"type": "content_block_stop", "index": n} for n in range(size)]
        return _encode_events(start, *opened, *pieces, *cited, *closed, {"type": "message_stop"})

    return encode_data


def _encode_bedrock_blocks(size: int) -> bytes:
    opened = b"".join(
        encode_event(
            "contentBlockStart",
            {
                "contentBlockIndex": n,
                "start": {"toolUse": {"toolUseId": f"t{n}", "name": "f", "type": "server_tool_use"}},
            },
        )
        for n in range(size)
    )
    grown = encode_event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"toolUse": {"input": "1"}}}) * size
    blobs = encode_event(
        "contentBlockDelta", {"contentBlockIndex": 5000, "delta": {"reasoningContent": {"redactedContent": "YWJj"}}}
    )
    cited = encode_event("contentBlockDelta", {"contentBlockIndex": 6000, "delta": {"citation": {"title": "t"}}})
    return opened + grown + blobs * size + cited * size + encode_event("messageStop", {"stopReason": "end_turn"})


def _make_response_items(kind: str) -> Callable[[int], bytes]:
    item: dict[str, Any] = {"message": {"type": "message"}, "reasoning": {"type": "reasoning"}}[kind]

    def encode_data(size: int) -> bytes:
        added = [
            {"type": "response.output_item.added", "output_index": n, "item": {**item, "id": f"i{n}"}}
            for n in range(size)
        ]
        text = [
            {"type": "response.output_text.delta", "output_index": n % 2, "content_index": n, "delta": "a"}
            for n in range(size)
        ]
        annotations = [
            {"type": "response.output_text.annotation.added", "output_index": 0, "annotation": {"n": n}}
            for n in range(size)
        ]
        output = [{**item, "id": f"i{n}"} for n in range(size)]
        end = {"type": "response.completed", "response": {"id": "r", "status": "completed", "output": output}}
        return _encode_events(*added, *text, *annotations, end)

    return encode_data


def _encode_interaction_steps(size: int) -> bytes:
    """Steps that begin and do not end, and pieces of two of them."""
    opened = [
        {"event_type": "step.start", "index": n, "step": {"type": "model_output" if n % 2 else "google_search_call"}}
        for n in range(size)
    ]
    pieces = [
        {"event_type": "step.delta", "index": 0, "delta": {"type": "google_search_call", "found": [n]}}
        for n in range(size)
    ]
    cited = [
        {"event_type": "step.delta", "index": 1, "delta": {"type": "text_annotation_delta", "annotations": [{"n": n}]}}
        for n in range(size)
    ]
    signed = [
        {"event_type": "step.delta", "index": 1, "delta": {"type": "thought_signature", "signature": f"s{n}"}}
        for n in range(size)
    ]
    end = {"event_type": "interaction.completed", "interaction": {"status": "completed"}}
    return _encode_events(*opened, *pieces, *cited, *signed, end)


def _make_chat_chunks(delta: Callable[[int], dict[str, Any]], **choice: Any) -> Callable[[int], bytes]:
    def encode_data(size: int) -> bytes:
        chunks = [{"id": "1", "choices": [{"index": 0, "delta": delta(n), **choice}]} for n in range(size)]
        end = {"id": "1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        return _encode_events(*chunks, end) + b"data: [DONE]\n\n"

    return encode_data


def _list_special_cells() -> Iterator[Cell]:
    """What only one protocol has and what grows in it."""
    shapes: list[tuple[str, str, Callable[[int], bytes]]] = [
        ("anthropic-messages", "open text blocks", _make_anthropic_blocks("text")),
        ("anthropic-messages", "open server calls", _make_anthropic_blocks("server")),
        ("anthropic-messages", "open thinking blocks", _make_anthropic_blocks("thinking")),
        ("bedrock-converse", "open blocks, blobs and citations", _encode_bedrock_blocks),
        ("openai-responses", "open messages", _make_response_items("message")),
        ("openai-responses", "open reasoning", _make_response_items("reasoning")),
        ("gemini-interactions", "open steps", _encode_interaction_steps),
        ("openai-chat", "reasoning details of one record", _make_chat_chunks(lambda n: {"reasoning_details": [{"type": "t", "index": 0, "text": "a"}]})),
        ("openai-chat", "reasoning details of many records", _make_chat_chunks(lambda n: {"reasoning_details": [{"type": "t", "index": n, "text": "a"}]})),
        ("openai-chat", "log probabilities", _make_chat_chunks(lambda n: {"content": "a"}, logprobs={"content": [{"token": "a"}]})),
        ("openai-chat", "audio", _make_chat_chunks(lambda n: {"audio": {"data": "YWJj", "transcript": "a"}})),
        ("openai-chat", "citations", _make_chat_chunks(lambda n: {"content": "a", "annotations": [{"n": n}]})),
        ("openai-chat", "fragments without index or id", _make_chat_chunks(lambda n: {"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]})),
        ("openai-chat", "arguments of an old call", _make_chat_chunks(lambda n: {"tool_calls": [{"index": 0 if n > 900 else n % 900, "function": {"name": "f" if n < 900 else "", "arguments": "1"}}]})),
        ("openai-chat", "finish reasons", _make_chat_chunks(lambda n: {"content": "a"}, finish_reason="stop")),
        ("mistral", "fragments without index or id", _make_chat_chunks(lambda n: {"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]})),
        ("mistral", "thinking and references", _make_chat_chunks(lambda n: {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "a"}]}, {"type": "reference", "reference_ids": [n]}]})),
        ("cohere-v2", "plan", lambda n: _encode_events(*[{"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "a "}}}] * n, {"type": "message-end", "delta": {"finish_reason": "COMPLETE"}})),
        ("gemini", "partial arguments at one path", lambda n: _encode_gemini_arguments(["$.a"] * n)),
        ("gemini", "partial arguments at many paths", lambda n: _encode_gemini_arguments([f"$.a[{i}].b" for i in range(min(n, 9000))])),
        ("gemini", "parts", lambda n: _encode_events(*[{"candidates": [{"content": {"parts": [{"text": "a", "thought": i % 2 == 0}, {"executableCode": {"code": "1"}}]}}]} for i in range(n)])),
    ]  # fmt: skip
    for protocol, name, data in shapes:
        yield Cell(
            f"{protocol} stream: {name}",
            make_stream_work(protocol, data, 65536),
            100,
            8000 if "paths" in name else None,
        )


def _encode_gemini_arguments(paths: list[str]) -> bytes:
    def build_part(call: dict[str, Any]) -> dict[str, Any]:
        return {"candidates": [{"content": {"parts": [{"functionCall": call}]}}]}

    sets = [build_part({"partialArgs": [{"jsonPath": path, "stringValue": "v"}]}) for path in paths]
    return _encode_events(build_part({"name": "f", "willContinue": True}), *sets, build_part({}))


TOOLS = Tools({"f": {"type": "object", "properties": {"x": {"type": "string"}}}})


def make_text_work(text: Callable[[int], str], piece: int | None, formats: tuple[TextFormat, ...] = FORMATS) -> Make:
    def make(size: int) -> Callable[[], object]:
        whole = text(size)
        pieces = [whole] if piece is None else [whole[at : at + piece] for at in range(0, len(whole), piece)]

        def work() -> object:
            state = text_calls.start(TOOLS, formats)
            for one in pieces:
                state, _ = text_calls.feed(state, one)
            return text_calls.flush(state)

        return work

    return make


def _format_cells(form: TextFormat) -> Iterator[Cell]:
    opening = form.openings[0].text
    call = form.write("f", {"x": "a"})
    shapes: dict[str, Callable[[int], str]] = {
        "one long call": lambda n: form.write("f", {"x": "a b\n" * n}),
        "many calls": lambda n: f"{call}\n" * n,
        "calls in one line": lambda n: call * n,
        "never closed": lambda n: call[: len(call) // 2] + "a word " * n,
        "markers": lambda n: f"{opening}\n" * n,
        "markers with names": lambda n: f"{opening}f\n" * n,
        "markers with brackets": lambda n: f"{opening}{{" * n,
        "calls of nobody": lambda n: (form.write("nobody", {"x": "a"}) + "\n") * n,
        "cut calls": lambda n: f"{call[:-3]}\n" * n,
    }
    for name, text in shapes.items():
        for piece in (None, 4):
            how = "whole" if piece is None else "pieces of 4"
            yield Cell(f"text calls, {form.name}, {how}: {name}", make_text_work(text, piece, (form,)), 100)


def _list_text_cells() -> Iterator[Cell]:
    shapes: dict[str, Callable[[int], str]] = {
        "prose": lambda n: "Some words, and `more` of them.\n" * n,
        "white space": lambda n: " " * n,
        "lines": lambda n: "\n" * n,
        "backticks": lambda n: "`" * n,
        "fences": lambda n: "```\nx\n" * n,
        "quotes": lambda n: "\"\"\"'''" * n,
        "braces": lambda n: "{" * n,
        "brackets": lambda n: "[" * n,
        "braces on lines": lambda n: "{\n" * n,
        "keys": lambda n: '{"name": ' * n,
        "arguments before the name": lambda n: '{"arguments":{"x":[' + '"a",' * n + '1]},"name":"f"}',
        "half keys": lambda n: '{"arguments": {\n' * n,
        "values that are no calls": lambda n: '{"name":"f","arguments":{},"bad":1}\n' * n,
        "python with brackets": lambda n: "f(x=[" + "(),\n" * n + "])\n",
        "python with quotes": lambda n: "f(x='" * n,
        "angle brackets": lambda n: "<" * n,
        "angle brackets on lines": lambda n: "<invoke \n" * n,
        "a word": lambda n: "a" * n,
        "tabs": lambda n: "\t" * n + "x\n",
    }
    for name, text in shapes.items():
        for piece in (None, 4, 1):
            yield Cell(f"text calls, any, pieces of {piece}: {name}", make_text_work(text, piece), 200)


def _make_thinking_work(text: Callable[[int], str]) -> Make:
    def make(size: int) -> Callable[[], object]:
        whole = text(size)
        deltas = [TextDelta(whole[at : at + 3]) for at in range(0, len(whole), 3)]

        def work() -> object:
            state = START
            for delta in deltas:
                state, _ = state.feed([delta])
            return state.finish()

        return work

    return make


class Item(BaseModel):
    name: str = ""
    values: list[int] = []


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"items": {"type": "array", "uniqueItems": True, "items": {"$ref": "#/$defs/item"}}},
    "$defs": {
        "item": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
            "required": ["a"],
            "additionalProperties": False,
        }
    },
}


def _make_check_work(value: Callable[[int], Any]) -> Make:
    checker = compile_schema(SCHEMA).unwrap()

    def make(size: int) -> Callable[[], object]:
        checked = value(size)
        return lambda: checker.find_errors(checked)

    return make


def _make_read_work(text: Callable[[int], str], form: Any) -> Make:
    def make(size: int) -> Callable[[], object]:
        response = CompletionResponse(content=text(size))
        return lambda: structured(response, form)

    return make


def _make_repair_work(text: Callable[[int], str]) -> Make:
    def make(size: int) -> Callable[[], object]:
        whole = text(size)
        return lambda: repair_json(whole)

    return make


def _list_checker_cells() -> Iterator[Cell]:
    values: dict[str, Callable[[int], Any]] = {
        "valid items": lambda n: {"items": [{"a": i, "b": None} for i in range(n)]},
        "wrong items": lambda n: {"items": [{"a": "x", "c": i} for i in range(n)]},
        "equal items": lambda n: {"items": [{"a": 1}] * n},
        "a wide object": lambda n: {f"k{i}": i for i in range(n)},
        "a deep value": _build_nested_value,
    }
    for name, value in values.items():
        yield Cell(f"schema: {name}", _make_check_work(value), 100)
    answers: dict[str, Callable[[int], str]] = {
        "fences": lambda n: "```\n" * n,
        "fences with labels": lambda n: "```json x\n" * n,
        "open fence": lambda n: "```json\n" + "x\n" * n,
        "fenced values": lambda n: "```json\n[]\n```\n" * n,
        "white space": lambda n: " " * n + "x",
        "braces": lambda n: "{" * n + "}" * n,
        "a long value": lambda n: json.dumps({"values": list(range(n))}),
    }
    for name, text in answers.items():
        yield Cell(f"structured, model: {name}", _make_read_work(text, Item), 200)
        yield Cell(f"structured, schema: {name}", _make_read_work(text, SCHEMA), 200)
    flawed: dict[str, Callable[[int], str]] = {
        "single quotes": lambda n: "{'a': [" + "'x'," * n + "]}",
        "line breaks": lambda n: '{"a": "' + "x\n" * n + '"}',
        "escapes": lambda n: "{'a': '" + "\\d" * n + "'}",
        "bare keys": lambda n: "{" + "a: 1," * n + "}",
        "open lists": lambda n: "[" * n,
        "open objects": lambda n: "{'a':" * n,
        "spaces": lambda n: "{" + " " * n + "'a': 1}",
        "halves of pairs": lambda n: "{'a': '" + "\\ud83d" * n + "'}",
        "digits": lambda n: "{'a': " + "9" * n + "}",
        "cut": lambda n: "{'a': [" + "'x'," * n,
    }
    for name, text in flawed.items():
        yield Cell(f"JSON repair: {name}", _make_repair_work(text), 200)
    thoughts: dict[str, Callable[[int], str]] = {
        "thinking": lambda n: "<think>" + "a thought " * n + "</think>b",
        "white space before": lambda n: " \n" * n + "<think>a",
        "white space inside": lambda n: "<think>a" + " \n" * n + "</think>b",
        "half tags": lambda n: "<think>" + "</thin " * n,
    }
    for name, text in thoughts.items():
        yield Cell(f"think tags: {name}", _make_thinking_work(text), 200)


def _build_nested_value(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return {"items": value}


def _build_turns(count: int) -> list[Message]:
    turns = [
        turn
        for n in range(count)
        for turn in (
            Message(role="user", content="Hi"),
            Message(role="assistant", content="a", tool_calls=[{"id": f"c{n}", "name": "f", "arguments": {"x": n}}]),
            Message(role="tool", tool_call_id=f"c{n}", content="r"),
        )
    ]
    return [*turns, Message(role="user", content="end")]


def _build_parallel_calls(count: int) -> list[Message]:
    calls = [{"id": f"c{n}", "name": "f", "arguments": {"x": n}} for n in range(count)]
    results = [Message(role="tool", tool_call_id=f"c{n}", content="r") for n in range(count)]
    return [Message(role="user", content="Hi"), Message(role="assistant", tool_calls=calls), *results]


def _build_system_messages(count: int) -> list[Message]:
    return [Message(role="system" if n % 2 else "user", content=f"s{n}") for n in range(count)]


def _build_documents(count: int) -> list[Message]:
    file = FilePart(data=b"a", media_type="text/plain", filename="a.txt")
    return [Message(role="user", content=[file, file]) for _ in range(count)]


def _make_request_work(provider: str, messages: Callable[[int], list[Message]], **options: Any) -> Make:
    def make(size: int) -> Callable[[], object]:
        turns = messages(size)
        return lambda: replay.request(
            provider,
            turns,
            model="owner/m",
            tools=[ToolDefinition(name="f", description="d")],
            settings=REGION if provider == "bedrock" else None,
            on_unsupported="adjust",
            **options,
        ).unwrap()

    return make


def _request_cells() -> Iterator[Cell]:
    shapes = {"turns": _build_turns, "parallel calls": _build_parallel_calls, "system messages": _build_system_messages}
    for protocol, provider in PROVIDERS.items():
        for name, messages in shapes.items():
            yield Cell(f"{protocol} request: {name}", _make_request_work(provider, messages), 50)
        if protocol != "ollama-chat":  # it has no documents
            documents = _make_request_work(provider, _build_documents)
            yield Cell(f"{protocol} request: documents of one name", documents, 200)
    for name, messages in shapes.items():
        in_words = _make_request_work("vllm", messages, text_tool_calls="hermes", tools_in_prompt=True)
        yield Cell(f"request with tools in the prompt: {name}", in_words, 50)


def _make_show_work(parameters: Callable[[int], str]) -> Make:
    def make(size: int) -> Callable[[], object]:
        body = json.dumps({"parameters": parameters(size)}).encode()
        return lambda: read_model("m", body)

    return make


def _list_discovery_cells() -> Iterator[Cell]:
    for name, unit in (("lines", "\n"), ("spaces", " "), ("names", "num_ctx "), ("tabs on lines", "\tnum_ctx\n")):
        parameters = partial(str.__mul__, unit)
        yield Cell(f"parameters of a model of Ollama: {name}", _make_show_work(parameters), 1000)


CELLS: tuple[Cell, ...] = (
    *_list_framer_cells(),
    *(cell for protocol in PROTOCOLS for cell in _list_protocol_cells(protocol)),
    *_list_special_cells(),
    *_request_cells(),
    *(cell for form in FORMATS for cell in _format_cells(form)),
    *_list_text_cells(),
    *_list_checker_cells(),
    *_list_discovery_cells(),
)
