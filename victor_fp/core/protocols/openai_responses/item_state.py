"""The output items of a stream while they are under way: which one an event means, and what of it has been emitted.

ResponseRules: text, thinking and arguments are emitted as they come; what an item goes back with is emitted when it is done, and
what its deltas left out is emitted then. Where another item begins before one is done, the first one's block ends with its
id alone, and its reasoning follows whole, to be put in its place when it goes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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

from victor_fp.core.chains import ObjectChain, unroll
from victor_fp.core.deltas import Delta, ReasoningDelta, StateReported, ToolCallArguments
from victor_fp.core.json import Json, JsonObject
from victor_fp.core.persistent import PersistentList, PersistentMap
from victor_fp.core.protocols.openai_responses.items import (
    PARAGRAPH,
    ResponseCall,
    build_message_state,
    drop_nulls,
    emit_arguments,
    emit_item,
    emit_message_metadata,
    emit_part,
    end_block,
    end_part,
    read_call_state,
    read_reasoning_state,
    start_call,
)

Aspect: TypeAlias = Literal["summary", "content"]
ItemKind: TypeAlias = Literal["message", "reasoning", "call", "other"]
_OrdinalChain: TypeAlias = "tuple[_OrdinalChain, int] | None"
_MAX_SPEAKING = 8
"""Items of one index whose blocks are open; more of them are a server's mistake."""
_LARGE = 2**64
_replace = msgspec.structs.replace


class OpenItem(msgspec.Struct, frozen=True, kw_only=True):
    """One output item as far as its events have come."""

    place: int
    """Its index in the output; its turn of coming where a server sends no indexes."""
    kind: ItemKind
    id: str = ""
    call_id: str = ""
    phase: str | None = None
    emitted: PersistentMap[int, bool] = PersistentMap()
    """Parts that were emitted by deltas; a call has one part."""
    numbered: bool = True
    """Its deltas say which part they belong to."""
    aspect: Literal["", "summary", "content"] = ""
    """Which of the two forms of reasoning is emitted: servers that stream both say the same in both."""
    part: int = -1
    """The part whose block is open; -1 where none is."""
    closed: int = -1
    """The last part whose block has ended."""
    annotations: ObjectChain = None
    """Of the open part, as far as they have come."""
    state: dict[str, Json] = {}
    """What a call was begun with."""
    interrupted: bool = False
    """Another item has been emitted since, so that its block cannot be added to."""
    done: bool = False

    @property
    def is_open(self) -> bool:
        """Whether a block of this item would be ended by another item."""
        return self.kind in ("message", "reasoning") and self.part >= 0 and not (self.done or self.interrupted)


class OpenItems(msgspec.Struct, frozen=True, kw_only=True):
    """All items of one stream, in the order in which they came."""

    items: PersistentList[OpenItem] = PersistentList()
    ordinals: PersistentMap[tuple[int, str, str], int] = PersistentMap()
    """By place and ids."""
    newest: PersistentMap[tuple[object, object], int] = PersistentMap()
    """The ordinal of the newest item by place, by id, and by both."""
    unfinished: _OrdinalChain = None
    """Items by their turn, the newest first; those behind the newest may be done."""
    speaking: tuple[int, ...] = ()
    """Messages and reasoning whose block may be open."""
    waiting: PersistentList[int] = PersistentList()
    """Reasoning that was announced, of which nothing may have come."""
    waited: int = 0
    """How many of `waiting` are settled."""
    next_place: int = 0
    """The place of an item that has no index."""

    def find(self, index: int | None, id_: str | None) -> OpenItem | None:
        """The item of an event: by its index, else by its id, else the newest one that is not done.

        Indexes come first because some gateways write another id into every event; where two items have one index, ids
        tell them apart. llama.cpp sends ids only, and for calls the call's.
        """
        if id_:
            named = self.newest.get(("id", id_) if index is None else (index, id_))
            if named is not None:
                return self.items[named]
            if index is None:
                return None
        if index is None:
            return None if self.unfinished is None else self.items[self.unfinished[1]]
        ordinal = self.newest.get(("place", index))
        return None if ordinal is None else self.items[ordinal]

    def put(self, item: OpenItem) -> OpenItems:
        """With this item in its place, or as the newest."""
        key = (item.place, item.id, item.call_id)
        ordinal = self.ordinals.get(key)
        if ordinal is None:
            return self._append(key, item)
        unfinished = self.unfinished
        items = self.items.with_replaced(ordinal, item)
        while unfinished is not None and items[unfinished[1]].done:
            unfinished = unfinished[0]
        return _replace(self, items=items, unfinished=unfinished, speaking=self._add_speaking(ordinal, item))

    def _append(self, key: tuple[int, str, str], item: OpenItem) -> OpenItems:
        ordinal = len(self.items)
        newest = self.newest.with_item(("place", item.place), ordinal)
        for id_ in {item.id, item.call_id} - {""}:
            newest = newest.with_item((item.place, id_), ordinal).with_item(("id", id_), ordinal)
        waits = item.kind == "reasoning" and item.part < 0 and not item.done
        return OpenItems(
            items=self.items.with_appended(item),
            ordinals=self.ordinals.with_item(key, ordinal),
            newest=newest,
            unfinished=self.unfinished if item.done else (self.unfinished, ordinal),
            speaking=self._add_speaking(ordinal, item),
            waiting=self.waiting.with_appended(ordinal) if waits else self.waiting,
            waited=self.waited,
            next_place=max(self.next_place, item.place + 1),
        )

    def _add_speaking(self, ordinal: int, item: OpenItem) -> tuple[int, ...]:
        if not item.is_open or ordinal in self.speaking:
            return self.speaking
        return (*self.speaking, ordinal)[-_MAX_SPEAKING:]


