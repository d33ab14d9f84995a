"""Response formats as instructions, for APIs without structured output, if the caller allows the adjustment."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from msgspec.structs import replace
from returns.result import Failure, Result, Success

from victor_fp.core.conversation import append_instructions
from victor_fp.core.faults import Fault
from victor_fp.core.json import encode_json
from victor_fp.core.options import ResponseFormat
from victor_fp.core.requests import ChatRequest, HttpRequest
from victor_fp.core.result import outcome

Write: TypeAlias = Callable[[ChatRequest], Result[HttpRequest, Fault]]


def prompt_dropped_schema(write: Write, request: ChatRequest) -> Result[HttpRequest, Fault]:
    """Build a request; if that drops the response format, describe it in the system message."""
    form = request.options.response_format
    built = write(request)
    if form is None:
        return built
    match outcome(built):
        case Success(http) if any(adjustment.drops_form for adjustment in http.adjustments):
            instructed = replace(request, messages=append_instructions(request.messages, describe_format(form)))
            return write(instructed).map(_record_adjustment)
        case Success() | Failure():
            return built


def describe_format(form: ResponseFormat) -> str:
    """Return the instructions for a response format."""
    if form.kind == "json":
        return "Answer with one JSON object and nothing else."
    schema = encode_json(form.schema).decode()
    return f"Answer with one JSON value and nothing else. It must match this JSON Schema:\n{schema}"


def _record_adjustment(http: HttpRequest) -> HttpRequest:
    adjustments = tuple(
        replace(one, action="changed", reason=f"{one.reason}; moved to the system message") if one.drops_form else one
        for one in http.adjustments
    )
    return replace(http, adjustments=adjustments)
