"""Dialects of OpenAI Chat Completions; the defaults are OpenAI's behaviour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, Literal, TypeAlias

import msgspec

from victor_fp.core.dialects.earlier_reasoning import EarlierReasoning
from victor_fp.core.dialects.schemas import OPENAI_SCHEMAS, SchemaSupport
from victor_fp.core.dialects.tool_names import OPENAI_NAMES, ToolNameRules
from victor_fp.core.faults import Fault
from victor_fp.core.model_names import is_model_match

TokensField: TypeAlias = Literal["max_tokens", "max_completion_tokens"]
EffortForm: TypeAlias = Literal[
    "reasoning_effort",
    "reasoning",
    "thinking",
    "thinking_and_effort",
    "enable_thinking",
    "chat_template_kwargs",
    "chat_template_args",
    "thinking_flag",
]
"""Field of the reasoning effort: a string; OpenRouter's object; a switch; a switch and a string; a boolean; a boolean in the
arguments of the chat template, under one of two names; the boolean `thinking` and a string."""
BudgetForm: TypeAlias = Literal["reasoning", "thinking", "thinking_budget"]
"""Field of a reasoning budget in tokens: `reasoning.max_tokens`, `thinking.budget_tokens`, or `thinking_budget`."""
RequestModel: TypeAlias = Literal[
    "openai",
    "baseten",
    "deepseek",
    "fireworks",
    "llamacpp",
    "lmstudio",
    "mlx",
    "moonshot",
    "openrouter",
    "qwen",
    "regolo",
    "together",
    "vllm",
    "zai",
]
"""Vendors with additional request fields, by the names of their models in the wire package."""
ReasoningReplay: TypeAlias = Literal["none", "reasoning_content", "reasoning", "reasoning_details"]
"""Field in which reasoning of earlier assistant turns is sent back."""

CacheMarks: TypeAlias = Literal["none", "cache_control", "breakpoint"]
"""How the end of a cacheable prefix is marked: not at all, as by OpenRouter and Qwen, or as by OpenAI."""

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""All efforts, in ascending order."""

DialectCodes: TypeAlias = Mapping[str, type[Fault]]


class ModelPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Deviations of the models that match a glob pattern; the first match applies. None means as in the dialect."""

    pattern: str
    tokens_field: TokensField | None = None
    refuses: frozenset[str] = frozenset()
    """Further rejected options, named as in `ChatDialect.refuses`."""
    unless_effort: frozenset[str] = frozenset()
    """Reasoning efforts at which `refuses` does not apply."""
    efforts: tuple[str, ...] | None = None
    effort_values: Mapping[str, str | None] = {}
    """The vendor's values for efforts, in addition to those of the dialect; None is sent as null."""
    reasons: bool | None = None
    """Whether these models reason; by default, those with efforts do."""
    effort_form: EffortForm | None = None
    reasoning_replay: ReasoningReplay | None = None
    cache_marks: CacheMarks | None = None

    def can_reason(self) -> bool | None:
        """Return whether these models reason; None if unknown."""
        return self.reasons if self.reasons is not None or not self.efforts else True


def find_policy(policies: Iterable[ModelPolicy], model: str) -> ModelPolicy | None:
    """Return the first policy whose pattern matches the model's name, in lower case."""
    return next((policy for policy in policies if is_model_match(model.lower(), policy.pattern)), None)


def find_nearest_effort(effort: str, known: tuple[str, ...]) -> str:
    """Return the nearest accepted effort, of two the lower. An effort other than "none" is never mapped to "none".

    >>> find_nearest_effort("minimal", ("none", "low", "high"))
    'low'
    """
    rank = EFFORTS.index(effort)
    levels = tuple(level for level in known if level != "none") if effort != "none" else ()
    return min(levels or known, key=lambda level: (abs(EFFORTS.index(level) - rank), EFFORTS.index(level)))


