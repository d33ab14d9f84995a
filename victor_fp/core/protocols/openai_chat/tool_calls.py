"""Which call a piece of one belongs to, however a server numbers them.

Rules: a piece continues the newest open call that has its index (or, without an index, its id; with neither, any), unless
it brings another id, or the head of another call: another name, or arguments that begin anew. Calls are numbered in the
order in which they open, and that number is the index of their deltas. A call without an id, or with one that an earlier
call of this answer has, gets one made of the answer's id and its number; where the answer has neither id nor time, one made
of what it says, for which it is held back until it is whole.
"""

from __future__ import annotations

import msgspec
from victor_fp_wire.openai_chat.response import FunctionCall, ToolCall

from victor_fp.core.deltas import Delta, ToolCallArguments, ToolCallStarted
from victor_fp.core.json import Json, encode_json
from victor_fp.core.tool_call_ids import make_id

Arguments = str | dict[str, Json] | None


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A call or a part of one, as the server sent it."""

    index: float | None = None
    id: str = ""
    name: str = ""
    arguments: Arguments = None
    state: dict[str, Json] | None = None


class OpenCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call that has begun."""

    index: float | None
    id: str
    """The server's own, or empty."""
    name: str
    argued: bool
    """Arguments have come."""
    told_id: str | None
    """The id under which it was told; None while it is held back."""
    held: tuple[Piece, ...] = ()


class Calls(msgspec.Struct, frozen=True, kw_only=True):
    """The calls of one answer so far."""

    open: tuple[OpenCall, ...] = ()


NO_CALLS = Calls()


def piece_of(call: ToolCall) -> Piece:
    """A tool call of the wire; custom tools take a text where functions take arguments."""
    extra = call.extra_content
    state: dict[str, Json] | None = {"extra_content": extra} if isinstance(extra, dict) else None
    if call.custom is not None and (call.custom.name or call.custom.input):
        return Piece(index=call.index, id=call.id or "", name=call.custom.name or "", arguments=call.custom.input)
    function = call.function or FunctionCall()
    return Piece(
        index=call.index, id=call.id or "", name=function.name or "", arguments=function.arguments, state=state
    )


def is_empty_piece(piece: Piece) -> bool:
    """A record without a name, an id, arguments or an index, as some servers send beside text; no call is meant."""
    return not (piece.name or piece.id or piece.arguments) and piece.index is None


def legacy_piece(call: FunctionCall) -> Piece:
    """A `function_call`, which came before tools."""
    return Piece(name=call.name or "", arguments=call.arguments)


def placed(calls: Calls, piece: Piece, seed: str, deltas: list[Delta], *, whole: bool = False) -> Calls:
    """The calls with this piece; its deltas are added. A `whole` call of a body never continues another."""
    ordinal = None if whole else _continued(calls, piece)
    if ordinal is None:
        ordinal = len(calls.open)
        told = _id_of(calls, piece, seed, ordinal)
        call = OpenCall(index=piece.index, id=piece.id, name=piece.name, argued=False, told_id=told)
        if told is not None:
            deltas.append(ToolCallStarted(index=ordinal, id=told, name=piece.name, state=piece.state))
    else:
        call = calls.open[ordinal]
        if call.told_id is not None and ((piece.name and not call.name) or piece.state is not None):
            deltas.append(ToolCallStarted(index=ordinal, id=call.told_id, name=piece.name, state=piece.state))
    if call.told_id is None:
        call = msgspec.structs.replace(call, held=(*call.held, piece))
    else:
        _tell_arguments(ordinal, call.told_id, piece.arguments, deltas)
    call = msgspec.structs.replace(call, name=call.name or piece.name, argued=call.argued or bool(piece.arguments))
    return Calls(open=(*calls.open[:ordinal], call, *calls.open[ordinal + 1 :]))


def released(calls: Calls, deltas: list[Delta]) -> Calls:
    """The calls that were held back, told now that they are whole."""
    for ordinal, call in enumerate(calls.open):
        if call.told_id is None:
            told = make_id(call.name + "".join(_text(piece.arguments) for piece in call.held), ordinal)
            state = next((piece.state for piece in call.held if piece.state is not None), None)
            deltas.append(ToolCallStarted(index=ordinal, id=told, name=call.name, state=state))
            for piece in call.held:
                _tell_arguments(ordinal, told, piece.arguments, deltas)
            calls = Calls(
                open=(
                    *calls.open[:ordinal],
                    msgspec.structs.replace(call, told_id=told, held=()),
                    *calls.open[ordinal + 1 :],
                )
            )
    return calls


def _text(arguments: Arguments) -> str:
    return arguments or "" if isinstance(arguments, str | None) else encode_json(arguments).decode()


def _id_of(calls: Calls, piece: Piece, seed: str, ordinal: int) -> str | None:
    if piece.id and all(call.told_id != piece.id for call in calls.open):
        return piece.id
    return make_id(seed, ordinal) if seed else None


def _tell_arguments(ordinal: int, id_: str, arguments: Arguments, deltas: list[Delta]) -> None:
    if isinstance(arguments, dict):
        deltas.append(ToolCallStarted(index=ordinal, id=id_, arguments=arguments))
    elif arguments:
        deltas.append(ToolCallArguments(index=ordinal, id=id_, text=arguments))


def _continued(calls: Calls, piece: Piece) -> int | None:
    for ordinal in range(len(calls.open) - 1, -1, -1):
        call = calls.open[ordinal]
        if piece.index is not None and call.index is not None and piece.index != call.index:
            continue
        if piece.id and call.id and piece.id != call.id:
            continue
        if piece.id and not call.id and piece.index is None:
            continue
        return None if _opens_another(call, piece) else ordinal
    return None


def _opens_another(call: OpenCall, piece: Piece) -> bool:
    """Whether a piece that could continue this call is the head of another one all the same."""
    if not piece.name or not call.name or (piece.id and piece.id == call.id and piece.name == call.name):
        return False
    if piece.name != call.name:
        return True
    begins = isinstance(piece.arguments, dict) or (piece.arguments or "").lstrip().startswith("{")
    return call.argued and begins
