"""Prompts of the tests to a small model, and helpers that collect its responses."""

from __future__ import annotations

from collections.abc import AsyncIterator

from victor_fp.providers.base import CompletionResponse, Message, StreamChunk, ToolDefinition

CAPITAL = [Message(role="user", content="What is the capital of France?")]
STORY = [Message(role="user", content="Tell me a very long story about a dragon.")]

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [
    ToolDefinition(name="get_weather", description="Weather of a city", parameters=CITY),
    ToolDefinition(name="get_time", description="Time in a city", parameters=CITY),
]
WEATHER = [
    Message(role="user", content="What is the weather in London?"),
    Message(
        role="assistant",
        content="",
        tool_calls=[{"id": "call_1", "name": "get_weather", "arguments": {"city": "London"}}],
    ),
    Message(role="tool", tool_call_id="call_1", content="rainy"),
    Message(role="assistant", content="It is rainy in London."),
    Message(role="user", content="What is the weather in Paris?"),
]
"""A model of 135 million parameters calls a tool once it has seen how."""

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def count_tokens(answer: CompletionResponse | StreamChunk) -> tuple[int, int]:
    """Tokens of prompt and answer, which must have been reported and add up."""
    usage = answer.usage or {}
    prompt, completion, total = (usage.get(name) for name in ("prompt_tokens", "completion_tokens", "total_tokens"))
    assert isinstance(prompt, int)
    assert isinstance(completion, int)
    assert total == prompt + completion
    assert prompt > 0
    return prompt, completion


async def gather_stream(stream: AsyncIterator[StreamChunk]) -> tuple[str, StreamChunk]:
    """The text of a stream, and its last chunk, of which it is checked that it alone is final."""
    chunks = [chunk async for chunk in stream]
    assert [chunk.is_final for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    return "".join(chunk.content for chunk in chunks), chunks[-1]
