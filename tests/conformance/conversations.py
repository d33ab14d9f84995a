"""Conversations of every shape, for every provider that accepts them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from pydantic import BaseModel
from returns.result import Failure, Result, Success

from victor_fp import replay
from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.faults import Fault
from victor_fp.core.requests import HttpRequest
from victor_fp.core.result import outcome
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Message, TextPart, ToolDefinition
from victor_fp.testing.script import Call, Turn
from victor_fp.testing.vendors import find_writer

PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452")
HI = Message(role="user", content="What is the weather in Oslo?")
WEATHER = ToolDefinition(
    name="weather",
    description="Tells the weather",
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
        "required": ["city"],
    },
)
CLOCK = ToolDefinition(name="clock")
CALLS = Turn(
    text="Let me look.",
    calls=(
        Call(id="call_1", name="weather", arguments={"city": "Oslo"}),
        Call(id="call_2", name="clock", arguments={}),
    ),
)
THOUGHT = msgspec.structs.replace(CALLS, reasoning="The user wants the weather.")
RESULTS = (
    Message(role="tool", tool_call_id="call_1", content="Sunny"),
    Message(role="tool", tool_call_id="call_2", content="No clock", is_error=True),
)


class City(BaseModel):
    """A city."""

    name: str
    people: int | None = None


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation with its options."""

    messages: tuple[Message, ...] = (HI,)
    answered: Turn | None = None
    """The vendor's own answer, which follows the first message; the others follow it."""
    tools: tuple[ToolDefinition, ...] = ()
    options: Mapping[str, Any] = {}


def _build_user_turn(*parts: Any) -> tuple[Message, ...]:
    return (Message(role="user", content=[TextPart(text="Look:"), *parts]),)


def _build_shape(**options: Any) -> Shape:
    return Shape(options=options)


def _build_tool_shape(**options: Any) -> Shape:
    return Shape(tools=(WEATHER, CLOCK), options=options)


SHAPES: dict[str, Shape] = {
    "text": Shape(),
    "system": Shape(messages=(Message(role="system", content="Be brief."), HI)),
    "developer": Shape(messages=(Message(role="developer", content="Be brief."), HI)),
    "late system": Shape(
        messages=(HI, Message(role="assistant", content="Sunny."), Message(role="system", content="In French."), HI)
    ),
    "turns": Shape(messages=(HI, Message(role="assistant", content="Sunny."), HI)),
    "two users": Shape(messages=(HI, HI)),
    "named": Shape(messages=(Message(role="user", name="Ada", content="Hi"),)),
    "text parts": Shape(messages=_build_user_turn(TextPart(text="a"), TextPart(text="b"))),
    "image by value": Shape(messages=_build_user_turn(ImagePart(data=PNG, media_type="image/png", detail="low"))),
    "image by address": Shape(messages=_build_user_turn(ImagePart(url="https://example.com/a.png"))),
    "audio": Shape(messages=_build_user_turn(AudioPart(data=b"RIFF", media_type="audio/wav"))),
    "file": Shape(
        messages=_build_user_turn(FilePart(data=b"%PDF-1.7", media_type="application/pdf", filename="a.pdf"))
    ),
    "file by address": Shape(
        messages=_build_user_turn(FilePart(url="https://example.com/a.pdf", media_type="application/pdf"))
    ),
    "tools": _build_tool_shape(),
    "strict tools": Shape(tools=(WEATHER.model_copy(update={"strict": True}),)),
    "tool choice auto": _build_tool_shape(tool_choice="auto"),
    "tool choice none": _build_tool_shape(tool_choice="none"),
    "tool choice required": _build_tool_shape(tool_choice="required"),
    "tool choice named": _build_tool_shape(tool_choice={"name": "weather"}),
    "one call at a time": _build_tool_shape(parallel_tool_calls=False),
    "continued": _build_shape(previous_response_id="resp_1"),
    "in the background": _build_shape(background=True),
    "parallel calls": Shape(answered=CALLS, messages=(HI, *RESULTS), tools=(WEATHER, CLOCK)),
    "an empty result": Shape(
        answered=CALLS,
        messages=(HI, RESULTS[0].model_copy(update={"content": ""}), RESULTS[1], HI),
        tools=(WEATHER, CLOCK),
    ),
    "a result of parts": Shape(
        answered=CALLS,
        messages=(
            HI,
            RESULTS[0].model_copy(
                update={"content": [TextPart(text="A map:"), ImagePart(data=PNG, media_type="image/png")]}
            ),
            RESULTS[1],
        ),
        tools=(WEATHER, CLOCK),
    ),
    "calls from elsewhere": Shape(
        messages=(
            HI,
            Message(
                role="assistant",
                tool_calls=[{"id": "toolu_01", "name": "weather", "arguments": {"city": "Oslo"}}],
            ),
            Message(role="tool", tool_call_id="toolu_01", content="Sunny"),
        ),
        tools=(WEATHER,),
    ),
    "reasoning goes back": Shape(
        answered=THOUGHT,
        messages=(HI, *RESULTS),
        tools=(WEATHER, CLOCK),
        options={"reasoning_effort": "high"},
    ),
    "reasoning without calls goes back": Shape(
        answered=Turn(text="Sunny.", reasoning="Hm."), messages=(HI, HI), options={"reasoning_effort": "low"}
    ),
    "no reasoning": _build_shape(reasoning_effort="none"),
    "reasoning budget": _build_shape(reasoning_budget=2000),
    "json": _build_shape(response_format="json"),
    "json schema": _build_shape(response_format=City),
    "json schema with tools": _build_tool_shape(response_format=City),
    "sampling": _build_shape(top_p=0.9, top_k=20, seed=7),
    "temperature": _build_shape(temperature=0.2, max_tokens=100),
    "penalties": _build_shape(presence_penalty=0.5, frequency_penalty=0.5),
    "stop": _build_shape(stop=["END", "STOP"]),
    "logprobs": _build_shape(logprobs=3),
    "logprobs of the chosen": _build_shape(logprobs=True),
    "user": _build_shape(user="user-1"),
    "service tier": _build_shape(service_tier="flex"),
    "cache marks": Shape(
        messages=(
            Message(role="system", content="Long.", cache=True),
            Message(role="user", content="Longer.", cache=True),
            Message(role="assistant", content="Yes."),
            HI,
        ),
        tools=(WEATHER, CLOCK.model_copy(update={"cache": True})),
    ),
}

