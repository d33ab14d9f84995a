"""Function calls, complete or streamed by argument; missing ids are derived."""

from __future__ import annotations

import re

import msgspec
from victor_fp_wire.gemini.response import FunctionCall, PartialArg

from victor_fp.core.deltas import (
    Delta,
    ErrorReported,
    StateReported,
    ToolCallArguments,
    ToolCallArgumentSet,
    ToolCallStarted,
)
from victor_fp.core.faults import InvalidResponse
from victor_fp.core.json import Json, JsonScalar, encode_flawed_json
from victor_fp.core.streaming.tool_call_drafts import make_id

_STEP = re.compile(
    r"\.(?P<name>[^.\[\]]+)|\[(?P<index>\d{1,4})\]|\['(?P<single>(?:[^'\\]|\\.)*)'\]|\[\"(?P<double>(?:[^\"\\]|\\.)*)\"\]"
)
_MAX_STEPS = 64
_ESCAPED = re.compile(r"\\(.)")
_EXACT = 2.0**53
"""Integers up to this are exact as a double."""


class CallProgress(msgspec.Struct, frozen=True, gc=False):
    """Number of calls so far, and the id of the newest."""

    count: int = 0
    newest: str = ""


NO_CALLS = CallProgress()


def read_call(
    progress: CallProgress, seed: str | None, call: FunctionCall, signature: str | None
) -> tuple[CallProgress, list[Delta]]:
    """Return the deltas of a functionCall part: a call, its start, or more arguments of the newest call.

    A part with a name starts a call, one without continues it, and an empty one ends it. Missing ids are derived from
    `seed`, which distinguishes this response from others of the conversation.
    """
    deltas: list[Delta] = []
    if call.name:
        progress = CallProgress(progress.count + 1, call.id or _make_id(seed, call, progress.count))
        text = call.args if isinstance(call.args, str) else None
        arguments = None if isinstance(call.args, str) else call.args
        started = ToolCallStarted(
            index=progress.count - 1,
            id=progress.newest,
            name=call.name,
            arguments={} if call.args is None and not call.will_continue else arguments,
            state=_build_state(call.id, signature),
        )
        deltas.append(started)
        if text:
            deltas.append(ToolCallArguments(index=started.index, id=started.id, text=text))
    elif signature and progress.count:
        deltas.append(StateReported({"thoughtSignature": signature}))
    if call.partial_args:
        found = [_read_argument(progress, piece) for piece in call.partial_args]
        deltas += [argument for argument in found if argument is not None]
    return progress, deltas


def _make_id(seed: str | None, call: FunctionCall, ordinal: int) -> str:
    return make_id(seed or f"{call.name}{encode_flawed_json(call.args or {}).decode()}", ordinal)


def _build_state(id_: str | None, signature: str | None) -> dict[str, Json] | None:
    """Return the state to send back with the call, including the vendor's id: models without ids may reject one."""
    state: dict[str, Json] = {}
    if id_:
        state["id"] = id_
    if signature:
        state["thoughtSignature"] = signature
    return state or None


def _read_argument(progress: CallProgress, piece: PartialArg) -> Delta | None:
    """Return the value of an argument, or the error; None if the value is still to come."""
    path = parse_path(piece.json_path or "")
    if path is None or not progress.count:
        what = (
            f"an argument with the invalid path {piece.json_path!r}" if path is None else "an argument without a call"
        )
        return ErrorReported(InvalidResponse(message=f"the response streams {what}"))
    value = _read_value(piece)
    if value is None and piece.will_continue:
        return None
    return ToolCallArgumentSet(index=progress.count - 1, id=progress.newest, path=path, value=value)


def _read_value(piece: PartialArg) -> JsonScalar:
    if piece.string_value is not None:
        return piece.string_value
    if piece.bool_value is not None:
        return piece.bool_value
    number = piece.number_value
    if number is not None and number.is_integer() and abs(number) < _EXACT:
        # Streamed numbers are doubles; an integral value is an integer in a non-streaming response.
        return int(number)
    return number


def parse_path(path: str) -> tuple[str | int, ...] | None:
    """Parse a JSON path to names and indexes.

    Return None if it is invalid, has more than 64 steps, or an index of more than four digits, which bounds memory and
    stack depth.

    >>> parse_path("$.recipe.steps[0]['a name']")
    ('recipe', 'steps', 0, 'a name')
    """
    if not path.startswith("$"):
        return None
    found: list[str | int] = []
    position = 1
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None or len(found) == _MAX_STEPS:
            return None
        found.append(int(match["index"]) if match["index"] is not None else _read_name(match))
        position = match.end()
    return tuple(found) or None


def _read_name(match: re.Match[str]) -> str:
    if match["name"] is not None:
        return match["name"]
    quoted = match["single"] if match["single"] is not None else match["double"]
    return _ESCAPED.sub(r"\1", quoted)
