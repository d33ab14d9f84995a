"""Correct differences between a request and an SDK's type or a vendor's document, each with its reason."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Literal

import msgspec

from tests.conformance.schema_checking import Mismatch
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.dialects.chat import ChatDialect


class AcceptedDifference(msgspec.Struct, frozen=True, kw_only=True):
    """Differences of one kind."""

    of: Literal["type", "document"]
    providers: tuple[str, ...]
    """Patterns of names."""
    path: str
    """A pattern; list indexes are `[]`."""
    said: str
    """A pattern of the reported reason."""
    why: str

    def can_explain(self, of: str, provider: str, mismatch: Mismatch) -> bool:
        """Whether a difference is of this kind."""
        path = re.sub(r"\[\d+\]", "[]", mismatch.path)
        return (
            self.of == of
            and any(fnmatchcase(provider, name) for name in self.providers)
            and re.fullmatch(self.path, path) is not None
            and re.fullmatch(self.said, mismatch.reason) is not None
        )


def _format_unknown(*names: str) -> str:
    return f"'({'|'.join(names)})' is not known"


def _accept_type(providers: str, path: str, said: str, why: str) -> AcceptedDifference:
    return AcceptedDifference(of="type", providers=tuple(providers.split()), path=path, said=said, why=why)


def _accept_document(providers: str, path: str, said: str, why: str) -> AcceptedDifference:
    return AcceptedDifference(of="document", providers=tuple(providers.split()), path=path, said=said, why=why)


def _with_field(field: str, *forms: str) -> AcceptedDifference:
    """A field that a dialect has for the reasoning effort or a budget of thinking tokens."""
    names = [
        entry.name
        for entry in CATALOGUE
        if isinstance(dialect := entry.dialect, ChatDialect)
        and ({dialect.effort_form, "reasoning_budget" not in dialect.refuses and dialect.budget_form} & {*forms})
    ]
    return _accept_type(" ".join(names), TOP, _format_unknown(field), "the field that the dialect has for it")


TOP = r"\$"
MESSAGE = r"\$\.messages\[\]"
ITEM = r"\$\.input\[\]"

EXPLAINED: tuple[AcceptedDifference, ...] = (
    # Vendors without an SDK here, held against OpenAI's types: fields of their own.
    _accept_type(
        "deepseek zai* moonshot* kimi-coding fireworks llamacpp llamafile local",
        MESSAGE,
        _format_unknown("reasoning_content"),
        "an assistant's thinking goes back in the vendor's own field",
    ),
    _accept_type(
        "vllm", MESSAGE, _format_unknown("reasoning"), "an assistant's thinking goes back in the server's own field"
    ),
    _accept_type(
        "fireworks",
        rf"{MESSAGE}\.content\[\](\.type)?",
        _format_unknown("image_url") + "|'text' is missing|'image_url' is none of 'text'",
        "its document has one message for all roles, so that results of tools have images",
    ),
    _with_field("thinking", "thinking", "thinking_and_effort", "thinking_flag"),
    _with_field("reasoning", "reasoning"),
    _with_field("enable_thinking", "enable_thinking", "thinking_budget"),
    _with_field("thinking_budget", "thinking_budget"),
    _with_field("chat_template_kwargs", "chat_template_kwargs"),
    _with_field("chat_template_args", "chat_template_args"),
    _accept_type("inception", r"\$\.reasoning_effort", "'instant' is none of .*", "a word of the vendor's own"),
    _accept_type("qwen*", r".*\[\]", _format_unknown("cache_control"), "the vendor's own cache marks"),
    _accept_type("zai*", TOP, _format_unknown("tool_stream", "user_id"), "the vendor's own fields"),
    _accept_type(
        "qwen* together fireworks vllm llamacpp llamafile lmstudio mlx local lemonade docker-model-runner siliconflow*",
        TOP,
        _format_unknown("top_k"),
        "OpenAI has no top_k, these have",
    ),
    _accept_type("together", r"\$\.logprobs", r"\d is no bool", "a count, by the vendor's document"),
    _accept_type("xai-responses", TOP, _format_unknown("logprobs"), "a switch of its own, by the vendor's document"),
    _accept_type(
        "llamacpp-responses",
        TOP,
        _format_unknown("response_format", "top_k", "seed", "presence_penalty", "frequency_penalty", "stop"),
        "the server makes a chat of the request, whose options pass through",
    ),
    _accept_type(
        "llamacpp-responses",
        rf"{ITEM}\.content\[\]\.type",
        "'output_text' is none of .*",
        "the server takes an assistant's text in parts; the SDK's type has them with ids only, which a message from elsewhere lacks",
    ),
    # SDKs that are older, newer or narrower than the wire.
    _accept_type(
        "*anthropic",
        TOP,
        _format_unknown("temperature", "top_p", "top_k"),
        "the SDK dropped what the newest models refuse; the vendor's document has it, and older models take it",
    ),
    _accept_type("vertex-anthropic", TOP, "'model' is missing", "the model stands in the address"),
    _accept_type("vertex-anthropic", TOP, _format_unknown("anthropic_version"), "the version stands in the body"),
    _accept_type(
        "groq",
        TOP,
        _format_unknown("stream_options"),
        "older than the wire: the server takes it, and answers with a usage chunk",
    ),
    _accept_type(
        "openrouter",
        r"\$\.reasoning",
        _format_unknown("max_tokens"),
        "the vendor's guide has it, and recorded requests were served",
    ),
    # Documents that are older or narrower than the wire.
    _accept_document(
        "azure azure-responses",
        r"\$\.reasoning_effort|\$\.reasoning\.effort",
        "'none' is none of .*",
        "older than the models that have it",
    ),
    _accept_document("azure", TOP, _format_unknown("service_tier"), "older than the vendor's tiers"),
    _accept_document(
        "azure-responses",
        rf"{ITEM}\.content",
        ".* is no array",
        "without the short form of a message, which the vendor's own examples use",
    ),
    _accept_document(
        "azure-responses",
        rf"{ITEM}|{ITEM}\.content\[\]",
        _format_unknown("id", "status", "file_url"),
        "behind OpenAI's document, which has them",
    ),
    _accept_document(
        "azure-responses", rf"{ITEM}\.output", r".* is no string", "behind OpenAI's document, where results have parts"
    ),
    _accept_document(
        "openai-responses",
        rf"{ITEM}\.content\[\]",
        "'logprobs' is missing",
        "the document has one form for what is said and what goes back; the SDK has it optional",
    ),
    _accept_document("groq", TOP, _format_unknown("stream_options"), "recorded requests with it were served"),
    _accept_document(
        "openrouter",
        r"\$\.reasoning",
        _format_unknown("max_tokens"),
        "the vendor's guide has it, and recorded requests were served",
    ),
    _accept_document(
        "moonshot*",
        MESSAGE,
        _format_unknown("tool_calls", "tool_call_id", "reasoning_content"),
        "the document describes plain turns; the vendor's guides to tools and thinking have the others",
    ),
    _accept_document(
        "moonshot* together huggingface",
        r".*\.image_url",
        _format_unknown("detail"),
        "OpenAI's hint, sent where it was given, and skipped",
    ),
    _accept_document(
        "together huggingface", r"\$\.tools\[\]\.function", _format_unknown("strict"), "sent where it was asked for"
    ),
    _accept_document(
        "together",
        rf"\$\.tool_choice|\$\.tool_choice\.function|{MESSAGE}\.tool_calls\[\]",
        "'(id|index|arguments)' is missing",
        "the document takes one form for calls in streams, calls that go back and choices; recorded requests without were served",
    ),
    _accept_document(
        "huggingface",
        rf"{MESSAGE}|\$\.tool_choice",
        _format_unknown("tool_call_id", "type") + "|'content' is missing",
        "the document of one server behind the router; recorded requests in OpenAI's form were served",
    ),
    _accept_document(
        "ollama",
        rf"{MESSAGE}|{MESSAGE}\.tool_calls\[\]",
        _format_unknown("id", "tool_name", "tool_call_id", "thinking"),
        "behind the vendor's SDK and its server, which have them",
    ),
)


def find_unexplained(of: str, provider: str, mismatches: list[Mismatch]) -> list[str]:
    """What is wrong for no known reason."""
    return [str(one) for one in mismatches if not any(known.can_explain(of, provider, one) for known in EXPLAINED)]
