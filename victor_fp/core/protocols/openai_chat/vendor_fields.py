"""Vendor-specific request fields of Chat Completions, in the generated model of each vendor; reasoning is one of them."""

from __future__ import annotations

from typing import assert_never

import msgspec
from msgspec import UNSET, UnsetType
from victor_fp_wire.openai_chat import request as wire

from victor_fp.core.dialects.chat import RequestModel
from victor_fp.core.protocols.openai_chat.rules import ChatRules
from victor_fp.core.protocols.openai_family.rules import NO_THINKING, Thinking
from victor_fp.core.requests import Adjustment


class ReasoningFields(msgspec.Struct, frozen=True, kw_only=True):
    """Fields for effort and budget; each vendor has some of them."""

    reasoning_effort: str | UnsetType | None = UNSET
    reasoning: wire.ReasoningOptions | UnsetType = UNSET
    thinking: wire.ThinkingSwitch | bool | UnsetType = UNSET
    enable_thinking: bool | UnsetType = UNSET
    thinking_budget: int | UnsetType = UNSET
    chat_template_kwargs: dict[str, bool] | UnsetType = UNSET
    chat_template_args: dict[str, bool] | UnsetType = UNSET


NO_REASONING = ReasoningFields()


def place_thinking(rules: ChatRules, thinking: Thinking) -> ReasoningFields:
    """Build the dialect's fields for an effort or a budget."""
    if thinking is NO_THINKING:
        return NO_REASONING
    if thinking.budget is not None:
        return _place_budget(rules, thinking.budget)
    return NO_REASONING if thinking.effort is None else _place_effort(rules, thinking.effort)


def _place_effort(rules: ChatRules, effort: str) -> ReasoningFields:
    form, value, thinks = rules.effort_form, rules.effort_values.get(effort, effort), effort != "none"
    switch = wire.ThinkingSwitch(type="enabled" if thinks else "disabled")
    match form:
        case "reasoning_effort":
            return ReasoningFields(reasoning_effort=value)
        case "reasoning":
            return ReasoningFields(reasoning=wire.ReasoningOptions(effort=value))
        case "thinking":
            return ReasoningFields(thinking=switch)
        case "thinking_and_effort":
            return ReasoningFields(thinking=switch, reasoning_effort=value if thinks else UNSET)
        case "enable_thinking":
            return ReasoningFields(enable_thinking=thinks)
        case "chat_template_kwargs":
            return ReasoningFields(chat_template_kwargs={rules.dialect.template_switch: thinks})
        case "chat_template_args":
            return ReasoningFields(chat_template_args={rules.dialect.template_switch: thinks})
        case "thinking_flag":
            return ReasoningFields(thinking=thinks, reasoning_effort=value if thinks else UNSET)
        case _:
            assert_never(form)


def _place_budget(rules: ChatRules, tokens: int) -> ReasoningFields:
    form = rules.dialect.budget_form
    match form:
        case "reasoning":
            return ReasoningFields(reasoning=wire.ReasoningOptions(max_tokens=tokens))
        case "thinking":
            return ReasoningFields(thinking=wire.ThinkingSwitch(type="enabled", budget_tokens=tokens))
        case "thinking_budget":
            return ReasoningFields(enable_thinking=True, thinking_budget=tokens)
        case _:
            assert_never(form)


class ChatVendorFields(msgspec.Struct, frozen=True, kw_only=True):
    """Values without a field in OpenAI's request; each vendor's model has fields for some of them."""

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
"""Options represented by each field."""


def extend_body(
    rules: ChatRules, body: wire.ChatCompletionRequest, vendor_fields: ChatVendorFields, thinking: Thinking
) -> tuple[wire.ChatCompletionRequest, tuple[Adjustment, ...]]:
    """Return the body as the dialect's model with the vendor's fields, and refusals for values without a field in it."""
    extended = _extend(rules.dialect.request_model, body, vendor_fields)
    requested = {"reasoning_effort": thinking.effort, "reasoning_budget": thinking.budget}
    missing = {
        option
        for field, options in OPTIONS.items()
        if getattr(vendor_fields, field) is not UNSET and field not in extended.__struct_fields__
        for option in options
        if requested.get(option, option) is not None
    }
    return extended, tuple(rules.build_refusal(option) for option in sorted(missing))


def _extend(
    model: RequestModel, body: wire.ChatCompletionRequest, vendor_fields: ChatVendorFields
) -> wire.ChatCompletionRequest:
    if model == "openai":
        return body
    common = msgspec.structs.asdict(body)
    match model:
        case "baseten":
            return wire.BasetenChatCompletionRequest(**common, chat_template_args=vendor_fields.chat_template_args)
        case "deepseek":
            return wire.DeepseekChatCompletionRequest(**common, thinking=vendor_fields.thinking)
        case "fireworks":
            return wire.FireworksChatCompletionRequest(
                **common, top_k=vendor_fields.top_k, thinking=vendor_fields.thinking
            )
        case "llamacpp":
            return wire.LlamacppChatCompletionRequest(
                **common, top_k=vendor_fields.top_k, chat_template_kwargs=vendor_fields.chat_template_kwargs
            )
        case "lmstudio":
            return wire.LmstudioChatCompletionRequest(**common, top_k=vendor_fields.top_k)
        case "mlx":
            return wire.MlxChatCompletionRequest(
                **common, top_k=vendor_fields.top_k, chat_template_kwargs=vendor_fields.chat_template_kwargs
            )
        case "moonshot":
            return wire.MoonshotChatCompletionRequest(**common, thinking=vendor_fields.thinking)
        case "openrouter":
            return wire.OpenrouterChatCompletionRequest(
                **common, top_k=vendor_fields.top_k, reasoning=vendor_fields.reasoning
            )
        case "qwen":
            return wire.QwenChatCompletionRequest(
                **common,
                top_k=vendor_fields.top_k,
                enable_thinking=vendor_fields.enable_thinking,
                thinking_budget=vendor_fields.thinking_budget,
            )
        case "regolo":
            return wire.RegoloChatCompletionRequest(**common, thinking=vendor_fields.thinking)
        case "together":
            return wire.TogetherChatCompletionRequest(
                **common,
                top_k=vendor_fields.top_k,
                reasoning=vendor_fields.reasoning,
                chat_template_kwargs=vendor_fields.chat_template_kwargs,
            )
        case "vllm":
            return wire.VllmChatCompletionRequest(
                **common, top_k=vendor_fields.top_k, chat_template_kwargs=vendor_fields.chat_template_kwargs
            )
        case "zai":
            return wire.ZaiChatCompletionRequest(
                **common,
                thinking=vendor_fields.thinking,
                tool_stream=vendor_fields.tool_stream,
                user_id=vendor_fields.user_id,
            )
        case _:
            assert_never(model)
