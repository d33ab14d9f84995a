"""State of the output items of a stream: the item of an event, and what of it has been emitted.

Text, reasoning and arguments are emitted as received. When an item is done, its state to send back is emitted, and content
that had no deltas. If another item begins before an item is done, the block of the first ends with only its id as state; its
reasoning item is emitted when complete, and is put in its position when it is sent back.
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

from victor_fp.core.deltas import Delta, ReasoningDelta, StateReported, ToolCallArguments
from victor_fp.core.json import Json, JsonObject, ObjectChain, drop_nulls, unroll
from victor_fp.core.protocols.openai_responses.items import (
    PARAGRAPH,
    ResponseCall,
    build_message_state,
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
from victor_fp.core.streaming.persistent import PersistentList, PersistentMap

ReasoningForm: TypeAlias = Literal["summary", "content"]
ItemKind: TypeAlias = Literal["message", "reasoning", "call", "other"]
_OrdinalChain: TypeAlias = "tuple[_OrdinalChain, int] | None"
_MAX_OPEN = 8
"""Maximum number of open blocks that are tracked; more are a server error."""
_LARGE = 2**64
_replace = msgspec.structs.replace


class OpenItem(msgspec.Struct, frozen=True, kw_only=True):
    """One output item with the events received so far."""

    output_index: int
    """Its output index; its order of arrival if the server sends no indexes."""
    kind: ItemKind
    id: str = ""
    call_id: str = ""
    phase: str | None = None
    emitted: PersistentMap[int, bool] = PersistentMap()
    """Parts emitted by deltas; a call has one part."""
    numbered: bool = True
    """Whether its deltas have a part index."""
    form: Literal["", "summary", "content"] = ""
    """Which of the two forms of reasoning is emitted; servers that stream both repeat it."""
    part: int = -1
    """The part whose block is open; -1 if none is."""
    closed: int = -1
    """The last part whose block has ended."""
    annotations: ObjectChain = None
    """Annotations of the open part received so far."""
    state: dict[str, Json] = {}
    """State that a call was started with."""
    interrupted: bool = False
    """Whether another item has been emitted since, so that its block cannot be extended."""
    done: bool = False

    @property
    def is_open(self) -> bool:
        """Whether this item has a block that another item would end."""
        return self.kind in ("message", "reasoning") and self.part >= 0 and not (self.done or self.interrupted)


class OpenItems(msgspec.Struct, frozen=True, kw_only=True):
    """All items of one stream, in order of arrival."""

    items: PersistentList[OpenItem] = PersistentList()
    ordinals: PersistentMap[tuple[int, str, str], int] = PersistentMap()
    """Ordinal of each item, by index and ids."""
    newest: PersistentMap[tuple[object, object], int] = PersistentMap()
    """Ordinal of the newest item, by index, by id, and by both."""
    unfinished: _OrdinalChain = None
    """Ordinals of unfinished items, newest first; all but the newest may be done."""
    open_blocks: tuple[int, ...] = ()
    """Ordinals of messages and reasoning whose block may be open."""
    pending_reasoning: PersistentList[int] = PersistentList()
    """Ordinals of announced reasoning items, which may have no content yet."""
    settled: int = 0
    """How many of `pending_reasoning` have been handled."""
    next_index: int = 0
    """Index of the next item without one."""

    def find(self, index: int | None, id_: str | None) -> OpenItem | None:
        """Find the item of an event: by index, else by id, else the newest one that is not done.

        The index comes first, because some gateways send a new id in every event; items with the same index are distinguished
        by id. llama.cpp sends only ids, and the call id for calls.
        """
        if id_:
            named = self.newest.get(("id", id_) if index is None else (index, id_))
            if named is not None:
                return self.items[named]
            if index is None:
                return None
        if index is None:
            return None if self.unfinished is None else self.items[self.unfinished[1]]
        ordinal = self.newest.get(("index", index))
        return None if ordinal is None else self.items[ordinal]

    def put(self, item: OpenItem) -> OpenItems:
        """Return the items with this one replaced, or appended if it is new."""
        key = (item.output_index, item.id, item.call_id)
        ordinal = self.ordinals.get(key)
        if ordinal is None:
            return self._append(key, item)
        unfinished = self.unfinished
        items = self.items.with_replaced(ordinal, item)
        while unfinished is not None and items[unfinished[1]].done:
            unfinished = unfinished[0]
        return _replace(self, items=items, unfinished=unfinished, open_blocks=self._with_open(ordinal, item))

    def _append(self, key: tuple[int, str, str], item: OpenItem) -> OpenItems:
        ordinal = len(self.items)
        newest = self.newest.with_item(("index", item.output_index), ordinal)
        for id_ in {item.id, item.call_id} - {""}:
            newest = newest.with_item((item.output_index, id_), ordinal).with_item(("id", id_), ordinal)
        waits = item.kind == "reasoning" and item.part < 0 and not item.done
        return OpenItems(
            items=self.items.with_appended(item),
            ordinals=self.ordinals.with_item(key, ordinal),
            newest=newest,
            unfinished=self.unfinished if item.done else (self.unfinished, ordinal),
            open_blocks=self._with_open(ordinal, item),
            pending_reasoning=self.pending_reasoning.with_appended(ordinal) if waits else self.pending_reasoning,
            settled=self.settled,
            next_index=max(self.next_index, item.output_index + 1),
        )

    def _with_open(self, ordinal: int, item: OpenItem) -> tuple[int, ...]:
        if not item.is_open or ordinal in self.open_blocks:
            return self.open_blocks
        return (*self.open_blocks, ordinal)[-_MAX_OPEN:]


def add_item(items: OpenItems, index: int | None, item: OutputItem, raw: JsonObject) -> tuple[OpenItems, list[Delta]]:
    """Add an announced item. A call is started immediately if it has a name and an id."""
    output_index = items.next_index if index is None else index
    match item:
        case OutputMessage():
            return items.put(
                OpenItem(output_index=output_index, kind="message", id=item.id or "", phase=item.phase)
            ), []
        case ReasoningItem():
            return items.put(OpenItem(output_index=output_index, kind="reasoning", id=item.id or "")), []
        case FunctionToolCall() | CustomToolCall():
            opened = OpenItem(output_index=output_index, kind="call", id=item.id or "", call_id=item.call_id or "")
            if not (item.call_id and item.name):
                return items.put(opened), []
            items, deltas = switch_item(items, output_index)
            deltas.append(start_call(item, raw, output_index, item.call_id))
            return items.put(_replace(opened, state=read_call_state(item, raw), part=0)), deltas
        case _:
            return items.put(OpenItem(output_index=output_index, kind="other", id=_find_id(raw))), []


def switch_item(items: OpenItems, output_index: int) -> tuple[OpenItems, list[Delta]]:
    """Prepare for emitting an item: end the open blocks of all others, with their id as state.

    This includes reasoning that was announced before it and has no content yet.
    """
    deltas: list[Delta] = []
    for ordinal in items.open_blocks:
        other = items.items[ordinal]
        if other.is_open and other.output_index != output_index:
            items, ended = _interrupt(items, other)
            deltas += ended
    kept = tuple(ordinal for ordinal in items.open_blocks if items.items[ordinal].is_open)
    settled = items.settled
    while settled < len(items.pending_reasoning):
        other = items.items[items.pending_reasoning[settled]]
        if not (other.done or other.interrupted or other.part >= 0):
            if other.output_index >= output_index:
                break
            items, ended = _interrupt(items, other)
            deltas += ended
        settled += 1
    if settled != items.settled or kept != items.open_blocks:
        items = _replace(items, settled=settled, open_blocks=kept)
    return items, deltas


def _interrupt(items: OpenItems, other: OpenItem) -> tuple[OpenItems, list[Delta]]:
    if other.kind == "reasoning":
        # The empty delta opens the block of reasoning without content.
        deltas = [ReasoningDelta(""), *end_block({"id": other.id} if other.id else {})]
    else:
        deltas = end_block(build_message_state(other.id, other.phase, unroll(other.annotations)))
    return items.put(_replace(other, interrupted=True, closed=other.part, part=-1)), deltas


def append_text(
    items: OpenItems, index: int | None, id_: str | None, part: int | None
) -> tuple[OpenItems, list[Delta]]:
    """Prepare for emitting text of a message part; without an index, all parts are treated as one."""
    item = items.find(index, id_) or OpenItem(
        output_index=items.next_index if index is None else index, kind="message", id=id_ or ""
    )
    items, deltas = switch_item(items, item.output_index)
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
    items: OpenItems, index: int | None, id_: str | None, form: ReasoningForm, part: int, text: str
) -> tuple[OpenItems, list[Delta]]:
    """Emit a piece of reasoning, if it is in the form that its item began with."""
    item = items.find(index, id_) or OpenItem(
        output_index=items.next_index if index is None else index, kind="reasoning", id=id_ or ""
    )
    if item.form not in ("", form):
        return items, []
    items, deltas = switch_item(items, item.output_index)
    deltas.append(ReasoningDelta((PARAGRAPH if item.part not in (-1, part) else "") + text))
    if (item.part, item.form) == (part, form):
        return items, deltas
    return items.put(_replace(item, part=part, form=form, emitted=_with_part(item, part))), deltas


def append_arguments(items: OpenItems, index: int | None, id_: str | None, text: str) -> tuple[OpenItems, list[Delta]]:
    """Emit a piece of a call's arguments; those of a call that has not started are emitted when it is done."""
    item = items.find(index, id_)
    if item is None or item.kind != "call" or item.part < 0:
        return items, []
    deltas: list[Delta] = [ToolCallArguments(index=item.output_index, id=item.call_id, text=text)]
    return items if item.emitted else items.put(_replace(item, emitted=_with_part(item, 0))), deltas


