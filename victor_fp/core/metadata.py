"""The keys of the metadata of responses and chunks, as documented TypedDicts.

A key that the vendor did not report is absent. At runtime both are plain dicts, which may also hold vendor-specific
keys and those of a custom provider; `response.typed_metadata` returns them with these types.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict


class Cost(TypedDict):
    """The cost of a response."""

    amount: float
    currency: str
    """`USD`."""
    source: Literal["vendor", "genai-prices"]


class AdjustmentRecord(TypedDict):
    """An option that was omitted or changed, with `on_unsupported="adjust"` or by `extra_body`."""

    parameter: str
    action: Literal["dropped", "changed"]
    reason: str


class AttemptRecord(TypedDict):
    """One attempt of a call that needed several; see `victor_fp.core.faults.Attempt`."""

    provider: str
    model: str | None
    started: float
    """Seconds since the call began."""
    seconds: float
    outcome: str
    """`ok`, or the fault's class name."""
    status: int | None
    message: str
    waited: float
    """Seconds of backoff before it."""


class TextToolCallNote(TypedDict, total=False):
    """A tool call that was found in text and repaired, or a possible call that was kept as text."""

    format: str
    name: str | None
    id: str
    repairs: list[str]
    kept_as_text: str
    """The reason."""


class ToolCallDelta(TypedDict):
    """A part of a tool call in a stream."""

    index: int
    """Position of the call among the calls of the response."""
    id: str
    name: NotRequired[str]
    """In the first delta of the call."""
    arguments: NotRequired[str | dict[str, Any]]
    """JSON text that continues that of earlier deltas, or the complete object."""
    path: NotRequired[list[str | int]]
    """Path of `value` in the arguments, for vendors that send single values."""
    value: NotRequired[Any]


class EmbeddingMetadata(TypedDict, total=False):
    """The metadata of an embedding response."""

    id: str
    """The vendor's id of the response, if it was one request."""
    ids: list[str]
    """Those of the responses, if the texts were sent in several requests."""
    cost: Cost
    """Absent if the vendor did not report it for every request."""
    adjustments: list[AdjustmentRecord]
    attempts: list[AttemptRecord]
    """Present if an attempt failed."""
    truncated: list[int]
    """Vertex AI: indexes of the texts that were too long and therefore truncated."""


class RerankMetadata(TypedDict, total=False):
    """The metadata of a reranking response."""

    id: str
    """The vendor's id of the response."""
    cost: Cost
    adjustments: list[AdjustmentRecord]
    attempts: list[AttemptRecord]
    """Present if an attempt failed."""
    search_units: float
    """Cohere and OpenRouter: the units that are billed."""


class ResponseMetadata(TypedDict, total=False):
    """The metadata of a response, and of the final chunk of a stream."""

    # All protocols
    reasoning_content: str
    """The reasoning; blocks are separated by an empty line."""
    refusal: str
    """The model's refusal text."""
    provider_state: dict[str, Any]
    """State that the vendor requires on the next turn; `response.to_message()` includes it."""
    stop_reason_raw: str
    """The vendor's stop reason."""
    id: str
    """The vendor's id of the response."""
    created: int | str
    """Creation time: Unix time in seconds, or RFC 3339 for Gemini."""
    usage_raw: dict[str, Any]
    """The vendor's counts, if they contain more than `usage`."""
    cost: Cost
    adjustments: list[AdjustmentRecord]
    attempts: list[AttemptRecord]
    """Present if there were several."""
    text_tool_calls: list[TextToolCallNote]
    """Notes on the detection of tool calls in text."""
    citations: list[Any]
    """In the vendor's format."""
    logprobs: dict[str, Any] | list[Any]
    """In the vendor's format; those of a stream are joined in one list."""
    stored: bool
    """The vendor stores the response under `id`, which can be passed as `previous_response_id`."""
    server_tools: list[dict[str, Any]]
    """OpenAI Responses and Gemini Interactions: calls and results of tools that the vendor ran."""
    service_tier: str
    """The tier that served the request."""
    replaced_characters: int
    """Number of U+FFFD that replace invalid Unicode."""

    # Chat Completions and its dialects; `Any` is in the vendor's format
    annotations: Any
    audio: Any
    content_filter_results: Any
    """Azure."""
    context: Any
    """Azure: the documents that the response is based on."""
    executed_tools: Any
    """Groq: tools that the vendor ran."""
    extra_content: Any
    """Google's compatible API."""
    images: Any
    matched_stop: Any
    """vLLM: the token or text that ended the response."""
    mcp_list_tools: Any
    moderation: Any
    native_finish_reason: str
    """OpenRouter: the finish reason of the upstream provider."""
    openrouter_metadata: Any
    perf_metrics: Any
    """Fireworks."""
    prompt_filter_results: Any
    """Azure."""
    prompt_logprobs: Any
    """vLLM."""
    provider: str
    """OpenRouter: the upstream provider that served the request."""
    raw_output: Any
    """Fireworks."""
    request_id: str
    """Z.ai."""
    seed: float
    """Together: the seed that was used."""
    stats: Any
    """LM Studio."""
    system_fingerprint: str
    time_info: Any
    """Cerebras."""
    timings: Any
    """llama.cpp."""
    usage_breakdown: Any
    """Groq."""
    vendor_metadata: Any
    """The field `metadata` of an OpenAI response, as set by the caller."""
    warnings: Any
    """Together."""
    web_search: Any
    """Z.ai."""

    # Responses
    content_filters: list[Any]
    """Azure."""
    conversation: Any
    output_parts: list[dict[str, Any]]
    """Message parts other than text and refusals."""

    # Anthropic Messages
    container: dict[str, Any]
    """The container that code ran in."""
    context_management: dict[str, Any]
    stop_details: dict[str, Any]
    stop_sequence: str

    # Gemini
    avg_logprobs: float
    finish_message: str
    grounding_attributions: list[Any]
    grounding_metadata: dict[str, Any]
    model_status: dict[str, Any]
    parts: list[dict[str, Any]]
    """Parts other than text and function calls: images, code that the server ran."""
    prompt_feedback: dict[str, Any]
    safety_ratings: list[Any]
    url_context_metadata: dict[str, Any]

    # Bedrock Converse
    additional_model_response_fields: Any
    metrics: dict[str, Any]
    """Bedrock: the latency; Replicate: the counts and times of the prediction."""
    performance_config: dict[str, Any]
    trace: dict[str, Any]

    # Cohere
    tool_plan: str
    """The model's plan for its tool calls."""

    # Mistral
    attachments: list[Any]
    """Content parts other than text."""

    # Ollama; durations are nanoseconds
    created_at: str
    """Ollama and Replicate: RFC 3339."""
    eval_duration: int
    load_duration: int
    prompt_eval_duration: int
    remote_host: str
    remote_model: str
    total_duration: int

    # Replicate
    deployment: str
    version: str


class ChunkMetadata(ResponseMetadata, total=False):
    """The metadata of a chunk of a stream.

    Before the final chunk, `reasoning_content` and `refusal` hold the text since the previous chunk, and
    `tool_call_deltas` the parts of calls; the final chunk has all keys of the response.
    """

    tool_call_deltas: list[ToolCallDelta]
