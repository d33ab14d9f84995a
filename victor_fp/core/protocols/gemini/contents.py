"""A conversation as contents: instructions apart, turns of user and model, results under their functions' names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import msgspec
from victor_fp_wire.gemini.request import Content, Part

from victor_fp.core.dialects.gemini import GeminiDialect
from victor_fp.core.models.gemini import GeminiPolicy
from victor_fp.core.protocols.gemini.parts import (
    build_content_parts,
    build_result_part,
    build_turn_parts,
    is_no_object,
    read_media_type,
)
from victor_fp.core.request_building.conversation import (
    INSTRUCTIONS,
    SYSTEM_MOVED,
    split_assistant_turn,
    split_system,
)
from victor_fp.core.request_building.tool_results import Placement, place_result_parts
from victor_fp.core.requests import Adjustment
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Message


class GeminiConversation(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of a request, what they could not hold, and the one detail in which pictures are wanted."""

    contents: list[Content]
    system: Content | None = None
    detail: str | None = None
    unsupported: tuple[Adjustment, ...] = ()
    notes: tuple[Adjustment, ...] = ()
    """Changes that are made without leave, since they lose nothing."""


def build_conversation(messages: Sequence[Message], dialect: GeminiDialect, policy: GeminiPolicy) -> GeminiConversation:
    """The messages in Google's order: user and model by turns, results of one turn together."""
    placed, in_results = place_result_parts(messages, partial(_place_part, policy), "The model")
    instructions, turns = split_system(placed)
    system = [part for message in instructions for part in build_content_parts(message, dialect)]
    contents = _build_contents(turns, dialect, policy)
    if system and not policy.system:
        contents, system = _prepend_system(system, contents), []
    detail, unsupported = _choose_detail(turns)
    unsupported += in_results
    if any(message.name for message in turns if message.role != "tool"):
        unsupported.append(Adjustment(parameter="name", reason="contents do not say who of several people speaks"))
    return GeminiConversation(
        contents=contents,
        system=Content(parts=system) if system else None,
        detail=detail,
        unsupported=tuple(unsupported),
        notes=tuple(list_changes(messages)),
    )


def _place_part(policy: GeminiPolicy, part: ImagePart | AudioPart | FilePart) -> Placement:
    """Whether a part stays in a function's response or moves behind it."""
    return "keep" if read_media_type(part) in policy.result_media else "move"


def list_changes(messages: Sequence[Message]) -> Iterator[Adjustment]:
    """What is changed without a loss: instructions that move before the conversation, arguments that are no object."""
    roles = [message.role for message in messages]
    first = next((place for place, role in enumerate(roles) if role not in INSTRUCTIONS), len(roles))
    if any(message.role in INSTRUCTIONS and message.text for message in messages[first:]):
        yield SYSTEM_MOVED
    if any(is_no_object(call["arguments"]) for message in messages for call in message.tool_calls or ()):
        reason = "arguments that are no JSON object go as {'arguments': text}"
        yield Adjustment(parameter="messages.tool_calls", reason=reason, action="changed")


def _build_contents(turns: Sequence[Message], dialect: GeminiDialect, policy: GeminiPolicy) -> list[Content]:
    contents: list[Content] = []
    names: dict[str, str] = {}
    given: set[str] = set()
    results: list[Message] = []
    for message in turns:
        if message.role == "tool":
            results.append(message)
            continue
        if results:
            contents.append(_build_results(results, names, given, dialect))
            results = []
        if message.role == "assistant":
            blocks = split_assistant_turn(message, dialect.protocol)
            # A conversation may use an id anew, so only the newest turn's calls name the results that follow it.
            names = {block.id: block.name for block in blocks if block.kind == "tool_call"}
            given = {block.id for block in blocks if block.kind == "tool_call" and "id" in (block.state or {})}
            if parts := build_turn_parts(blocks, policy.placeholder_signature):
                contents.append(Content(role="model", parts=parts))
        else:
            contents.append(Content(role="user", parts=build_content_parts(message, dialect)))
    if results:
        contents.append(_build_results(results, names, given, dialect))
    return contents


def _build_results(
    results: Sequence[Message], names: dict[str, str], given: set[str], dialect: GeminiDialect
) -> Content:
    """The results of one turn, in the order of its calls, since without ids only the order tells them apart."""
    order = {id_: place for place, id_ in enumerate(names)}
    parts: list[Part] = []
    for message in sorted(results, key=lambda message: order.get(message.tool_call_id or "", len(order))):
        id_ = message.tool_call_id or ""
        parts.append(build_result_part(message, names.get(id_) or message.name or "", dialect, id_given=id_ in given))
    return Content(role="user", parts=parts)


def _prepend_system(system: list[Part], contents: list[Content]) -> list[Content]:
    """Instructions at the head of the first user turn, for models that know no other place for them."""
    if contents and contents[0].role == "user" and isinstance(contents[0].parts, list):
        return [Content(role="user", parts=[*system, *contents[0].parts]), *contents[1:]]
    return [Content(role="user", parts=system), *contents]


def _choose_detail(turns: Sequence[Message]) -> tuple[str | None, list[Adjustment]]:
    """The media resolution, which holds for a whole request."""
    asked = {
        part.detail
        for message in turns
        if not isinstance(message.content, str)
        for part in message.content
        if isinstance(part, ImagePart) and part.detail in ("low", "high")
    }
    if len(asked) > 1:
        reason = "one media resolution holds for all pictures of a request; the higher one was taken"
        return "high", [Adjustment(parameter="detail", reason=reason, action="changed")]
    return (next(iter(asked)) if asked else None), []
