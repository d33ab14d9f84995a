"""A conversation as the vendor's turns: instructions apart, neighbours of one role merged, results as user blocks."""

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
from victor_fp.core.protocols.bedrock_converse.parts import build_block as part_block
from victor_fp.core.request_building.conversation import (
    INSTRUCTIONS,
    SYSTEM_MOVED,
    Block,
    read_call_arguments,
    split_assistant_turn,
)
from victor_fp.core.requests import Adjustment
from victor_fp.core.tool_call_ids import make_id
from victor_fp.core.types import Message, TextPart

ConverseRole: TypeAlias = Literal["user", "assistant", "system"]
CACHE_POINT = CachePointBlock()
_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
"""What the vendor takes as the id of a call."""
_SHOWN_ONLY = frozenset({"image"})
"""Blocks of an answer that the vendor takes from users only."""


class ConverseTurns(msgspec.Struct, frozen=True, kw_only=True):
    """The conversation for the wire."""

    system: list[SystemContentBlock] | UnsetType
    messages: list[Turn]
    calls: bool
    """There are calls or results among them, which the vendor takes only where tools are declared."""
    unsupported: tuple[Adjustment, ...] = ()
    notes: tuple[Adjustment, ...] = ()
    """Changes that are made without leave, since they lose nothing; they are shown all the same."""


class _Writer:
    """What the turns have in common while they are written."""

    def __init__(self, dialect: BedrockDialect, policy: BedrockPolicy) -> None:
        self.dialect, self.policy = dialect, policy
        self.names: set[str] = set()
        self.unsupported: list[Adjustment] = []
        self.notes: list[Adjustment] = []


def build_turns(
    dialect: BedrockDialect, policy: BedrockPolicy, messages: Sequence[Message], *, system_turns: bool
) -> ConverseTurns:
    """System messages before the first turn become the system field; what the model cannot take is listed."""
    writer = _Writer(dialect, policy)
    system: list[SystemContentBlock] = []
    said: list[tuple[ConverseRole, list[ContentBlock]]] = []
    for place, message in enumerate(messages):
        if message.name and message.role != "tool":
            writer.notes.append(Adjustment(parameter="messages.name", reason="the protocol has no names for speakers"))
        if message.role in INSTRUCTIONS:
            texts = _list_texts(message)
            if system_turns and _may_stand(said, messages[place + 1 :]):
                blocks = [ContentBlock(text=text) for text in texts]
                _add(said, "system", _mark_last(blocks) if _has_cache_mark(policy, message, "messages") else blocks)
                continue
            if said and texts:
                writer.notes.append(SYSTEM_MOVED)
            system += [SystemContentBlock(text=text) for text in texts]
            if texts and _has_cache_mark(policy, message, "system"):
                system.append(SystemContentBlock(cache_point=CACHE_POINT))
            continue
        role: ConverseRole = "assistant" if message.role == "assistant" else "user"
        blocks = _build_blocks(writer, message)
        _add(said, role, _mark_last(blocks) if _has_cache_mark(policy, message, "messages") else blocks)
    return ConverseTurns(
        system=system or UNSET,
        messages=[Turn(role=role, content=blocks) for role, blocks in said],
        calls=any(message.tool_calls or message.role == "tool" for message in messages),
        unsupported=tuple(writer.unsupported),
        notes=tuple(dict.fromkeys(writer.notes)),
    )


def _has_cache_mark(policy: BedrockPolicy, message: Message, place: Literal["system", "messages"]) -> bool:
    return message.cache and place in policy.cache


def _mark_last(blocks: list[ContentBlock]) -> list[ContentBlock]:
    return [*blocks, ContentBlock(cache_point=CACHE_POINT)] if blocks else blocks


def _may_stand(said: Sequence[tuple[ConverseRole, object]], following: Sequence[Message]) -> bool:
    """Claude's own rule: a system turn follows a user turn, and is the last or followed by the assistant's."""
    after_user = bool(said) and said[-1][0] in ("user", "system")
    next_role = next((message.role for message in following if message.role not in INSTRUCTIONS), "assistant")
    return after_user and next_role == "assistant"


