"""Metadata of completions, shared by bodies and streams."""

from __future__ import annotations

from victor_fp_wire.openai_chat.response import (
    ChatCompletion,
    ChatCompletionChunk,
    Choice,
    ChunkChoice,
    ChunkDelta,
    ResponseMessage,
)

from victor_fp.core.json import Json

COMPLETION_FIELDS = (
    "system_fingerprint",
    "service_tier",
    "moderation",
    "prompt_filter_results",
    "provider",
    "openrouter_metadata",
    "usage_breakdown",
    "mcp_list_tools",
    "time_info",
    "timings",
    "warnings",
    "citations",
    "request_id",
    "web_search",
    "perf_metrics",
    "prompt_logprobs",
    "stats",
    "metadata",
)
"""Fields of a completion or chunk that become metadata under their own names."""
CHOICE_FIELDS = ("content_filter_results", "native_finish_reason", "stop_reason", "seed", "raw_output")
MESSAGE_FIELDS = ("annotations", "images", "context", "extra_content")
RENAMED = {"stop_reason": "matched_stop", "metadata": "vendor_metadata"}
"""vLLM's stop_reason is the token or text that ended the generation."""
EMPTY: tuple[object, ...] = ("", [], {})


def read_completion_metadata(completion: ChatCompletion | ChatCompletionChunk) -> dict[str, Json]:
    """Return the metadata of a body or chunk, except id and time."""
    notes = _collect_fields(completion, COMPLETION_FIELDS)
    extras = completion.x_groq
    if extras is not None and extras.usage_breakdown:
        notes["usage_breakdown"] = extras.usage_breakdown
    return notes


def read_choice_metadata(choice: Choice | ChunkChoice) -> dict[str, Json]:
    """Return the metadata of a choice, except log probabilities, which accumulate in a stream."""
    if isinstance(choice, ChunkChoice) and choice.finish_reason is None:
        # An unfinished choice has no other metadata than content filters.
        filtered = choice.content_filter_results
        return {"content_filter_results": filtered} if filtered else {}
    return _collect_fields(choice, CHOICE_FIELDS)


def read_logprobs(choice: Choice | ChunkChoice) -> dict[str, Json]:
    """Return log probabilities in the vendor's form; the lists of chunks are concatenated."""
    logprobs = choice.logprobs
    return {"logprobs": logprobs} if isinstance(logprobs, dict) and logprobs else {}


def read_message_metadata(message: ResponseMessage | ChunkDelta) -> dict[str, Json]:
    """Return citations, images, context and extra content of a message."""
    if message.annotations is None and message.images is None and message.context is None:
        return {"extra_content": message.extra_content} if message.extra_content else {}
    return _collect_fields(message, MESSAGE_FIELDS)


def _collect_fields(source: object, names: tuple[str, ...]) -> dict[str, Json]:
    return {
        RENAMED.get(name, name): value
        for name in names
        if (value := getattr(source, name, None)) is not None and value not in EMPTY
    }
