"""The keys of `response.metadata` and `chunk.metadata`, as documented TypedDicts.

A key that the vendor did not report is absent. At runtime both are plain dicts, in which a vendor's extras and a custom
provider's own keys have room; `response.typed_metadata` shows them under these types.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict


class Cost(TypedDict):
    """What a response cost."""

    amount: float
    currency: str
    """`USD`."""
    source: Literal["vendor", "genai-prices"]


class AdjustmentRecord(TypedDict):
    """An option that was left out or changed, with `on_unsupported="adjust"` or by `extra_body`."""

    parameter: str
    action: Literal["dropped", "changed"]
    reason: str


class AttemptRecord(TypedDict):
    """One attempt of a call that took several; see `victor_fp.core.faults.Attempt`."""

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
    """A tool call that was found in text and repaired, or text like a call that was kept as text."""

    format: str
    name: str | None
    id: str
    repairs: list[str]
    kept_as_text: str
    """Why."""


class ToolCallDelta(TypedDict):
    """A piece of a tool call in a stream."""

    index: int
    """The call's place among the calls of the response."""
    id: str
    name: NotRequired[str]
    """With the first piece."""
    arguments: NotRequired[str | dict[str, Any]]
    """JSON text that continues the text of earlier pieces, or the whole object."""
    path: NotRequired[list[str | int]]
    """Where in the arguments `value` goes, for vendors that send values one by one."""
    value: NotRequired[Any]


class ResponseMetadata(TypedDict, total=False):
    """The metadata of a response, and of the final chunk of a stream."""

    # What every protocol may set
    reasoning_content: str
    """The thinking, blocks separated by an empty line."""
    refusal: str
    """Why the model refused, in its own words."""
    provider_state: dict[str, Any]
    """What the vendor needs back on the next turn; `response.to_message()` carries it."""
    stop_reason_raw: str
    """The vendor's own word for the stop reason."""
    id: str
    """The vendor's id of the response."""
    created: int | str
    """When it was made: seconds since 1970, or Gemini's RFC 3339 text."""
    usage_raw: dict[str, Any]
    """The vendor's counts as they came, where they say more than `usage`."""
    cost: Cost
    adjustments: list[AdjustmentRecord]
    attempts: list[AttemptRecord]
    """Where there were several."""
    text_tool_calls: list[TextToolCallNote]
    """Notes on calls that were looked for in the text."""
    citations: list[Any]
    """In the vendor's form."""
    logprobs: dict[str, Any] | list[Any]
    """In the vendor's form; those of a stream's pieces in one list."""
    stored: bool
    """The vendor keeps the response under `id`, which `previous_response_id` takes."""
    server_tools: list[dict[str, Any]]
    """OpenAI Responses and Gemini Interactions: calls and results of tools that the vendor ran itself."""
    service_tier: str
    """The tier that served the request."""
    replaced_characters: int
    """How many U+FFFD stand for what was not valid Unicode."""

    # Chat Completions and its dialects; `Any` is in a form of the vendor's own
    annotations: Any
    audio: Any
    content_filter_results: Any
    """Azure."""
    context: Any
    """Azure: the documents that the response rests on."""
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
    """OpenRouter: the upstream's own word."""
    openrouter_metadata: Any
    perf_metrics: Any
    """Fireworks."""
    prompt_filter_results: Any
    """Azure."""
    prompt_logprobs: Any
    """vLLM."""
    provider: str
    """OpenRouter: who served the request."""
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
    """The field `metadata` of an OpenAI response: what the caller attached to it."""
    warnings: Any
    """Together."""
    web_search: Any
    """Z.ai."""

    # Responses
    content_filters: list[Any]
    """Azure."""
    conversation: Any
    output_parts: list[dict[str, Any]]
    """Parts of a message that are neither text nor a refusal."""

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
    """Parts that are neither text nor a function call: images, code that the server ran."""
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
    """What the model wants to do with its calls."""

    # Mistral
    attachments: list[Any]
    """Pieces of the content that are no text."""

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

    Before the final chunk `reasoning_content` and `refusal` hold what came since the chunk before, and `tool_call_deltas` the
    pieces of calls; the final chunk has everything that the response has.
    """

    tool_call_deltas: list[ToolCallDelta]
