"""Structured output: the text of a response, parsed and validated against its `response_format`.

    result = await provider.chat_result(messages, model=model, response_format=Person)
    structured(result, Person)                              # Result[Person, Fault]

The format is a pydantic model, a msgspec Struct, a dataclass, a TypedDict or a JSON Schema (draft 2020-12). The text may
be JSON, a fenced code block, or JSON surrounded by other text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar, overload

import msgspec
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.dataclasses import is_pydantic_dataclass
from returns.result import Failure, Result, Success

from victor_fp.core.faults import ContentRefused, Fault, InvalidRequest, InvalidResponse, Partial
from victor_fp.core.json import Json, NotJson, decode_lenient_json, encode_json
from victor_fp.core.options import FORMATS, ResponseFormat, is_format_class, read_format_class
from victor_fp.core.result import outcome
from victor_fp.core.schemas.validation import MISSING, SchemaError, compile_schema, render_path
from victor_fp.core.types import CompletionResponse, Message, StreamChunk

T = TypeVar("T")
StructuredInput: TypeAlias = (
    "CompletionResponse | StreamChunk | Result[CompletionResponse, Fault] | Result[StreamChunk, Fault]"
)
"""A response, the final chunk of a stream, or a result of either."""
ResponseForm: TypeAlias = "type[object] | Mapping[str, Any]"
Check: TypeAlias = "Callable[[Json], Result[Any, Sequence[SchemaError]]]"

_FENCE = "```"
_LABEL = re.compile(r"[\w-]{0,64}[ \t]{0,16}\n")
_MAX_SHOWN = 5
"""Maximum number of errors in a fault's message."""


@overload
def structured(answer: StructuredInput, form: type[T]) -> Result[T, Fault]: ...
@overload
def structured(answer: StructuredInput, form: Mapping[str, Any]) -> Result[Json, Fault]: ...
def structured(answer: StructuredInput, form: type[Any] | Mapping[str, Any]) -> Result[Any, Fault]:
    """Return the value in the text of a response.

    `answer` is a response, the final chunk of a stream, or a Result of either; a failure is passed through. Faults:
    ContentRefused if the model refused; InvalidResponse if the text is not JSON or does not match, with the errors and
    their paths in its message and the text in its `partial`; InvalidRequest if the schema is invalid.
    """
    if isinstance(answer, CompletionResponse | StreamChunk):
        return _read_answer(answer, form)
    result: Result[Any, Fault] = answer
    match outcome(result):
        case Success(value):
            return _read_answer(value, form)
        case Failure(fault):
            return Failure(fault)


def _read_answer(answer: CompletionResponse | StreamChunk, form: ResponseForm) -> Result[Any, Fault]:
    """Read a response, or that of a final chunk."""
    response = answer if isinstance(answer, CompletionResponse) else answer.response
    if response is None:
        return Failure(InvalidResponse(message="only the final chunk of a stream has the complete response"))
    return _read(response, form)


def repair_messages(
    messages: Sequence[Message], response: CompletionResponse, fault: InvalidResponse, form: ResponseForm
) -> tuple[Message, ...]:
    """Build the messages for another attempt: the invalid response, its errors and the schema it must match.

    `fault` is what `structured(response, form)` returned.
    """
    turn = () if not response.content.strip() else (Message(role="assistant", content=response.content),)
    described = _unwrap_schema(form) if isinstance(form, Mapping) else read_format_class(form)
    schema = encode_json(described.schema if isinstance(described, ResponseFormat) else described).decode()
    correction = (
        f"That answer cannot be used: {fault.message}.\n"
        "Answer again with one JSON value and nothing else. It must match this JSON Schema:\n"
        f"{schema}"
    )
    return (*messages, *turn, Message(role="user", content=correction))


def read_form(response_format: object) -> ResponseForm | None:
    """Return the form requested by the option `response_format`; None for text.

    >>> read_form("json"), read_form({"type": "text"}) is None
    ({'type': 'object'}, True)
    """
    match response_format:
        case ResponseFormat(kind="schema", schema=schema):
            return schema
        case ResponseFormat() | "json" | {"type": "json_object"}:
            return {"type": "object"}
        case {"type": "text", **rest} if not rest:
            return None
        case type() if is_format_class(response_format):
            return response_format
        case Mapping():
            return response_format
        case _:
            return None


def find_form_problem(form: ResponseForm) -> str | None:
    """Return why responses cannot be requested in a form and validated against it; None if they can."""
    given: object = form
    if isinstance(given, type):
        described = read_format_class(given)
        return described if isinstance(described, str) else None
    match outcome(_build_check(form)):
        case Failure(reason):
            return str(reason)
        case _:
            return None


