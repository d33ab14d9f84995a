"""Conversations as Anthropic turns: system text apart, adjacent messages of one role merged, results as user blocks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
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

from victor_fp.core.conversation import (
    INSTRUCTIONS,
    NO_NAMES,
    SYSTEM_MOVED,
    WRAPPED_ARGUMENTS,
    Block,
    fit_call_id,
    is_invalid_object,
    is_system_turn_allowed,
    list_next_roles,
    split_assistant_turn,
    wrap_arguments,
)
from victor_fp.core.dialects.anthropic import AnthropicDialect
from victor_fp.core.dialects.policies.claude import ClaudePolicy
from victor_fp.core.json import Json
from victor_fp.core.protocols.anthropic_messages.parts import PartBlock, build_part_blocks
from victor_fp.core.protocols.anthropic_messages.tools import EPHEMERAL
from victor_fp.core.requests import Adjustment, ChatRequest
from victor_fp.core.types import Message

AnthropicRole: TypeAlias = Literal["user", "assistant", "system"]
MARKABLE = (
    RequestTextBlock,
    RequestImageBlock,
    RequestDocumentBlock,
    RequestToolUseBlock,
    RequestToolResultBlock,
)
_CALL_ID = re.compile(r"[a-zA-Z0-9_-]{1,128}")
"""Call ids that the vendor accepts."""


AnthropicTurn: TypeAlias = tuple[AnthropicRole, Sequence[InputContentBlock]]


class AnthropicBlocks(msgspec.Struct, frozen=True, gc=False):
    """The blocks of one message."""

    blocks: list[InputContentBlock]
    unsupported: tuple[Adjustment, ...] = ()
    notes: tuple[Adjustment, ...] = ()


class AnthropicTurns(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation in the vendor's form."""

    system: str | list[RequestTextBlock] | UnsetType
    messages: list[InputMessage]
    unsupported: tuple[Adjustment, ...] = ()
    notes: tuple[Adjustment, ...] = ()
    """Lossless changes: made without `on_unsupported="adjust"`, but reported."""


def limit_cache_marks(dialect: AnthropicDialect, request: ChatRequest) -> tuple[ChatRequest, tuple[Adjustment, ...]]:
    """Return the request with at most as many cache marks as the vendor accepts.

    The last ones are kept, since they cover the longest prefix.
    """
    marked = [tool.cache for tool in request.tools] + [message.cache for message in request.messages]
    excess = sum(marked) - dialect.max_cache_marks
    if excess <= 0:
        return request, ()
    dropped = set([index for index, mark in enumerate(marked) if mark][:excess])
    unmarked = {"cache": False}
    tools = tuple(
        tool.model_copy(update=unmarked) if index in dropped else tool for index, tool in enumerate(request.tools)
    )
    messages = tuple(
        message.model_copy(update=unmarked) if index in dropped else message
        for index, message in enumerate(request.messages, start=len(tools))
    )
    reason = f"at most {dialect.max_cache_marks} cache marks are accepted; the first ones are dropped"
    return (
        msgspec.structs.replace(request, tools=tools, messages=messages),
        (Adjustment(parameter="cache", reason=reason, action="changed"),),
    )


def build_turns(dialect: AnthropicDialect, policy: ClaudePolicy, messages: Sequence[Message]) -> AnthropicTurns:
    """Build turns. Leading system messages become the system field; unsupported content is listed."""
    system: list[RequestTextBlock] = []
    turns: list[AnthropicTurn] = []
    unsupported: list[Adjustment] = []
    notes: list[Adjustment] = []
    next_roles = list_next_roles(messages) if policy.system_turns else []
    for index, message in enumerate(messages):
        if message.name and message.role != "tool":
            notes.append(NO_NAMES)
        if message.role in INSTRUCTIONS:
            if not (texts := _build_texts(message)):
                continue
            marked = _mark_last(texts) if message.cache else texts
            if policy.system_turns and is_system_turn_allowed(turns, next_roles[index]):
                turns.append(("system", marked))
                continue
            if turns:
                notes.append(SYSTEM_MOVED)
            system += marked
            continue
        role: AnthropicRole = "assistant" if message.role == "assistant" else "user"
        built = _build_blocks(dialect, message)
        unsupported += built.unsupported
        notes += built.notes
        if built.blocks or role == "user":
            turns.append((role, _mark_last(built.blocks) if message.cache else built.blocks))
    return AnthropicTurns(
        system=_build_system(system),
        messages=_merge_turns(turns),
        unsupported=tuple(unsupported),
        notes=tuple(dict.fromkeys(notes)),
    )


