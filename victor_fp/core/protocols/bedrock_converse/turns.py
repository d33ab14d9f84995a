"""Conversations as Converse turns: system text apart, adjacent messages of one role merged, results as user blocks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias, assert_never, cast

import msgspec
from msgspec import UNSET, UnsetType
from victor_fp_wire.bedrock_converse.request import (
    CachePointBlock,
    CitationGeneratedContent,
    CitationsContentBlock,
    ContentBlock,
    ReasoningContentBlock,
    ReasoningTextBlock,
    SystemContentBlock,
    ToolResultBlock,
    ToolResultContentBlock,
    ToolUseBlock,
)
from victor_fp_wire.bedrock_converse.request import Message as Turn

from victor_fp.core.dialects.bedrock import BedrockDialect
from victor_fp.core.json import Json
from victor_fp.core.models.bedrock import BedrockPolicy
from victor_fp.core.protocols.bedrock_converse.parts import build_block
from victor_fp.core.request_building.conversation import (
    INSTRUCTIONS,
    SYSTEM_MOVED,
    Block,
    append_turn,
    is_system_turn_allowed,
    read_call_arguments,
    split_assistant_turn,
)
from victor_fp.core.requests import Adjustment
from victor_fp.core.streaming.tool_call_drafts import make_id
from victor_fp.core.types import Message, TextPart

ConverseRole: TypeAlias = Literal["user", "assistant", "system"]
CACHE_POINT = CachePointBlock()
_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
"""Call ids that the vendor accepts."""
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


class _TurnBuilder:
    """Mutable state shared by the turns of one conversation while they are built."""

    def __init__(self, dialect: BedrockDialect, policy: BedrockPolicy) -> None:
        self.dialect, self.policy = dialect, policy
        self.names: set[str] = set()
        self.unsupported: list[Adjustment] = []
        self.notes: list[Adjustment] = []


def build_turns(
    dialect: BedrockDialect, policy: BedrockPolicy, messages: Sequence[Message], *, system_turns: bool
) -> ConverseTurns:
    """Build turns. Leading system messages become the system field; unsupported content is listed."""
    builder = _TurnBuilder(dialect, policy)
    system: list[SystemContentBlock] = []
    turns: list[tuple[ConverseRole, list[ContentBlock]]] = []
    for index, message in enumerate(messages):
        if message.name and message.role != "tool":
            builder.notes.append(
                Adjustment(parameter="messages.name", reason="the protocol has no field for participant names")
            )
        if message.role in INSTRUCTIONS:
            texts = _list_texts(message)
            if system_turns and is_system_turn_allowed(turns, messages[index + 1 :]):
                blocks = [ContentBlock(text=text) for text in texts]
                append_turn(
                    turns, "system", _mark_last(blocks) if _has_cache_mark(policy, message, "messages") else blocks
                )
                continue
            if turns and texts:
                builder.notes.append(SYSTEM_MOVED)
            system += [SystemContentBlock(text=text) for text in texts]
            if texts and _has_cache_mark(policy, message, "system"):
                system.append(SystemContentBlock(cache_point=CACHE_POINT))
            continue
        role: ConverseRole = "assistant" if message.role == "assistant" else "user"
        blocks = _build_blocks(builder, message)
        append_turn(turns, role, _mark_last(blocks) if _has_cache_mark(policy, message, "messages") else blocks)
    return ConverseTurns(
        system=system or UNSET,
        messages=[Turn(role=role, content=blocks) for role, blocks in turns],
        calls=any(message.tool_calls or message.role == "tool" for message in messages),
        unsupported=tuple(builder.unsupported),
        notes=tuple(dict.fromkeys(builder.notes)),
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


def _build_blocks(builder: _TurnBuilder, message: Message) -> list[ContentBlock]:
    if message.role == "assistant":
        blocks = split_assistant_turn(message, builder.dialect.protocol)
        return [written for block in blocks if (written := _build_assistant_block(block, builder.notes)) is not None]
    parts = _build_parts(builder, message)
    return [_build_result(builder, message, parts)] if message.role == "tool" else parts


def _build_parts(builder: _TurnBuilder, message: Message) -> list[ContentBlock]:
    if isinstance(message.content, str):
        return [ContentBlock(text=text) for text in _list_texts(message)]
    blocks: list[ContentBlock] = []
    for part in message.content:
        match build_block(part, builder.names, builder.notes):
            case Adjustment() as refused:
                builder.unsupported.append(refused)
            case None:
                pass
            case found:
                blocks.append(found)
    return blocks


def _build_result(builder: _TurnBuilder, message: Message, parts: Sequence[ContentBlock]) -> ContentBlock:
    content: list[ToolResultContentBlock] = []
    for part in parts:
        if part.audio is not UNSET:
            builder.unsupported.append(
                Adjustment(parameter="messages.audio", reason="tool results cannot contain audio")
            )
            continue
        content.append(
            ToolResultContentBlock(text=part.text, image=part.image, document=part.document, video=part.video)
        )
    if message.is_error and not builder.policy.statuses:
        reason = "this model does not accept a result status"
        builder.notes.append(Adjustment(parameter="messages.is_error", reason=reason))
    return ContentBlock(
        tool_result=ToolResultBlock(
            tool_use_id=fit_call_id(message.tool_call_id or ""),
            content=content,
            status="error" if message.is_error and builder.policy.statuses else UNSET,
        )
    )


def _build_assistant_block(block: Block, notes: list[Adjustment]) -> ContentBlock | None:
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
            return _build_call(block, notes)
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


def _build_call(block: Block, notes: list[Adjustment]) -> ContentBlock:
    arguments = read_call_arguments(block.arguments)
    if isinstance(arguments, str):
        reason = "arguments that are not a JSON object are sent as {'invalid_json': text}"
        notes.append(Adjustment(parameter="messages.tool_calls", reason=reason, action="changed"))
        arguments = {"invalid_json": arguments}
    return ContentBlock(tool_use=ToolUseBlock(tool_use_id=fit_call_id(block.id), name=block.name, input=arguments))


def fit_call_id(id_: str) -> str:
    """Return the call id, or an id derived from it if it has characters that the vendor rejects.

    >>> fit_call_id("tooluse_01"), fit_call_id("call/1") == fit_call_id("call/1")
    ('tooluse_01', True)
    """
    return id_ if _ID.fullmatch(id_) else make_id(id_, 0)
