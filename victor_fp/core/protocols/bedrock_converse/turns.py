"""Conversations as Converse turns: system text apart, adjacent messages of one role merged, results as user blocks."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Literal, TypeAlias, assert_never, cast

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace
from victor_fp_wire.bedrock_converse.request import (
    CachePointBlock,
    CitationGeneratedContent,
    CitationsContentBlock,
    ContentBlock,
    DocumentBlock,
    ReasoningContentBlock,
    ReasoningTextBlock,
    SystemContentBlock,
    ToolResultBlock,
    ToolResultContentBlock,
    ToolUseBlock,
)
from victor_fp_wire.bedrock_converse.request import Message as Turn

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
from victor_fp.core.dialects.bedrock import BedrockDialect
from victor_fp.core.dialects.policies.bedrock import BedrockPolicy
from victor_fp.core.json import Json
from victor_fp.core.protocols.bedrock_converse.parts import IMAGE_DETAIL, build_block, make_unique_name
from victor_fp.core.requests import Adjustment
from victor_fp.core.types import ImagePart, Message, TextPart

ConverseRole: TypeAlias = Literal["user", "assistant", "system"]
CACHE_POINT = CachePointBlock()
_CALL_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
"""Call ids that the vendor accepts."""
_SOUND_IN_RESULT = Adjustment(parameter="messages.audio", reason="tool results cannot contain audio")
_NO_STATUS = Adjustment(parameter="messages.is_error", reason="this model does not accept a result status")
_USER_ONLY = frozenset({"image"})
"""Blocks of a response that the vendor accepts from users only."""


class ConverseTurns(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation in the vendor's form."""

    system: list[SystemContentBlock] | UnsetType
    messages: list[Turn]
    calls: bool
    """Whether there are calls or results, which the vendor accepts only if tools are declared."""
    unsupported: tuple[Adjustment, ...] = ()
    notes: tuple[Adjustment, ...] = ()
    """Lossless changes: made without `on_unsupported="adjust"`, but reported."""


class ConverseBlocks(msgspec.Struct, frozen=True, gc=False):
    """The blocks of one message."""

    blocks: list[ContentBlock]
    unsupported: tuple[Adjustment, ...] = ()
    notes: tuple[Adjustment, ...] = ()
    names: Mapping[str, int] = {}
    """Names of its documents, each with the number to try next."""


ConverseTurn: TypeAlias = tuple[ConverseRole, Sequence[ContentBlock]]


def build_turns(
    dialect: BedrockDialect, policy: BedrockPolicy, messages: Sequence[Message], *, system_turns: bool
) -> ConverseTurns:
    """Build turns. Leading system messages become the system field; unsupported content is listed."""
    names: dict[str, int] = {}
    unsupported: list[Adjustment] = []
    notes: list[Adjustment] = []
    system: list[SystemContentBlock] = []
    turns: list[ConverseTurn] = []
    next_roles = list_next_roles(messages) if system_turns else []
    for index, message in enumerate(messages):
        if message.name and message.role != "tool":
            notes.append(NO_NAMES)
        if message.role in INSTRUCTIONS:
            if not (texts := _list_texts(message)):
                continue
            if system_turns and is_system_turn_allowed(turns, next_roles[index]):
                blocks = [ContentBlock(text=text) for text in texts]
                turns.append(("system", _mark_last(blocks) if _has_cache_mark(policy, message, "messages") else blocks))
                continue
            if turns:
                notes.append(SYSTEM_MOVED)
            system += [SystemContentBlock(text=text) for text in texts]
            if _has_cache_mark(policy, message, "system"):
                system.append(SystemContentBlock(cache_point=CACHE_POINT))
            continue
        role: ConverseRole = "assistant" if message.role == "assistant" else "user"
        built = _build_blocks(dialect, policy, message, names)
        unsupported += built.unsupported
        notes += built.notes
        names.update(built.names)
        if built.blocks:
            is_marked = _has_cache_mark(policy, message, "messages")
            turns.append((role, _mark_last(built.blocks) if is_marked else built.blocks))
    return ConverseTurns(
        system=system or UNSET,
        messages=[
            Turn(role=role, content=[block for _, blocks in same for block in blocks])
            for role, same in groupby(turns, itemgetter(0))
        ],
        calls=any(message.tool_calls or message.role == "tool" for message in messages),
        unsupported=tuple(unsupported),
        notes=tuple(dict.fromkeys(notes)),
    )


def _has_cache_mark(policy: BedrockPolicy, message: Message, field: Literal["system", "messages"]) -> bool:
    return message.cache and field in policy.cache