def _merge_turns(turns: Sequence[AnthropicTurn]) -> list[InputMessage]:
    """Make one message of adjacent turns of one role."""
    return [
        InputMessage(role=role, content=_build_content([block for _, blocks in same for block in blocks]))
        for role, same in groupby(turns, itemgetter(0))
    ]


def _build_system(blocks: list[RequestTextBlock]) -> str | list[RequestTextBlock] | UnsetType:
    plain = _join_plain_text(blocks)
    return blocks if plain is None else plain or UNSET


def _build_content(blocks: Sequence[InputContentBlock]) -> str | list[InputContentBlock]:
    plain = _join_plain_text(blocks)
    return list(blocks) if plain is None else plain


def _join_plain_text(blocks: Sequence[object]) -> str | None:
    """Return the text if a plain string is equivalent to the blocks, else None."""
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


def _build_blocks(dialect: AnthropicDialect, message: Message) -> AnthropicBlocks:
    if message.role == "assistant":
        blocks = split_assistant_turn(message, dialect.protocol, foreign_reasoning=dialect.unsigned_thinking)
        is_wrapped = any(block.kind == "tool_call" and is_invalid_object(block.arguments) for block in blocks)
        return AnthropicBlocks(
            [written for block in blocks if (written := _build_assistant_block(dialect, block)) is not None],
            notes=(WRAPPED_ARGUMENTS,) if is_wrapped else (),
        )
    parts = build_part_blocks(dialect, message)
    if message.role != "tool":
        return AnthropicBlocks([*parts.blocks], parts.unsupported, parts.notes)
    result = RequestToolResultBlock(
        tool_use_id=fit_call_id(message.tool_call_id or "", _CALL_ID),
        content=_build_result(parts.blocks),
        is_error=True if message.is_error else UNSET,
    )
    return AnthropicBlocks([result], parts.unsupported, parts.notes)


def _build_result(parts: list[PartBlock]) -> str | list[PartBlock] | UnsetType:
    """Build a tool result's content; UNSET if it is empty."""
    plain = _join_plain_text(parts)
    return parts if plain is None else plain or UNSET


def _build_assistant_block(dialect: AnthropicDialect, block: Block) -> InputContentBlock | None:
    """Build a block of an assistant turn with the vendor's state; None if it is empty."""
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
            return _build_call(block, state)
        case "opaque":
            # Sent back as received, including unknown fields; the encoder writes mappings unchanged.
            return cast("InputContentBlock", state) if "type" in state else None
        case _:
            assert_never(block.kind)


def _build_call(block: Block, state: Mapping[str, Json]) -> RequestToolUseBlock:
    caller, toolset = state.get("caller"), state.get("toolset_name")
    return RequestToolUseBlock(
        id=fit_call_id(block.id, _CALL_ID),
        name=block.name,
        input=wrap_arguments(block.arguments),
        caller=dict(caller) if isinstance(caller, Mapping) else UNSET,
        toolset_name=toolset if isinstance(toolset, str) else UNSET,
    )


_Block = TypeVar("_Block", bound=InputContentBlock)


def _mark_last(blocks: list[_Block]) -> list[_Block]:
    """Return the blocks with a cache mark on the last one that accepts it; thinking does not, opaque blocks stay as is."""
    for index in range(len(blocks) - 1, -1, -1):
        block = blocks[index]
        if isinstance(block, MARKABLE):
            return [*blocks[:index], msgspec.structs.replace(block, cache_control=EPHEMERAL), *blocks[index + 1 :]]
    return blocks
