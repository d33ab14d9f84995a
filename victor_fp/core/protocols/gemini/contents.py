"""Conversations as contents: system instruction apart, user and model turns, function responses by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import msgspec
from victor_fp_wire.gemini.request import Content, Part

from victor_fp.core.conversation import (
    INSTRUCTIONS,
    SYSTEM_MOVED,
    is_invalid_object,
    split_assistant_turn,
    split_system,
)
from victor_fp.core.dialects.gemini import GeminiDialect
from victor_fp.core.dialects.policies.gemini import GeminiPolicy
from victor_fp.core.protocols.gemini.parts import (
    build_content_parts,
    build_result_part,
    build_turn_parts,
    read_media_type,
)
from victor_fp.core.request_building.tool_results import Placement, place_result_parts
from victor_fp.core.requests import Adjustment
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Message


class GeminiConversation(msgspec.Struct, frozen=True, kw_only=True):
    """Contents of a request, unsupported parts of the conversation, and the image detail of the request."""

    contents: list[Content]
    system: Content | None = None
    detail: str | None = None
    unsupported: tuple[Adjustment, ...] = ()
    notes: tuple[Adjustment, ...] = ()
    """Lossless changes: made without `on_unsupported="adjust"`, but reported."""


def build_conversation(messages: Sequence[Message], dialect: GeminiDialect, policy: GeminiPolicy) -> GeminiConversation:
    """Build contents from messages, with the results of one turn grouped."""
    with_moved_parts, in_results = place_result_parts(messages, partial(_place_part, policy), "The model")
    instructions, turns = split_system(with_moved_parts)
    system = [part for message in instructions for part in build_content_parts(message, dialect)]
    contents = _build_contents(turns, dialect, policy)
    if system and not policy.system:
        contents, system = _prepend_system(system, contents), []
    detail, unsupported = _choose_detail(turns)
    unsupported += in_results
    if any(message.name for message in turns if message.role != "tool"):
        unsupported.append(Adjustment(parameter="name", reason="contents have no field for participant names"))
    return GeminiConversation(
        contents=contents,
        system=Content(parts=system) if system else None,
        detail=detail,
        unsupported=tuple(unsupported),
        notes=tuple(list_changes(messages)),
    )


def _place_part(policy: GeminiPolicy, part: ImagePart | AudioPart | FilePart) -> Placement:
    """Return whether a part stays in a function response or moves to a user message after it."""
    return "keep" if read_media_type(part) in policy.result_media else "move"


def list_changes(messages: Sequence[Message]) -> Iterator[Adjustment]:
    """Yield the lossless changes: instructions moved to the start, and arguments that are not an object."""
    roles = [message.role for message in messages]
    first = next((position for position, role in enumerate(roles) if role not in INSTRUCTIONS), len(roles))
    if any(message.role in INSTRUCTIONS and message.text for message in messages[first:]):
        yield SYSTEM_MOVED
    if any(is_invalid_object(call["arguments"]) for message in messages for call in message.tool_calls or ()):
        reason = "arguments that are not a JSON object are sent as {'arguments': text}"
        yield Adjustment(parameter="messages.tool_calls", reason=reason, action="changed")


def _build_contents(turns: Sequence[Message], dialect: GeminiDialect, policy: GeminiPolicy) -> list[Content]:
    contents: list[Content] = []
    names: dict[str, str] = {}
    sent_ids: set[str] = set()
    results: list[Message] = []
    for message in turns:
        if message.role == "tool":
            results.append(message)
            continue
        if results:
            contents.append(_build_results(results, names, sent_ids, dialect))
            results = []
        if message.role == "assistant":
            blocks = split_assistant_turn(message, dialect.protocol)
            # Call ids may be reused in a conversation, so results are matched with the calls of the newest turn only.
            names = {block.id: block.name for block in blocks if block.kind == "tool_call"}
            sent_ids = {block.id for block in blocks if block.kind == "tool_call" and "id" in (block.state or {})}
            if parts := build_turn_parts(blocks, policy.placeholder_signature):
                contents.append(Content(role="model", parts=parts))
        else:
            contents.append(Content(role="user", parts=build_content_parts(message, dialect)))
    if results:
        contents.append(_build_results(results, names, sent_ids, dialect))
    return contents


def _build_results(
    results: Sequence[Message], names: dict[str, str], sent_ids: set[str], dialect: GeminiDialect
) -> Content:
    """Build the results of one turn in the order of its calls, since without ids only the order identifies them."""
    order = {id_: position for position, id_ in enumerate(names)}
    parts: list[Part] = []
    for message in sorted(results, key=lambda message: order.get(message.tool_call_id or "", len(order))):
        id_ = message.tool_call_id or ""
        parts.append(
            build_result_part(message, names.get(id_) or message.name or "", dialect, id_given=id_ in sent_ids)
        )
    return Content(role="user", parts=parts)


def _prepend_system(system: list[Part], contents: list[Content]) -> list[Content]:
    """Prepend the instructions to the first user turn, for models without a system instruction."""
    if contents and contents[0].role == "user" and isinstance(contents[0].parts, list):
        return [Content(role="user", parts=[*system, *contents[0].parts]), *contents[1:]]
    return [Content(role="user", parts=system), *contents]


def _choose_detail(turns: Sequence[Message]) -> tuple[str | None, list[Adjustment]]:
    """Return the media resolution, which applies to the entire request."""
    requested = {
        part.detail
        for message in turns
        if not isinstance(message.content, str)
        for part in message.content
        if isinstance(part, ImagePart) and part.detail in ("low", "high")
    }
    if len(requested) > 1:
        reason = "a request has one media resolution for all images; the higher one is used"
        return "high", [Adjustment(parameter="detail", reason=reason, action="changed")]
    return (next(iter(requested)) if requested else None), []
