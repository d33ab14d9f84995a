"""Conversations as input items, with the vendor's items of earlier turns as received and in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias, assert_never, cast

import msgspec
from msgspec import UNSET, UnsetType
from victor_fp_wire.openai_responses import request as wire

from victor_fp.core.conversation import Block, read_turn_state, split_assistant_turn
from victor_fp.core.dialects.responses import ResponsesDialect
from victor_fp.core.json import Json, encode_json
from victor_fp.core.protocols.openai_family.rules import accept_messages, join_texts, read_result
from victor_fp.core.protocols.openai_family.tools import shorten_call_id
from victor_fp.core.protocols.openai_responses.parts import BREAKPOINT, build_parts, build_result_part
from victor_fp.core.protocols.openai_responses.rules import ResponseRules
from victor_fp.core.request_building.stored_state import count_stored
from victor_fp.core.requests import Adjustment, ChatRequest
from victor_fp.core.types import FilePart, ImagePart, Message, TextPart

Item: TypeAlias = wire.InputItem | dict[str, Json]
"""A built item, or a vendor's item as received."""
CUSTOM = "custom_tool_call"
REASONING: Mapping[str, Json] = msgspec.to_builtins(wire.ReasoningItem())
"""What a reasoning item has besides its state: its type."""


def build_input(rules: ResponseRules, request: ChatRequest) -> tuple[list[wire.InputItem], tuple[Adjustment, ...]]:
    """Build the input items and list what of the conversation could not be sent."""
    previous_id = None if rules.is_refused("previous_response_id") else request.options.previous_response_id
    known = count_stored(request.messages, previous_id)
    messages, adjustments = accept_messages(rules, request.messages[known:])
    items: list[Item] = []
    custom = {
        block.id
        for message in request.messages[:known]
        if message.role == "assistant"
        for block in split_assistant_turn(message, ResponsesDialect.protocol)
        if _is_custom(block)
    }
    for message in messages:
        match message.role:
            case "system" | "developer" | "user":
                role = rules.dialect.developer_role if message.role == "developer" else message.role
                items.append(wire.InputMessage(role=role, content=_build_content(rules, message)))
            case "assistant":
                blocks = split_assistant_turn(message, ResponsesDialect.protocol)
                custom |= {block.id for block in blocks if _is_custom(block)}
                items += _build_assistant(rules, message, blocks)
            case "tool":
                items.append(_build_result(rules, message, custom=message.tool_call_id in custom))
            case _:
                assert_never(message.role)
    # The vendor's items are sent back with all fields, including undocumented ones.
    return cast("list[wire.InputItem]", items), adjustments


def _build_content(rules: ResponseRules, message: Message) -> str | list[wire.InputContent]:
    """Build content: a string for plain text, else parts."""
    marked = message.cache and rules.cache_marks == "breakpoint"
    content = message.content
    if isinstance(content, str):
        return [build_result_part(TextPart(text=content), BREAKPOINT)] if marked and content else content
    return [*build_parts(content, marked=marked)]


def _build_result(
    rules: ResponseRules, message: Message, *, custom: bool
) -> wire.FunctionCallOutputItem | wire.CustomToolCallOutputItem:
    """Build a tool result: a string for plain text, else parts."""
    result = read_result(message)
    text = result if isinstance(result, str) else join_texts(result)
    output: wire.CallOutput
    if text is None:
        output = [build_result_part(part) for part in result if isinstance(part, TextPart | ImagePart | FilePart)]
    elif text and message.cache and rules.cache_marks == "breakpoint":
        output = [build_result_part(TextPart(text=text), BREAKPOINT)]
    else:
        output = text or rules.dialect.empty_result
    id_ = shorten_call_id(rules, message.tool_call_id or "")
    if custom:
        return wire.CustomToolCallOutputItem(call_id=id_, output=output)
    return wire.FunctionCallOutputItem(call_id=id_, output=output)


class _Turn(msgspec.Struct, frozen=True, kw_only=True):
    """Properties of an assistant turn that apply to all of its blocks."""

    is_own: bool = False
    """Whether it was produced by this provider, so that its items can be sent back."""
    keeps_ids: bool = False
    """Whether items keep their ids: not if reasoning is dropped, since the vendor requires an item with its reasoning."""
    late: Mapping[str, dict[str, Json]] = {}
    """Reasoning items that were completed after later items, by id."""
    placed: frozenset[str] = frozenset()
    """Ids of reasoning that has a block at its position."""


FOREIGN = _Turn()


def _build_assistant(rules: ResponseRules, message: Message, blocks: Sequence[Block]) -> list[Item]:
    state = read_turn_state(message)
    turn = FOREIGN if state is None or state.provider != rules.provider else _read_turn(rules, blocks)
    items: list[Item] = []
    texts: list[Block] = []
    for block in blocks:
        item = None
        if block.kind in ("text", "refusal"):
            if not texts or _identify(turn, texts[-1]) == _identify(turn, block):
                texts.append(block)
                continue
        elif (item := _build_item(rules, turn, block)) is None:
            continue
        if texts:
            items.append(_build_text(rules, turn, texts))
        texts = [block] if item is None else []
        items += [] if item is None else [item]
    return [*items, _build_text(rules, turn, texts)] if texts else items