def _read(response: CompletionResponse, form: ResponseForm) -> Result[Any, Fault]:
    refusal = (response.metadata or {}).get("refusal")
    if refusal or response.stop_reason in ("refusal", "content_filter"):
        return Failure(ContentRefused(model=response.model, message=str(refusal or "the model refused to respond")))
    match outcome(_build_check(form)):
        case Failure(reason):
            is_schema = isinstance(form, Mapping) and reason is not MISSING
            unusable = "is not a valid JSON Schema (draft 2020-12)" if is_schema else "cannot be checked"
            message = f"schema {_find_name(form)} {unusable}: {reason}"
            return Failure(InvalidRequest(model=response.model, message=message))
        case Success(check):
            return _find_first_match(response, form, check)


def _find_first_match(response: CompletionResponse, form: ResponseForm, check: Check) -> Result[Any, Fault]:
    errors: Sequence[SchemaError] | None = None
    for text in dict.fromkeys(_list_candidates(response.content)):
        value = decode_lenient_json(text)  # models write line breaks in strings unescaped
        if isinstance(value, NotJson):
            continue
        match outcome(check(value)):
            case Success(matching):
                return Success(matching)
            case Failure(found):
                errors = errors if errors is not None else found
    if errors is None:
        return Failure(_build_invalid_fault(response, _explain_missing(response)))
    more = f" (and {len(errors) - _MAX_SHOWN} more)" if len(errors) > _MAX_SHOWN else ""
    shown = "; ".join(map(str, errors[:_MAX_SHOWN]))
    return Failure(_build_invalid_fault(response, f"JSON does not match schema {_find_name(form)}: {shown}{more}"))


def _list_candidates(content: str) -> Iterator[str]:
    """Yield the parts of a text that may be JSON: the text, each fenced block, the span of the outermost brackets."""
    yield content.strip()
    yield from _find_fenced(content)
    for opening, closing in ("{}", "[]"):
        start, end = content.find(opening), content.rfind(closing)
        if 0 <= start < end:
            yield content[start : end + 1]


def _find_fenced(content: str) -> Iterator[str]:
    at = content.find(_FENCE)
    while at >= 0:
        label = _LABEL.match(content, at + len(_FENCE))
        if label is None:
            at = content.find(_FENCE, at + len(_FENCE))
            continue
        end = content.find(_FENCE, label.end())
        if end < 0:
            return
        yield content[label.end() : end].strip()
        at = content.find(_FENCE, end + len(_FENCE))


def _build_check(form: ResponseForm) -> Result[Check, str]:
    if isinstance(form, Mapping):
        return compile_schema(_unwrap_schema(form)).map(
            lambda schema: lambda value: _match_schema(value, schema.find_errors(value))
        )
    given: object = form
    if given is None or isinstance(given, str | bytes | int | float):
        return Failure(f"expected {FORMATS}, got {form!r:.60}")
    return Success(lambda value: _convert_value(value, form))


def _match_schema(value: Json, errors: Sequence[SchemaError]) -> Result[Any, Sequence[SchemaError]]:
    return Failure(errors) if errors else Success(value)


def _convert_value(value: Json, form: type[object]) -> Result[Any, Sequence[SchemaError]]:
    try:
        # Generic types, which msgspec supports, are not classes.
        kind: object = form
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            # From JSON, so that dates, bytes and enums are accepted in their JSON form.
            return Success(kind.model_validate_json(encode_json(value)))
        if is_pydantic_dataclass(form):
            return Success(TypeAdapter(form).validate_json(encode_json(value)))
        return Success(msgspec.convert(value, form))
    except ValidationError as error:
        return Failure([SchemaError(render_path(one["loc"]), one["msg"]) for one in error.errors(include_url=False)])
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `")
        return Failure([SchemaError(path.removesuffix("`") or "$", reason.replace("`", ""))])
    except Exception as error:  # validators are the caller's code
        return Failure([SchemaError("$", f"{type(error).__name__}: {error}")])


def _unwrap_schema(form: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema itself, also from the wrapper of OpenAI's `response_format`."""
    wrapped = form.get("json_schema")
    inner = wrapped.get("schema") if form.get("type") == "json_schema" and isinstance(wrapped, Mapping) else None
    return inner if isinstance(inner, Mapping) else form


def _explain_missing(response: CompletionResponse) -> str:
    if not response.content.strip():
        return "the response has no text"
    if response.stop_reason == "length":
        return "the JSON is truncated: the response reached the token limit"
    return "the response is not JSON"


def _find_name(form: ResponseForm) -> str:
    if not isinstance(form, Mapping):
        return str(getattr(form, "__name__", form))[:60]
    wrapped = form.get("json_schema")
    given = wrapped.get("name") if isinstance(wrapped, Mapping) else None
    return str(_unwrap_schema(form).get("title") or given or "of the request")


def _build_invalid_fault(response: CompletionResponse, message: str) -> InvalidResponse:
    return InvalidResponse(
        model=response.model, message=message, maybe_billed=True, partial=Partial(content=response.content)
    )
