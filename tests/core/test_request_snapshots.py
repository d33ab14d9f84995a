"""What catalogue entries are sent for conversations that use every option: a readable file per entry.

There are three, since some options exclude others: one that uses everything else, one that continues a stored response, and
one whose tools are in the prompt. Each has four parts: chat and stream, with `on_unsupported="adjust"` (the whole request)
and `"fail"` (the fault).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import pytest
from returns.result import Failure, Success
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from victor_fp import replay
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.conversation import Block, build_provider_state
from victor_fp.core.options import NO_OPTIONS, Options, read_options
from victor_fp.core.requests import HttpRequest
from victor_fp.core.result import outcome
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Message, TextPart, ToolDefinition

MODELS = {
    "azure": "gpt-5.1",
    "azure-responses": "gpt-5.1",
    "snowflake": "claude-sonnet-4-5",
    "llamacpp-anthropic": "qwen3",
}
"""For entries without a default model; other such entries serve any model."""
SETTINGS = {
    "endpoint": "https://mine.openai.azure.com",
    "account": "mine",
    "project": "mine",
    "location": "here",
    "region": "us-east-1",
    "resource": "mine",
    "host": "https://here.example",
    "gateway": "mine",
}
STATES: dict[str, dict[str, Any]] = {
    "anthropic-messages": {"signature": "sig"},
    "bedrock-converse": {"signature": "sig"},
    "mistral": {"signature": "sig"},
    "openai-chat": {"reasoning_details": [{"type": "reasoning.text", "text": "Paris?"}]},
    "openai-responses": {"id": "rs_1", "encrypted_content": "enc", "summary": [], "content": []},
}
"""What thinking goes back with, by protocol."""
PICTURES_ONLY = frozenset({"ollama-chat"})
"""Protocols that refuse, and do not adjust, requests with other media than the bytes of images."""
MEDIA = (
    ImagePart(url="https://pictures.example/sky.png"),
    AudioPart(data=b"audio", media_type="audio/mpeg"),
    FilePart(data=b"file", media_type="application/pdf", filename="trip.pdf"),
)

CALL: Any = {"id": "call_1", "name": "weather", "arguments": {"city": "Paris"}}
WEATHER = ToolDefinition(
    name="weather",
    description="The weather in a city",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    strict=True,
    cache=True,
)
SCHEMA = {
    "title": "Advice",
    "type": "object",
    "properties": {"coat": {"type": "boolean"}, "reason": {"type": "string", "minLength": 1}},
    "required": ["coat"],
}
ALL: dict[str, Any] = {
    "temperature": 0.5,
    "max_tokens": 2000,
    "top_p": 0.9,
    "top_k": 40,
    "seed": 7,
    "stop": ["END"],
    "presence_penalty": 0.1,
    "frequency_penalty": 0.2,
    "tools": [WEATHER],
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "response_format": SCHEMA,
    "reasoning_effort": "high",
    "logprobs": 2,
    "service_tier": "auto",
    "user": "user-1",
    "metadata": {"trace": "t-1"},
    "extra_body": {"vendor_field": {"on": True}},
    "extra_headers": {"X-Trace": "t-1"},
}


CONTINUED: dict[str, Any] = {
    "max_tokens": 4000,
    "tools": [WEATHER],
    "tool_choice": {"name": "weather"},
    "reasoning_budget": 2048,
    "store": True,
    "previous_response_id": "resp_1",
    "background": True,
}
IN_PROMPT: dict[str, Any] = {
    "tools": [WEATHER],
    "tool_choice": "required",
    "tools_in_prompt": True,
    "text_tool_calls": "hermes",
}


def build_conversation(spec: ProviderSpec) -> list[Message]:
    """Every role, every kind of part, a name, thinking of the entry's own, a call, its result, and a failed one."""
    thinking = [
        Block(kind="reasoning", text="Paris?", state=STATES.get(spec.dialect.protocol)),
        Block(kind="text", text="I look it up."),
        Block(kind="tool_call", id=CALL["id"], name=CALL["name"], arguments=CALL["arguments"]),
    ]
    state = build_provider_state(spec.dialect.protocol, spec.name, MODELS.get(spec.name, spec.default_model), thinking)
    image = ImagePart(data=b"image", media_type="image/png", detail="low")
    return [
        Message(role="system", content="Be brief.", cache=True),
        Message(role="developer", content=[TextPart(text="Metric units."), TextPart(text="English.")]),
        Message(
            role="user",
            name="ann",
            content=[
                TextPart(text="Coat or no coat?"),
                image,
                *([] if spec.dialect.protocol in PICTURES_ONLY else MEDIA),
            ],
        ),
        Message(role="assistant", content="I look it up.", tool_calls=[CALL], metadata={"provider_state": state}),
        Message(role="tool", tool_call_id="call_1", content=[TextPart(text="12 C"), image]),
        Message(role="assistant", content="", tool_calls=[{**CALL, "id": "call_2"}]),
        Message(role="tool", tool_call_id="call_2", content="no such city", is_error=True),
        Message(role="user", content="Well?", cache=True),
    ]