class ChatDialect(msgspec.Struct, frozen=True, kw_only=True):
    """A dialect of OpenAI Chat Completions."""

    protocol: ClassVar[str] = "openai-chat"
    keeps_opaque: ClassVar[bool] = False
    routes: ClassVar[tuple[str, ...]] = (
        r"/deployments/[^/]+/chat/completions",
        r"/chat/completions",
    )
    """Patterns of path suffixes that are stripped from a custom base URL."""

    think_tags: bool = False
    """Whether models may put reasoning in `<think>...</think>` at the start of the content."""

    # Options
    request_model: RequestModel = "openai"
    """Generated model of the request body: OpenAI's, or that of a vendor with additional fields."""
    refuses: frozenset[str] = frozenset({"top_k", "reasoning_budget"})
    """What is not accepted: names of options; `name` (of a participant), `image`, `image_url` (by URL), `audio`, `file`,
    `file_url`; `tools`; `tool_choice:required|named|none`; `response_format:json|schema`."""
    models: tuple[ModelPolicy, ...] = ()
    user_field: Literal["user", "safety_identifier", "user_id"] = "user"
    """Field for the end user."""
    tokens_field: TokensField = "max_tokens"
    max_temperature: float | None = None
    """Maximum temperature, if lower than 2."""
    stop_limit: int | None = 4
    """Maximum number of stop sequences."""
    service_tiers: tuple[str, ...] | None = None
    """The accepted service tiers; None if all are sent."""
    logprobs_as: Literal["switch", "count"] = "switch"
    """A boolean alongside `top_logprobs`, or only the number."""
    stream_usage: bool = True
    """Whether `stream_options.include_usage` is accepted."""
    tool_stream: bool = False
    """Whether `tool_stream` must be set for incremental call arguments."""
    effort_form: EffortForm = "reasoning_effort"
    efforts: tuple[str, ...] = EFFORTS
    effort_values: Mapping[str, str | None] = {}
    """The vendor's values for efforts; None is sent as null."""
    template_switch: str = "enable_thinking"
    """The argument of the chat template that enables reasoning."""
    budget_form: BudgetForm = "reasoning"
    schemas: SchemaSupport = OPENAI_SCHEMAS
    tool_names: ToolNameRules = OPENAI_NAMES

    # Messages
    developer_role: Literal["developer", "system"] = "developer"
    text_lists: bool = True
    """Whether several text parts are accepted; otherwise they are joined."""
    reasoning_replay: ReasoningReplay = "none"
    reasoning_filler: str | None = None
    """Placeholder for missing reasoning of assistant turns in conversations with tools, for vendors that reject such turns."""
    reasoning_replay_on: Literal["all", "calls"] = "all"
    """Whether reasoning is sent back on all assistant turns, or only on those with tool calls."""
    refusals: bool = True
    """Whether refusals of earlier turns are sent in a separate field."""
    empty_content: Literal["absent", "empty"] = "absent"
    """Content of an assistant turn with calls and without text."""
    omits_empty_turns: bool = False
    """Whether assistant turns with neither text nor calls are left out, since the vendor rejects the whole request."""
    result_parts: frozenset[str] = frozenset()
    """Types of parts besides text that tool results accept: `image`, `audio`, `file`."""
    empty_result: str = ""
    """Placeholder for a tool result without text."""
    call_id_limit: int | None = 40
    """Maximum length of a tool call id."""
    cache_marks: CacheMarks = "none"
    audio_form: Literal["object", "data_url"] = "object"

    # URLs
    deployment_urls: bool = False
    """The URL is built from the settings `endpoint`, `deployment` and `api_version`."""
    models_list: Literal["openai", "lmstudio", "none"] = "openai"
    """The operation that lists models: `listModels`, LM Studio's `listLocalModels`, or none."""
    has_server_props: bool = False
    """Whether the server has llama.cpp's operation `getServerProps`."""

    # Responses
    done_is_stop: bool = False
    """Whether `[DONE]` without a finish reason is a normal end; otherwise such a stream is truncated."""
    stop_reasons: Mapping[str, str] = {}
    """Additional finish reasons, and the standard ones they correspond to."""
    codes: DialectCodes = {}
    """Additional error codes, lower case."""

    def can_send_reasoning(self, reasoning: EarlierReasoning) -> bool:
        """Return whether the model accepts its own reasoning back in the same situation."""
        policy = find_policy(self.models, reasoning.model)
        back = (policy.reasoning_replay if policy is not None else None) or self.reasoning_replay
        if back == "none" or self.reasoning_replay_on == "all":
            return back != "none"
        return reasoning.has_calls or (reasoning.has_tools and self.reasoning_filler is not None)

    def can_reason(self, model: str) -> bool | None:
        """Return whether the model reasons, by its policy; None if unknown."""
        policy = find_policy(self.models, model)
        return None if policy is None else policy.can_reason()

    def find_schema_support(self, model: str) -> SchemaSupport:  # noqa: ARG002  the signature of all dialects
        """Return the schemas that the vendor accepts."""
        return self.schemas
