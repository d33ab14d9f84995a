"""How a stream's items unfold: each function takes the items so far, adds deltas, and gives the items after it.

Rules: text, thinking and arguments are told as they come; what an item goes back with is told when it is done, and what
its deltas left out is told then. Where another item begins before one is done, the first one's block ends with its id
alone, and its reasoning follows whole, to be put in its place when it goes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec
from victor_fp_wire.openai_responses.response import (
    CustomToolCall,
    FunctionToolCall,
    OutputItem,
    OutputMessage,
    OutputTextContent,
    ReasoningItem,
)

from victor_fp.core.deltas import Delta, ReasoningDelta, StateReported, ToolCallArguments
from victor_fp.core.json import Json, JsonObject
from victor_fp.core.protocols.openai_responses.items import (
    PARAGRAPH,
    Call,
    block_ended,
    call_arguments,
    call_started,
    call_state,
    drop_nulls,
    emit_part,
    item_deltas,
    message_notes,
    message_state,
    part_ended,
    reasoning_state,
)
from victor_fp.core.protocols.openai_responses.open_items import OpenItem, OpenItems

Aspect: TypeAlias = Literal["summary", "content"]
_with = msgspec.structs.replace


def added(items: OpenItems, index: int | None, item: OutputItem, raw: JsonObject, deltas: list[Delta]) -> OpenItems:
    """An item is announced; a call is told of at once, if its head is whole."""
    place = items.next_place if index is None else index
    match item:
        case OutputMessage():
            return items.put(OpenItem(place=place, kind="message", id=item.id or "", phase=item.phase))
        case ReasoningItem():
            return items.put(OpenItem(place=place, kind="reasoning", id=item.id or ""))
        case FunctionToolCall() | CustomToolCall():
            opened = OpenItem(place=place, kind="call", id=item.id or "", call_id=item.call_id or "")
            if not (item.call_id and item.name):
                return items.put(opened)
            items = turned_to(items, place, deltas)
            deltas.append(call_started(item, raw, place, item.call_id))
            return items.put(_with(opened, state=call_state(item, raw), part=0))
        case _:
            return items.put(OpenItem(place=place, kind="other", id=str(raw.get("id") or "")))


def turned_to(items: OpenItems, place: int, deltas: list[Delta]) -> OpenItems:
    """Another item is about to be told: every other one whose block is open ends it, with its id to be known by."""
    for other in items.items:
        if other.place == place or other.done or other.interrupted:
            continue
        if other.kind == "reasoning" and (other.part >= 0 or other.place < place):
            # The empty delta opens the block of thinking that nothing was told of and that comes before.
            deltas += [ReasoningDelta(""), *block_ended({"id": other.id} if other.id else {})]
        elif other.kind == "message" and other.part >= 0:
            deltas += block_ended(message_state(other.id, other.phase, other.annotations))
        else:
            continue
        items = items.put(_with(other, interrupted=True, closed=other.part, part=-1))
    return items


def speaking(items: OpenItems, index: int | None, id_: str | None, part: int | None, deltas: list[Delta]) -> OpenItems:
    """A part of a message is about to be told; without a number all parts are taken for one."""
    item = items.find(index, id_) or OpenItem(
        place=items.next_place if index is None else index, kind="message", id=id_ or ""
    )
    items = turned_to(items, item.place, deltas)
    number = part or 0
    if item.part not in (-1, number):
        deltas += block_ended(message_state(item.id, item.phase, item.annotations))
        item = _with(item, closed=item.part, annotations=())
    return items.put(
        _with(
            item,
            part=number,
            told=item.told | {number},
            numbered=part is not None,
            closed=min(item.closed, number - 1),
            interrupted=False,
        )
    )


def thinking(
    items: OpenItems, index: int | None, id_: str | None, aspect: Aspect, part: int, text: str, deltas: list[Delta]
) -> OpenItems:
    """A piece of reasoning, in the form that its item began with."""
    item = items.find(index, id_) or OpenItem(
        place=items.next_place if index is None else index, kind="reasoning", id=id_ or ""
    )
    if item.aspect not in ("", aspect):
        return items
    items = turned_to(items, item.place, deltas)
    deltas.append(ReasoningDelta((PARAGRAPH if item.part not in (-1, part) else "") + text))
    if (item.part, item.aspect) == (part, aspect):
        return items
    return items.put(_with(item, part=part, aspect=aspect, told=item.told | {part}))


def arguing(items: OpenItems, index: int | None, id_: str | None, text: str, deltas: list[Delta]) -> OpenItems:
    """A piece of a call's arguments; those of a call that has not begun are told whole when it is done."""
    item = items.find(index, id_)
    if item is None or item.kind != "call" or item.part < 0:
        return items
    deltas.append(ToolCallArguments(index=item.place, id=item.call_id, text=text))
    return items if item.told else items.put(_with(item, told=frozenset({0})))


