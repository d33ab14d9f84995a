"""Incomplete tool calls of a stream, the assignment of deltas to them, and ids for calls without one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, TypeAlias

import msgspec

from victor_fp.core.json import (
    MAX_DEPTH,
    Chain,
    Json,
    JsonScalar,
    NotJson,
    ObjectChain,
    decode_json_object,
    encode_flawed_json,
    measure_depth,
    merge_objects,
    unroll,
)
from victor_fp.core.streaming.persistent import PersistentList, PersistentMap
from victor_fp.core.types import ToolCall

ArgumentPath: TypeAlias = tuple[str | int, ...]
ArgumentSets: TypeAlias = "tuple[ArgumentSets, tuple[ArgumentPath, JsonScalar]] | None"
"""Values at paths, newest first."""

MAX_PATH_STEPS = 64
"""Maximum length of a path into arguments."""
MAX_INDEX_GAP = 64
"""Maximum distance of an index from the end of its list; the items in between are null."""


class ToolCallDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A call as received so far."""

    index: int | None
    id: str
    name: str
    ordinal: int
    """Its position among the calls of the response."""
    pieces: Chain = None
    """Arguments received as JSON text."""
    whole: dict[str, Json] | None = None
    """Arguments received as an object."""
    sets: ArgumentSets = None
    """Arguments received as single values; they take precedence over `whole`."""
    lengths: PersistentMap[ArgumentPath, int] = PersistentMap()
    """Lengths of the lists in `sets`."""
    states: ObjectChain = None
    """Opaque state, sent back with the call."""

    def build_call(self) -> ToolCall:
        """Build the call with parsed arguments, or with their text if it is not a JSON object or nested too deeply.

        Missing arguments and null become an empty object. Non-empty text takes precedence over an object.
        """
        text = "".join(unroll(self.pieces))
        arguments: dict[str, Any] | str
        if text.strip() not in ("", "null"):
            parsed = decode_json_object(text)
            arguments = text if isinstance(parsed, NotJson) or _is_deep(text, parsed) else parsed
        else:
            arguments = _build_arguments(self.whole or {}, self.sets)
            if measure_depth(arguments, MAX_DEPTH) > MAX_DEPTH:
                arguments = encode_flawed_json(arguments).decode()
        return ToolCall(id=self.id or f"call_{self.ordinal}", name=self.name, arguments=arguments)

    def merge_state(self) -> dict[str, Json] | None:
        """Return the merged opaque state."""
        return None if self.states is None else merge_objects(unroll(self.states))

    def with_value(self, path: ArgumentPath, value: JsonScalar) -> ToolCallDraft | None:
        """Return the call with `value` at `path` of its arguments; a string is appended, other values are set.

        None if the path does not start with a name, is longer than `MAX_PATH_STEPS`, or has an index more than
        `MAX_INDEX_GAP` beyond the end of its list.
        """
        if not path or not isinstance(path[0], str) or len(path) > MAX_PATH_STEPS:
            return None
        lengths = self.lengths
        inner: Json = self.whole or {}
        for depth, step in enumerate(path):
            if isinstance(step, int):
                items = _read_items(inner)
                known = lengths.get(path[:depth], len(items))
                if not 0 <= step <= known + MAX_INDEX_GAP:
                    return None
                if step >= known:
                    lengths = lengths.with_item(path[:depth], step + 1)
                inner = items[step] if step < len(items) else None
            else:
                inner = inner.get(step) if isinstance(inner, Mapping) else None
        return msgspec.structs.replace(self, sets=(self.sets, (path, value)), lengths=lengths)


def _read_items(value: Json) -> Sequence[Json]:
    return value if isinstance(value, list) else ()


def _is_deep(text: str, value: Json) -> bool:
    """Return whether the nesting exceeds what pydantic and other libraries can serialise."""
    return text.count("[") + text.count("{") > MAX_DEPTH and measure_depth(value, MAX_DEPTH) > MAX_DEPTH


class CallIndex(msgspec.Struct, frozen=True):
    """The newest call by index and id, by index, and by id, so that a delta finds its call without a search."""

    newest: PersistentMap[tuple[object, object], int] = PersistentMap()
    count: int = 0

    def find_candidates(self, index: float | None, id_: str | None) -> list[int]:
        """Return candidate ordinals for the newest call with this index and id, where a call may lack either.

        The caller must check them: the id of a call may have changed.
        """
        keys: tuple[tuple[object, object], ...]
        if index is not None and id_:
            keys = ((index, id_), (index, ""), (None, id_), (None, ""))
        elif index is not None:
            keys = (("index", index), ("index", None))
        elif id_:
            keys = (("id", id_), ("id", ""))
        else:
            return [self.count - 1] if self.count else []
        found = {self.newest.get(key) for key in keys}
        return sorted((ordinal for ordinal in found if ordinal is not None), reverse=True)

    def with_call(self, ordinal: int, index: float | None, id_: str) -> CallIndex:
        """Return the index with a call added or updated."""
        newest = self.newest
        for key in ((index, id_), ("index", index), ("id", id_)):
            if ordinal >= newest.get(key, -1):
                newest = newest.with_item(key, ordinal)
        return CallIndex(newest, max(self.count, ordinal + 1))