def _mark_last(blocks: list[ContentBlock]) -> list[ContentBlock]:
    return [*blocks, ContentBlock(cache_point=CACHE_POINT)] if blocks else blocks


def _list_texts(message: Message) -> list[str]:
    """Return the texts of a message, without empty ones, which the vendor rejects."""
    if isinstance(message.content, str):
        return [message.content] if message.content else []
    return [part.text for part in message.content if isinstance(part, TextPart) and part.text]


def _build_blocks(
    dialect: BedrockDialect, policy: BedrockPolicy, message: Message, names: dict[str, int]
) -> ConverseBlocks:
    """Build the blocks of a message; `names` are those of earlier documents."""
    if message.role == "assistant":
        blocks = split_assistant_turn(message, dialect.protocol)
        is_wrapped = any(block.kind == "tool_call" and is_invalid_object(block.arguments) for block in blocks)
        return ConverseBlocks(
            [written for block in blocks if (written := _build_assistant_block(block)) is not None],
            notes=(WRAPPED_ARGUMENTS,) if is_wrapped else (),
        )
    parts = _build_parts(message, names)
    return _build_result(policy, message, parts) if message.role == "tool" else parts


def _build_parts(message: Message, used: dict[str, int]) -> ConverseBlocks:
    if isinstance(message.content, str):
        return ConverseBlocks([ContentBlock(text=text) for text in _list_texts(message)])
    blocks: list[ContentBlock] = []
    unsupported: list[Adjustment] = []
    names: dict[str, int] = {}
    for part in message.content:
        match build_block(part):
            case Adjustment() as refused:
                unsupported.append(refused)
            case None:
                pass
            case ContentBlock(document=DocumentBlock() as document) as found:
                name, added = make_unique_name(document.name, ChainMap(names, used))
                names.update(added)
                blocks.append(replace(found, document=replace(document, name=name)))
            case found:
                blocks.append(found)
    has_detail = any(isinstance(part, ImagePart) and part.detail in ("low", "high") for part in message.content)
    return ConverseBlocks(blocks, tuple(unsupported), (IMAGE_DETAIL,) if has_detail else (), names)


def _build_result(policy: BedrockPolicy, message: Message, parts: ConverseBlocks) -> ConverseBlocks:
    sent = [part for part in parts.blocks if part.audio is UNSET]
    refused = [_SOUND_IN_RESULT] * (len(parts.blocks) - len(sent))
    result = ToolResultBlock(
        tool_use_id=fit_call_id(message.tool_call_id or "", _CALL_ID),
        content=[
            ToolResultContentBlock(text=part.text, image=part.image, document=part.document, video=part.video)
            for part in sent
        ],
        status="error" if message.is_error and policy.statuses else UNSET,
    )
    return ConverseBlocks(
        [ContentBlock(tool_result=result)],
        (*parts.unsupported, *refused),
        (*parts.notes, _NO_STATUS) if message.is_error and not policy.statuses else parts.notes,
        parts.names,
    )


def _build_assistant_block(block: Block) -> ContentBlock | None:
    """Build a block of an assistant turn with the vendor's state; None if it is empty."""
    state = block.state or {}
    match block.kind:
        case "text" | "refusal":
            return _build_text(block.text, state.get("citations")) if block.text else None
        case "reasoning":
            # Models that sign reasoning reject unsigned reasoning; models that do not sign accept none.
            signature = state.get("signature")
            if not isinstance(signature, str) or not signature:
                return None
            thought = ReasoningTextBlock(text=block.text, signature=signature)
            return ContentBlock(reasoning_content=ReasoningContentBlock(reasoning_text=thought))
        case "tool_call":
            return _build_call(block)
        case "opaque":
            # Sent back as received, including unknown fields; the encoder writes mappings unchanged.
            return cast("ContentBlock", state) if state and not _USER_ONLY & state.keys() else None
        case _:
            assert_never(block.kind)


def _build_text(text: str, citations: Json) -> ContentBlock:
    if not isinstance(citations, Sequence) or isinstance(citations, str) or not citations:
        return ContentBlock(text=text)
    return ContentBlock(
        citations_content=CitationsContentBlock(
            content=[CitationGeneratedContent(text=text)],
            citations=[dict(citation) for citation in citations if isinstance(citation, Mapping)],
        )
    )


def _build_call(block: Block) -> ContentBlock:
    arguments = wrap_arguments(block.arguments)
    return ContentBlock(
        tool_use=ToolUseBlock(tool_use_id=fit_call_id(block.id, _CALL_ID), name=block.name, input=arguments)
    )
