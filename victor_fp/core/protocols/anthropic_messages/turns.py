"""A conversation as the vendor's turns: instructions apart, neighbours of one role merged, results as user blocks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias, TypeVar, assert_never, cast

import msgspec
from msgspec import UNSET, UnsetType
from victor_fp_wire.anthropic_messages.request import (
    InputContentBlock,
    InputMessage,
    RequestDocumentBlock,
    RequestImageBlock,
    RequestTextBlock,
    RequestThinkingBlock,
    RequestToolResultBlock,
    RequestToolUseBlock,
)

from victor_fp.core.dialects.anthropic import AnthropicDialect
from victor_fp.core.json import Json
from victor_fp.core.models.claude import ClaudePolicy
from victor_fp.core.protocols.anthropic_messages.parts import PartBlock, build_part_blocks
from victor_fp.core.protocols.anthropic_messages.tools import EPHEMERAL
from victor_fp.core.request_building.conversation import (
    INSTRUCTIONS,
    SYSTEM_MOVED,
    Block,
    read_call_arguments,
    split_assistant_turn,
)
from victor_fp.core.requests import Adjustment, ChatRequest
from victor_fp.core.tool_call_ids import make_id
from victor_fp.core.types import Message

AnthropicRole: TypeAlias = Literal["user", "assistant", "system"]
MARKABLE = (
    RequestTextBlock,
    RequestImageBlock,
    RequestDocumentBlock,
    RequestToolUseBlock,
    RequestToolResultBlock,
)
_ID = re.compile(r"[a-zA-Z0-9_-]{1,128}")
"""What the vendor takes as the id of a call."""


class AnthropicTurns(msgspec.Struct, frozen=True, kw_only=True):
    """The conversation for the wire."""

    system: str | list[RequestTextBlock] | UnsetType
    messages: list[InputMessage]
    unsupported: tuple[Adjustment, ...] = ()
    notes: tuple[Adjustment, ...] = ()
    """Changes that are made without leave, since they lose nothing; they are shown all the same."""


def limit_cache_marks(dialect: AnthropicDialect, request: ChatRequest) -> tuple[ChatRequest, tuple[Adjustment, ...]]:
    """The request with no more cache marks than the vendor takes: the last ones reach furthest, so they stay."""
    marked = [tool.cache for tool in request.tools] + [message.cache for message in request.messages]
    excess = sum(marked) - dialect.max_cache_marks
    if excess <= 0:
        return request, ()
    left_out = {place for place, mark in enumerate(marked) if mark and sum(marked[: place + 1]) <= excess}
    unmarked = {"cache": False}
    tools = tuple(
        tool.model_copy(update=unmarked) if place in left_out else tool for place, tool in enumerate(request.tools)
    )
    messages = tuple(
        message.model_copy(update=unmarked) if place in left_out else message
        for place, message in enumerate(request.messages, start=len(tools))
    )
    reason = f"at most {dialect.max_cache_marks} marks; the first ones are left out"
    return (
        msgspec.structs.replace(request, tools=tools, messages=messages),
        (Adjustment(parameter="cache", reason=reason, action="changed"),),
    )


def build_turns(dialect: AnthropicDialect, policy: ClaudePolicy, messages: Sequence[Message]) -> AnthropicTurns:
    """System messages before the first turn become the system field; what the model cannot take is listed."""
    system: list[RequestTextBlock] = []
    said: list[tuple[AnthropicRole, list[InputContentBlock]]] = []
    unsupported: list[Adjustment] = []
    notes: list[Adjustment] = []
    for place, message in enumerate(messages):
        if message.name and message.role != "tool":
            notes.append(Adjustment(parameter="messages.name", reason="the protocol has no names for speakers"))
        if message.role in INSTRUCTIONS:
            texts = _mark_last(_build_texts(message)) if message.cache else _build_texts(message)
            if policy.system_turns and _may_stand(said, messages[place + 1 :]):
                _add(said, "system", texts)
                continue
            if said and texts:
                notes.append(SYSTEM_MOVED)
            system += texts
            continue
        role: AnthropicRole = "assistant" if message.role == "assistant" else "user"
        blocks = _build_blocks(dialect, message, unsupported, notes)
        _add(said, role, _mark_last(blocks) if message.cache else blocks)
    return AnthropicTurns(
        system=_build_system(system),
        messages=[InputMessage(role=role, content=_build_content(blocks)) for role, blocks in said],
        unsupported=tuple(unsupported),
        notes=tuple(dict.fromkeys(notes)),
    )


def _may_stand(said: Sequence[tuple[AnthropicRole, object]], following: Sequence[Message]) -> bool:
    """The vendor's document: a system turn follows a user turn, and is the last or followed by the assistant's."""
    after_user = bool(said) and said[-1][0] in ("user", "system")
    next_role = next((message.role for message in following if message.role not in INSTRUCTIONS), "assistant")
    return after_user and next_role == "assistant"


def _add(
    said: list[tuple[AnthropicRole, list[InputContentBlock]]], role: AnthropicRole, blocks: Sequence[InputContentBlock]
) -> None:
    """A turn, or more of the last one; a turn that says nothing is left out, except that users may be told so."""
    if not blocks and role != "user":
        return
    if said and said[-1][0] == role:
        said[-1][1].extend(blocks)
    else:
        said.append((role, list(blocks)))


def _build_system(blocks: list[RequestTextBlock]) -> str | list[RequestTextBlock] | UnsetType:
    plain = _join_plain_text(blocks)
    return blocks if plain is None else plain or UNSET


def _build_content(blocks: Sequence[InputContentBlock]) -> str | list[InputContentBlock]:
    plain = _join_plain_text(blocks)
    return list(blocks) if plain is None else plain


def _join_plain_text(blocks: Sequence[object]) -> str | None:
    """The text that a string says as well as blocks do."""
    match blocks:
        case []:
            return ""
        case [RequestTextBlock(text=text, cache_control=msgspec.UNSET, citations=msgspec.UNSET)]:
            return text
        case _:
            return None


def _build_texts(message: Message) -> list[RequestTextBlock]:
    if isinstance(message.content, str):
        return [RequestTextBlock(text=message.content)] if message.content else []
    return [RequestTextBlock(text=part.text) for part in message.content if part.type == "text" and part.text]


def _build_blocks(
    dialect: AnthropicDialect, message: Message, unsupported: list[Adjustment], notes: list[Adjustment]
) -> list[InputContentBlock]:
    if message.role == "assistant":
        blocks = split_assistant_turn(message, dialect.protocol, foreign_reasoning=dialect.unsigned_thinking)
        return [written for block in blocks if (written := _build_assistant_block(dialect, block, notes)) is not None]
    parts = build_part_blocks(dialect, message, unsupported, notes)
    if message.role != "tool":
        return [*parts]
    return [
        RequestToolResultBlock(
            tool_use_id=fit_call_id(message.tool_call_id or ""),
            content=_build_result(parts),
            is_error=True if message.is_error else UNSET,
        )
    ]


def _build_result(parts: list[PartBlock]) -> str | list[PartBlock] | UnsetType:
    """A result's content; a tool that had nothing to say leaves it out."""
    plain = _join_plain_text(parts)
    return parts if plain is None else plain or UNSET


