"""A conversation in the vendor's form, with the reasoning and opaque state that it wants back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import msgspec
from msgspec import UNSET
from victor_fp_wire.openai_chat import request as wire

from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.json import Json, encode_json
from victor_fp.core.protocols.openai_chat.parts import marked, part_written
from victor_fp.core.protocols.openai_chat.rules import Rules, Written
from victor_fp.core.protocols.openai_chat.tools import call_id
from victor_fp.core.request_building.conversation import Block, read_turn_state, split_assistant_turn
from victor_fp.core.requests import Adjustment, ChatRequest
from victor_fp.core.types import Message, TextPart


def messages_written(rules: Rules, request: ChatRequest) -> Written:
    """`messages`, and what of them could not be sent."""
    messages: list[wire.RequestMessage] = []
    adjustments: list[Adjustment] = []
    with_tools = bool(request.tools) or any(message.tool_calls for message in request.messages)
    for message in request.messages:
        written, unsupported = _message(rules, message, with_tools=with_tools)
        messages.append(written)
        adjustments += unsupported
    return Written(fields={"messages": messages}, adjustments=tuple(adjustments))


def _message(rules: Rules, message: Message, *, with_tools: bool) -> tuple[wire.RequestMessage, list[Adjustment]]:
    match message.role:
        case "system" | "developer":
            content, adjustments = _content(rules, message)
            name = _speaker(rules, message, adjustments)
            if message.role == "developer" and rules.dialect.developer_role == "developer":
                return wire.DeveloperMessage(content=content, name=name), adjustments
            return wire.SystemMessage(content=content, name=name), adjustments
        case "user":
            content, adjustments = _content(rules, message)
            return wire.UserMessage(content=content, name=_speaker(rules, message, adjustments)), adjustments
        case "assistant":
            adjustments = []
            name = _speaker(rules, message, adjustments)
            return _assistant(rules, message, name, with_tools=with_tools), adjustments
        case "tool":
            return _result(rules, message), []
        case _:
            assert_never(message.role)


def _speaker(rules: Rules, message: Message, adjustments: list[Adjustment]) -> str | msgspec.UnsetType:
    if message.name is None:
        return UNSET
    if rules.refused("name"):
        adjustments.append(rules.against("name"))
        return UNSET
    return message.name


def _content(rules: Rules, message: Message) -> tuple[wire.RequestContent, list[Adjustment]]:
    """Text as text where that says everything, else parts."""
    marks = message.cache and rules.cache_marks != "none"
    given = message.content
    if isinstance(given, str):
        return ([marked(rules, wire.TextPart(text=given))] if marks and given else given), []
    only_text = all(isinstance(part, TextPart) for part in given)
    if only_text and not marks and (len(given) == 1 or not rules.dialect.text_lists):
        return message.text, []
    written = [part_written(rules, part) for part in given]
    parts = [part for part in written if not isinstance(part, Adjustment)]
    if marks and parts:
        parts[-1] = marked(rules, parts[-1])
    return parts or "", [part for part in written if isinstance(part, Adjustment)]


def _assistant(
    rules: Rules, message: Message, name: str | msgspec.UnsetType, *, with_tools: bool
) -> wire.AssistantMessage:
    dialect = rules.dialect
    blocks = split_assistant_turn(message, ChatDialect.protocol)
    calls = [_call(rules, block) for block in blocks if block.kind == "tool_call"]
    text = "".join(block.text for block in blocks if block.kind == "text")
    refusal = "".join(block.text for block in blocks if block.kind == "refusal")
    if refusal and not dialect.refusals:
        text, refusal = text + refusal, ""
    wanted = rules.reasoning_back != "none" and (
        calls or dialect.reasoning_back_on == "all" or (with_tools and dialect.reasoning_filler is not None)
    )
    thinking = "\n\n".join(block.text for block in blocks if block.kind == "reasoning" and block.text) if wanted else ""
    if with_tools and not thinking and dialect.reasoning_filler is not None:
        filler: str | msgspec.UnsetType = dialect.reasoning_filler
    else:
        filler = UNSET
    state = read_turn_state(message)
    own = state is not None and state.provider == rules.provider
    details = _details(blocks) if own and rules.reasoning_back == "reasoning_details" else []
    absent = not text and dialect.wordless == "absent" and (calls or refusal)
    content: str | list[wire.RequestPart] | msgspec.UnsetType = UNSET if absent else text
    if message.cache and rules.cache_marks != "none" and text:
        content = [marked(rules, wire.TextPart(text=text))]
    plain = rules.reasoning_back == "reasoning" or (rules.reasoning_back == "reasoning_details" and not details)
    return wire.AssistantMessage(
        content=content,
        name=name,
        refusal=refusal or UNSET,
        tool_calls=calls or UNSET,
        reasoning_content=thinking if thinking and rules.reasoning_back == "reasoning_content" else filler,
        reasoning=thinking if thinking and plain else UNSET,
        reasoning_details=details or UNSET,
    )


def _details(blocks: Sequence[Block]) -> list[dict[str, Json]]:
    """OpenRouter's reasoning details, unmodified and in their order."""
    held = [block.state.get("reasoning_details") for block in blocks if block.state is not None]
    return [detail for details in held if isinstance(details, list) for detail in details if isinstance(detail, dict)]


def _call(rules: Rules, block: Block) -> wire.RequestToolCall:
    arguments = block.arguments if isinstance(block.arguments, str) else encode_json(block.arguments).decode()
    extra = block.state.get("extra_content") if block.state is not None else None
    return wire.RequestToolCall(
        id=call_id(rules, block.id),
        type="function",
        function=wire.RequestFunctionCall(name=block.name, arguments=arguments),
        extra_content=extra if isinstance(extra, dict) else UNSET,
    )


def _result(rules: Rules, message: Message) -> wire.ToolMessage:
    texts = result_texts(message)
    marks = message.cache and rules.cache_marks != "none"
    content: wire.RequestContent
    if "".join(texts) and (marks or (len(texts) > 1 and rules.dialect.text_lists)):
        parts: list[wire.RequestPart] = [wire.TextPart(text=text) for text in texts]
        content = [*parts[:-1], marked(rules, parts[-1]) if marks else parts[-1]]
    else:
        content = "".join(texts) or rules.dialect.empty_result
    return wire.ToolMessage(content=content, tool_call_id=call_id(rules, message.tool_call_id or ""))


def result_texts(message: Message) -> list[str]:
    """A tool's result. The protocol has no mark for failures, so that the text says it where it does not already."""
    if message.is_error and not message.text.lower().startswith("error"):
        return [f"Error: {message.text}" if message.text else "Error"]
    given = message.content
    return [given] if isinstance(given, str) else [part.text for part in given if isinstance(part, TextPart)]