def _add(
    said: list[tuple[ConverseRole, list[ContentBlock]]], role: ConverseRole, blocks: Sequence[ContentBlock]
) -> None:
    """A turn, or more of the last one; a turn that says nothing is left out."""
    if not blocks:
        return
    if said and said[-1][0] == role:
        said[-1][1].extend(blocks)
    else:
        said.append((role, list(blocks)))


def _list_texts(message: Message) -> list[str]:
    """The texts of a message, without empty ones, which the vendor refuses."""
    if isinstance(message.content, str):
        return [message.content] if message.content else []
    return [part.text for part in message.content if isinstance(part, TextPart) and part.text]


def _build_blocks(writer: _Writer, message: Message) -> list[ContentBlock]:
    if message.role == "assistant":
        blocks = split_assistant_turn(message, writer.dialect.protocol)
        return [written for block in blocks if (written := _build_assistant_block(block, writer.notes)) is not None]
    parts = _build_parts(writer, message)
    return [_build_result(writer, message, parts)] if message.role == "tool" else parts


def _build_parts(writer: _Writer, message: Message) -> list[ContentBlock]:
    if isinstance(message.content, str):
        return [ContentBlock(text=text) for text in _list_texts(message)]
    blocks: list[ContentBlock] = []
    for part in message.content:
        match part_block(part, writer.names, writer.notes):
            case Adjustment() as refused:
                writer.unsupported.append(refused)
            case None:
                pass
            case found:
                blocks.append(found)
    return blocks


def _build_result(writer: _Writer, message: Message, parts: Sequence[ContentBlock]) -> ContentBlock:
    content: list[ToolResultContentBlock] = []
    for part in parts:
        if part.audio is not UNSET:
            writer.unsupported.append(Adjustment(parameter="messages.audio", reason="a tool's result holds no sound"))
            continue
        content.append(
            ToolResultContentBlock(text=part.text, image=part.image, document=part.document, video=part.video)
        )
    if message.is_error and not writer.policy.statuses:
        reason = "this model takes no status of a result"
        writer.notes.append(Adjustment(parameter="messages.is_error", reason=reason))
    return ContentBlock(
        tool_result=ToolResultBlock(
            tool_use_id=fit_call_id(message.tool_call_id or ""),
            content=content,
            status="error" if message.is_error and writer.policy.statuses else UNSET,
        )
    )


def _build_assistant_block(block: Block, notes: list[Adjustment]) -> ContentBlock | None:
    """A block of an assistant's turn, with the state that its vendor gave; None where it says nothing."""
    state = block.state or {}
    match block.kind:
        case "text" | "refusal":
            return _build_text(block.text, state.get("citations")) if block.text else None
        case "reasoning":
            # Models that sign refuse what is unsigned, and models that do not sign take no reasoning back.
            signature = state.get("signature")
            if not isinstance(signature, str) or not signature:
                return None
            thought = ReasoningTextBlock(text=block.text, signature=signature)
            return ContentBlock(reasoning_content=ReasoningContentBlock(reasoning_text=thought))
        case "tool_call":
            return _build_call(block, notes)
        case "opaque":
            # Whatever the vendor sent goes back as it came, known to us or not; the encoder writes mappings as they are.
            return cast("ContentBlock", state) if state and not _SHOWN_ONLY & state.keys() else None
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
        reason = "arguments that are no JSON object go as {'invalid_json': text}"
        notes.append(Adjustment(parameter="messages.tool_calls", reason=reason, action="changed"))
        arguments = {"invalid_json": arguments}
    return ContentBlock(tool_use=ToolUseBlock(tool_use_id=fit_call_id(block.id), name=block.name, input=arguments))


def fit_call_id(id_: str) -> str:
    """The call's id, or one made from it where another vendor's has signs that this one refuses.

    >>> fitting_id("tooluse_01"), fitting_id("call/1") == fitting_id("call/1")
    ('tooluse_01', True)
    """
    return id_ if _ID.fullmatch(id_) else make_id(id_, 0)
