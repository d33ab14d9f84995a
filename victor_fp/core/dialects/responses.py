"""Dialects of OpenAI Responses; the defaults are OpenAI's behaviour."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

import msgspec

from victor_fp.core.dialects.chat import EFFORTS, CacheMarks, DialectCodes, ModelPolicy, find_policy
from victor_fp.core.dialects.earlier_reasoning import EarlierReasoning
from victor_fp.core.dialects.schemas import OPENAI_SCHEMAS, SchemaSupport
from victor_fp.core.dialects.tool_names import OPENAI_NAMES, ToolNameRules
from victor_fp.core.faults import ContentRefused, ServerFailed, TimedOut

EncryptedReasoning: TypeAlias = Literal["by_model", "always", "never"]
"""Whether `include` requests it: OpenAI rejects that for models that do not reason."""
ResponsesRequestModel: TypeAlias = Literal["openai", "llamacpp", "openrouter", "xai"]
"""Vendors with additional request fields, by the names of their models in the wire package."""
ResponsesReasoningReplay: TypeAlias = Literal["encrypted", "plain", "any"]
"""Reasoning items that are sent back: with encrypted content, with plain content, or all."""

UNSUPPORTED_OPTIONS = frozenset({"top_k", "seed", "stop", "presence_penalty", "frequency_penalty", "reasoning_budget"})
"""Options of chats without a field in the vendor's document."""

STORED_STATE_OPTIONS = frozenset({"store", "previous_response_id", "background"})
"""Options of vendors that store responses."""

CODES: DialectCodes = {
    # ResponseErrorCode of the vendor's document
    "server_error": ServerFailed,
    "invalid_prompt": ContentRefused,
    "bio_policy": ContentRefused,
    "cyber_policy": ContentRefused,
    "image_content_policy_violation": ContentRefused,
    "vector_store_timeout": TimedOut,
}
"""Error codes specific to this protocol, lower case."""


class ResponsesDialect(msgspec.Struct, frozen=True, kw_only=True):
    """A dialect of OpenAI Responses."""

    protocol: ClassVar[str] = "openai-responses"
    keeps_opaque: ClassVar[bool] = False
    routes: ClassVar[tuple[str, ...]] = (
        r"/responses",
        r"/chat/completions",
    )
    """Patterns of path suffixes that are stripped from a custom base URL."""

    think_tags: bool = False
    """Whether models may put reasoning in `<think>...</think>` at the start of the text."""

    # Options
    request_model: ResponsesRequestModel = "openai"
    """Generated model of the request body: OpenAI's, or that of a vendor with additional fields."""
    refuses: frozenset[str] = UNSUPPORTED_OPTIONS | {"name"}
    """What is not accepted, named as in `ChatDialect.refuses`."""
    models: tuple[ModelPolicy, ...] = ()
    """The first match applies. Shared with the vendor's chats; token and reasoning fields are ignored here."""
    user_field: Literal["user", "safety_identifier"] = "user"
    """Field for the end user."""
    efforts: tuple[str, ...] = EFFORTS
    service_tiers: tuple[str, ...] | None = None
    """The accepted service tiers; None if all are sent."""
    min_output_tokens: int = 16
    """OpenAI's document: max_output_tokens below 16 is rejected."""
    logprobs_as: Literal["include", "switch", "count"] = "include"
    """An entry of `include`, or a boolean, alongside `top_logprobs`; or only `top_logprobs`."""
    format_as: Literal["text", "response_format"] = "text"
    """Field of the response format: `text.format`, or that of Chat Completions."""
    schemas: SchemaSupport = OPENAI_SCHEMAS
    tool_names: ToolNameRules = OPENAI_NAMES
    stateless: bool = True
    """Whether `store: false` is sent by default, since responses are stored otherwise."""
    encrypted_reasoning: EncryptedReasoning = "by_model"

    # Input
    developer_role: Literal["developer", "system"] = "developer"
    refusals: bool = True
    """Whether refusals in the vendor's messages are sent back as refusals; otherwise as text."""
    foreign_text: Literal["text", "parts"] = "text"
    """Format of assistant messages of other providers."""
    result_parts: frozenset[str] = frozenset({"image", "file"})
    """Types of parts besides text that tool results accept: `image`, `file`."""
    empty_result: str = ""
    """Placeholder for a tool result without text."""
    call_id_limit: int | None = 64
    """Maximum length of a tool call id in OpenAI's document."""
    reasoning_replay: ResponsesReasoningReplay = "encrypted"
    """With `store: false`, OpenAI responds with 404 to a reasoning item without encrypted content."""
    cache_marks: CacheMarks = "none"

    # URLs
    deployment_urls: bool = False
    """Whether the URL is built from the settings `endpoint` and `api_version`, and the model is the setting `deployment`."""
    models_list: Literal["openai", "lmstudio"] = "openai"
    """The operation that lists models: `listModels`, or LM Studio's `listLocalModels`."""
    has_server_props: bool = False
    """Whether the server has llama.cpp's operation `getServerProps`."""

    # Responses
    has_own_custom_calls: bool = False
    """Whether server tool calls are reported as calls of custom tools that the request does not have."""
    codes: DialectCodes = msgspec.field(default_factory=lambda: CODES)
    """Error codes in addition to those of chats, lower case."""

    def can_send_reasoning(self, reasoning: EarlierReasoning) -> bool:  # noqa: ARG002  the signature of all dialects
        """Return False: reasoning of other providers is not accepted."""
        return False

    def can_reason(self, model: str) -> bool | None:
        """Return whether the model reasons, by its policy; None if unknown."""
        policy = find_policy(self.models, model)
        return None if policy is None else policy.can_reason()

    def find_schema_support(self, model: str) -> SchemaSupport:  # noqa: ARG002  the signature of all dialects
        """Return the schemas that the vendor accepts."""
        return self.schemas
