"""Structured output: an answer's text as the validated value that its `response_format` asked for.

    result = await provider.chat_result(messages, model=model, response_format=Person)
    structured(result, Person)                              # Result[Person, Fault]

A pydantic model, a msgspec Struct or a JSON Schema; the text may be plain JSON, fenced, or stand between words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, TypeVar, overload

import msgspec
from pydantic import BaseModel, ValidationError
from returns.result import Failure, Result, Success

from victor_fp.core.faults import ContentRefused, Fault, InvalidResponse, Partial
from victor_fp.core.json import Json, NotJson, decode_json
from victor_fp.core.result import outcome
from victor_fp.core.schema_checking import misfits
from victor_fp.core.types import CompletionResponse, StreamChunk

T = TypeVar("T", bound="BaseModel | msgspec.Struct")
Answer: TypeAlias = "CompletionResponse | StreamChunk | Result[CompletionResponse, Fault] | Result[StreamChunk, Fault]"
Form: TypeAlias = "type[BaseModel | msgspec.Struct] | Mapping[str, Any]"

_FENCE = re.compile(r"```[\w-]*[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL)
_TOLD = 5
"""How many things that are wrong a fault names."""


@overload
def structured(answer: Answer, form: type[T]) -> Result[T, Fault]: ...
@overload
def structured(answer: Answer, form: Mapping[str, Any]) -> Result[Json, Fault]: ...
def structured(answer: Answer, form: type[Any] | Mapping[str, Any]) -> Result[Any, Fault]:
    """The value in an answer's text.

    The answer is a response, the final chunk of a stream, or a result of either; a failure passes through. ContentRefused where the model declined; InvalidResponse where the text is no JSON, or not of
    this form: its message says what is wrong and where, its `partial` has the text.
    """
    if isinstance(answer, CompletionResponse | StreamChunk):
        return _read_answer(answer, form)
    result: Result[Any, Fault] = answer
    match outcome(result):
        case Success(value):
            return _read_answer(value, form)
        case Failure(fault):
            return Failure(fault)


def _read_answer(answer: CompletionResponse | StreamChunk, form: Form) -> Result[Any, Fault]:
    """A final chunk is read as the whole response that it holds."""
    response = answer if isinstance(answer, CompletionResponse) else answer.response
    if response is None:
        return Failure(InvalidResponse(message="only the final chunk of a stream holds the whole answer"))
    return _read(response, form)


def _read(response: CompletionResponse, form: Form) -> Result[Any, Fault]:
    refusal = (response.metadata or {}).get("refusal")
    if refusal or response.stop_reason in ("refusal", "content_filter"):
        return Failure(ContentRefused(model=response.model, message=str(refusal or "the model declined to answer")))
    texts = list(dict.fromkeys(_candidates(response.content)))
    values = [value for text in texts if not isinstance(value := decode_json(text), NotJson)]
    if not values:
        return Failure(_invalid(response, _unreadable(response)))
    wrong: list[str] = []
    for value in values:
        match _fitted(value, form):
            case Success(fitting):
                return Success(fitting)
            case Failure(reasons):
                wrong = wrong or reasons
    more = f" (and {len(wrong) - _TOLD} more)" if len(wrong) > _TOLD else ""
    return Failure(_invalid(response, f"the answer is no {_name(form)}: {'; '.join(wrong[:_TOLD])}{more}"))


def _candidates(content: str) -> Iterator[str]:
    """What of a text may be the JSON: all of it, what is fenced, what stands between the outermost brackets."""
    yield content.strip()
    yield from (match[1] for match in _FENCE.finditer(content))
    for opening, closing in ("{}", "[]"):
        start, end = content.find(opening), content.rfind(closing)
        if 0 <= start < end:
            yield content[start : end + 1]


def _fitted(value: Json, form: Form) -> Result[Any, list[str]]:
    if isinstance(form, Mapping):
        wrong = [str(misfit) for misfit in misfits(value, _schema_of(form))]
        return Failure(wrong) if wrong else Success(value)
    if issubclass(form, BaseModel):
        try:
            # As JSON: dates, bytes and enums have their JSON spelling here.
            return Success(form.model_validate_json(msgspec.json.encode(value)))
        except ValidationError as error:
            return Failure([_told(one["loc"], one["msg"]) for one in error.errors(include_url=False)])
    try:
        return Success(msgspec.convert(value, form))
    except msgspec.ValidationError as error:
        return Failure([str(error)])


def _schema_of(form: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema, bare or in the wrapping of OpenAI's `response_format`."""
    wrapped = form.get("json_schema")
    inner = wrapped.get("schema") if form.get("type") == "json_schema" and isinstance(wrapped, Mapping) else None
    return inner if isinstance(inner, Mapping) else form


def _told(place: tuple[int | str, ...], words: str) -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return f"${path}: {words}"


def _unreadable(response: CompletionResponse) -> str:
    if not response.content.strip():
        return "the answer has no text"
    if response.stop_reason == "length":
        return "the answer was cut off by its bound on tokens before its JSON was whole"
    return "the answer is no JSON"


def _name(form: Form) -> str:
    return str(form.get("title") or "value of the schema") if isinstance(form, Mapping) else form.__name__


def _invalid(response: CompletionResponse, message: str) -> InvalidResponse:
    return InvalidResponse(
        model=response.model, message=message, maybe_billed=True, partial=Partial(content=response.content)
    )
