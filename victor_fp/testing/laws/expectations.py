"""Expected results of scripted turns."""

from __future__ import annotations

import msgspec
from returns.result import Failure, Success

from victor_fp.core.json import decode_json
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, StreamChunk
from victor_fp.testing.answers import Answer
from victor_fp.testing.harness import WEATHER, Harness, compare, describe_failure
from victor_fp.testing.script import Turn


async def check_response(
    harness: Harness, turn: Turn, *, tools: bool = False, answer: Answer | None = None
) -> list[str]:
    """Return the problems of a complete response; `answer` is the server's response to the turn, if not the default."""
    async with harness.connect(answer or harness.protocol_writer.build_answer(turn)) as (provider, _):
        match outcome(await harness.ask(provider, tools=[WEATHER] if tools else None)):
            case Failure(fault):
                return [describe_failure(fault)]
            case Success(response):
                return [*compare("content", turn.text, response.content), *_compare_turn(turn, response, usage=True)]


async def check_stream(harness: Harness, turn: Turn, *, tools: bool = False, answer: Answer | None = None) -> list[str]:
    """Return the problems of a stream."""
    async with harness.connect(answer or harness.protocol_writer.stream(turn)) as (provider, _):
        collected = await harness.collect_stream(provider, [WEATHER] if tools else None)
    if collected.fault is not None:
        return [describe_failure(collected.fault)]
    finals = [index for index, chunk in enumerate(collected.chunks) if chunk.is_final]
    if finals != [len(collected.chunks) - 1] or collected.final is None:
        return [f"final chunks are at {finals} of {len(collected.chunks)}; expected exactly one, at the end"]
    thought = "".join((chunk.metadata or {}).get("reasoning_content", "") for chunk in collected.chunks[:-1])
    return [
        *compare("the text of all chunks", turn.text, collected.text),
        *compare("the reasoning of all chunks", turn.reasoning, thought),
        *_compare_turn(turn, collected.final, usage=harness.protocol_writer.stream_usage),
    ]


def _compare_turn(turn: Turn, response: CompletionResponse | StreamChunk, *, usage: bool) -> list[str]:
    """Return the differences between a response, or a final chunk, and the turn."""
    calls = [
        {"id": call.id, "name": call.name, "arguments": decode_json(_to_plain(call.arguments))} for call in turn.calls
    ]
    problems = [
        *compare("tool_calls", calls or None, response.tool_calls),
        *compare("stop_reason", turn.reason, response.stop_reason),
    ]
    if turn.usage is None:
        problems += compare("usage", None, response.usage)
    elif usage:
        prompt, answer = turn.usage
        expected = {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}
        got = {name: count for name, count in (response.usage or {}).items() if name in expected}
        problems += compare("usage", expected, got)
    if turn.reasoning:
        got_reasoning = (response.metadata or {}).get("reasoning_content")
        problems += compare('metadata["reasoning_content"]', turn.reasoning, got_reasoning)
    return problems


def _to_plain(value: object) -> bytes:
    return msgspec.json.encode(value)