SETTINGS: Mapping[str, Mapping[str, object]] = {
    "azure": {"endpoint": "https://acme.openai.azure.com"},
    "azure-responses": {"endpoint": "https://acme.openai.azure.com"},
    "bedrock": {"region": "eu-west-1"},
    "vertex": {"project": "acme", "location": "global"},
    "vertex-anthropic": {"project": "acme", "location": "global"},
}
"""Settings that a place cannot do without."""

MODELS: Mapping[str, tuple[str, ...]] = {
    "openai": ("gpt-5.1", "gpt-4o", "o3", "gpt-5.6"),
    "openai-responses": ("gpt-5.1", "gpt-4o", "o3", "gpt-5.6"),
    "azure": ("gpt-5.1", "gpt-4o"),
    "azure-responses": ("gpt-5.1", "gpt-4o"),
    "anthropic": ("claude-sonnet-4-5", "claude-opus-4-6", "claude-3-haiku-20240307", "claude-sonnet-5"),
    "vertex-anthropic": ("claude-sonnet-4-5",),
    "google": ("gemini-2.5-flash", "gemini-2.0-flash", "gemini-3-pro-preview", "gemma-3-27b-it"),
    "vertex": ("gemini-2.5-flash", "gemini-3-pro-preview"),
    "bedrock": (
        "us.amazon.nova-2-lite-v1:0",
        "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "meta.llama3-70b-instruct-v1:0",
        "openai.gpt-oss-120b-1:0",
    ),
    "cohere": ("command-a-03-2025", "command-a-reasoning-08-2025", "command-r-08-2024"),
    "groq": ("llama-3.3-70b-versatile", "openai/gpt-oss-120b", "qwen/qwen3-32b"),
    "mistral": ("mistral-large-latest", "magistral-medium-latest"),
    "xai": ("grok-4", "grok-3-mini", "grok-4.1-fast"),
    "moonshot": ("kimi-k2.5", "kimi-k3", "moonshot-v1-8k"),
    "replicate": ("meta/meta-llama-3-70b-instruct", "openai/gpt-5", "anthropic/claude-4-sonnet"),
}
"""Models whose policies differ; of other providers the default one."""


def list_models(spec: ProviderSpec) -> tuple[str, ...]:
    """The models to ask of a provider."""
    return MODELS.get(spec.name) or (spec.default_model or "model-1",)


def build_request(
    spec: ProviderSpec, shape: Shape, model: str, *, stream: bool = False, on_unsupported: str = "adjust"
) -> Result[HttpRequest, Fault]:
    """The request of a shape; what the provider cannot take is left out."""
    return replay.request(
        spec.name,
        _list_turns(spec, shape),
        model=model,
        stream=stream,
        tools=shape.tools or None,
        settings=SETTINGS.get(spec.name),
        on_unsupported=on_unsupported,
        **shape.options,
    )


def _list_turns(spec: ProviderSpec, shape: Shape) -> list[Message]:
    if shape.answered is None:
        return list(shape.messages)
    first, *rest = shape.messages
    writer = find_writer(spec.name)
    turn = shape.answered if spec.supports.tools else msgspec.structs.replace(shape.answered, calls=())
    body = b"".join(writer.build_answer(turn).pieces)
    match outcome(replay.response(spec.name, 200, {}, body, settings=SETTINGS.get(spec.name))):
        case Success(response):
            answered = response.to_message()
        case Failure(fault):
            raise AssertionError(fault)
    ids = {call["id"] for call in answered.tool_calls or ()}
    return [first, answered, *(one for one in rest if one.role != "tool" or one.tool_call_id in ids)]


def list_requests(specs: tuple[ProviderSpec, ...]) -> Iterator[tuple[ProviderSpec, str, str]]:
    """Every provider with its models and all shapes."""
    for spec in specs:
        for model in list_models(spec):
            for shape in SHAPES:
                yield spec, model, shape
