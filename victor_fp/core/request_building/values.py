"""Values of callers that JSON cannot hold: where they stand, and the faults that name them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from victor_fp.core.faults import InvalidRequest
from victor_fp.core.json import encode_json
from victor_fp.core.requests import ChatRequest

_SHOWN = 300
"""Characters of an exception's message."""


def find_not_finite(request: ChatRequest) -> InvalidRequest | None:
    """InvalidRequest that names a number that is not finite; None where all are."""
    for place, value in _name_values(request):
        if (problem := find_number_problem(place, value)) is not None:
            return InvalidRequest(model=request.model, message=problem)
    return None


def find_unwritable(request: ChatRequest, error: Exception) -> InvalidRequest:
    """InvalidRequest that names the first value of the request that cannot be written as JSON, and why."""
    try:
        named = list(_name_values(request))
    except Exception as wrong:  # messages and tools that were made without validation
        return describe_failure(wrong, model=request.model)
    for place, value in named:
        try:
            encode_json(value)
        except RecursionError:
            return InvalidRequest(model=request.model, message=f"{place} is nested too deeply")
        except UnicodeEncodeError as wrong:
            reason = f"lone surrogate at position {wrong.start} of a text"
            return InvalidRequest(model=request.model, message=f"{place} is not valid Unicode: {reason}")
        except (TypeError, ValueError) as wrong:
            return InvalidRequest(model=request.model, message=f"{place} cannot be written as JSON: {wrong}"[:_SHOWN])
    return describe_failure(error, model=request.model)


def describe_failure(error: Exception, *, provider: str = "", model: str | None = None) -> InvalidRequest:
    """InvalidRequest for whatever values of a caller made a request's builder raise."""
    message = f"the request could not be built: {type(error).__name__}: {error}"[:_SHOWN]
    return InvalidRequest(provider=provider, model=model if isinstance(model, str) else None, message=message)


def find_number_problem(name: str, value: object) -> str | None:
    """A sentence about the first number inside a value that is not finite; None where there is none."""
    number = _search(value)
    return None if number is None else f"{name}: {number} is not a number that JSON can represent"


def _name_values(request: ChatRequest) -> Iterator[tuple[str, object]]:
    """Everything of the request that its caller passed, with its name."""
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
    """A number that is not finite, anywhere inside, were it inside itself."""
    waiting, seen = [value], {id(value)}
    while waiting:
        inside: Iterable[object] = ()
        match waiting.pop():
            case float() as number if not math.isfinite(number):
                return number
            case Mapping() as fields:
                inside = fields.values()
            case list() | tuple() | set() | frozenset() as items:
                inside = items
            case msgspec.Struct() as struct:
                inside = (getattr(struct, name) for name in struct.__struct_fields__)
            case _:
                pass
        for item in inside:
            if id(item) not in seen:
                seen.add(id(item))
                waiting.append(item)
    return None
