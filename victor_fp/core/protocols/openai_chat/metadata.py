"""Facts of a completion besides its text, which become metadata: the same from a body and from a stream."""

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

OF_ANSWER = (
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
OF_CHOICE = ("content_filter_results", "native_finish_reason", "stop_reason", "seed", "raw_output")
OF_MESSAGE = ("annotations", "images", "context", "extra_content")
RENAMED = {"stop_reason": "matched_stop", "metadata": "vendor_metadata"}
"""vLLM's stop_reason is the token or text that ended the answer, not a reason."""
EMPTY: tuple[object, ...] = ("", [], {})


def read_answer_metadata(answer: ChatCompletion | ChatCompletionChunk) -> dict[str, Json]:
    """Facts of a whole body, or of a chunk, but for its id and time."""
    notes = _collect_fields(answer, OF_ANSWER)
    extras = answer.x_groq
    if extras is not None and extras.usage_breakdown:
        notes["usage_breakdown"] = extras.usage_breakdown
    return notes


def read_choice_metadata(choice: Choice | ChunkChoice) -> dict[str, Json]:
    """Facts of the choice but for its log probabilities, which grow in a stream."""
    if isinstance(choice, ChunkChoice) and choice.finish_reason is None:
        # Only content filters are beside a choice that goes on.
        filtered = choice.content_filter_results
        return {"content_filter_results": filtered} if filtered else {}
    return _collect_fields(choice, OF_CHOICE)


def read_logprobs(choice: Choice | ChunkChoice) -> dict[str, Json]:
    """Log probabilities, in the vendor's form; lists of a stream's pieces follow each other."""
    given = choice.logprobs
    return {"logprobs": given} if isinstance(given, dict) and given else {}


def read_message_metadata(message: ResponseMessage | ChunkDelta) -> dict[str, Json]:
    """Citations, images and context that come with the text."""
    if message.annotations is None and message.images is None and message.context is None:
        return {"extra_content": message.extra_content} if message.extra_content else {}
    return _collect_fields(message, OF_MESSAGE)


def _collect_fields(source: object, names: tuple[str, ...]) -> dict[str, Json]:
    return {
        RENAMED.get(name, name): value
        for name in names
        if (value := getattr(source, name, None)) is not None and value not in EMPTY
    }
