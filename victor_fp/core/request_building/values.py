"""Detection of values that JSON cannot represent, with faults that name their location."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from victor_fp.core.faults import InvalidRequest
from victor_fp.core.json import encode_json
from victor_fp.core.json.keys import find_key_problem
from victor_fp.core.requests import ChatRequest

_NOT_FINITE = re.compile(rb"\xcb[\x7f\xff][\xf0-\xff]")
"""NaN and infinities in MessagePack. Texts are UTF-8, which does not have these bytes; other values may."""
_SHOWN = 300
"""Maximum length of an exception's message, in characters."""


def find_not_finite(request: ChatRequest) -> InvalidRequest | None:
    """Return InvalidRequest for the first non-finite number; None if all are finite."""
    named = list(_name_values(request))
    if _is_finite([value for _, value in named]):
        return None
    for location, value in named:
        if (problem := find_number_problem(location, value)) is not None:
            return InvalidRequest(model=request.model, message=problem)
    return None


def find_unwritable(request: ChatRequest, error: Exception) -> InvalidRequest:
    """Return InvalidRequest for the first value of the request that cannot be encoded as JSON."""
    try:
        named = list(_name_values(request))
    except Exception as wrong:  # messages and tools constructed without validation
        return describe_failure(wrong, model=request.model)
    for location, value in named:
        if (problem := find_key_problem(location, value)) is not None:
            return InvalidRequest(model=request.model, message=problem)
        try:
            encode_json(value)
        except RecursionError:
            return InvalidRequest(model=request.model, message=f"{location} is nested too deeply")
        except UnicodeEncodeError as wrong:
            reason = f"lone surrogate at position {wrong.start} of a text"
            return InvalidRequest(model=request.model, message=f"{location} is not valid Unicode: {reason}")
        except (TypeError, ValueError) as wrong:
            return InvalidRequest(
                model=request.model, message=f"{location} cannot be encoded as JSON: {wrong}"[:_SHOWN]
            )
    return describe_failure(error, model=request.model)


def describe_failure(error: Exception, *, provider: str = "", model: str | None = None) -> InvalidRequest:
    """Return InvalidRequest for an exception raised while building a request."""
    message = f"the request could not be built: {type(error).__name__}: {error}"[:_SHOWN]
    return InvalidRequest(provider=provider, model=model if isinstance(model, str) else None, message=message)


def find_number_problem(name: str, value: object) -> str | None:
    """Return an error message for the first non-finite number in a value; None if there is none."""
    number = _search(value)
    return None if number is None else f"{name}: {number} is not a number that JSON can represent"


def _is_finite(value: object) -> bool:
    """Return whether a value has no non-finite number, without a search of it in Python; False if that is not known."""
    try:
        return _NOT_FINITE.search(msgspec.msgpack.encode(value)) is None
    except Exception:  # a value of another type, or one that contains itself
        return False


def _name_values(request: ChatRequest) -> Iterator[tuple[str, object]]:
    """Yield the name and value of everything the caller passed."""
    yield "model", request.model
    yield "temperature", request.temperature
    for index, message in enumerate(request.messages):
        content = message.content
        parts = content if isinstance(content, str) else [part.model_dump() for part in content]
        state = (message.metadata or {}).get("provider_state")
        yield f"messages[{index}]", [parts, message.name, message.tool_calls, message.tool_call_id, state]
    for index, tool in enumerate(request.tools):
        yield f"tools[{index}]", [tool.name, tool.description, tool.parameters]
    for name in request.options.__struct_fields__:
        value = getattr(request.options, name)
        if name == "unknown" and isinstance(value, Mapping):
            yield from value.items()
        else:
            yield name, value


def _search(value: object) -> float | None:
    """Search a value, possibly cyclic, for a non-finite number."""
    pending, seen = [value], {id(value)}
    while pending:
        children: Iterable[object] = ()
        match pending.pop():
            case float() as number if not math.isfinite(number):
                return number
            case Mapping() as fields:
                children = fields.values()
            case list() | tuple() | set() | frozenset() as items:
                children = items
            case msgspec.Struct() as struct:
                children = (getattr(struct, name) for name in struct.__struct_fields__)
            case _:
                pass
        for item in children:
            if id(item) not in seen:
                seen.add(id(item))
                pending.append(item)
    return None