def add_item(items: OpenItems, index: int | None, item: OutputItem, raw: JsonObject) -> tuple[OpenItems, list[Delta]]:
    """An item is announced; a call is emitted at once, if its head is whole."""
    place = items.next_place if index is None else index
    match item:
        case OutputMessage():
            return items.put(OpenItem(place=place, kind="message", id=item.id or "", phase=item.phase)), []
        case ReasoningItem():
            return items.put(OpenItem(place=place, kind="reasoning", id=item.id or "")), []
        case FunctionToolCall() | CustomToolCall():
            opened = OpenItem(place=place, kind="call", id=item.id or "", call_id=item.call_id or "")
            if not (item.call_id and item.name):
                return items.put(opened), []
            items, deltas = switch_item(items, place)
            deltas.append(start_call(item, raw, place, item.call_id))
            return items.put(_replace(opened, state=read_call_state(item, raw), part=0)), deltas
        case _:
            return items.put(OpenItem(place=place, kind="other", id=_find_id(raw))), []


def switch_item(items: OpenItems, place: int) -> tuple[OpenItems, list[Delta]]:
    """Another item is about to be emitted: every other one whose block is open ends it, with its id to be known by.

    So does reasoning that was announced before it and of which nothing has come.
    """
    deltas: list[Delta] = []
    for ordinal in items.speaking:
        other = items.items[ordinal]
        if other.is_open and other.place != place:
            items, ended = _interrupt(items, other)
            deltas += ended
    kept = tuple(ordinal for ordinal in items.speaking if items.items[ordinal].is_open)
    waited = items.waited
    while waited < len(items.waiting):
        other = items.items[items.waiting[waited]]
        if not (other.done or other.interrupted or other.part >= 0):
            if other.place >= place:
                break
            items, ended = _interrupt(items, other)
            deltas += ended
        waited += 1
    if waited != items.waited or kept != items.speaking:
        items = _replace(items, waited=waited, speaking=kept)
    return items, deltas


def _interrupt(items: OpenItems, other: OpenItem) -> tuple[OpenItems, list[Delta]]:
    if other.kind == "reasoning":
        # The empty delta opens the block of thinking of which nothing was emitted.
        deltas = [ReasoningDelta(""), *end_block({"id": other.id} if other.id else {})]
    else:
        deltas = end_block(build_message_state(other.id, other.phase, unroll(other.annotations)))
    return items.put(_replace(other, interrupted=True, closed=other.part, part=-1)), deltas


def append_text(
    items: OpenItems, index: int | None, id_: str | None, part: int | None
) -> tuple[OpenItems, list[Delta]]:
    """A part of a message is about to be emitted; without a number all parts are taken for one."""
    item = items.find(index, id_) or OpenItem(
        place=items.next_place if index is None else index, kind="message", id=id_ or ""
    )
    items, deltas = switch_item(items, item.place)
    number = part or 0
    if item.part not in (-1, number):
        deltas += end_block(build_message_state(item.id, item.phase, unroll(item.annotations)))
        item = _replace(item, closed=item.part, annotations=None)
    opened = _replace(
        item,
        part=number,
        emitted=_with_part(item, number),
        numbered=part is not None,
        closed=min(item.closed, number - 1),
        interrupted=False,
    )
    return items.put(opened), deltas


def append_reasoning(
    items: OpenItems, index: int | None, id_: str | None, aspect: Aspect, part: int, text: str
) -> tuple[OpenItems, list[Delta]]:
    """A piece of reasoning, in the form that its item began with."""
    item = items.find(index, id_) or OpenItem(
        place=items.next_place if index is None else index, kind="reasoning", id=id_ or ""
    )
    if item.aspect not in ("", aspect):
        return items, []
    items, deltas = switch_item(items, item.place)
    deltas.append(ReasoningDelta((PARAGRAPH if item.part not in (-1, part) else "") + text))
    if (item.part, item.aspect) == (part, aspect):
        return items, deltas
    return items.put(_replace(item, part=part, aspect=aspect, emitted=_with_part(item, part))), deltas


