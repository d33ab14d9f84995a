"""A conversation as input items, with the vendor's own items of earlier turns as they came and in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias, assert_never

import msgspec
from msgspec import UNSET, UnsetType
from victor_fp_wire.openai_responses.request import (
    CustomToolCallItem,
    CustomToolCallOutputItem,
    FunctionCallItem,
    FunctionCallOutputItem,
    GivenRefusalContent,
    GivenTextContent,
    InputAudioContent,
    InputContent,
    InputItem,
    InputMessage,
)

from victor_fp.core.dialects.responses import ResponsesDialect
from victor_fp.core.json import Json, encode_json
from victor_fp.core.protocols.openai_chat.rules import Written
from victor_fp.core.protocols.openai_responses.parts import Shown, marked, part_written
from victor_fp.core.protocols.openai_responses.rules import Rules
from victor_fp.core.protocols.openai_responses.tools import call_id
from victor_fp.core.request_building.conversation import Block, read_turn_state, split_assistant_turn
from victor_fp.core.request_building.stored_state import count_known
from victor_fp.core.requests import Adjustment, ChatRequest
from victor_fp.core.types import Message, TextPart

Item: TypeAlias = InputItem | dict[str, Json]
"""An item of ours, or one of the vendor's as it came."""
CUSTOM = "custom_tool_call"


def input_written(rules: Rules, request: ChatRequest) -> Written:
    """`input`, and what of the conversation could not be sent."""
    items: list[Item] = []
    adjustments: list[Adjustment] = []
    custom: set[str] = set()
    known = (
        0
        if rules.refused("previous_response_id")
        else count_known(request.messages, request.options.previous_response_id)
    )
    for place, message in enumerate(request.messages):
        if message.name and message.role != "tool" and rules.refused("name"):
            adjustments.append(rules.against("name"))
        match message.role:
            case "system" | "developer" | "user":
                role = rules.dialect.developer_role if message.role == "developer" else message.role
                items.append(InputMessage(role=role, content=_content(rules, message, adjustments)))
            case "assistant":
                blocks = split_assistant_turn(message, ResponsesDialect.protocol)
                custom |= {block.id for block in blocks if _is_custom(block)}
                items += _assistant(rules, message, blocks)
            case "tool":
                items.append(_result(rules, message, adjustments, custom=message.tool_call_id in custom))
            case _:
                assert_never(message.role)
        if place + 1 == known:
            items.clear()
            adjustments.clear()
    return Written(fields={"input": items}, adjustments=tuple(dict.fromkeys(adjustments)))


def _content(rules: Rules, message: Message, adjustments: list[Adjustment]) -> str | list[InputContent]:
    """Text as text where that says everything, else parts."""
    marks = message.cache and rules.cache_marks == "breakpoint"
    if isinstance(message.content, str) and not (marks and message.content):
        return message.content
    parts = _parts(rules, message, adjustments)
    return [*(marked(parts) if marks else parts)]


def _parts(rules: Rules, message: Message, adjustments: list[Adjustment]) -> list[Shown | InputAudioContent]:
    given = [TextPart(text=message.content)] if isinstance(message.content, str) else message.content
    written = [part_written(rules, part) for part in given]
    adjustments += [part for part in written if isinstance(part, Adjustment)]
    return [part for part in written if not isinstance(part, Adjustment)]


def _result(
    rules: Rules, message: Message, adjustments: list[Adjustment], *, custom: bool
) -> FunctionCallOutputItem | CustomToolCallOutputItem:
    """A tool's result. The protocol has no mark for failures, so that the text says it where it does not already."""
    text = message.text
    if message.is_error and not text.lower().startswith("error"):
        text = f"Error: {text}" if text else "Error"
    output: str | list[Shown] = text or rules.dialect.empty_result
    if not isinstance(message.content, str) and not all(isinstance(part, TextPart) for part in message.content):
        if rules.refused("result_parts"):
            reason = f"{rules.taker} takes a tool's result as text only"
            adjustments.append(Adjustment(parameter="messages.content", reason=reason))
        else:
            shown = message.model_copy(update={"content": [*_lead(message, text), *_but_text(message)]})
            parts = _parts(rules, shown, adjustments)
            output = [part for part in parts if not isinstance(part, InputAudioContent)]
            if len(output) < len(parts):
                adjustments.append(Adjustment(parameter="audio", reason=f"{rules.taker} takes none in a tool's result"))
    elif message.cache and rules.cache_marks == "breakpoint" and text:
        lone = message.model_copy(update={"content": [TextPart(text=text)]})
        output = [part for part in marked(_parts(rules, lone, [])) if not isinstance(part, InputAudioContent)]
    id_ = call_id(rules, message.tool_call_id or "")
    return (CustomToolCallOutputItem if custom else FunctionCallOutputItem)(call_id=id_, output=output)


def _lead(message: Message, text: str) -> list[TextPart]:
    """The text parts as they are, or what a failure says instead of them."""
    if not message.is_error and not isinstance(message.content, str):
        return [part for part in message.content if isinstance(part, TextPart)]
    return [TextPart(text=text)] if text else []


def _but_text(message: Message) -> list[object]:
    return [part for part in message.content if not isinstance(part, TextPart | str)]


class _Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What goes for a whole turn of the assistant's."""

    own: bool
    """The vendor itself made it, so that its items may go back."""
    ids: bool
    """Items keep their ids: not where their reasoning stays behind, since the vendor wants the two together."""
    late: Mapping[str, dict[str, Json]]
    """Reasoning items that came whole only after what followed them, by id."""


