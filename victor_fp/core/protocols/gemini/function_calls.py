"""The model's calls, whole or argument by argument, with made ids where the vendor gives none."""

from __future__ import annotations

import re

import msgspec
from victor_fp_wire.gemini.response import FunctionCall, PartialArg

from victor_fp.core.deltas import Delta, ErrorReported, StateReported, ToolCallArgumentSet, ToolCallStarted
from victor_fp.core.faults import InvalidResponse
from victor_fp.core.json import Json, JsonScalar, encode_flawed_json
from victor_fp.core.tool_call_ids import make_id

_STEP = re.compile(
    r"\.(?P<name>[^.\[\]]+)|\[(?P<index>\d{1,4})\]|\['(?P<single>(?:[^'\\]|\\.)*)'\]|\[\"(?P<double>(?:[^\"\\]|\\.)*)\"\]"
)
_MAX_STEPS = 64
_ESCAPED = re.compile(r"\\(.)")
_EXACT = 2.0**53
"""Above it a double no longer holds every integer."""


class CallsSeen(msgspec.Struct, frozen=True, gc=False):
    """How many calls the answer has so far, and the id of the newest."""

    count: int = 0
    newest: str = ""


NO_CALLS = CallsSeen()


def add_call(
    seen: CallsSeen, seed: str | None, call: FunctionCall, signature: str | None, deltas: list[Delta]
) -> CallsSeen:
    """Appends what one functionCall part means: a call, its head, or more of the newest call's arguments.

    A part with a name opens a call; one without continues it, and an empty one closes it. `seed` tells this answer
    apart from others of the conversation.
    """
    if call.name:
        seen = CallsSeen(seen.count + 1, call.id or _make_id(seed, call, seen.count))
        deltas.append(
            ToolCallStarted(
                index=seen.count - 1,
                id=seen.newest,
                name=call.name,
                arguments=call.args if call.args is not None or call.will_continue else {},
                state=_build_state(call.id, signature),
            )
        )
    elif signature and seen.count:
        deltas.append(StateReported({"thoughtSignature": signature}))
    for piece in call.partial_args or ():
        _set(seen, piece, deltas)
    return seen


def _make_id(seed: str | None, call: FunctionCall, ordinal: int) -> str:
    return make_id(seed or f"{call.name}{encode_flawed_json(call.args or {}).decode()}", ordinal)


def _build_state(id_: str | None, signature: str | None) -> dict[str, Json] | None:
    """What goes back with the call. Its id is among it, since models that give none may refuse to be sent one."""
    state: dict[str, Json] = {}
    if id_:
        state["id"] = id_
    if signature:
        state["thoughtSignature"] = signature
    return state or None


def _set(seen: CallsSeen, piece: PartialArg, deltas: list[Delta]) -> None:
    path = parse_path(piece.json_path or "")
    if path is None or not seen.count:
        what = f"arguments at {piece.json_path!r}, which is no path" if path is None else "arguments of no call"
        deltas.append(ErrorReported(InvalidResponse(message=f"the answer streams {what}")))
        return
    value = _read_value(piece)
    if value is None and piece.will_continue:
        return
    deltas.append(ToolCallArgumentSet(index=seen.count - 1, id=seen.newest, path=path, value=value))


def _read_value(piece: PartialArg) -> JsonScalar:
    if piece.string_value is not None:
        return piece.string_value
    if piece.bool_value is not None:
        return piece.bool_value
    number = piece.number_value
    if number is not None and number.is_integer() and abs(number) < _EXACT:
        # The wire knows doubles only; a whole answer would have written 3.
        return int(number)
    return number


def parse_path(path: str) -> tuple[str | int, ...] | None:
    """The names and indexes of a JSON path such as `$.recipe.steps[0]['a name']`; None where it is not valid, deeper than
    64 steps, or has an index of more than four digits: memory and stack depend on both.

    >>> steps("$.recipe.steps[0]['a name']")
    ('recipe', 'steps', 0, 'a name')
    """
    if not path.startswith("$"):
        return None
    found: list[str | int] = []
    place = 1
    while place < len(path):
        match = _STEP.match(path, place)
        if match is None or len(found) == _MAX_STEPS:
            return None
        found.append(int(match["index"]) if match["index"] is not None else _read_name(match))
        place = match.end()
    return tuple(found) or None


def _read_name(match: re.Match[str]) -> str:
    if match["name"] is not None:
        return match["name"]
    quoted = match["single"] if match["single"] is not None else match["double"]
    return _ESCAPED.sub(r"\1", quoted)
