"""How one vendor differs from the first speaker of OpenAI Responses; every default is that first speaker's behaviour."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

import msgspec

from victor_fp.core.dialects.chat import EFFORTS, CacheMarks, DialectCodes, ModelPolicy, find_policy
from victor_fp.core.dialects.earlier_reasoning import EarlierReasoning
from victor_fp.core.dialects.schemas import OPENAI_SCHEMAS, SchemaSupport
from victor_fp.core.dialects.tool_names import OPENAI_NAMES, ToolNameRules
from victor_fp.core.faults import ContentRefused, ServerFailed, TimedOut

EncryptedReasoning: TypeAlias = Literal["by_model", "always", "never"]
"""Whether `include` asks for it: OpenAI refuses that for models that do not reason."""
ResponsesRequestModel: TypeAlias = Literal["openai", "llamacpp", "openrouter", "xai"]
"""Vendors, by the names of their models in the wire package, that add fields to OpenAI's request."""
ResponsesReasoningReplay: TypeAlias = Literal["encrypted", "plain", "any"]
"""Which reasoning items go back: with encrypted content, with plain content, or every one."""

UNSUPPORTED_OPTIONS = frozenset({"top_k", "seed", "stop", "presence_penalty", "frequency_penalty", "reasoning_budget"})
"""Options of chats that the vendor's document has no field for."""

STORED_STATE_OPTIONS = frozenset({"store", "previous_response_id", "background"})
"""Options of vendors that keep responses."""

CODES: DialectCodes = {
    # ResponseErrorCode of the vendor's document
    "server_error": ServerFailed,
    "invalid_prompt": ContentRefused,
    "bio_policy": ContentRefused,
    "cyber_policy": ContentRefused,
    "image_content_policy_violation": ContentRefused,
    "vector_store_timeout": TimedOut,
}
"""Error codes that only this protocol has, lower case."""


class ResponsesDialect(msgspec.Struct, frozen=True, kw_only=True):
    """A dialect of OpenAI Responses."""

    protocol: ClassVar[str] = "openai-responses"
    keeps_opaque: ClassVar[bool] = False
    routes: ClassVar[tuple[str, ...]] = (
        r"/responses",
        r"/chat/completions",
    )
    """Endings of a path, as patterns, that an address may have although it should end before them."""

    think_tags: bool = False
    """Models behind it may put thinking in `<think>...</think>` at the head of the text."""

    # Options
    request_model: ResponsesRequestModel = "openai"
    """The generated model of its request body: OpenAI's own, or the one that adds the named vendor's fields to it."""
    refuses: frozenset[str] = UNSUPPORTED_OPTIONS | {"name"}
    """What it cannot take, in the words of `ChatDialect.refuses`."""
    models: tuple[ModelPolicy, ...] = ()
    """First match wins; shared with the vendor's chats, whose fields for tokens and reasoning do not matter here."""
    user_field: Literal["user", "safety_identifier"] = "user"
    """Where the end user is named."""
    efforts: tuple[str, ...] = EFFORTS
    min_output_tokens: int = 16
    """OpenAI's document: max_output_tokens below 16 is refused."""
    logprobs_as: Literal["include", "switch", "count"] = "include"
    """An entry of `include`, or a switch of its own, with `top_logprobs` beside either; or `top_logprobs` alone."""
    format_as: Literal["text", "response_format"] = "text"
    """Where the answer's form is asked for: `text.format`, or the field that chats have."""
    schemas: SchemaSupport = OPENAI_SCHEMAS
    tool_names: ToolNameRules = OPENAI_NAMES
    stateless: bool = True
    """Keeps responses unless `store: false` says not to, which is how we ask."""
    encrypted_reasoning: EncryptedReasoning = "by_model"

    # Input
    developer_role: Literal["developer", "system"] = "developer"
    refusals: bool = True
    """Takes an assistant's refusal back as such in a message of its own making, else as text."""
    foreign_text: Literal["text", "parts"] = "text"
    """How an assistant's message that the vendor did not make itself is written."""
    result_parts: frozenset[str] = frozenset({"image", "file"})
    """What a tool's result may have besides text: `image`, `file`."""
    empty_result: str = ""
    """What stands for a tool result without text."""
    call_id_limit: int | None = 64
    """Characters a tool call's id may have, by OpenAI's document."""
    reasoning_replay: ResponsesReasoningReplay = "encrypted"
    """With `store: false` OpenAI answers 404 to a reasoning item that it would have to look up."""
    cache_marks: CacheMarks = "none"

    # Places
    deployment_urls: bool = False
    """The URL is built from the settings `endpoint` and `api_version`, the model is the setting `deployment`."""
    models_list: Literal["openai", "lmstudio"] = "openai"
    """The operation that lists the models: `listModels`, or LM Studio's `listLocalModels`."""
    has_server_props: bool = False
    """Whether the server has llama.cpp's operation `getServerProps`."""

    # Answers
    has_own_custom_calls: bool = False
    """Reports searches of its own as calls of custom tools, which the request does not have."""
    codes: DialectCodes = msgspec.field(default_factory=lambda: CODES)
    """Error codes beyond those that are shared with chats, lower case."""

    def can_send_reasoning(self, reasoning: EarlierReasoning) -> bool:  # noqa: ARG002  the signature of all dialects
        """None is sent."""
        return False

    def can_reason(self, model: str) -> bool | None:
        """Whether the model thinks, as its policy says."""
        policy = find_policy(self.models, model)
        return None if policy is None else policy.can_reason()

    def find_schema_support(self, model: str) -> SchemaSupport:  # noqa: ARG002  every dialect is asked for a model
        """Which schemas the vendor accepts."""
        return self.schemas