def append_arguments(items: OpenItems, index: int | None, id_: str | None, text: str) -> tuple[OpenItems, list[Delta]]:
    """A piece of a call's arguments; those of a call that has not begun are emitted whole when it is done."""
    item = items.find(index, id_)
    if item is None or item.kind != "call" or item.part < 0:
        return items, []
    deltas: list[Delta] = [ToolCallArguments(index=item.place, id=item.call_id, text=text)]
    return items if item.emitted else items.put(_replace(item, emitted=_with_part(item, 0))), deltas


def add_annotations(
    items: OpenItems, index: int | None, id_: str | None, annotations: Iterable[dict[str, Json]], *, whole: bool
) -> OpenItems:
    """Citations of the open part, one more or all of them."""
    item = items.find(index, id_)
    if item is None:
        return items
    chain = None if whole else item.annotations
    for annotation in annotations:
        chain = (chain, annotation)
    return items.put(_replace(item, annotations=chain))


def finish_item(
    items: OpenItems, index: int | None, item: OutputItem, raw: JsonObject, seed: str
) -> tuple[OpenItems, list[Delta]]:
    """An item is whole."""
    id_ = _find_id(raw)
    known = items.find(index, id_) if index is not None or id_ else None
    if known is None:
        known = OpenItem(place=items.next_place if index is None else index, kind="other", id=id_)
    if known.done:
        return items, []
    done = _replace(known, done=True)
    if not (known.emitted or known.part >= 0 or known.interrupted):
        items, deltas = switch_item(items, known.place)
        return items.put(done), [*deltas, *emit_item(item, raw, known.place, seed)]
    deltas = []
    if known.interrupted:
        items, deltas = switch_item(items, known.place)
    match item:
        case OutputMessage():
            deltas += _finish_message(known, item)
        case ReasoningItem():
            deltas += (
                [StateReported(drop_nulls(raw), alone=True)]
                if known.interrupted
                else end_block(read_reasoning_state(raw))
            )
        case FunctionToolCall() | CustomToolCall():
            deltas += _finish_call(known, item, raw)
        case _:
            pass
    return items.put(done), deltas


def finish_response(
    items: OpenItems, output: Sequence[OutputItem], raw_output: Sequence[JsonObject], seed: str
) -> tuple[OpenItems, list[Delta]]:
    """The whole output: items that are not done are done with it, and those that no event was about are emitted.

    An item is known by its id, else by its place, since some servers write other ids here, and others leave items out.
    """
    deltas: list[Delta] = []
    if not items.items:
        for place, (item, raw) in enumerate(zip(output, raw_output, strict=False)):
            deltas += emit_item(item, raw, place, seed)
        return items, deltas
    lacking = len(output) - len(items.items)
    for place, (item, raw) in enumerate(zip(output, raw_output, strict=False)):
        known = items.find(None, _find_id(raw) or "-") or items.find(place, None)
        if known is None and lacking <= 0:
            continue
        index = max(place, items.next_place) if known is None else known.place
        items, more = finish_item(items, index, item, raw, seed)
        deltas += more
    return items, deltas


def _find_id(raw: JsonObject) -> str:
    """The item's id, or a call's; some servers write numbers."""
    found = raw.get("id") or raw.get("call_id")
    if isinstance(found, int) and abs(found) < _LARGE:
        return str(found)
    return found if isinstance(found, str) else ""


def _with_part(item: OpenItem, part: int) -> PersistentMap[int, bool]:
    return item.emitted if part in item.emitted else item.emitted.with_item(part, True)  # noqa: FBT003  a set


def _finish_message(known: OpenItem, item: OutputMessage) -> list[Delta]:
    deltas: list[Delta] = []
    content = item.content or ()
    open_annotations: Sequence[Mapping[str, Json]] = unroll(known.annotations)
    for number, part in enumerate(content):
        if known.numbered and number not in known.emitted:
            deltas += emit_part(part)
        elif number <= known.closed or (not known.numbered and number < len(content) - 1):
            continue
        annotations = part.annotations or open_annotations if isinstance(part, OutputTextContent) else ()
        deltas += end_part(build_message_state(item.id or known.id, item.phase or known.phase, annotations), part)
    return deltas + emit_message_metadata(item)


def _finish_call(known: OpenItem, item: ResponseCall, raw: JsonObject) -> list[Delta]:
    deltas: list[Delta] = []
    if read_call_state(item, raw) != known.state:
        deltas.append(start_call(item, raw, known.place, known.call_id))
    return deltas if known.emitted else [*deltas, *emit_arguments(item, known.place, known.call_id)]