def _build_assistant_block(
    dialect: AnthropicDialect, block: Block, notes: list[Adjustment]
) -> InputContentBlock | None:
    """A block of an assistant's turn, with the state that its vendor gave; None where it says nothing."""
    state = block.state or {}
    match block.kind:
        case "text" | "refusal":
            if not block.text:
                return None
            citations = state.get("citations")
            return RequestTextBlock(
                text=block.text,
                citations=[dict(item) for item in citations if isinstance(item, Mapping)]
                if isinstance(citations, Sequence) and citations
                else UNSET,
            )
        case "reasoning":
            signature = state.get("signature")
            if not isinstance(signature, str) or not signature:
                return RequestThinkingBlock(thinking=block.text, signature="") if dialect.unsigned_thinking else None
            return RequestThinkingBlock(thinking=block.text, signature=signature)
        case "tool_call":
            return _build_call(block, state, notes)
        case "opaque":
            # Whatever the vendor sent goes back as it came, known to us or not; the encoder writes mappings as they are.
            return cast("InputContentBlock", state) if "type" in state else None
        case _:
            assert_never(block.kind)


def _build_call(block: Block, state: Mapping[str, Json], notes: list[Adjustment]) -> RequestToolUseBlock:
    arguments = read_call_arguments(block.arguments)
    if isinstance(arguments, str):
        reason = "arguments that are no JSON object go as {'invalid_json': text}"
        notes.append(Adjustment(parameter="messages.tool_calls", reason=reason, action="changed"))
        arguments = {"invalid_json": arguments}
    caller, toolset = state.get("caller"), state.get("toolset_name")
    return RequestToolUseBlock(
        id=fit_call_id(block.id),
        name=block.name,
        input=arguments,
        caller=dict(caller) if isinstance(caller, Mapping) else UNSET,
        toolset_name=toolset if isinstance(toolset, str) else UNSET,
    )


def fit_call_id(id_: str) -> str:
    """The call's id, or one made from it where another vendor's has signs that this one refuses.

    >>> fitting_id("toolu_01"), fitting_id("functions.add:0") == fitting_id("functions.add:0")
    ('toolu_01', True)
    """
    return id_ if _ID.fullmatch(id_) else make_id(id_, 0)


_Block = TypeVar("_Block", bound=InputContentBlock)


def _mark_last(blocks: list[_Block]) -> list[_Block]:
    """The blocks with a cache mark on the last one that can carry it; thinking cannot, and opaque blocks stay whole."""
    for place in range(len(blocks) - 1, -1, -1):
        block = blocks[place]
        if isinstance(block, MARKABLE):
            return [*blocks[:place], msgspec.structs.replace(block, cache_control=EPHEMERAL), *blocks[place + 1 :]]
    return blocks