def cited(
    items: OpenItems, index: int | None, id_: str | None, annotations: Sequence[dict[str, Json]], *, whole: bool
) -> OpenItems:
    """Citations of the open part, one more or all of them."""
    item = items.find(index, id_)
    if item is None:
        return items
    return items.put(_with(item, annotations=tuple(annotations) if whole else (*item.annotations, *annotations)))


def done(
    items: OpenItems, index: int | None, item: OutputItem, raw: JsonObject, seed: str, deltas: list[Delta]
) -> OpenItems:
    """An item is whole."""
    id_ = str(raw.get("id") or raw.get("call_id") or "")
    known = items.find(index, id_) if index is not None or id_ else None
    if known is None:
        known = OpenItem(place=items.next_place if index is None else index, kind="other", id=id_)
    if known.done:
        return items
    if not (known.told or known.part >= 0 or known.interrupted):
        items = turned_to(items, known.place, deltas)
        deltas += item_deltas(item, raw, known.place, seed)
        return items.put(_with(known, done=True))
    if known.interrupted:
        items = turned_to(items, known.place, deltas)
    match item:
        case OutputMessage():
            _message_done(known, item, deltas)
        case ReasoningItem():
            deltas += (
                [StateReported(drop_nulls(raw), alone=True)] if known.interrupted else block_ended(reasoning_state(raw))
            )
        case FunctionToolCall() | CustomToolCall():
            _call_done(known, item, raw, deltas)
        case _:
            pass
    return items.put(_with(known, done=True))


def _message_done(known: OpenItem, item: OutputMessage, deltas: list[Delta]) -> None:
    content = item.content or ()
    for number, part in enumerate(content):
        if known.numbered and number not in known.told:
            deltas += emit_part(part)
        elif number <= known.closed or (not known.numbered and number < len(content) - 1):
            continue
        annotations = (part.annotations or known.annotations) if isinstance(part, OutputTextContent) else ()
        deltas += part_ended(message_state(item.id or known.id, item.phase or known.phase, annotations), part)
    deltas += message_notes(item)


def _call_done(known: OpenItem, item: Call, raw: JsonObject, deltas: list[Delta]) -> None:
    if call_state(item, raw) != known.state:
        deltas.append(call_started(item, raw, known.place, known.call_id))
    if not known.told:
        deltas += call_arguments(item, known.place, known.call_id)


def completed(
    items: OpenItems, output: Sequence[OutputItem], came: Sequence[JsonObject], seed: str, deltas: list[Delta]
) -> OpenItems:
    """The whole output: items that are not done are done with it, and those that no event told of are told.

    An item is known by its id, else by its place, since some servers write other ids here, and others leave items out.
    """
    lacking = len(output) - len(items.items)
    for place, (item, raw) in enumerate(zip(output, came, strict=False)):
        known = items.find(None, str(raw.get("id") or raw.get("call_id") or "-")) or items.find(place, None)
        if known is not None:
            items = done(items, known.place, item, raw, seed, deltas)
        elif lacking > 0:
            items = done(items, max(place, items.next_place), item, raw, seed, deltas)
    return items
