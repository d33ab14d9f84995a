"""What stands beside an answer: its counts, its id and time, why it stopped; the same from a body and from a stream."""

from __future__ import annotations

from victor_fp_wire.mistral.response import ChatCompletion, ChatCompletionChunk, Choice, ChunkChoice, Usage

from victor_fp.core.deltas import Stopped, UsageReported
from victor_fp.core.json import Json
from victor_fp.core.protocols.openai_chat.usage import NOTHING, to_whole_number

STOP_REASONS = {"stop": "stop", "length": "length", "model_length": "length", "tool_calls": "tool_use"}

FAILURE = "error"
"""The word for generation that failed."""


def build_stop(reason: str) -> Stopped:
    """The reason in the standard word; one that nobody knows stays as it is."""
    return Stopped(STOP_REASONS.get(reason, reason), reason, is_failure=reason == FAILURE)


def report_usage(usage: Usage | None) -> UsageReported | None:
    """The counts; what the vendor did not count stays absent."""
    if usage is None:
        return None
    details = usage.prompt_tokens_details or usage.prompt_token_details
    cached = usage.num_cached_tokens if details is None or details.cached_tokens is None else details.cached_tokens
    reported = UsageReported(
        prompt_tokens=to_whole_number(usage.prompt_tokens),
        completion_tokens=to_whole_number(usage.completion_tokens),
        total_tokens=to_whole_number(usage.total_tokens),
        cache_read_input_tokens=to_whole_number(cached),
    )
    return None if reported == NOTHING else reported


def identity(answer: ChatCompletion | ChatCompletionChunk) -> dict[str, Json]:
    """The id and the time."""
    notes: dict[str, Json] = {}
    if answer.id:
        notes["id"] = answer.id
    if answer.created:
        notes["created"] = int(answer.created)
    return notes


def logprobs_of(choice: Choice | ChunkChoice) -> dict[str, Json]:
    """Log probabilities, in the vendor's form; lists of a stream's chunks follow each other."""
    given = choice.logprobs
    return {"logprobs": given} if isinstance(given, dict) and given else {}


def choose_seed(answer: ChatCompletion | ChatCompletionChunk) -> str:
    """What ids for calls are made of: the answer's id, else its time."""
    return answer.id or (str(int(answer.created)) if answer.created else "")
