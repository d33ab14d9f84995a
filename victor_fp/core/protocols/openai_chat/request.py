"""Requests of Chat Completions, for chats and streams: body, messages and tools in the vendor's form.

Unsupported options are never dropped silently. Reasoning and opaque state are sent back where the vendor requires them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import assert_never

from msgspec import UNSET, UnsetType
from returns.result import Failure, Result, Success
from victor_fp_wire.openai_chat import request as wire

from victor_fp.core.conversation import Block, read_turn_state, split_assistant_turn
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.json import Json, encode_json
from victor_fp.core.options import NO_OPTIONS
from victor_fp.core.protocols.openai_chat.parts import MARKS, NO_MARK, build_part, build_text
from victor_fp.core.protocols.openai_chat.routes import ChatRoute, choose_route
from victor_fp.core.protocols.openai_chat.rules import ChatRules, apply_policy
from victor_fp.core.protocols.openai_chat.vendor_fields import (
    NO_FIELDS,
    NO_REASONING,
    ChatVendorFields,
    ReasoningFields,
    extend_body,
    place_thinking,
)
from victor_fp.core.protocols.openai_family.formats import AnswerFormat, accept_format
from victor_fp.core.protocols.openai_family.rules import (
    NO_THINKING,
    AcceptedOptions,
    Rules,
    Thinking,
    accept_messages,
    accept_options,
    accept_thinking,
    join_texts,
    read_result,
    resolve_policy,
)
from victor_fp.core.protocols.openai_family.tools import NO_TOOLS, accept_tools, shorten_call_id
from victor_fp.core.requests import Adjustment, ChatRequest, Endpoint, HttpRequest, fill_request, resolve_unsupported
from victor_fp.core.types import Message, TextPart, ToolDefinition

TOKENS_FIELDS = ("max_tokens", "max_completion_tokens")
JSON_OBJECT = wire.ResponseFormat(type="json_object")
EPHEMERAL = wire.CacheControl(type="ephemeral")
WITH_USAGE = wire.StreamOptions(include_usage=True)


def write(
    endpoint: Endpoint, rules: ChatRules, route: ChatRoute | None, request: ChatRequest
) -> Result[HttpRequest, Fault]:
    """Build POST /chat/completions. What the vendor does not accept is a Failure, or an adjustment where allowed.

    `route` is None if it depends on the model.
    """
    found = route or choose_route(endpoint, rules.dialect, request.model)
    if found is None:
        message = f"{endpoint.spec.title} requires endpoint="
        return Failure(
            InvalidRequest(provider=endpoint.spec.name, model=request.model, code="setting_missing", message=message)
        )
    policy = resolve_policy(rules.dialect.models, request)
    if policy is not None:
        rules = apply_policy(rules, policy, request.model)
    body, unsupported = _build_body(rules, request, names_model=found.names_model)
    if not unsupported:
        return Success(fill_request(found.request, body, request.options))
    build = partial(fill_request, found.request, body, request.options)
    return resolve_unsupported(endpoint, request, unsupported).map(build)


def _build_body(
    rules: ChatRules, request: ChatRequest, *, names_model: bool
) -> tuple[wire.ChatCompletionRequest, tuple[Adjustment, ...]]:
    """Build the body and list the unsupported options."""
    dialect, store = rules.dialect, request.options.store
    accepted, in_messages = accept_messages(rules, request.messages)
    with_tools = bool(request.tools) or any(message.tool_calls for message in accepted)
    options = accept_options(rules, request, TOKENS_FIELDS)
    thinking, answer_format = NO_THINKING, None
    in_format: tuple[Adjustment, ...] = ()
    if request.options is not NO_OPTIONS:
        thinking = accept_thinking(rules, request)
        answer_format, in_format = accept_format(rules, request)
    reasoning = NO_REASONING if thinking is NO_THINKING else place_thinking(rules, thinking)
    tool_use = accept_tools(rules, request) if request.tools or request.options is not NO_OPTIONS else NO_TOOLS
    counts = dialect.logprobs_as == "count"
    messages = [_build_message(rules, message, with_tools=with_tools) for message in accepted]
    if dialect.omits_empty_turns:
        messages = [message for message in messages if not _is_empty_turn(message)]
    body = wire.ChatCompletionRequest(
        messages=messages,
        model=request.model if names_model else UNSET,
        max_tokens=options.max_tokens if rules.tokens_field == "max_tokens" else UNSET,
        max_completion_tokens=options.max_tokens if rules.tokens_field == "max_completion_tokens" else UNSET,
        temperature=options.temperature,
        top_p=options.top_p,
        presence_penalty=options.presence_penalty,
        frequency_penalty=options.frequency_penalty,
        seed=options.seed,
        stop=options.stop,
        logprobs=UNSET if options.logprobs is UNSET else (options.logprobs or 1) if counts else True,
        top_logprobs=UNSET if counts else options.logprobs or UNSET,
        service_tier=options.service_tier,
        user=options.user if dialect.user_field == "user" else UNSET,
        safety_identifier=options.user if dialect.user_field == "safety_identifier" else UNSET,
        reasoning_effort=reasoning.reasoning_effort,
        tools=[_build_tool(rules, tool) for tool in tool_use.tools] or UNSET,
        tool_choice=tool_use.choice if tool_use.named is UNSET else _build_named_choice(tool_use.named),
        parallel_tool_calls=tool_use.parallel,
        response_format=UNSET if answer_format is None else _build_format(answer_format),
        store=UNSET if store is None or rules.is_refused("store") else store,
        stream=True if request.stream else UNSET,
        stream_options=WITH_USAGE if request.stream and dialect.stream_usage else UNSET,
    )
    if request.options is NO_OPTIONS and not tool_use.tools:
        return body, (*in_messages, *options.adjustments, *tool_use.adjustments)
    body, in_fields = _add_vendor_fields(rules, request, body, options, reasoning, thinking)
    unsupported = (
        *in_messages,
        *options.adjustments,
        *thinking.adjustments,
        *tool_use.adjustments,
        *in_format,
        *in_fields,
        *([rules.build_refusal("store")] if store and rules.is_refused("store") else []),
    )
    return body, unsupported


def _add_vendor_fields(
    rules: ChatRules,
    request: ChatRequest,
    body: wire.ChatCompletionRequest,
    options: AcceptedOptions,
    reasoning: ReasoningFields,
    thinking: Thinking,
) -> tuple[wire.ChatCompletionRequest, tuple[Adjustment, ...]]:
    """Add the fields that only some vendors have, and list the options that the vendor has no field for."""
    dialect = rules.dialect
    vendor_fields = ChatVendorFields(
        top_k=options.top_k,
        user_id=options.user if dialect.user_field == "user_id" else UNSET,
        reasoning=reasoning.reasoning,
        thinking=reasoning.thinking,
        enable_thinking=reasoning.enable_thinking,
        thinking_budget=reasoning.thinking_budget,
        chat_template_kwargs=reasoning.chat_template_kwargs,
        chat_template_args=reasoning.chat_template_args,
        tool_stream=True if dialect.tool_stream and request.stream and body.tools is not UNSET else UNSET,
    )
    return (body, ()) if vendor_fields == NO_FIELDS else extend_body(rules, body, vendor_fields, thinking)


def _build_format(answer_format: AnswerFormat) -> wire.ResponseFormat:
    if answer_format.schema is None:
        return JSON_OBJECT
    schema = wire.JsonSchemaFormat(name=answer_format.name, schema=answer_format.schema, strict=answer_format.strict)
    return wire.ResponseFormat(type="json_schema", json_schema=schema)


def _build_tool(rules: Rules, tool: ToolDefinition) -> wire.Tool:
    return wire.Tool(
        type="function",
        function=wire.FunctionDefinition(
            name=tool.name,
            description=tool.description or UNSET,
            parameters=tool.parameters,
            strict=UNSET if tool.strict is None else tool.strict,
        ),
        cache_control=EPHEMERAL if tool.cache and rules.cache_marks == "cache_control" else UNSET,
    )


def _build_named_choice(name: str) -> wire.NamedToolChoice:
    return wire.NamedToolChoice(type="function", function=wire.FunctionName(name=name))


def _is_empty_turn(message: wire.RequestMessage) -> bool:
    return (
        isinstance(message, wire.AssistantMessage)
        and not message.content
        and not message.refusal
        and not message.tool_calls
        and not message.reasoning_details
    )


def _build_message(rules: ChatRules, message: Message, *, with_tools: bool) -> wire.RequestMessage:
    if message.role == "tool":
        return _build_result(rules, message)
    name = UNSET if message.name is None else message.name
    given = message.content
    is_plain = isinstance(given, str) and not (with_tools or message.tool_calls or message.metadata)
    if message.role == "assistant" and not is_plain:
        return _build_assistant(rules, message, name, with_tools=with_tools)
    content = given if isinstance(given, str) and not message.cache else _build_content(rules, message)
    match message.role:
        case "developer" if rules.dialect.developer_role == "developer":
            return wire.DeveloperMessage(content=content, name=name)
        case "system" | "developer":
            return wire.SystemMessage(content=content, name=name)
        case "user":
            return wire.UserMessage(content=content, name=name)
        case "assistant":
            return wire.AssistantMessage(content=content, name=name)
        case _:
            assert_never(message.role)


def _build_content(rules: ChatRules, message: Message) -> wire.RequestContent:
    """Build content: a string for plain text, else parts."""
    mark = MARKS[rules.cache_marks] if message.cache else NO_MARK
    given = message.content
    if isinstance(given, str):
        return [build_text(given, mark)] if given and mark is not NO_MARK else given
    only_text = all(isinstance(part, TextPart) for part in given)
    if only_text and mark is NO_MARK and (len(given) == 1 or not rules.dialect.text_lists):
        return message.text
    if not given:
        return ""
    return [*(build_part(rules, part) for part in given[:-1]), build_part(rules, given[-1], mark)]


def _build_assistant(
    rules: ChatRules, message: Message, name: str | UnsetType, *, with_tools: bool
) -> wire.AssistantMessage:
    dialect = rules.dialect
    blocks = split_assistant_turn(message, ChatDialect.protocol, foreign_reasoning=rules.reasoning_replay != "none")
    calls = [_build_call(rules, block) for block in blocks if block.kind == "tool_call"]
    text = "".join(block.text for block in blocks if block.kind == "text")
    refusal = "".join(block.text for block in blocks if block.kind == "refusal")
    if refusal and not dialect.refusals:
        text, refusal = text + refusal, ""
    replays_reasoning = rules.reasoning_replay != "none" and (
        calls or dialect.reasoning_replay_on == "all" or (with_tools and dialect.reasoning_filler is not None)
    )
    thinking = (
        "\n\n".join(block.text for block in blocks if block.kind == "reasoning" and block.text)
        if replays_reasoning
        else ""
    )
    if with_tools and not thinking and dialect.reasoning_filler is not None:
        filler: str | UnsetType = dialect.reasoning_filler
    else:
        filler = UNSET
    state = read_turn_state(message)
    is_own = state is not None and state.provider == rules.provider
    details = _list_details(blocks) if is_own and rules.reasoning_replay == "reasoning_details" else []
    omit_content = not text and dialect.empty_content == "absent" and (calls or refusal)
    mark = MARKS[rules.cache_marks] if message.cache and text else NO_MARK
    plain = rules.reasoning_replay == "reasoning" or (rules.reasoning_replay == "reasoning_details" and not details)
    return wire.AssistantMessage(
        content=UNSET if omit_content else text if mark is NO_MARK else [build_text(text, mark)],
        name=name,
        refusal=refusal or UNSET,
        tool_calls=calls or UNSET,
        reasoning_content=thinking if thinking and rules.reasoning_replay == "reasoning_content" else filler,
        reasoning=thinking if thinking and plain else UNSET,
        reasoning_details=details or UNSET,
    )


def _list_details(blocks: Sequence[Block]) -> list[dict[str, Json]]:
    """Return OpenRouter's reasoning details, unmodified and in order."""
    states = [block.state.get("reasoning_details") for block in blocks if block.state is not None]
    return [detail for details in states if isinstance(details, list) for detail in details if isinstance(detail, dict)]


