"""How one vendor differs from the first speaker of OpenAI Chat Completions; every default is that first speaker's behaviour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import ClassVar, Literal, TypeAlias

import msgspec

from victor_fp.core.dialects.earlier_reasoning import EarlierReasoning
from victor_fp.core.dialects.schemas import OPENAI_SCHEMAS, SchemaSupport
from victor_fp.core.dialects.tool_names import OPENAI_NAMES, ToolNameRules
from victor_fp.core.faults import Fault

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
"""Where the reasoning effort goes: a word; OpenRouter's object; a switch; a switch and a word; a boolean; a boolean among the
arguments of the chat template, which two names are used for; the boolean `thinking` and a word."""
BudgetForm: TypeAlias = Literal["reasoning", "thinking", "thinking_budget"]
"""Where a budget of thinking tokens goes: `reasoning.max_tokens`, `thinking.budget_tokens`, a field of its own."""
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
"""Vendors, by the names of their models in the wire package, that add fields to OpenAI's request."""
ReasoningReplay: TypeAlias = Literal["none", "reasoning_content", "reasoning", "reasoning_details"]
"""Where an assistant's earlier thinking goes back."""

CacheMarks: TypeAlias = Literal["none", "cache_control", "breakpoint"]
"""How the end of a prefix worth caching is marked: not at all, in OpenRouter's and Qwen's way, or in OpenAI's."""

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""All efforts, from least to most."""

DialectCodes: TypeAlias = Mapping[str, type[Fault]]


class ModelPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What the models that a glob pattern names take; the first policy that matches counts. None asks the dialect."""

    pattern: str
    tokens_field: TokensField | None = None
    refuses: frozenset[str] = frozenset()
    """Beside what the dialect refuses, under the names of `ChatDialect.refuses`."""
    unless_effort: frozenset[str] = frozenset()
    """Reasoning efforts at which `refuses` does not hold."""
    efforts: tuple[str, ...] | None = None
    effort_values: Mapping[str, str | None] = {}
    """The vendor's own words for some of them, beside those of the dialect; None is null."""
    reasons: bool | None = None
    """Whether these models think; where it is not said, those with efforts do."""
    effort_form: EffortForm | None = None
    reasoning_replay: ReasoningReplay | None = None
    cache_marks: CacheMarks | None = None

    def can_reason(self) -> bool | None:
        """Whether these models think; None where it is not known."""
        return self.reasons if self.reasons is not None or not self.efforts else True


def find_policy(policies: Iterable[ModelPolicy], model: str) -> ModelPolicy | None:
    """Return the first policy whose pattern matches the model's name, in lower case."""
    return next((policy for policy in policies if fnmatchcase(model.lower(), policy.pattern)), None)


class ChatDialect(msgspec.Struct, frozen=True, kw_only=True):
    """A dialect of OpenAI Chat Completions."""

    protocol: ClassVar[str] = "openai-chat"
    keeps_opaque: ClassVar[bool] = False
    routes: ClassVar[tuple[str, ...]] = (
        r"/deployments/[^/]+/chat/completions",
        r"/chat/completions",
    )
    """Endings of a path, as patterns, that an address may have although it should end before them."""

    think_tags: bool = False
    """Models behind it may put thinking in `<think>...</think>` at the head of the content."""

    # Options
    request_model: RequestModel = "openai"
    """The generated model of its request body: OpenAI's own, or the one that adds the named vendor's fields to it."""
    refuses: frozenset[str] = frozenset({"top_k", "reasoning_budget"})
    """What it does not accept: an option's name; `name` (of a participant), `image`, `image_url` (by URL), `audio`,
    `file`, `file_url`; `tools`; `tool_choice:required|named|none`; `response_format:json|schema`."""
    models: tuple[ModelPolicy, ...] = ()
    user_field: Literal["user", "safety_identifier", "user_id"] = "user"
    """Where the end user is named."""
    tokens_field: TokensField = "max_tokens"
    max_temperature: float | None = None
    """Where it is less than others take."""
    stop_limit: int | None = 4
    """How many stop sequences it takes at most."""
    logprobs_as: Literal["switch", "count"] = "switch"
    """A switch with `top_logprobs` beside it, or the count alone."""
    stream_usage: bool = True
    """Takes `stream_options.include_usage`."""
    tool_stream: bool = False
    """Streams the arguments of calls in pieces only where `tool_stream` asks for it."""
    effort_form: EffortForm = "reasoning_effort"
    efforts: tuple[str, ...] = EFFORTS
    effort_values: Mapping[str, str | None] = {}
    """The vendor's own words for some of them; None is null."""
    template_switch: str = "enable_thinking"
    """The argument of the chat template that switches thinking."""
    budget_form: BudgetForm = "reasoning"
    schemas: SchemaSupport = OPENAI_SCHEMAS
    tool_names: ToolNameRules = OPENAI_NAMES

    # Messages
    developer_role: Literal["developer", "system"] = "developer"
    text_lists: bool = True
    """Takes text in several parts; else the parts are joined."""
    reasoning_replay: ReasoningReplay = "none"
    reasoning_filler: str | None = None
    """Stands for the reasoning of an assistant turn that has none, in a conversation with tools, where the vendor
    refuses such a turn otherwise."""
    reasoning_replay_on: Literal["all", "calls"] = "all"
    """On every assistant turn, or on those with tool calls only."""
    refusals: bool = True
    """Takes an assistant's refusal back in a field of its own."""
    empty_content: Literal["absent", "empty"] = "absent"
    """The content of an assistant's turn that has calls and no text."""
    result_parts: frozenset[str] = frozenset()
    """What a tool's result may have besides text: `image`, `audio`, `file`."""
    empty_result: str = ""
    """What stands for a tool result without text."""
    call_id_limit: int | None = 40
    """Characters a tool call's id may have."""
    cache_marks: CacheMarks = "none"
    audio_form: Literal["object", "data_url"] = "object"

    # Places
    deployment_urls: bool = False
    """The URL is built from the settings `endpoint`, `deployment` and `api_version`."""
    models_list: Literal["openai", "lmstudio", "none"] = "openai"
    """The operation that lists the models: `listModels`, LM Studio's `listLocalModels`, or none."""
    has_server_props: bool = False
    """Whether the server has llama.cpp's operation `getServerProps`."""

    # Answers
    done_is_stop: bool = False
    """Streams may end with `[DONE]` and no finish reason before it; else such a stream is truncated."""
    stop_reasons: Mapping[str, str] = {}
    """Finish reasons beyond the usual ones, and what they mean."""
    codes: DialectCodes = {}
    """Error codes beyond the usual ones, lower case."""

    def can_send_reasoning(self, reasoning: EarlierReasoning) -> bool:
        """As the model takes back its own."""
        policy = find_policy(self.models, reasoning.model)
        back = (policy.reasoning_replay if policy is not None else None) or self.reasoning_replay
        if back == "none" or self.reasoning_replay_on == "all":
            return back != "none"
        return reasoning.has_calls or (reasoning.has_tools and self.reasoning_filler is not None)

    def can_reason(self, model: str) -> bool | None:
        """Whether the model thinks, as its policy says."""
        policy = find_policy(self.models, model)
        return None if policy is None else policy.can_reason()

    def find_schema_support(self, model: str) -> SchemaSupport:  # noqa: ARG002  every dialect is asked for a model
        """Which schemas the vendor accepts."""
        return self.schemas
