"""Interactions as bodies and events, their requests, and helpers that decode them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from hypothesis import strategies as st
from returns.result import Failure, Success

from victor_fp import replay
from victor_fp.core.requests import HttpRequest
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, Message, StreamChunk, ToolDefinition

Json = dict[str, Any]
PROVIDER, MODEL = "google-interactions", "gemini-3.5-flash"
SSE = {"content-type": "text/event-stream"}
HI = [Message(role="user", content="Hi")]
WEATHER = ToolDefinition(
    name="weather",
    description="The weather",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
DONE = b"event: done\ndata: [DONE]\n\n"


def build_request(messages: Sequence[Message] = HI, **more: Any) -> HttpRequest:
    match outcome(replay.request(PROVIDER, messages, model=more.pop("model", MODEL), **more)):
        case Success(request):
            return request
        case Failure(fault):
            raise AssertionError(fault)


def build_body(messages: Sequence[Message] = HI, **more: Any) -> Json:
    read = build_request(messages, **more).json()
    assert isinstance(read, dict)
    return read


def get_fault(messages: Sequence[Message] = HI, **more: Any) -> Any:
    result = replay.request(PROVIDER, messages, model=more.pop("model", MODEL), **more)
    assert isinstance(result, Failure), result
    return result.failure()


def build_thought(words: str = "", signature: str | None = "U0lH") -> Json:
    summary = {"summary": [{"type": "text", "text": words}]} if words else {}
    return {"type": "thought", **summary, **({"signature": signature} if signature else {})}


def build_output(*content: Json | str) -> Json:
    parts = [{"type": "text", "text": one} if isinstance(one, str) else one for one in content]
    return {"type": "model_output", "content": parts}


def call(name: str, arguments: Json, id: str = "fc_1", **more: Any) -> Json:
    return {"type": "function_call", "id": id, "name": name, "arguments": arguments, **more}


def build_interaction(*steps: Json, status: str = "completed", **more: Any) -> Json:
    return {"id": "v1_a", "model": MODEL, "object": "interaction", "status": status, "steps": list(steps), **more}


def events(whole: Json) -> list[Json]:
    """The events that tell of an interaction, as Google sends them: a step begins bare, and what it has follows."""
    described = {name: value for name, value in whole.items() if name != "steps"}
    written: list[Json] = [
        {"event_type": "interaction.created", "interaction": {**described, "status": "in_progress", "usage": None}},
        {"event_type": "interaction.status_update", "interaction_id": whole["id"], "status": "in_progress"},
    ]
    for index, step in enumerate(whole["steps"]):
        begun, deltas = split_step(step)
        written.append({"event_type": "step.start", "index": index, "step": begun})
        written += ({"event_type": "step.delta", "index": index, "delta": delta} for delta in deltas)
        written.append({"event_type": "step.stop", "index": index})
    written.append({"event_type": "interaction.completed", "interaction": described})
    return written


def split_step(step: Json) -> tuple[Json, list[Json]]:
    match step["type"]:
        case "thought":
            deltas = [{"type": "thought_summary", "content": one} for one in step.get("summary") or ()]
            deltas += [{"type": "thought_signature", "signature": step["signature"]}] if "signature" in step else []
            return {"type": "thought"}, deltas
        case "model_output":
            return {"type": "model_output"}, [delta for part in step["content"] for delta in split_content(part)]
        case "function_call":
            text = json.dumps(step["arguments"])
            halves = [text[: len(text) // 2], text[len(text) // 2 :]]
            return {**step, "arguments": {}}, [{"type": "arguments_delta", "arguments": half} for half in halves]
        case kind:
            fields = {name: value for name, value in step.items() if name != "type"}
            return {"type": kind}, [{"type": kind, **fields}]


def split_content(part: Json) -> list[Json]:
    if part["type"] != "text":
        return [part]
    text = part["text"]
    halves = [{"type": "text", "text": half} for half in (text[: len(text) // 2], text[len(text) // 2 :])]
    cited = part.get("annotations")
    return [*halves, {"type": "text_annotation_delta", "annotations": cited}] if cited else halves


def encode_sse(written: Iterable[Json], newline: str = "\n") -> bytes:
    frames = (f"event: {one['event_type']}{newline}data: {json.dumps(one)}{newline}{newline}" for one in written)
    return "".join(frames).encode() + DONE.replace(b"\n", newline.encode())


def read_response(answer: object) -> CompletionResponse | Failure[Any]:
    match outcome(replay.response(PROVIDER, 200, {}, json.dumps(answer).encode())):
        case Success(response):
            return response
        case Failure() as failure:
            return failure


def read_completion(answer: object) -> CompletionResponse:
    response = read_response(answer)
    assert isinstance(response, CompletionResponse), response
    return response


def read_chunks(data: bytes | Iterable[bytes]) -> list[StreamChunk | Failure[Any]]:
    """What a caller sees of a stream: chunks, then perhaps one failure."""
    seen: list[StreamChunk | Failure[Any]] = []
    for result in replay.stream(PROVIDER, 200, SSE, [data] if isinstance(data, bytes) else data):
        match outcome(result):
            case Success(chunk):
                seen.append(chunk)
            case Failure() as failure:
                seen.append(failure)
    return seen


def read_stream_fault(data: bytes | Iterable[bytes]) -> Any:
    failure = read_chunks(data)[-1]
    assert isinstance(failure, Failure), failure
    return failure.failure()


def to_dict(response: CompletionResponse) -> Json:
    """A completion as a plain dict, without the raw body that it repeats."""
    return response.model_dump(exclude_none=True, exclude={"raw_response"})


def dump_stream(data: bytes | Iterable[bytes]) -> Json:
    """A stream put together: the text of its chunks, and everything its final chunk carries."""
    *before, last = read_chunks(data)
    assert isinstance(last, StreamChunk), last
    assert last.is_final
    content = "".join(chunk.content for chunk in before if isinstance(chunk, StreamChunk)) + last.content
    return {"role": "assistant", **last.model_dump(exclude_none=True, exclude={"is_final"}), "content": content}


SEARCH = {"type": "google_search_call", "id": "s1", "arguments": {"queries": ["rome"]}, "signature": "U0s="}
FOUND = {"type": "google_search_result", "call_id": "s1", "result": [{"title": "Rome"}], "signature": "U0w="}
PICTURE = {"type": "image", "data": "AAAA", "mime_type": "image/png"}

WORDS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Z")), min_size=1, max_size=12)
VALUES = st.none() | st.booleans() | st.integers(-9, 9) | WORDS
STEPS = st.one_of(
    st.builds(build_thought, st.just("") | WORDS, st.none() | st.sampled_from(["U0lH", "QUJD"])),
    st.builds(build_output, WORDS),
    st.just(build_output("A picture: ", PICTURE)),
    st.sampled_from([SEARCH, FOUND]),
    st.builds(call, st.sampled_from(["weather", "time"]), st.dictionaries(WORDS, VALUES, max_size=2)),
    st.builds(lambda arguments: call("now", arguments, signature="U0c="), st.dictionaries(WORDS, VALUES, max_size=2)),
)


@st.composite
def interactions(draw: st.DrawFn) -> Json:
    """An interaction with any steps; calls have ids of their own."""
    steps = draw(st.lists(STEPS, max_size=5))
    steps = [{**step, "id": f"fc_{place}"} if "name" in step else step for place, step in enumerate(steps)]
    counts = st.dictionaries(
        st.sampled_from(["total_input_tokens", "total_output_tokens", "total_thought_tokens", "total_cached_tokens"]),
        st.integers(0, 99),
    )
    usage = draw(counts)
    status = draw(st.sampled_from(["completed", "requires_action", "incomplete", "budget_exceeded"]))
    return build_interaction(*steps, status=status, **({"usage": usage} if usage else {}))