def _build_call(rules: ChatRules, block: Block) -> wire.RequestToolCall:
    arguments = block.arguments if isinstance(block.arguments, str) else encode_json(block.arguments).decode()
    extra = block.state.get("extra_content") if block.state is not None else None
    return wire.RequestToolCall(
        id=shorten_call_id(rules, block.id),
        type="function",
        function=wire.RequestFunctionCall(name=block.name, arguments=arguments),
        extra_content=extra if isinstance(extra, dict) else UNSET,
    )


def _build_result(rules: ChatRules, message: Message) -> wire.ToolMessage:
    return wire.ToolMessage(
        content=_build_result_content(rules, message), tool_call_id=shorten_call_id(rules, message.tool_call_id or "")
    )


def _build_result_content(rules: ChatRules, message: Message) -> wire.RequestContent:
    """Build a tool result's content: a string for plain text, else parts."""
    result = read_result(message)
    mark = MARKS[rules.cache_marks] if message.cache else NO_MARK
    if isinstance(result, str):
        return [build_text(result, mark)] if result and mark is not NO_MARK else result or rules.dialect.empty_result
    if mark is NO_MARK and not rules.dialect.text_lists and (text := join_texts(result)) is not None:
        return text
    return [*(build_part(rules, part) for part in result[:-1]), build_part(rules, result[-1], mark)]