def _read_turn(rules: ResponseRules, blocks: Sequence[Block]) -> _Turn:
    """Return the properties of a turn produced by this provider."""
    states = [block.state for block in blocks if block.kind == "opaque" and block.state]
    late = {str(state["id"]): dict(state) for state in states if state.get("type") == "reasoning" and "id" in state}
    reasoning = [block for block in blocks if block.kind == "reasoning"]
    turn = _Turn(is_own=True, late=late, placed=frozenset(str((block.state or {}).get("id")) for block in reasoning))
    is_complete = all(_build_reasoning(rules, turn, block) is not None for block in reasoning)
    return msgspec.structs.replace(turn, keeps_ids=is_complete)


def _build_item(rules: ResponseRules, turn: _Turn, block: Block) -> Item | None:
    """Build the item of a block; None if it is not sent, and for text, which may be merged with adjacent texts."""
    match block.kind:
        case "text" | "refusal":
            return None
        case "reasoning":
            return _build_reasoning(rules, turn, block)
        case "tool_call":
            return _build_call(rules, turn, block)
        case "opaque":
            return _build_opaque(rules, turn, block)
        case _:
            assert_never(block.kind)


def _identify(turn: _Turn, block: Block) -> tuple[Json, str | UnsetType]:
    """Return the key of texts that belong to one message: the id of their item, else their phase."""
    if not turn.is_own or not block.state:
        return None, UNSET
    id_ = block.state.get("id") if turn.keeps_ids else None
    return id_, _to_text(block.state.get("phase")) if id_ is None else UNSET


def _build_reasoning(rules: ResponseRules, turn: _Turn, block: Block) -> Item | None:
    """Return a reasoning item as received; None if the vendor or the model would reject it."""
    if block.kind != "reasoning" or not turn.is_own or not block.state:
        return None
    is_complete = turn.late.get(str(block.state.get("id")), block.state)
    item: dict[str, Json] = {**REASONING, **is_complete}
    return item if _may_return(rules, item) else None


def _may_return(rules: ResponseRules, item: Mapping[str, Json]) -> bool:
    if not rules.reasons:
        return False
    back = rules.dialect.reasoning_replay
    match back:
        case "encrypted":
            return rules.stored or bool(item.get("encrypted_content"))
        case "plain":
            return bool(item.get("content"))
        case "any":
            return True
        case _:
            assert_never(back)


def _build_opaque(rules: ResponseRules, turn: _Turn, block: Block) -> Item | None:
    """Return a vendor's item as received; None for late reasoning, which is sent at its position."""
    if not turn.is_own or not block.state or "type" not in block.state:
        return None
    item = dict(block.state)
    if item["type"] == "reasoning" and (str(item.get("id")) in turn.placed or not _may_return(rules, item)):
        return None
    return item


def _build_text(rules: ResponseRules, turn: _Turn, blocks: Sequence[Block]) -> wire.InputMessage:
    """Build one message of texts and refusals."""
    state = blocks[-1].state or {}
    phase = _to_text(state.get("phase")) if turn.is_own else UNSET
    if (id_ := state.get("id") if turn.keeps_ids else None) is not None:
        parts = [_build_part(rules, block) for block in blocks]
        return wire.InputMessage(role="assistant", content=[*parts], id=_to_text(id_), status="completed", phase=phase)
    text = "".join(block.text for block in blocks)
    if rules.dialect.foreign_text == "text":
        return wire.InputMessage(role="assistant", content=text, phase=phase)
    return wire.InputMessage(role="assistant", content=[wire.GivenTextContent(text=text)], phase=phase)


def _build_part(rules: ResponseRules, block: Block) -> wire.GivenTextContent | wire.GivenRefusalContent:
    if block.kind == "refusal" and rules.dialect.refusals:
        return wire.GivenRefusalContent(refusal=block.text)
    cited = (block.state or {}).get("annotations")
    known = [dict(one) for one in cited if isinstance(one, Mapping)] if isinstance(cited, list | tuple) else []
    # The vendor's document requires the list, even if it is empty.
    return wire.GivenTextContent(text=block.text, annotations=known)


def _is_custom(block: Block) -> bool:
    return block.kind == "tool_call" and block.state is not None and block.state.get("type") == CUSTOM


def _build_call(rules: ResponseRules, turn: _Turn, block: Block) -> wire.FunctionCallItem | wire.CustomToolCallItem:
    arguments = block.arguments if isinstance(block.arguments, str) else encode_json(block.arguments).decode()
    state = block.state or {} if turn.is_own else {}
    id_ = _to_text(state.get("id")) if turn.keeps_ids else UNSET
    caller = state.get("caller")
    caller_value = dict(caller) if isinstance(caller, Mapping) else UNSET
    call_id = shorten_call_id(rules, block.id)
    if _is_custom(block):
        return wire.CustomToolCallItem(
            call_id=call_id,
            name=block.name,
            input=arguments,
            id=id_,
            namespace=_to_text(state.get("namespace")),
            caller=caller_value,
        )
    return wire.FunctionCallItem(
        call_id=call_id,
        name=block.name,
        arguments=arguments,
        id=id_,
        namespace=_to_text(state.get("namespace")),
        caller=caller_value,
    )


def _to_text(value: Json) -> str | UnsetType:
    return value if isinstance(value, str) else UNSET