class ToolCallDrafts(msgspec.Struct, frozen=True):
    """The calls of a response in order."""

    drafts: PersistentList[ToolCallDraft] = PersistentList()
    index: CallIndex = CallIndex()

    def find(self, index: int | None, id_: str | None) -> int | None:
        """Return the ordinal of the call that a delta continues, by index *and* id; None if it starts a new call.

        This is the newest call with the delta's index, unless the ids differ. Without an index it is the call with the
        id; with neither, the newest call. A call without index or id matches any.
        """
        for ordinal in self.index.find_candidates(index, id_):
            call = self.drafts[ordinal]
            same_index = index is None or call.index is None or call.index == index
            if same_index and (not id_ or not call.id or call.id == id_):
                return ordinal
        return None

    def with_appended(self, draft: ToolCallDraft) -> ToolCallDrafts:
        """Return the calls with one more."""
        return ToolCallDrafts(
            self.drafts.with_appended(draft), self.index.with_call(draft.ordinal, draft.index, draft.id)
        )

    def with_replaced(self, draft: ToolCallDraft) -> ToolCallDrafts:
        """Return the calls with one of them replaced."""
        known = draft.id == self.drafts[draft.ordinal].id
        index = self.index if known else self.index.with_call(draft.ordinal, draft.index, draft.id)
        return ToolCallDrafts(self.drafts.with_replaced(draft.ordinal, draft), index)

    def __getitem__(self, ordinal: int) -> ToolCallDraft:
        return self.drafts[ordinal]

    def __len__(self) -> int:
        return len(self.drafts)

    def __iter__(self) -> Iterator[ToolCallDraft]:
        return iter(self.drafts)


class _Fields(dict[str, Any]):
    """An object under construction."""


class _Items(list[Any]):
    """A list under construction."""


class _Text(msgspec.Struct, frozen=True):
    """A text under construction."""

    pieces: tuple[Any, str]


def _build_arguments(whole: dict[str, Json], sets: ArgumentSets) -> dict[str, Any]:
    if sets is None:
        return whole
    root = _Fields(whole)

    def set_value(path: ArgumentPath, value: JsonScalar) -> None:
        place: _Fields | _Items = root
        for depth, step in enumerate(path):
            if isinstance(place, _Items) and isinstance(step, int):
                if step > len(place) + MAX_INDEX_GAP:
                    return  # another value has replaced the list that `with_value` counted
                place.extend([None] * (step + 1 - len(place)))
            last = depth + 1 == len(path)
            before = _get_at(place, step)
            inner = _make_leaf(before, value) if last else _make_container(before, path[depth + 1])
            place[step] = inner  # type: ignore[index]  # an int for a list, a str for an object: `_make_container` chose by it
            if last or not isinstance(inner, _Fields | _Items):
                return
            place = inner

    for path, value in unroll(sets):
        set_value(path, value)
    built = _finish(root)
    return built if isinstance(built, dict) else {}


def _get_at(place: _Fields | _Items, step: str | int) -> Any:
    if isinstance(place, _Items):
        return place[step] if isinstance(step, int) else None
    return place.get(step) if isinstance(step, str) else None


def _make_container(before: object, step: str | int) -> _Fields | _Items:
    """Return the container for the next step; an existing one of that kind is kept."""
    if isinstance(step, int):
        return before if isinstance(before, _Items) else _Items(before if isinstance(before, list) else ())
    return before if isinstance(before, _Fields) else _Fields(before if isinstance(before, dict) else {})


def _make_leaf(before: object, value: JsonScalar) -> object:
    if not isinstance(value, str):
        return value
    if isinstance(before, _Text):
        return _Text((before.pieces, value))
    return _Text(((None, before), value) if isinstance(before, str) else (None, value))


def _finish(built: object) -> object:
    match built:
        case _Text():
            return "".join(unroll(built.pieces))
        case _Fields():
            return {key: _finish(value) for key, value in built.items()}
        case _Items():
            return [_finish(value) for value in built]
        case _:
            return built


def encode_arguments(arguments: str | dict[str, Json] | None) -> str:
    """Return arguments as JSON text; some servers send the object where the protocol has text."""
    return arguments or "" if isinstance(arguments, str | None) else encode_flawed_json(arguments).decode()


def make_id(seed: str, ordinal: int) -> str:
    """Make an id for a call, unique within a conversation.

    `seed` identifies the response (its id or time), and `ordinal` is the position of the call in it. The id has nine characters,
    which satisfies the strictest vendor (Mistral: 9 of [a-zA-Z0-9]).

    >>> make_id("resp-1", 0) == make_id("resp-1", 0) != make_id("resp-1", 1)
    True
    """
    return "c" + blake2b(f"{seed}\x00{ordinal}".encode("utf-8", "replace"), digest_size=4).hexdigest()
