"""Assignment of tool call fragments to calls, independent of the server's numbering.

Rules: a fragment continues the newest open call with its index (or, without an index, its id; with neither, any call),
unless it has another id or starts another call: another name, or arguments that begin again. Calls are numbered in order of
their first fragment; that number is the index of their deltas. A call without an id, or with the id of an earlier call, gets
one derived from the completion's id and its number. If the completion has neither id nor creation time, the id is derived
from the call's content, and the call is buffered until complete.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from victor_fp.core.deltas import Delta, ToolCallArguments, ToolCallStarted
from victor_fp.core.json import Json, unroll
from victor_fp.core.streaming.persistent import PersistentList, PersistentMap
from victor_fp.core.streaming.tool_call_drafts import CallIndex, encode_arguments, make_id

Arguments = str | dict[str, Json] | None


class Fragment(msgspec.Struct, frozen=True, kw_only=True):
    """A call, or a fragment of one, as received."""

    index: float | None = None
    id: str = ""
    name: str = ""
    arguments: Arguments = None
    state: dict[str, Json] | None = None


_Fragments: TypeAlias = "tuple[_Fragments, Fragment] | None"
_Ordinals: TypeAlias = "tuple[_Ordinals, int] | None"


class OpenCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call that has started."""

    index: float | None
    id: str
    """The server's id, or empty."""
    name: str
    has_arguments: bool
    emitted_id: str | None
    """The id of its deltas; None while it is buffered."""
    held: _Fragments = None


class OpenCalls(msgspec.Struct, frozen=True, kw_only=True):
    """The calls of one completion so far."""

    calls: PersistentList[OpenCall] = PersistentList()
    index: CallIndex = CallIndex()
    ids: PersistentMap[str, bool] = PersistentMap()
    """The ids emitted so far."""
    held: _Ordinals = None
    """Numbers of the buffered calls."""


NO_CALLS = OpenCalls()


def is_empty_fragment(fragment: Fragment) -> bool:
    """Return whether a fragment has no name, id, arguments or index; some servers send such fragments along with text."""
    return not (fragment.name or fragment.id or fragment.arguments) and fragment.index is None


def add_fragment(
    calls: OpenCalls, fragment: Fragment, seed: str, *, is_complete: bool = False
) -> tuple[OpenCalls, list[Delta]]:
    """Add a fragment: return the calls and its deltas. A `is_complete` call of a body never continues another."""
    ordinal = None if is_complete else _find_continued(calls, fragment)
    if ordinal is None:
        return _open_call(calls, fragment, seed)
    call = calls.calls[ordinal]
    deltas: list[Delta] = []
    if call.emitted_id is None:
        call = msgspec.structs.replace(call, held=(call.held, fragment))
    else:
        if (fragment.name and not call.name) or fragment.state is not None:
            deltas.append(ToolCallStarted(index=ordinal, id=call.emitted_id, name=fragment.name, state=fragment.state))
        deltas += _emit_arguments(ordinal, call.emitted_id, fragment.arguments)
        if (call.name or not fragment.name) and (call.has_arguments or not fragment.arguments):
            return calls, deltas
    call = msgspec.structs.replace(
        call, name=call.name or fragment.name, has_arguments=call.has_arguments or bool(fragment.arguments)
    )
    return msgspec.structs.replace(calls, calls=calls.calls.with_replaced(ordinal, call)), deltas


def release_held(calls: OpenCalls) -> tuple[OpenCalls, list[Delta]]:
    """Emit the buffered calls, which are complete now."""
    if calls.held is None:
        return calls, []
    deltas: list[Delta] = []
    opened = calls.calls
    ids = calls.ids
    for ordinal in unroll(calls.held):
        call = opened[ordinal]
        held = unroll(call.held)
        id_ = make_id(call.name + "".join(encode_arguments(fragment.arguments) for fragment in held), ordinal)
        state = next((fragment.state for fragment in held if fragment.state is not None), None)
        deltas.append(ToolCallStarted(index=ordinal, id=id_, name=call.name, state=state))
        for fragment in held:
            deltas += _emit_arguments(ordinal, id_, fragment.arguments)
        opened = opened.with_replaced(ordinal, msgspec.structs.replace(call, emitted_id=id_, held=None))
        ids = ids.with_item(id_, True)  # noqa: FBT003  a set
    return msgspec.structs.replace(calls, calls=opened, ids=ids, held=None), deltas


def _open_call(calls: OpenCalls, fragment: Fragment, seed: str) -> tuple[OpenCalls, list[Delta]]:
    ordinal = len(calls.calls)
    id_ = _choose_id(calls, fragment, seed, ordinal)
    call = OpenCall(
        index=fragment.index,
        id=fragment.id,
        name=fragment.name,
        has_arguments=bool(fragment.arguments),
        emitted_id=id_,
        held=(None, fragment) if id_ is None else None,
    )
    opened = OpenCalls(
        calls=calls.calls.with_appended(call),
        index=calls.index.with_call(ordinal, fragment.index, fragment.id),
        ids=calls.ids if id_ is None else calls.ids.with_item(id_, True),  # noqa: FBT003  a set
        held=(calls.held, ordinal) if id_ is None else calls.held,
    )
    if id_ is None:
        return opened, []
    started = ToolCallStarted(index=ordinal, id=id_, name=fragment.name, state=fragment.state)
    return opened, [started, *_emit_arguments(ordinal, id_, fragment.arguments)]


def _choose_id(calls: OpenCalls, fragment: Fragment, seed: str, ordinal: int) -> str | None:
    if fragment.id and fragment.id not in calls.ids:
        return fragment.id
    return make_id(seed, ordinal) if seed else None


def _emit_arguments(ordinal: int, id_: str, arguments: Arguments) -> list[Delta]:
    if isinstance(arguments, dict):
        return [ToolCallStarted(index=ordinal, id=id_, arguments=arguments)]
    return [ToolCallArguments(index=ordinal, id=id_, text=arguments)] if arguments else []


def _find_continued(calls: OpenCalls, fragment: Fragment) -> int | None:
    for ordinal in calls.index.find_candidates(fragment.index, fragment.id):
        call = calls.calls[ordinal]
        if fragment.id and not call.id and fragment.index is None:
            continue
        return None if _is_new_call(call, fragment) else ordinal
    return None


def _is_new_call(call: OpenCall, fragment: Fragment) -> bool:
    """Return whether a fragment that could continue this call starts another one."""
    if not fragment.name or not call.name or (fragment.id and fragment.id == call.id and fragment.name == call.name):
        return False
    if fragment.name != call.name:
        return True
    restarts = isinstance(fragment.arguments, dict) or (fragment.arguments or "").lstrip().startswith("{")
    return call.has_arguments and restarts