def build_continuation(_: ProviderSpec) -> list[Message]:
    """A turn whose response the vendor has stored, and what follows it."""
    return [
        Message(role="system", content="Be brief."),
        Message(role="user", content="Coat or no coat?"),
        Message(role="assistant", content="In which city?", metadata={"response_id": "resp_1"}),
        Message(role="user", content="Paris."),
    ]


def build_question(_: ProviderSpec) -> list[Message]:
    return [Message(role="system", content="Be brief."), Message(role="user", content="Coat or no coat in Paris?")]


CASES: tuple[tuple[str, Callable[[ProviderSpec], list[Message]], dict[str, Any]], ...] = (
    ("", build_conversation, ALL),
    ("continued, ", build_continuation, CONTINUED),
    ("tools in the prompt, ", build_question, IN_PROMPT),
)
"""Conversations and their options."""


def build(
    spec: ProviderSpec, messages: list[Message], options: Mapping[str, Any], *, stream: bool, on_unsupported: str
) -> HttpRequest | str:
    """The request, or a line about the fault."""
    built = replay.request(
        spec.name,
        messages,
        model=MODELS.get(spec.name, spec.default_model or "some-model"),
        stream=stream,
        settings=SETTINGS,
        on_unsupported=on_unsupported,
        **options,
    )
    match outcome(built):
        case Success(request):
            return request
        case Failure(fault):
            return f"{type(fault).__name__}: {fault.message}"


def render(request: HttpRequest) -> Iterator[str]:
    """Method, URL, headers, the body as sorted JSON, and what was adjusted."""
    yield f"{request.method} {request.url}"
    yield from (f"{name}: {value}" for name, value in sorted(request.headers.items()))
    yield from ("", json.dumps(request.json(), indent=2, sort_keys=True, ensure_ascii=False), "")
    yield from (f"{change.action} {change.parameter}: {change.reason}" for change in request.adjustments)


def render_stream(chat: HttpRequest, stream: HttpRequest) -> Iterator[str]:
    """How a stream differs from the chat: its URL, headers, and fields at the top of the body."""
    yield f"{stream.method} {stream.url}"
    yield from render_changes(chat.headers, stream.headers)
    yield "the same body as the chat's but for:"
    yield from render_changes(cast("dict[str, Any]", chat.json()), cast("dict[str, Any]", stream.json()))
    yield from (f"+ {change.parameter}" for change in stream.adjustments if change not in chat.adjustments)


def render_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield f"- {name}"
        elif before.get(name) != after[name]:
            yield f"+ {name}: {json.dumps(after[name], sort_keys=True)}"


def render_case(spec: ProviderSpec, name: str, messages: list[Message], options: Mapping[str, Any]) -> Iterator[str]:
    """The four parts of a conversation."""
    whole = build(spec, messages, options, stream=False, on_unsupported="adjust")
    streamed = build(spec, messages, options, stream=True, on_unsupported="adjust")
    assert isinstance(whole, HttpRequest), whole
    assert isinstance(streamed, HttpRequest), streamed
    yield from (f"# {name}chat, adjust", *render(whole), "", f"# {name}stream, adjust", *render_stream(whole, streamed))
    for kind in ("chat", "stream"):
        strict = build(spec, messages, options, stream=kind == "stream", on_unsupported="fail")
        yield from ("", f"# {name}{kind}, fail", strict if isinstance(strict, str) else "accepted as it is")
    yield ""


def render_entry(spec: ProviderSpec) -> str:
    return "\n".join(line for name, write, options in CASES for line in render_case(spec, name, write(spec), options))


class TextFile(SingleFileSnapshotExtension):
    """One text file per catalogue entry."""

    file_extension = "txt"
    _write_mode = WriteMode.TEXT

    def serialize(self, data: Any, **_: Any) -> str:
        return str(data)


@pytest.mark.parametrize("spec", CATALOGUE.chats, ids=lambda spec: spec.name)
def test_request(spec: ProviderSpec, snapshot: SnapshotAssertion) -> None:
    assert render_entry(spec) == snapshot(extension_class=TextFile)


def test_every_option_is_in_a_conversation() -> None:
    given = [read_options({**options, "on_unsupported": "adjust"}).unwrap() for _, _, options in CASES]
    used = {
        name for name in Options.__struct_fields__ for one in given if getattr(one, name) != getattr(NO_OPTIONS, name)
    }
    assert used == set(Options.__struct_fields__)