def _assistant(rules: Rules, message: Message, blocks: Sequence[Block]) -> list[Item]:
    state = read_turn_state(message)
    own = state is not None and state.provider == rules.provider
    late = {
        str(block.state["id"]): dict(block.state)
        for block in blocks
        if block.kind == "opaque" and block.state and block.state.get("type") == "reasoning" and "id" in block.state
    }
    turn = _Turn(own=own, ids=own, late=late)
    kept = {place: item for place, block in enumerate(blocks) if (item := _reasoning(rules, turn, block)) is not None}
    lost = any(block.kind == "reasoning" and place not in kept for place, block in enumerate(blocks))
    turn = msgspec.structs.replace(turn, ids=own and not lost)
    items: list[Item] = []
    for place, block in enumerate(blocks):
        match block.kind:
            case "text" | "refusal":
                _say(rules, turn, items, block)
            case "reasoning":
                if place in kept:
                    items.append(kept[place])
            case "tool_call":
                items.append(_call(rules, turn, block))
            case "opaque":
                if own and block.state and "type" in block.state and not _stands_earlier(block, blocks[:place]):
                    items += _opaque(rules, dict(block.state))
            case _:
                assert_never(block.kind)
    return items


def _reasoning(rules: Rules, turn: _Turn, block: Block) -> Item | None:
    """A reasoning item as it came; None where the vendor or the model would not take it."""
    if block.kind != "reasoning" or not turn.own or not block.state:
        return None
    whole = turn.late.get(str(block.state.get("id")), block.state)
    item: dict[str, Json] = {"type": "reasoning", **whole}
    return item if _may_return(rules, item) else None


def _may_return(rules: Rules, item: Mapping[str, Json]) -> bool:
    if not rules.reasons:
        return False
    back = rules.dialect.reasoning_back
    match back:
        case "encrypted":
            return rules.stored or bool(item.get("encrypted_content"))
        case "plain":
            return bool(item.get("content"))
        case "any":
            return True
        case _:
            assert_never(back)


def _opaque(rules: Rules, item: dict[str, Json]) -> list[Item]:
    return [] if item.get("type") == "reasoning" and not _may_return(rules, item) else [item]


def _stands_earlier(block: Block, before: Sequence[Block]) -> bool:
    id_ = (block.state or {}).get("id")
    return any(other.kind == "reasoning" and (other.state or {}).get("id") == id_ for other in before)


def _say(rules: Rules, turn: _Turn, items: list[Item], block: Block) -> None:
    """Text or a refusal: a message of its own, or more of the message before where both are one."""
    state = block.state or {}
    phase = _text(state.get("phase")) if turn.own else UNSET
    last = items[-1] if items else None
    if (id_ := state.get("id") if turn.ids else None) is not None:
        part = _given_part(rules, block, state)
        said = InputMessage(role="assistant", content=[part], id=_text(id_), status="completed", phase=phase)
        if isinstance(last, InputMessage) and last.id == id_ and isinstance(last.content, list):
            said = msgspec.structs.replace(said, content=[*last.content, part])
            items.pop()
    else:
        before = ""
        if isinstance(last, InputMessage) and (last.id, last.phase) == (UNSET, phase):
            before = _text_of(last)
            items.pop()
        text = before + block.text
        parts: list[InputContent] = [GivenTextContent(text=text)]
        content = text if rules.dialect.given_text == "text" else parts
        said = InputMessage(role="assistant", content=content, phase=phase)
    items.append(said)


def _given_part(rules: Rules, block: Block, state: Mapping[str, Json]) -> GivenTextContent | GivenRefusalContent:
    if block.kind == "refusal" and rules.dialect.refusals:
        return GivenRefusalContent(refusal=block.text)
    cited = state.get("annotations")
    known = [dict(one) for one in cited if isinstance(one, Mapping)] if isinstance(cited, list | tuple) else []
    # The vendor's document wants the list, be it empty.
    return GivenTextContent(text=block.text, annotations=known)


def _text_of(message: InputMessage) -> str:
    if isinstance(message.content, str):
        return message.content
    return "".join(part.text for part in message.content if isinstance(part, GivenTextContent))


def _is_custom(block: Block) -> bool:
    return block.kind == "tool_call" and block.state is not None and block.state.get("type") == CUSTOM


def _call(rules: Rules, turn: _Turn, block: Block) -> FunctionCallItem | CustomToolCallItem:
    arguments = block.arguments if isinstance(block.arguments, str) else encode_json(block.arguments).decode()
    state = block.state or {} if turn.own else {}
    id_ = _text(state.get("id")) if turn.ids else UNSET
    caller = state.get("caller")
    held = dict(caller) if isinstance(caller, Mapping) else UNSET
    given = call_id(rules, block.id)
    if _is_custom(block):
        return CustomToolCallItem(
            call_id=given,
            name=block.name,
            input=arguments,
            id=id_,
            namespace=_text(state.get("namespace")),
            caller=held,
        )
    return FunctionCallItem(
        call_id=given,
        name=block.name,
        arguments=arguments,
        id=id_,
        namespace=_text(state.get("namespace")),
        caller=held,
    )


def _text(value: Json) -> str | UnsetType:
    return value if isinstance(value, str) else UNSET