def add_annotations(
    items: OpenItems, index: int | None, id_: str | None, annotations: Iterable[dict[str, Json]], *, replace: bool
) -> OpenItems:
    """Add citations to the open part, or replace earlier ones."""
    item = items.find(index, id_)
    if item is None:
        return items
    chain = None if replace else item.annotations
    for annotation in annotations:
        chain = (chain, annotation)
    return items.put(_replace(item, annotations=chain))


def finish_item(
    items: OpenItems, index: int | None, item: OutputItem, raw: JsonObject, seed: str
) -> tuple[OpenItems, list[Delta]]:
    """Finish an item, given its complete content."""
    id_ = _find_id(raw)
    known = items.find(index, id_) if index is not None or id_ else None
    if known is None:
        known = OpenItem(output_index=items.next_index if index is None else index, kind="other", id=id_)
    if known.done:
        return items, []
    done = _replace(known, done=True)
    if not (known.emitted or known.part >= 0 or known.interrupted):
        items, deltas = switch_item(items, known.output_index)
        return items.put(done), [*deltas, *emit_item(item, raw, known.output_index, seed)]
    deltas = []
    if known.interrupted:
        items, deltas = switch_item(items, known.output_index)
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
    """Finish the response, given its complete output: finish all items and emit those without events.

    Items are matched by id, else by index, since some servers use different ids here, and others omit items.
    """
    deltas: list[Delta] = []
    if not items.items:
        for output_index, (item, raw) in enumerate(zip(output, raw_output, strict=False)):
            deltas += emit_item(item, raw, output_index, seed)
        return items, deltas
    missing = len(output) - len(items.items)
    for output_index, (item, raw) in enumerate(zip(output, raw_output, strict=False)):
        known = items.find(None, _find_id(raw) or "-") or items.find(output_index, None)
        if known is None and missing <= 0:
            continue
        index = max(output_index, items.next_index) if known is None else known.output_index
        items, more = finish_item(items, index, item, raw, seed)
        deltas += more
    return items, deltas


def _find_id(raw: JsonObject) -> str:
    """Return the item's id or call id; some servers write numbers."""
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
        deltas.append(start_call(item, raw, known.output_index, known.call_id))
    return deltas if known.emitted else [*deltas, *emit_arguments(item, known.output_index, known.call_id)]
