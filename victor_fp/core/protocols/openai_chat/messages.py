"""Conversations in the vendor's form, with the reasoning and opaque state that it requires back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from msgspec import UNSET, UnsetType
from victor_fp_wire.openai_chat import request as wire

from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.json import Json, encode_json
from victor_fp.core.protocols.openai_chat.parts import MARKS, NO_MARK, build_part, build_text
from victor_fp.core.protocols.openai_chat.rules import ChatRules
from victor_fp.core.protocols.openai_family.messages import accept_messages, join_texts, read_result
from victor_fp.core.protocols.openai_family.tools import fit_call_id
from victor_fp.core.request_building.conversation import Block, read_turn_state, split_assistant_turn
from victor_fp.core.requests import Adjustment, ChatRequest
from victor_fp.core.types import Message, TextPart


def build_messages(rules: ChatRules, request: ChatRequest) -> tuple[list[wire.RequestMessage], tuple[Adjustment, ...]]:
    """Build the messages and list what could not be sent."""
    messages, adjustments = accept_messages(rules, request.messages)
    with_tools = bool(request.tools) or any(message.tool_calls for message in messages)
    return [_build_message(rules, message, with_tools=with_tools) for message in messages], adjustments


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
        id=fit_call_id(rules, block.id),
        type="function",
        function=wire.RequestFunctionCall(name=block.name, arguments=arguments),
        extra_content=extra if isinstance(extra, dict) else UNSET,
    )


def _build_result(rules: ChatRules, message: Message) -> wire.ToolMessage:
    return wire.ToolMessage(
        content=_build_result_content(rules, message), tool_call_id=fit_call_id(rules, message.tool_call_id or "")
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
