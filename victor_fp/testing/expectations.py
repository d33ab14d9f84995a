"""What a provider must tell where the server said a turn."""

from __future__ import annotations

import msgspec
from returns.result import Failure, Success

from victor_fp.core.json import decode_json
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, StreamChunk
from victor_fp.testing.answers import Answer
from victor_fp.testing.exam import WEATHER, Exam, differing, unanswered
from victor_fp.testing.turns import Turn


async def told_whole(exam: Exam, turn: Turn, *, tools: bool = False, answer: Answer | None = None) -> list[str]:
    """What is wrong with a whole answer; `answer` is how the server says the turn, where not plainly."""
    async with exam.facing(answer or exam.speaks.whole(turn)) as (provider, _):
        match outcome(await exam.asked(provider, tools=[WEATHER] if tools else None)):
            case Failure(fault):
                return [unanswered(fault)]
            case Success(response):
                return [*differing("content", turn.text, response.content), *_amiss(turn, response, usage=True)]


async def told_in_pieces(exam: Exam, turn: Turn, *, tools: bool = False, answer: Answer | None = None) -> list[str]:
    """What is wrong with a stream."""
    async with exam.facing(answer or exam.speaks.stream(turn)) as (provider, _):
        heard = await exam.heard(provider, [WEATHER] if tools else None)
    if heard.fault is not None:
        return [unanswered(heard.fault)]
    finals = [place for place, chunk in enumerate(heard.chunks) if chunk.is_final]
    if finals != [len(heard.chunks) - 1] or heard.final is None:
        return [f"final chunks are at {finals} of {len(heard.chunks)}, where the last one should be, and no other"]
    thought = "".join((chunk.metadata or {}).get("reasoning_content", "") for chunk in heard.chunks[:-1])
    return [
        *differing("the text of all chunks", turn.text, heard.text),
        *differing("the reasoning of all chunks", turn.reasoning, thought),
        *_amiss(turn, heard.final, usage=exam.speaks.stream_usage),
    ]


def _amiss(turn: Turn, said: CompletionResponse | StreamChunk, *, usage: bool) -> list[str]:
    """What an answer, or a stream's last chunk, tells otherwise than the turn has it."""
    calls = [
        {"id": call.id, "name": call.name, "arguments": decode_json(_plain(call.arguments))} for call in turn.calls
    ]
    complaints = [
        *differing("tool_calls", calls or None, said.tool_calls),
        *differing("stop_reason", turn.reason, said.stop_reason),
    ]
    if turn.usage is None:
        complaints += differing("usage", None, said.usage)
    elif usage:
        prompt, answer = turn.usage
        wanted = {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}
        got = {name: count for name, count in (said.usage or {}).items() if name in wanted}
        complaints += differing("usage", wanted, got)
    if turn.reasoning:
        got_reasoning = (said.metadata or {}).get("reasoning_content")
        complaints += differing('metadata["reasoning_content"]', turn.reasoning, got_reasoning)
    return complaints


def _plain(value: object) -> bytes:
    return msgspec.json.encode(value)
