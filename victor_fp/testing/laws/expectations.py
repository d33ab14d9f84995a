"""What a provider must tell where the server said a turn."""

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
    """What is wrong with a whole answer; `answer` is how the server says the turn, where not plainly."""
    async with harness.connect(answer or harness.protocol_writer.build_answer(turn)) as (provider, _):
        match outcome(await harness.ask(provider, tools=[WEATHER] if tools else None)):
            case Failure(fault):
                return [describe_failure(fault)]
            case Success(response):
                return [*compare("content", turn.text, response.content), *_compare_turn(turn, response, usage=True)]


async def check_stream(harness: Harness, turn: Turn, *, tools: bool = False, answer: Answer | None = None) -> list[str]:
    """What is wrong with a stream."""
    async with harness.connect(answer or harness.protocol_writer.stream(turn)) as (provider, _):
        heard = await harness.collect_stream(provider, [WEATHER] if tools else None)
    if heard.fault is not None:
        return [describe_failure(heard.fault)]
    finals = [place for place, chunk in enumerate(heard.chunks) if chunk.is_final]
    if finals != [len(heard.chunks) - 1] or heard.final is None:
        return [f"final chunks are at {finals} of {len(heard.chunks)}, where the last one should be, and no other"]
    thought = "".join((chunk.metadata or {}).get("reasoning_content", "") for chunk in heard.chunks[:-1])
    return [
        *compare("the text of all chunks", turn.text, heard.text),
        *compare("the reasoning of all chunks", turn.reasoning, thought),
        *_compare_turn(turn, heard.final, usage=harness.protocol_writer.stream_usage),
    ]


def _compare_turn(turn: Turn, said: CompletionResponse | StreamChunk, *, usage: bool) -> list[str]:
    """What an answer, or a stream's last chunk, tells otherwise than the turn has it."""
    calls = [
        {"id": call.id, "name": call.name, "arguments": decode_json(_to_plain(call.arguments))} for call in turn.calls
    ]
    problems = [
        *compare("tool_calls", calls or None, said.tool_calls),
        *compare("stop_reason", turn.reason, said.stop_reason),
    ]
    if turn.usage is None:
        problems += compare("usage", None, said.usage)
    elif usage:
        prompt, answer = turn.usage
        wanted = {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}
        got = {name: count for name, count in (said.usage or {}).items() if name in wanted}
        problems += compare("usage", wanted, got)
    if turn.reasoning:
        got_reasoning = (said.metadata or {}).get("reasoning_content")
        problems += compare('metadata["reasoning_content"]', turn.reasoning, got_reasoning)
    return problems


def _to_plain(value: object) -> bytes:
    return msgspec.json.encode(value)
