"""Fields of a request that single vendors add to OpenAI's, written into the generated model of each vendor."""

from __future__ import annotations

from typing import assert_never

import msgspec
from msgspec import UNSET, UnsetType
from victor_fp_wire.openai_chat import request as wire

from victor_fp.core.dialects.chat import RequestModel
from victor_fp.core.protocols.openai_chat.rules import ChatRules
from victor_fp.core.protocols.openai_family.options import Thinking
from victor_fp.core.requests import Adjustment


class ChatVendorFields(msgspec.Struct, frozen=True, kw_only=True):
    """Values for which OpenAI's own request has no field; each vendor's model has fields for some of them."""

    top_k: int | UnsetType = UNSET
    user_id: str | UnsetType = UNSET
    reasoning: wire.ReasoningOptions | UnsetType = UNSET
    thinking: wire.ThinkingSwitch | bool | UnsetType = UNSET
    enable_thinking: bool | UnsetType = UNSET
    thinking_budget: int | UnsetType = UNSET
    chat_template_kwargs: dict[str, bool] | UnsetType = UNSET
    chat_template_args: dict[str, bool] | UnsetType = UNSET
    tool_stream: bool | UnsetType = UNSET


NO_FIELDS = ChatVendorFields()
OPTIONS = {
    "top_k": ("top_k",),
    "user_id": ("user",),
    "reasoning": ("reasoning_effort", "reasoning_budget"),
    "thinking": ("reasoning_effort", "reasoning_budget"),
    "enable_thinking": ("reasoning_effort", "reasoning_budget"),
    "thinking_budget": ("reasoning_budget",),
    "chat_template_kwargs": ("reasoning_effort",),
    "chat_template_args": ("reasoning_effort",),
}
"""The options that a field stands for."""


def extend_body(
    rules: ChatRules, body: wire.ChatCompletionRequest, own: ChatVendorFields, thinking: Thinking
) -> tuple[wire.ChatCompletionRequest, tuple[Adjustment, ...]]:
    """The body as the dialect's own model, with the vendor's fields; what that model has no field for is refused."""
    extended = _extend(rules.dialect.request_model, body, own)
    asked = {"reasoning_effort": thinking.effort, "reasoning_budget": thinking.budget}
    lost = {
        option
        for field, options in OPTIONS.items()
        if getattr(own, field) is not UNSET and field not in extended.__struct_fields__
        for option in options
        if asked.get(option, option) is not None
    }
    return extended, tuple(rules.build_refusal(option) for option in sorted(lost))


def _extend(model: RequestModel, body: wire.ChatCompletionRequest, own: ChatVendorFields) -> wire.ChatCompletionRequest:
    if model == "openai":
        return body
    common = msgspec.structs.asdict(body)
    match model:
        case "baseten":
            return wire.BasetenChatCompletionRequest(**common, chat_template_args=own.chat_template_args)
        case "deepseek":
            return wire.DeepseekChatCompletionRequest(**common, thinking=own.thinking)
        case "fireworks":
            return wire.FireworksChatCompletionRequest(**common, top_k=own.top_k, thinking=own.thinking)
        case "llamacpp":
            return wire.LlamacppChatCompletionRequest(
                **common, top_k=own.top_k, chat_template_kwargs=own.chat_template_kwargs
            )
        case "lmstudio":
            return wire.LmstudioChatCompletionRequest(**common, top_k=own.top_k)
        case "mlx":
            return wire.MlxChatCompletionRequest(
                **common, top_k=own.top_k, chat_template_kwargs=own.chat_template_kwargs
            )
        case "moonshot":
            return wire.MoonshotChatCompletionRequest(**common, thinking=own.thinking)
        case "openrouter":
            return wire.OpenrouterChatCompletionRequest(**common, top_k=own.top_k, reasoning=own.reasoning)
        case "qwen":
            return wire.QwenChatCompletionRequest(
                **common,
                top_k=own.top_k,
                enable_thinking=own.enable_thinking,
                thinking_budget=own.thinking_budget,
            )
        case "regolo":
            return wire.RegoloChatCompletionRequest(**common, thinking=own.thinking)
        case "together":
            return wire.TogetherChatCompletionRequest(
                **common,
                top_k=own.top_k,
                reasoning=own.reasoning,
                chat_template_kwargs=own.chat_template_kwargs,
            )
        case "vllm":
            return wire.VllmChatCompletionRequest(
                **common, top_k=own.top_k, chat_template_kwargs=own.chat_template_kwargs
            )
        case "zai":
            return wire.ZaiChatCompletionRequest(
                **common, thinking=own.thinking, tool_stream=own.tool_stream, user_id=own.user_id
            )
        case _:
            assert_never(model)
